"""The bug hunt: piece 6, the next token is drawn."""

import torch

from gencourse.checks._hunt import repair
from gencourse.probes.autoregressive.hunt import shares, sure


def repair_6_reference(logits, T, generator):
    """Tokens (B,), one per row, from softmax(logits / T): logits (B, V)."""
    return torch.multinomial((logits / T).softmax(-1), 1, generator=generator)[:, 0]


@repair(
    reference=repair_6_reference,
    minutes=3,
    hints=(
        "The softmax comes twice in the planted piece. Of what is a softmax taken?",
        "Temperature divides logits, before anything is made of them.",
    ),
    exempt={"larger numbers": "nearly all rows are the likeliest token then, by chance all"},
    on_success="At T = 1 the model's own distribution, below it a bolder one, above it a flatter.",
)
def repair_6(answer, seed):
    p = torch.tensor([0.05, 0.5, 0.3, 0.15])
    for T in (1.0, 0.5, 2.0):
        tables = {f"that at T = {t:g}": power(p, t) for t in (0.5, 1.0, 2.0)}
        tables |= {"a softmax of probabilities": (p / T).softmax(0), "even": p * 0 + 0.25}
        tables |= {"the likeliest alone": torch.tensor([0.0, 1.0, 0.0, 0.0])}
        yield f"tokens drawn at T = {T:g}", answer.run(shares, p.log(), T, seed, tables)
    last = 40 * torch.eye(9)[[3, 0, 8, 8, 1, 6]]
    yield "tokens where one logit is 40 ahead", answer.run(sure, last, 1.0, seed)
    yield "tokens where one logit is 400 ahead, at T = 20", answer.run(sure, 10 * last, 10.0, seed)
    yield "the token of a single row", answer.run(sure, last[:1], 0.5, seed)


@repair_6.alternative
def by_gumbel_noise(logits, T, generator):
    u = torch.rand(logits.shape, generator=generator).clamp(min=1e-20)
    return (logits / T - (-u.log()).log()).argmax(-1)


@repair_6.alternative
def by_the_inverse_of_the_sum(logits, T, generator):
    total = torch.softmax(logits.double() / T, 1).cumsum(1)
    u = torch.rand(len(logits), 1, generator=generator, dtype=torch.float64)
    return torch.searchsorted(total, u).squeeze(1).clamp(max=logits.shape[1] - 1)


def power(p, T):
    """p^(1/T), normalised."""
    raised = p ** (1 / T)
    return raised / raised.sum()


def drawn(p, generator):
    return torch.multinomial(p, 1, generator=generator)[:, 0]


@repair_6.mistake(
    "This is still the planted piece: a softmax of probabilities is nearly flat, since they lie "
    "between 0 and 1. What belongs into a softmax?"
)
def planted_draw_token(logits, T, generator):
    return drawn((logits.softmax(-1) / T).softmax(-1), generator)


@repair_6.mistake(
    "T changes nothing. Is it used? multinomial makes what it is given sum to 1, so probabilities "
    "divided by T are the same as before: what else could be divided?"
)
def temperature_without_effect(logits, T, generator):
    return drawn(logits.softmax(-1) / T, generator)


@repair_6.mistake("Hot and cold are exchanged. Do small T make the logits larger or smaller?")
def multiplied(logits, T, generator):
    return drawn((logits * T).softmax(-1), generator)


@repair_6.mistake("You take the likeliest token. What is drawn?")
def greedy(logits, T, generator):
    torch.rand((), generator=generator)
    return logits.argmax(-1)


@repair_6.mistake("Not drawn from the generator that was passed. What does multinomial take?")
def generator_ignored(logits, T, generator):
    return torch.multinomial((logits / T).softmax(-1), 1)[:, 0]


@repair_6.mistake("Each token has a dimension of its own, (B, 1). Which shape is asked for?")
def column(logits, T, generator):
    return torch.multinomial((logits / T).softmax(-1), 1, generator=generator)


@repair_6.mistake("All rows get the token of the first. How many are drawn?")
def first_row_alone(logits, T, generator):
    return drawn((logits[:1] / T).softmax(-1), generator).expand(len(logits))


@repair_6.mistake("All tokens are equally likely. Where have the logits gone?")
def even(logits, T, generator):
    return drawn(torch.ones_like(logits), generator)
