"""Exercise on noise levels for images of another size."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients


def shifted_times_reference(t, side, base):
    """t' with σ/α = side/base times that at t, on the linear path: like t."""
    k = side / base
    return k * t / (1 + (k - 1) * t)


@exercise(
    reference=shifted_times_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "On the linear path σ/α = t/(1 - t). With k = side/base, write down what t' has to fulfil.",
        "t'/(1 - t') = k t/(1 - t): solve for t'.",
        "Multiply out: a fraction whose denominator is never 0 for t in [0, 1].",
    ),
    on_success=(
        "Averages of the large image are now as noisy as the small one. Papers on large images "
        "call it the time shift."
    ),
)
def shifted_times(answer, seed):
    t = draw(seed, 5).sigmoid()
    yield "from side 64 to 128", answer(t, 128, 64)
    yield "from side 64 to 32", answer(t, 32, 64)
    yield "from side 28 to 100", answer(t, 100, 28)
    yield "from side 32 to 32", answer(t, 32, 32)
    yield "at both ends", answer(torch.tensor([0.0, 1.0, 0.5]), 96, 64)
    yield "its gradients", answer.run(gradients, t, 192, 64)


@shifted_times.alternative
def by_both_parts(t, side, base):
    noise, signal = side * t, base * (1 - t)
    return noise / (noise + signal)


@shifted_times.alternative
def from_the_signal(t, side, base):
    return 1 - (1 - t) / (1 - t + side / base * t)


def shifted(t, k):
    """The time at which σ/α is k times that at t."""
    return k * t / (1 + (k - 1) * t)


@shifted_times.mistake(
    "You count pixels: k². Averages over k × k pixels have k² times less noise in variance. How "
    "much less is that for σ?"
)
def pixels_for_sides(t, side, base):
    return shifted(t, (side / base) ** 2)


@shifted_times.mistake(
    "You take the root of side/base. Papers take the root of a number of *pixels*: which number is "
    "given here?"
)
def root_of_the_sides(t, side, base):
    return shifted(t, (side / base) ** 0.5)


@shifted_times.mistake(
    "The larger image gets less noise in yours. That is the formula of those who have data at "
    "t = 1: at which end are they here?"
)
def the_other_way_round(t, side, base):
    return shifted(t, base / side)


@shifted_times.mistake(
    "You multiply t. Beyond 1 there is no time: which quantity is to grow by the factor?"
)
def time_times_factor(t, side, base):
    return side / base * t


@shifted_times.mistake(
    "You multiply t and cut it at 1, so that many times become the end. Which quantity is to grow "
    "by the factor?"
)
def time_times_factor_cut(t, side, base):
    return (side / base * t).clamp(max=1.0)


@shifted_times.mistake("This is the new σ/α. At which time has the path that one?")
def ratio_for_time(t, side, base):
    return side / base * t / (1 - t)


@shifted_times.mistake(
    "Between the ends it is right. At t = 1 the ratio is infinite, and what you made of it is no "
    "number. Which form does not divide by 1 - t?"
)
def nothing_at_the_end(t, side, base):
    ratio = side / base * t / (1 - t)
    return ratio / (1 + ratio)


@shifted_times.mistake(
    "With whole numbers alone, 100/28 became 3 and 32/64 became 0. Which division keeps the "
    "fraction?"
)
def whole_division(t, side, base):
    return shifted(t, side // base)


@shifted_times.mistake("At t = 1 yours is not 1. Check the sign between 1 and (k - 1) t.")
def sign_in_the_denominator(t, side, base):
    k = side / base
    return k * t / (1 - (k - 1) * t)


@shifted_times.mistake(
    "At t = 1 yours is not 1. From t'/(1 - t') = r follows t' = r/(1 + r): what do you divide by?"
)
def without_minus_one(t, side, base):
    k = side / base
    return k * t / (1 + k * t)


@shifted_times.mistake(
    "You keep α² + σ² = 1 while you solve. On the linear path another sum of the two is 1."
)
def of_the_other_path(t, side, base):
    ratio = side / base * t / (1 - t)
    return (1 + ratio**-2) ** -0.5


@shifted_times.mistake(
    "The factor went into the exponent. Both ends are right, but is σ/α the same factor larger at "
    "every t?"
)
def power(t, side, base):
    return t ** (base / side)


@shifted_times.mistake("The times run backwards now: large t gives a small t'. Where are the data?")
def backwards(t, side, base):
    return 1 - shifted(t, side / base)
