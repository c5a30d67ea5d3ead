"""The bug hunt: piece 1, the data's scale."""

import torch

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.general import gradients


def repair_1_reference(x):
    """2x - 1: from [0, 1] to [-1, 1], any shape."""
    return 2 * x - 1


@repair(
    reference=repair_1_reference,
    minutes=2,
    hints=(
        "Where should 0 go, where 1, and where a half?",
        "It is undone by (x + 1) / 2.",
    ),
    on_success="Data around 0, as large as the noise: this is what the schedule was made for.",
)
def repair_1(answer, seed):
    yield "points of the unit square", answer(draw(seed, 5, 2).sigmoid())
    yield "its corners", answer(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]))
    yield "one point", answer(draw(seed + 1, 1, 2).sigmoid())
    yield "points beyond", answer(3 * draw(seed + 2, 4, 2))
    yield "its gradients", answer.run(gradients, draw(seed, 5, 2).sigmoid())


@repair_1.alternative
def around_the_middle(x):
    return (x - 0.5) / 0.5


@repair_1.alternative
def by_lerp(x):
    return torch.lerp(-torch.ones_like(x), torch.ones_like(x), x)


@repair_1.mistake("This is still the planted piece. Where does it leave 0, and where 1?")
def planted_centred(x):
    return x.clone()


@repair_1.mistake("The middle is right. How long is the way from -1 to 1?")
def half_as_wide(x):
    return x - 0.5


@repair_1.mistake("The width is right. Where does 0 go?")
def only_doubled(x):
    return 2 * x


@repair_1.mistake("This is the way back, as in `restored`. Which way is asked for?")
def way_back(x):
    return (x + 1) / 2


@repair_1.mistake(
    "You standardised with the batch's own mean and spread. Then a point's place depends on its "
    "neighbours, and nobody can undo it: which fixed map takes [0, 1] to [-1, 1]?"
)
def by_the_batch(x):
    return (x - x.mean(0)) / (x.std(0) + 1e-6)


@repair_1.mistake("Up is down: 0 goes to 1. Which end was to be -1?")
def upside_down(x):
    return 1 - 2 * x
