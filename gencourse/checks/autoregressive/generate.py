"""Exercise on the sampling loop: draw a token, append it, ask again."""

import torch

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.writing import (
    after_learning,
    draws,
    prompt_unchanged,
    repetitions,
    spread,
    writing,
)
from gencourse.runtime import seeded


@exercise(
    reference=autoregressive.generate,
    difficulty=2,
    minutes=15,
    points=4,
    hints=(
        "One round of the loop: what does the model see, which of its logits do you use, how "
        "do you draw, where does the token go?",
        "The model gives logits (B, t, V), those at position t for the token after it. Which "
        "position knows what comes next?",
        "Around the loop: nothing is trained here. What should be switched off before, and "
        "what has to be put back afterwards?",
    ),
    on_success=(
        "The text is known from the prompt and the generator's state alone, the model never saw "
        "more than `block` tokens, and it can train on."
    ),
)
def generate(answer, seed):
    short, long = (torch.randint(0, 7, (3, t), generator=seeded(seed + t)) for t in (2, 6))

    def written(idx, n, block=4, T=1.0, **situation):
        return answer.run(writing, idx, n, block, T, seed, **situation)

    yield "two further tokens of a model that adds up its context, block = 4", written(short, 2)
    yield "six further tokens, so that the context outgrows block = 4", written(short, 6)
    kept = answer.run(prompt_unchanged, short, 2, 4, 1.0, seed)
    yield "whether the prompt is after the call as before", kept
    yield "three further tokens when the prompt itself is longer than block", written(long, 3, V=13)
    book = torch.randint(150, 300, (1, 19), generator=seeded(seed))
    yield "three of 300 tokens, a prompt of 19 and block = 20", written(book, 3, block=20, V=300)
    yield "two further tokens when there is one token alone, V = 1", written(0 * short, 2, V=1)
    yield "three further tokens with block = 1", written(short, 3, block=1)
    many = 210 if seed % 3 == 2 else 40  # as many as the course asks for, once
    yield f"{many} further tokens of a single prompt", written(short[:1], many)
    yield "one further token when there is a single prompt, B = 1", written(short[:1], 1)
    yield "a model that comes in evaluation mode", written(short, 3, training=False)
    yield "a caller who records no graphs", written(long, 2, block=9, recording=False)
    said = "two texts at T = 0 of one model, which has learned another token in between"
    yield said, answer.run(after_learning, short, 2, 3, seed)
    yield "texts of a model that is unsure", answer.run(repetitions, short, 4, 3, 1.0, seed)
    yield "12 texts, 600 tokens being nearly alike", answer.run(spread, 600, 12, seed)
    for T, n in ((2.0, 30), (0.5, 30), (2e3, 20), (5e-5, 20), (1.0, 10 * many)):
        factor = T if n == 20 else 1.0
        logits = factor * (uneven() if n < 100 else one_likely()).log()
        others = {20: (0, T / 2, T, 2 * T), 30: (0.5, 1.0, 2.0)}.get(n, (T,))
        tables = {f"{t:g}": autoregressive.temperature_probs(logits, t) for t in others}
        found = answer.run(draws, logits, T, n, seed, tables[f"{T:g}"], tables)
        yield f"{n} texts of 4 tokens drawn at T = {T:g}", found
    yield "a further token at T = 0.0", written(short, 1, T=0.0, sharpness=1e-6)
    yield "four tokens at T = 0, one logit 0.000001 ahead", written(long, 4, T=0, sharpness=1e-6)
    yield "two further tokens at T = 0, logits of a billion", written(short, 2, T=0, sharpness=1e9)


@generate.alternative
@torch.inference_mode()
def by_gumbel_noise(model, idx, n, block, T, generator):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    for _ in range(n):
        logits = model(idx[:, -min(block, idx.size(1)) :])[:, -1, :]
        u = torch.rand(logits.shape, generator=generator).clamp(min=1e-20)
        noisy = logits / T - (-u.log()).log() if T > 0 else logits
        idx = torch.hstack([idx, noisy.argmax(dim=-1)[:, None]])
    for module, mode in modes:
        module.training = mode
    return idx


@generate.alternative
def by_the_inverse_of_the_sum(model, idx, n, block, T, generator):
    was_training, t = model.training, idx.shape[1]
    text = torch.zeros(len(idx), t + n, dtype=torch.long)
    text[:, :t] = idx
    model.train(False)
    for i in range(t, t + n):
        with torch.no_grad():
            logits = model(text[:, max(0, i - block) : i])[:, -1].double()
        total = (logits / max(T, 1e-9)).softmax(-1).cumsum(-1)
        u = torch.rand(len(idx), 1, generator=generator, dtype=torch.float64)
        text[:, i] = (total < u).sum(1).clamp(max=logits.shape[-1] - 1)
    model.train(was_training)
    return text


def uneven():
    """Probabilities of 21 tokens: one of 0.56, 19 different ones below 0.05, one of 0."""
    p = 0.005 + 0.002 * torch.arange(19)[torch.arange(19) * 7 % 19]
    return torch.cat([p[:9], torch.tensor([1 - float(p.sum())]), p[9:], torch.zeros(1)])


def one_likely():
    """Probabilities of 61 tokens, of which one has 0.994."""
    return torch.cat([torch.tensor([0.994]), torch.full((60,), 0.0001)])


def steps(
    model,
    idx,
    n,
    block,
    T,
    generator,
    *,
    crop=lambda idx, block: idx[:, -block:],
    place=-1,
    temper=None,
    draw=None,
):
    """The loop alone, with knobs for what learners get wrong; mode and graph are left alone."""
    for _ in range(n):
        logits = model(crop(idx, block))[:, place]
        probs = (temper or autoregressive.temperature_probs)(logits, T)
        if T == 0 and not temper:
            token = logits.argmax(-1, keepdim=True)
        elif draw:
            token = draw(probs, generator)
        else:
            token = torch.multinomial(probs, 1, generator=generator)
        idx = torch.cat([idx, token], 1)
    return idx


def quietly(model, *args, loop=steps, **knobs):
    """A loop with the model in evaluation mode for the time, and without a graph."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        text = loop(model, *args, **knobs)
    model.train(was_training)
    return text


@generate.mistake(
    "Your model sees the whole text, however long it gets. How many tokens can it take at most, "
    "and which of them?"
)
def context_not_cropped(*args):
    return quietly(*args, crop=lambda idx, block: idx)


@generate.mistake(
    "The context is short enough, but these are the first tokens of the text, always the same. "
    "Which ones matter for the next?"
)
def context_cropped_at_the_wrong_end(*args):
    return quietly(*args, crop=lambda idx, block: idx[:, :block])


@generate.mistake(
    "The beginning of the text is lost: the crop should be what the model sees, not what you "
    "keep. Which name does it need?"
)
def text_cropped_for_good(model, idx, n, block, T, generator):
    for _ in range(n):
        idx = quietly(model, idx[:, -block:], 1, block, T, generator)
    return idx


@generate.mistake(
    "You use the logits of the first position: they say what should be second. Which position "
    "knows what comes after the last?"
)
def logits_of_the_first_place(*args):
    return quietly(*args, place=0)


@generate.mistake(
    "The most likely token is taken, whatever T and the generator say: every text is the same. "
    "How is a token drawn?"
)
def always_the_most_likely(*args):
    return quietly(*args, draw=lambda probs, generator: probs.argmax(-1, keepdim=True))


@generate.mistake(
    "The model is asked the same question every time: its own tokens never reach it. What should "
    "the context of the second round hold?"
)
def token_never_shown_to_the_model(model, idx, n, block, T, generator):
    tokens = [quietly(model, idx, 1, block, T, generator)[:, -1:] for _ in range(n)]
    return torch.cat([idx, *tokens], 1)


@generate.mistake(
    "The new tokens are right. The prompt belongs to the text as well: which shape does the "
    "docstring give?"
)
def prompt_left_out(model, idx, *args):
    return quietly(model, idx, *args)[:, idx.shape[1] :]


@generate.mistake(
    "The model was in training mode while you sampled: with dropout it would guess with a part of "
    "its units. How is it told that this is no training?"
)
def training_mode(*args):
    with torch.no_grad():
        return steps(*args)


@generate.mistake(
    "The text is right, but the model is left in evaluation mode: if it trains on, then without "
    "dropout. What was its mode before?"
)
def left_in_evaluation_mode(model, *args):
    model.eval()
    with torch.no_grad():
        return steps(model, *args)


@generate.mistake(
    "A model that came in evaluation mode leaves in training mode. What has to be remembered "
    "before the loop?"
)
def always_training_mode_afterwards(model, *args):
    text = quietly(model, *args)
    model.train()
    return text


@generate.mistake(
    "A graph was recorded at each step: memory is filled for gradients that nobody asks for. What "
    "switches it off?"
)
def graph_recorded(model, *args):
    was_training = model.training
    model.eval()
    text = steps(model, *args)
    model.train(was_training)
    return text


@generate.mistake(
    "After your call no graph can be recorded any more, so nobody can train. How far does `with "
    "torch.no_grad():` reach?"
)
def graphs_off_for_good(*args):
    text = quietly(*args)
    torch.set_grad_enabled(False)
    return text


@generate.mistake(
    "The text is right, but the model was in training mode and a graph was recorded at every "
    "step. Which two switches does sampling need?"
)
def training_mode_and_graph(*args):
    return steps(*args)


@generate.mistake(
    "The draw does not listen to the generator that you were given. Who drew your tokens, and can "
    "anybody repeat them?"
)
def global_generator(model, idx, n, block, T, generator):
    return quietly(model, idx, n, block, T, None)


@generate.mistake(
    "A second call with the same generator gives the same text again: it is set back at the "
    "start. Whose task is the seed?"
)
def reseeded_at_the_start(model, idx, n, block, T, generator):
    return quietly(model, idx, n, block, T, generator.manual_seed(0))


@generate.mistake(
    "The generator is set back before every token, so that each is drawn with the same luck. When "
    "should it be seeded?"
)
def reseeded_at_each_token(*args):
    return quietly(
        *args,
        draw=lambda probs, generator: torch.multinomial(
            probs, 1, generator=generator.manual_seed(0)
        ),
    )


@generate.mistake(
    "All rows get the token that was drawn for one of them. How many draws does a round need?"
)
def one_draw_for_all_rows(*args):
    return quietly(
        *args,
        draw=lambda probs, generator: torch.multinomial(probs[0], 1, generator=generator).expand(
            len(probs), 1
        ),
    )


@generate.mistake(
    "Right for several prompts, an error for one alone: a dimension that has size 1 by chance was "
    "taken away. Which one did you mean?"
)
def squeezed(*args):
    return quietly(
        *args,
        draw=lambda probs, generator: torch.multinomial(probs, 1, generator=generator).squeeze()[
            :, None
        ],
    )


@generate.mistake(
    "T changes nothing in your texts. Where does it enter, before the softmax or after it?"
)
def temperature_ignored(*args):
    return quietly(
        *args,
        temper=lambda logits, T: (
            logits.softmax(-1) if T else autoregressive.temperature_probs(logits, 0)
        ),
    )


@generate.mistake(
    "T changes nothing in your texts, and T = 0 is not the most likely token. What should be "
    "divided by T, and when can it not?"
)
def temperature_ignored_even_at_zero(*args):
    return quietly(*args, temper=lambda logits, T: logits.softmax(-1))


@generate.mistake("A high T makes your texts more certain. Is a hot distribution sharp or flat?")
def temperature_multiplied(*args):
    return quietly(
        *args, temper=lambda logits, T: autoregressive.temperature_probs(logits, 1 / T if T else 0)
    )


@generate.mistake(
    "All is right until T = 0: nothing can be divided by it. Which token is meant there?"
)
def division_by_zero(*args):
    return quietly(*args, temper=lambda logits, T: (logits / T).softmax(-1))


@generate.mistake(
    "The logits are divided in place. Some models return their own table of logits, and its "
    "weights are then no longer what they were. Which operation makes a new tensor?"
)
def logits_divided_in_place(*args):
    return quietly(
        *args,
        temper=lambda logits, T: (
            logits.div_(T).softmax(-1) if T else autoregressive.temperature_probs(logits, 0)
        ),
    )
