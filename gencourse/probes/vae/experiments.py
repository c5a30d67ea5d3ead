"""Experiments with trainings that take no time, whose results are known."""

from collections.abc import Callable
from typing import Any


def scatter(seed: int) -> float:
    """A number between -1 and 1 that a seed stands for."""
    return ((seed + 3) * 7919 % 1009) / 504.0 - 1.0


def falling(beta: float, seed: int) -> tuple[float, float]:
    """Rate and distortion that a β-VAE might have: what is not paid for the code is paid after."""
    rate = 24.0 / (1.0 + beta) + 0.05 * (1.0 + beta) * scatter(seed)
    return rate, 130.0 - 2.0 * rate + 0.3 * scatter(seed + 1)


def rising(beta: float, seed: int) -> tuple[float, float]:
    """The other way round."""
    rate = 3.0 + 4.0 * beta + 0.02 * (3.0 + beta) * scatter(seed)
    return rate, 90.0 - rate + 0.3 * scatter(seed + 1)


def scattered(beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls by less than seeds scatter."""
    rate = 9.0 - 0.4 * beta + 4.0 * scatter(seed)
    return rate, 120.0 - rate


def turning(beta: float, seed: int) -> tuple[float, float]:
    """A rate that rises up to β = 1, then falls below where it began."""
    rate = 12.0 - 5.0 * abs(beta - 1.0) + 0.05 * scatter(seed)
    return rate, 99.0 - rate


def flat_at_first(beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls from β = 1 on."""
    rate = 12.0 - 5.0 * max(beta - 1.0, 0.0) + 0.05 * scatter(seed)
    return rate, 99.0 - rate


def borderline(beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls from one whole β to the next by 1.5 combined errors of seeds 0 and 1."""
    error = abs(scatter(0) - scatter(1)) / 2.0
    rate = 40.0 - 1.5 * 2.0**0.5 * error * beta + scatter(seed)
    return rate, 60.0 + rate


def below_the_border(beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls from one whole β to the next by 1.2 combined errors of seeds 0 and 1."""
    error = abs(scatter(0) - scatter(1)) / 2.0
    rate = 40.0 - 1.2 * 2.0**0.5 * error * beta + scatter(seed)
    return rate, 60.0 + rate


def beyond_the_border(beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls from one whole β to the next by 2.5 combined errors of seeds 0 and 1."""
    error = abs(scatter(0) - scatter(1)) / 2.0
    rate = 40.0 - 2.5 * 2.0**0.5 * error * beta + scatter(seed)
    return rate, 60.0 + rate


def rising_beyond_the_border(beta: float, seed: int) -> tuple[float, float]:
    """A rate that rises from one whole β to the next by 2.5 combined errors of seeds 0 and 1."""
    rate, distortion = beyond_the_border(-beta, seed)
    return rate, distortion


def constant(beta: float, seed: int) -> tuple[float, float]:
    """Results on which neither β nor the seed has an influence."""
    return 5.0, 100.0


TRAININGS = {
    training.__name__: training
    for training in (
        falling,
        rising,
        scattered,
        turning,
        flat_at_first,
        borderline,
        below_the_border,
        beyond_the_border,
        rising_beyond_the_border,
        constant,
    )
}


def swept(
    sweep: Callable, training: str, betas: list[float], seeds: list[int] | None = None
) -> dict[str, object]:
    """The table that a sweep makes of a training, and which trainings it ran.

    A training that is run a second time is told apart: its results are others then.
    """
    runs: list[tuple[float, int]] = []

    def train(beta: float, seed: int) -> tuple[float, float]:
        again = runs.count((float(beta), int(seed)))
        runs.append((float(beta), int(seed)))
        rate, distortion = TRAININGS[training](float(beta), int(seed))
        return rate + 3.0 * again, distortion + 5.0 * again

    table = dict(sweep(train, betas) if seeds is None else sweep(train, betas, seeds))
    return {
        "": {key: as_list(value) for key, value in table.items()},
        "how many trainings were run": len(runs),
        "for which β and seed": [[beta, float(seed)] for beta, seed in sorted(runs)],
    }


def as_list(value: Any) -> object:
    """A column of a table as a list of floats, a text as it is."""
    return value if isinstance(value, str | float | int) else [float(x) for x in value]
