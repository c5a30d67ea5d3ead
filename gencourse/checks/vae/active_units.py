"""Exercise on units in use."""

import torch

from gencourse import evaluation
from gencourse.checks import draw, exercise
from gencourse.probes.vae.units import units


def means(seed, rows, shares, threshold):
    """Posterior means (rows, D) whose columns have variances shares · threshold, in some order.

    The columns are skewed: their mean, median and middle differ.
    """
    z = draw(seed, rows, len(shares)).exp()
    z = (z - z.mean(0)) / z.std(0)
    z = z * (torch.tensor(shares) * threshold).sqrt() + draw(seed + 1, len(shares))
    return z[:, draw(seed + 2, len(shares)).argsort()]


@exercise(
    reference=evaluation.active_units,
    difficulty=2,
    minutes=6,
    points=2,
    hints=(
        "A unit that says the same for every image says nothing. What measures that?",
        "mu is (N, D): N images, D units. One answer per unit.",
    ),
    on_success=(
        "A unit that is far from zero but constant was counted as inactive: it carries no "
        "information."
    ),
    exempt={
        "more columns": "units between those of the trial lie at the threshold to within rounding",
    },
)
def active_units(answer, seed):
    spread = torch.tensor([2.0, 0.05, 0.0, 0.5, 0.2])
    mu = draw(seed, 200, 5) * spread + torch.tensor([0.0, 0.0, 3.0, -1.0, 0.0])
    yield "five units", answer.run(units, mu, 0.01)
    yield "five units at a high threshold", answer.run(units, mu, 0.5)
    yield "five units when no threshold is given", answer.run(units, mu)
    said = "five units, one of them constant, one nearly so, at the threshold 0"
    yield said, answer.run(units, mu * torch.tensor([1e-5, 1.0, 1.0, 1.0, 1.0]), 0.0)
    near = (0.2, 0.7, 0.9, 0.96, 1.04, 1.1, 1.4, 5.0)
    for threshold in (0.00008, 0.0137, 0.347, 2.5):
        said = f"units whose variances lie around the threshold {threshold}"
        yield said, answer.run(units, means(seed, 200, near, threshold), threshold)
    said = "units whose variances lie around the threshold that is not given"
    yield said, answer.run(units, means(seed + 3, 200, near, 0.01))
    ordered = means(seed + 9, 12_000, (0.97, 0.98, 0.985, 1.015, 1.02, 1.03), 0.02).sort(0).values
    yield "12000 images in the order of every unit", answer.run(units, ordered, 0.02)
    far = means(seed + 12, 200, (0.1, 0.2, 0.3, 0.4, 2.0, 3.0, 4.0, 5.0), 0.01) + 4000
    yield "units whose means are near 4000", answer.run(units, far, 0.01)
    more = means(seed + 6, 6, (0.1, 0.2, 20.0, 40.0, 0.05) * 20, 0.4)
    yield "more units than images", answer.run(units, more, 0.4)
    three = torch.tensor([[0.0, 0.0, 0.42, 0.13], [0.1, 0.3, 0.26, 0.24], [0.2, -0.1, 0.1, 0.02]])
    yield "four units at three images", answer.run(units, three, 0.015)
    yield "five units at a single image", answer.run(units, mu[:1])


@active_units.alternative
def by_moments(mu, threshold=0.01):
    return ((mu - mu.mean(0, keepdim=True)) ** 2).mean(0) > threshold


@active_units.alternative
def unit_by_unit(mu, threshold=0.01):
    return torch.tensor([bool(column.var() > threshold) for column in mu.T])


@active_units.mistake(
    "You asked each image how its units vary. Along which axis does one unit run through the data?"
)
def variance_over_units(mu, threshold=0.01):
    return mu.var(1) > threshold


@active_units.mistake(
    "Far from zero the mean of the squares and the square of the mean nearly cancel, and float32 "
    "has seven digits. What should be subtracted before the squares are taken?"
)
def squares_that_cancel(mu, threshold=0.01):
    return (mu**2).mean(0) - mu.mean(0) ** 2 > threshold


@active_units.mistake("A unit that is always 3 is far from zero. Does it tell images apart?")
def mean_square_instead_of_variance(mu, threshold=0.01):
    return mu.square().mean(0) > threshold


@active_units.mistake(
    "The mean of a unit over the data is compared. Is it the level or the variation that "
    "carries information?"
)
def mean_instead_of_variance(mu, threshold=0.01):
    return mu.mean(0).abs() > threshold


@active_units.mistake(
    "The mean size of a unit is compared. Is a unit that is always 3 large or informative?"
)
def mean_size_instead_of_variance(mu, threshold=0.01):
    return mu.abs().mean(0) > threshold


@active_units.mistake("The threshold is one for a variance. What do you compare it with?")
def standard_deviation_compared(mu, threshold=0.01):
    return mu.std(0) > threshold


@active_units.mistake(
    "You name the units that are switched off. Which side of the threshold is asked for?"
)
def inverted(mu, threshold=0.01):
    return mu.var(0) < threshold


@active_units.mistake(
    "How many there are is a fine number to report. Which ones they are is asked for here."
)
def counted(mu, threshold=0.01):
    return (mu.var(0) > threshold).sum()
