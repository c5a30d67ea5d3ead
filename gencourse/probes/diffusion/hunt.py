"""Pieces of a small sampler, which a bug hunt has repaired, at work."""

import operator
from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.runtime import seeded


def letters(symptoms: Callable) -> dict | str:
    """What a learner says of the pictures, by letter; of anything else than a dict the type."""
    said = symptoms()
    if not isinstance(said, dict) or not all(isinstance(x, str) for x in [*said, *said.values()]):
        return type(said).__name__
    return dict(sorted(said.items()))


def order(steps: Callable, T: int) -> list[int]:
    """The numbers of the steps in their order; anything but whole numbers raises."""
    return [operator.index(n) for n in steps(T)]


def unrelated(one: Tensor, other: Tensor) -> bool:
    """Whether the rows of two sets of noise have no covariance, pair by pair."""
    n = min(len(one), len(other))
    products = [one[:n] * other[:n], one[:n] * other[:n].flip(-1)]
    return all(bool(product.mean(0).abs().max() < 0.05) for product in products)


def from_noise(start: Callable, seed: int) -> dict[str, object]:
    """What can be said of 20,000 points from which a sampler is to start."""
    x = start(20_000, seeded(seed))
    if x.shape != (20_000, 2):
        return {"the shape": list(x.shape)}
    again, other = start(20_000, seeded(seed)), start(20_000, seeded(seed + 1))
    generator = seeded(seed)
    first, second = start(20, generator), start(20, generator)
    return {
        "the shape": list(x.shape),
        "whether the numbers have mean 0": bool((x.mean(0).abs() < 0.04).all()),
        "whether the numbers have standard deviation 1": bool(((x.std(0) - 1).abs() < 0.03).all()),
        "whether as many lie beyond 2 as of a normal": bool(
            ((x.abs() > 2).float().mean(0) - 0.0455).abs().max() < 0.01
        ),
        "whether the two numbers of a point are independent": bool(x.T.cov()[0, 1].abs() < 0.04),
        "whether points are independent of each other": (
            unrelated(x[:10_000], x[10_000:]) and unrelated(x[::2], x[1::2])
        ),
        "whether chance decides the mean of twenty points": bool(first.mean(0).abs().max() > 1e-4),
        "whether all points differ": len(x.unique(dim=0)) == len(x),
        "whether one seed gives the same points": bool(torch.equal(x, again)),
        "whether another seed gives others": not bool((x == other).any()),
        "whether a second call with one generator gives others": not bool(
            torch.equal(first, second)
        ),
    }


def one_and_none(start: Callable, seed: int) -> dict[str, object]:
    """The shapes of a single point, and of three."""
    return {
        "of one": list(start(1, seeded(seed)).shape),
        "of three": list(start(3, seeded(seed)).shape),
    }


def levels_by_name(levels: Callable, T: int) -> dict[str, Tensor]:
    """The two that a schedule returns, by name."""
    result = levels(T)
    if isinstance(result, dict):  # would be unpacked into its keys
        raise TypeError("the two should be returned as alpha, sigma, not as a dict.")
    alpha, sigma = result
    return {"alpha": alpha, "sigma": sigma}
