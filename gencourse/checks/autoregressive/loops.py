"""Exercise on the sampling loop: draw a token, append it, ask again."""

import math

import torch
from torch import Tensor

from gencourse.checks._legacy import exercise
from gencourse.models import autoregressive
from gencourse.runtime import seeded

MODELS = """
class Adder(nn.Module):
    lengths, modes, graphs = [], [], []
    def __init__(self, V, sharpness):
        super().__init__()
        self.V, self.sharpness = V, sharpness
        self.dropout = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.ones(()))
    def forward(self, idx):
        self.lengths.append(idx.shape[1])
        self.modes.append(any(module.training for module in self.modules()))
        self.graphs.append(torch.is_grad_enabled())
        sums = (idx.cumsum(1) + torch.arange(idx.shape[1])) % self.V
        return self.scale * self.sharpness * nn.functional.one_hot(sums, self.V).float()

class Dice(nn.Module):
    def __init__(self, log_p):
        super().__init__()
        self.log_p = nn.Parameter(log_p)
    def forward(self, idx):
        return self.log_p.expand(*idx.shape, -1)
"""
CALL = "generate(model, idx, n, block, T, generator)"
AGAIN = f"""
before = torch.random.get_rng_state()
first = {CALL}
alone = torch.equal(before, torch.random.get_rng_state())
torch.randn(3)
second = {CALL}
generator.manual_seed(seed)
third = {CALL}
generator.manual_seed(seed + 1)
[torch.equal(first, third), torch.equal(first, second), torch.equal(first, {CALL}), alone]
"""


@exercise(
    reference=autoregressive.generate,
    difficulty=2,
    minutes=15,
    points=4,
    hints=(
        "One round of the loop: what does the model see, which of its logits do you use, how do you draw, where does the token go?",
        "The model gives logits (B, t, V), those at place t for the token after it. Which place knows what comes next?",
        "Around the loop: nothing is trained here. What should be switched off before, and what has to be put back afterwards?",
    ),
    insight="The text is known from the prompt and the generator's state alone, the model never saw more than `block` tokens, and it can train on.",
)
def generate(ask, seed):
    fresh = f"{MODELS}\ngenerator = torch.Generator().manual_seed({seed})\n"
    adder, weak = f"{fresh}model = Adder(7, 60.0)\n", f"{fresh}model = Adder(7, 0.5)\n"
    short, long = (torch.randint(0, 7, (3, t), generator=seeded(seed + t)) for t in (2, 6))
    inputs = dict(idx=short, n=9, block=4, T=1.0)
    first = "two further tokens of a model that adds up its context, while that is shorter than block"
    yield first, ask(adder + CALL, **inputs | {"n": 2})
    after = "max(model.lengths), any(model.modes), model.training, any(model.graphs), torch.is_grad_enabled(), model.scale.requires_grad"
    seen = ask(f"{adder}text = {CALL}\n[text, idx, {after}]", **inputs)
    yield "nine further tokens of that model, whose context outgrows block = 4", seen[0]
    yield "the prompt after the call, which should be as before", seen[1]
    yield "the longest context that the model was given, block = 4", seen[2]
    yield "whether a part of the model was in training mode when it was called", seen[3]
    yield "whether the model is in training mode again, as it was before", seen[4]
    yield "whether a graph was recorded in the model", seen[5]
    yield "whether graphs can be recorded again after the call", seen[6]
    yield "whether the model's parameters can still learn", seen[7]
    yield "five further tokens when the prompt itself is longer than block", ask(adder + CALL, **inputs | {"idx": long, "n": 5})
    yield "four further tokens with block = 1", ask(adder + CALL, **inputs | {"n": 4, "block": 1})
    single = ask(adder + CALL, **inputs | {"idx": short[:1], "n": 2})
    yield "two further tokens when there is a single prompt, B = 1", single
    resting = ask(f"{adder}model.eval()\n{CALL}\nmodel.training", **inputs | {"n": 1})
    yield "whether a model that was in evaluation mode is in training mode afterwards", resting
    said = ask(weak + AGAIN, **inputs | {"n": 8, "seed": seed})
    yield "whether a generator in the same state gives the same text", said[0]
    yield "whether a second call with the same generator repeats the text", said[1]
    yield "whether a generator in another state gives the same text", said[2]
    yield "whether torch's global generator was left alone", said[3]
    yield from dice(ask, f"{fresh}model = Dice(log_p)\n{CALL}")
    coldest = "five further tokens at T = 0, of a model whose largest logit is 0.001 above the others"
    yield coldest, ask(f"{fresh}model = Adder(7, 0.001)\n{CALL}", **inputs | {"idx": long, "n": 5, "T": 0})


def dice(ask, code):
    """What can be said about tokens that are drawn at random with probabilities 0.7, 0.2 and 0.1, at several T."""
    N, log_p = 2000, torch.tensor([0.7, 0.2, 0.1]).log()
    for T in (1.0, 2.0, 0.5):
        text = ask(code, log_p=log_p, idx=torch.zeros(N, 1, dtype=torch.long), n=2, block=3, T=T)
        if not isinstance(text, Tensor) or text.shape != (N, 3):
            yield "the shape of 2000 texts of a prompt with one token and n = 2", list(text.shape) if isinstance(text, Tensor) else text
            return
        p, drawn = (log_p / T).softmax(0), text[:, 1:]
        found = torch.stack([(drawn == j).double().mean(0) for j in range(3)], 1)
        heights = {t: float((log_p / t).softmax(0)[0]) for t in (0.25, 0.5, 1.0, 2.0, 4.0)}
        looks = min(heights, key=lambda t: abs(heights[t] - float(found[:, 0].mean())))
        yield f"which temperature the drawn tokens look like, of ¼, ½, 1, 2 and 4, at T = {T:g}", looks
        near = (found - p).abs() < 5.5 * (p * (1 - p) / N).sqrt()
        yield f"whether tokens of probability 0.7, 0.2 and 0.1 come as often as they should at T = {T:g}", bool(near.all())
        pairs, equal = float(p.square().sum()), float((drawn[:, 0] == drawn[:, 1]).double().mean())
        apart = abs(equal - pairs) < 5.5 * math.sqrt(pairs * (1 - pairs) / N)
        yield f"whether a token is drawn independently of the one before at T = {T:g}, as that model says", apart


def steps(model, idx, n, block, T, generator, *, crop=lambda idx, block: idx[:, -block:], place=-1, temper=None, draw=None):
    """The loop alone, with knobs for what learners get wrong: the model's mode and graph are left as they are."""
    for _ in range(n):
        logits = model(crop(idx, block))[:, place]
        probs = (temper or autoregressive.temperature_probs)(logits, T)
        token = draw(probs, generator) if draw else torch.multinomial(probs, 1, generator=generator)
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


@generate.mistake("Your model sees the whole text, however long it gets. How many tokens can it take at most, and which of them?")
def context_not_cropped(*args):
    return quietly(*args, crop=lambda idx, block: idx)


@generate.mistake(
    "The context is short enough, but these are the first tokens of the text, always the same. Which ones matter for the next?"
)
def context_cropped_at_the_wrong_end(*args):
    return quietly(*args, crop=lambda idx, block: idx[:, :block])


@generate.mistake("The beginning of the text is lost: the crop should be what the model sees, not what you keep. Which name does it need?")
def text_cropped_for_good(model, idx, n, block, T, generator):
    for _ in range(n):
        idx = quietly(model, idx[:, -block:], 1, block, T, generator)
    return idx


@generate.mistake("You use the logits of the first place: they say what should be second. Which place knows what comes after the last?")
def logits_of_the_first_place(*args):
    return quietly(*args, place=0)


@generate.mistake("The most likely token is taken, whatever T and the generator say: every text is the same. How is a token drawn?")
def always_the_most_likely(*args):
    return quietly(*args, draw=lambda probs, generator: probs.argmax(-1, keepdim=True))


@generate.mistake(
    "The model is asked the same question every time: its own tokens never reach it. What should the context of the second round hold?"
)
def token_never_shown_to_the_model(model, idx, n, block, T, generator):
    tokens = [quietly(model, idx, 1, block, T, generator)[:, -1:] for _ in range(n)]
    return torch.cat([idx, *tokens], 1)


@generate.mistake("The new tokens are right. The prompt belongs to the text as well: which shape does the docstring give?")
def prompt_left_out(model, idx, *args):
    return quietly(model, idx, *args)[:, idx.shape[1] :]


@generate.mistake("Dropout was on while you sampled: the model guesses with half of its units. How is it told that this is no training?")
def training_mode(*args):
    with torch.no_grad():
        return steps(*args)


@generate.mistake(
    "The text is right, but the model is left in evaluation mode: if it trains on, then without dropout. What was its mode before?"
)
def left_in_evaluation_mode(model, *args):
    model.eval()
    with torch.no_grad():
        return steps(model, *args)


@generate.mistake("A model that came in evaluation mode leaves in training mode. What has to be remembered before the loop?")
def always_training_mode_afterwards(model, *args):
    text = quietly(model, *args)
    model.train()
    return text


@generate.mistake("A graph was recorded at each step: memory is filled for gradients that nobody asks for. What switches it off?")
def graph_recorded(model, *args):
    was_training = model.training
    model.eval()
    text = steps(model, *args)
    model.train(was_training)
    return text


@generate.mistake("After your call no graph can be recorded any more, so nobody can train. How far does `with torch.no_grad():` reach?")
def graphs_off_for_good(*args):
    text = quietly(*args)
    torch.set_grad_enabled(False)
    return text


@generate.mistake(
    "The text is right, but the model was in training mode and a graph was recorded at every step. Which two switches does sampling need?"
)
def training_mode_and_graph(*args):
    return steps(*args)


@generate.mistake("The draw does not listen to the generator that you were given. Who drew your tokens, and can anybody repeat them?")
def global_generator(model, idx, n, block, T, generator):
    return quietly(model, idx, n, block, T, None)


@generate.mistake("A second call with the same generator gives the same text again: it is set back at the start. Whose task is the seed?")
def reseeded_at_the_start(model, idx, n, block, T, generator):
    return quietly(model, idx, n, block, T, generator.manual_seed(0))


@generate.mistake("The generator is set back before every token, so that each is drawn with the same luck. When should it be seeded?")
def reseeded_at_each_token(*args):
    return quietly(*args, draw=lambda probs, generator: torch.multinomial(probs, 1, generator=generator.manual_seed(0)))


@generate.mistake("All rows get the token that was drawn for one of them. How many draws does a round need?")
def one_draw_for_all_rows(*args):
    return quietly(*args, draw=lambda probs, generator: torch.multinomial(probs[0], 1, generator=generator).expand(len(probs), 1))


@generate.mistake(
    "Right for several prompts, an error for one alone: a dimension that has size 1 by chance was taken away. Which one did you mean?"
)
def squeezed(*args):
    return quietly(*args, draw=lambda probs, generator: torch.multinomial(probs, 1, generator=generator).squeeze()[:, None])


@generate.mistake("T changes nothing in your texts. Where does it enter, before the softmax or after it?")
def temperature_ignored(*args):
    return quietly(*args, temper=lambda logits, T: logits.softmax(-1) if T else autoregressive.temperature_probs(logits, 0))


@generate.mistake(
    "T changes nothing in your texts, and T = 0 is not the most likely token. What should be divided by T, and when can it not?"
)
def temperature_ignored_even_at_zero(*args):
    return quietly(*args, temper=lambda logits, T: logits.softmax(-1))


@generate.mistake("A high T makes your texts more certain. Is a hot distribution sharp or flat?")
def temperature_multiplied(*args):
    return quietly(*args, temper=lambda logits, T: autoregressive.temperature_probs(logits, 1 / T if T else 0))


@generate.mistake("All is right until T = 0: nothing can be divided by it. Which token is meant there?")
def division_by_zero(*args):
    return quietly(*args, temper=lambda logits, T: (logits / T).softmax(-1))


@generate.also_right
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


@generate.also_right
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
