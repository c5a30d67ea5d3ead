"""The bug hunt: piece 3, where samples start."""

import torch

from gencourse.checks._hunt import repair
from gencourse.probes.diffusion.hunt import from_noise, one_and_none


def repair_3_reference(n, generator):
    """n points from N(0, I), (n, 2), drawn with the generator."""
    return torch.randn(n, 2, generator=generator)


@repair(
    reference=repair_3_reference,
    minutes=2,
    hints=(
        "What does x_T look like after the last step of noise? The sampler has to start there.",
        "One letter is the difference between even and normal noise.",
    ),
    on_success="Normal noise, and repeatable.",
)
def repair_3(answer, seed):
    yield "20,000 points to start from", answer.run(from_noise, seed)
    yield "how many there are", answer.run(one_and_none, seed)


@repair_3.alternative
def by_normal(n, generator):
    return torch.empty(n, 2).normal_(generator=generator)


@repair_3.alternative
def by_quantiles(n, generator):
    u = torch.rand(n, 2, generator=generator, dtype=torch.float64)
    return torch.special.ndtri(u.clamp(1e-12, 1 - 1e-12)).float()


@repair_3.mistake("This is still the planted piece. Which mean have numbers between 0 and 1?")
def planted_start(n, generator):
    return torch.rand(n, 2, generator=generator)


@repair_3.mistake("The mean is 0 now. Is the spread 1, and do any lie beyond 1?")
def between_minus_one_and_one(n, generator):
    return 2 * torch.rand(n, 2, generator=generator) - 1


@repair_3.mistake(
    "Mean and spread are right. A normal number lies beyond 2 in one of 22 cases: how often "
    "does yours?"
)
def even_with_spread_one(n, generator):
    return (2 * torch.rand(n, 2, generator=generator) - 1) * 3**0.5


@repair_3.mistake("All points start at one place. Who has drawn for the others?")
def one_point_for_all(n, generator):
    return torch.randn(1, 2, generator=generator).expand(n, 2).clone()


@repair_3.mistake("Both numbers of a point are the same. How many are to be drawn for each?")
def on_the_diagonal(n, generator):
    return torch.randn(n, 1, generator=generator).expand(n, 2).clone()


@repair_3.mistake("One seed should give the same points. Who draws yours?")
def without_the_generator(n, generator):
    return torch.randn(n, 2)


@repair_3.mistake("The numbers are right. Points are rows: what is the shape of yours?")
def transposed(n, generator):
    return torch.randn(2, n, generator=generator)
