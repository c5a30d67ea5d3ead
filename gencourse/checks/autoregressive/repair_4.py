"""The bug hunt: piece 4, at which positions new tokens stand."""

import torch

from gencourse.checks._hunt import repair
from gencourse.probes.autoregressive.hunt import looked_up


def repair_4_reference(past, n):
    """(n,) whole numbers: the positions of n tokens after `past` others."""
    return torch.arange(past, past + n)


@repair(
    reference=repair_4_reference,
    minutes=2,
    hints=(
        "In training `past` is 0, so the planted piece was right there. And with a cache?",
        "Three tokens are in the cache. At which position does the next one stand?",
    ),
    on_success="The text goes on where the cache ends.",
)
def repair_4(answer, seed):
    for past, n in ((3, 2), (0, 6), (1, 1), (17 + seed % 5, 1), (5, 9), (0, 1), (30, 30)):
        yield f"the positions of {n} tokens after {past}", answer(past, n)
    yield "what a table of positions holds for 4 tokens after 8", answer.run(looked_up, 8, 4)


@repair_4.alternative
def by_adding(past, n):
    return past + torch.arange(n)


@repair_4.alternative
def by_a_list(past, n):
    return torch.tensor([past + i for i in range(n)])


@repair_4.mistake("This is still the planted piece: it starts at 0 each time. Where does the text?")
def planted_positions(past, n):
    return torch.arange(n)


@repair_4.mistake("You count one too many. At which position stands the first token of all?")
def one_too_far(past, n):
    return torch.arange(past, past + n) + 1


@repair_4.mistake("You count one too few. How many positions are taken by the cache?")
def one_too_few(past, n):
    return torch.arange(past, past + n) - 1


@repair_4.mistake("These are as many as past and new ones together. Which of them are new?")
def all_of_them(past, n):
    return torch.arange(past + n)


@repair_4.mistake("All new tokens stand at one position. What if there are several?")
def all_at_one(past, n):
    return torch.full((n,), past)


@repair_4.mistake("n is how many there are, not where they end.")
def up_to_n(past, n):
    return torch.arange(past, max(n, past))


@repair_4.mistake(
    "The numbers are right, but nn.Embedding cannot be asked with them, for their type or for what "
    "holds them. With what does it count rows?"
)
def floats(past, n):
    return torch.arange(past, past + n).float()


@repair_4.mistake("The positions come backwards.")
def backwards(past, n):
    return torch.arange(past, past + n).flip(0)
