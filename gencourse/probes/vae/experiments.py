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


def flat_at_last(beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls up to β = 1."""
    rate = 12.0 - 5.0 * min(beta, 1.0) + 0.05 * scatter(seed)
    return rate, 99.0 - rate


def spread(beta: float) -> float:
    """How far seeds scatter the rate: less for larger β, so that no two errors are the same."""
    return 1.6 - 0.3 * beta


def by_errors(steps: tuple[float, float], beta: float, seed: int) -> tuple[float, float]:
    """A rate that falls from β = 1 to 2, and from there to 3, by so many combined errors of seeds
    0 and 1.
    """
    single = abs(scatter(0) - scatter(1)) / 2.0
    fall = sum(
        step * single * (spread(b) ** 2 + spread(b + 1.0) ** 2) ** 0.5
        for b, step in zip((1.0, 2.0), steps, strict=True)
        if b < beta
    )
    centred = scatter(seed) - (scatter(0) + scatter(1)) / 2.0
    rate = 40.0 - fall + spread(beta) * centred
    return rate, 60.0 + rate


def borderline(beta: float, seed: int) -> tuple[float, float]:
    """The first step is 1.9 of its errors, the second 4."""
    return by_errors((1.9, 4.0), beta, seed)


def below_the_border(beta: float, seed: int) -> tuple[float, float]:
    """Steps of 1.2 of their errors."""
    return by_errors((1.2, 1.2), beta, seed)


def beyond_the_border(beta: float, seed: int) -> tuple[float, float]:
    """Steps of 2.1 of their errors."""
    return by_errors((2.1, 2.1), beta, seed)


def rising_beyond_the_border(beta: float, seed: int) -> tuple[float, float]:
    """The same upwards."""
    return by_errors((-2.1, -2.1), beta, seed)


def rising_borderline(beta: float, seed: int) -> tuple[float, float]:
    """Upwards, the first step by 1.9 of its errors, the second by 4."""
    return by_errors((-1.9, -4.0), beta, seed)


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
        flat_at_last,
        borderline,
        below_the_border,
        beyond_the_border,
        rising_beyond_the_border,
        rising_borderline,
        constant,
    )
}


# what a sweep should look at closely, and the training in which it happens
STEPS = {
    "a first step of 1.9 times its error": "borderline",
    "steps of 1.2 times their error": "below_the_border",
    "steps of 2.1 times their error": "beyond_the_border",
    "the same upwards": "rising_beyond_the_border",
    "a first step of 1.9 times its error, upwards": "rising_borderline",
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
