"""Exercise on the cosine schedule."""

import math

import torch

from gencourse.checks import exercise


def bars_of(T, s, times=None, power=2):
    """ᾱ at some times, which are T + 1 even ones if none are given."""
    t = torch.linspace(0, 1, T + 1, dtype=torch.float64) if times is None else times
    return torch.cos(0.5 * math.pi * (t + s) / (1 + s)) ** power


def betas_of(bars, largest):
    """What each step takes away."""
    return (1 - bars[1:] / bars[:-1]).clamp(max=largest)


def cosine_betas_reference(T, s=0.008, largest=0.999):
    """β_1, ..., β_T of ᾱ(t) = cos²(½π (t + s) / (1 + s)) at the times n/T: (T,)."""
    return betas_of(bars_of(T, s), largest)


@exercise(
    reference=cosine_betas_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "First ᾱ at the T + 1 times 0, 1/T, ..., 1. Then what each step takes away from it.",
        "ᾱ_n = (1 - β_n) ᾱ_{n-1}. Solve it for β_n.",
        "At the last time the cosine is 0, so the last β is 1: what does the text do about it?",
    ),
    on_success="It ends with nearly no signal for any T. The linear one needs a thousand.",
)
def cosine_betas(answer, seed):
    T = (5, 7, 4, 6, 9)[seed % 5]
    yield f"the betas of {T} steps", answer(T)
    yield "the betas of 40 steps", answer(40)
    yield "the beta of one step", answer(1)
    yield "the betas of three steps, s = 0.2", answer(3, 0.2)
    yield "the betas of six steps, s = 0, none above 0.5", answer(6, 0.0, 0.5)
    yield "the betas of a thousand steps", answer(1000)


@cosine_betas.alternative
def by_a_loop(T, s=0.008, largest=0.999):
    def bar(n):
        return math.cos(0.5 * math.pi * (n / T + s) / (1 + s)) ** 2

    betas = [min(largest, (bar(n - 1) - bar(n)) / bar(n - 1)) for n in range(1, T + 1)]
    return torch.tensor(betas, dtype=torch.float64)


@cosine_betas.alternative
def by_differences(T, s=0.008, largest=0.999):
    t = torch.arange(T + 1, dtype=torch.float64) / T
    angle = (t + s) / (1 + s) * math.pi / 2
    bars = 0.5 + 0.5 * torch.cos(2 * angle)
    return torch.minimum(-bars.diff() / bars[:-1], torch.tensor(largest).double())


@cosine_betas.mistake(
    "The cosine is α, the factor of x. ᾱ = α² is the share of the variance: what did you leave out?"
)
def not_squared(T, s=0.008, largest=0.999):
    return betas_of(bars_of(T, s, power=1), largest)


@cosine_betas.mistake(
    "Noise grows with n, so ᾱ falls. Which of two neighbours stands below the other?"
)
def quotient_upside_down(T, s=0.008, largest=0.999):
    bars = bars_of(T, s)
    return (1 - bars[:-1] / bars[1:]).clamp(max=largest)


@cosine_betas.mistake("The last beta is 1, or what rounding makes of it. Which bound does it have?")
def not_cut(T, s=0.008, largest=0.999):
    return betas_of(bars_of(T, s), 1.0)


@cosine_betas.mistake("Every beta was raised to `largest` at least. From which side is it a bound?")
def cut_from_below(T, s=0.008, largest=0.999):
    bars = bars_of(T, s)
    return (1 - bars[1:] / bars[:-1]).clamp(min=largest)


@cosine_betas.mistake("The betas ignore s. What does the small offset do to the first of them?")
def offset_left_out(T, s=0.008, largest=0.999):
    return betas_of(bars_of(T, 0.0), largest)


@cosine_betas.mistake(
    "Above the line stands t + s. At t = 1 the angle should be a right one: what is below the line?"
)
def offset_not_divided_out(T, s=0.008, largest=0.999):
    t = torch.linspace(0, 1, T + 1).double()
    bars = torch.cos(0.5 * math.pi * (t + s)) ** 2
    return (1 - bars[1:] / bars[:-1]).clamp(max=largest)


@cosine_betas.mistake("These are the ᾱ. What does a single step take away from the one before?")
def bars_themselves(T, s=0.008, largest=0.999):
    return bars_of(T, s)[1:] / bars_of(T, s)[0]


@cosine_betas.mistake(
    "These are what is left after each step, ᾱ_n / ᾱ_{n-1} = 1 - β_n. And β_n itself?"
)
def what_is_left(T, s=0.008, largest=0.999):
    bars = bars_of(T, s)
    return (bars[1:] / bars[:-1]).clamp(max=largest)


@cosine_betas.mistake(
    "You took differences of ᾱ. A step takes its share of what is left: divided by what?"
)
def differences_alone(T, s=0.008, largest=0.999):
    bars = bars_of(T, s)
    return (bars[:-1] - bars[1:]).clamp(max=largest)


@cosine_betas.mistake(
    "One beta too few: T steps lie between how many times? Fences and their posts..."
)
def too_few_times(T, s=0.008, largest=0.999):
    return betas_of(bars_of(T, s, torch.linspace(0, 1, T).double()), largest)


@cosine_betas.mistake(
    "Your times are 1/T too large everywhere, as when ᾱ at t = 0 is left away. Where is the first "
    "step's beginning?"
)
def shifted_by_one(T, s=0.008, largest=0.999):
    times = (torch.arange(T + 1).double() + 1) / T
    return betas_of(bars_of(T, s, times), largest)


@cosine_betas.mistake("Is a right angle π, or half of it?")
def whole_pi(T, s=0.008, largest=0.999):
    t = torch.linspace(0, 1, T + 1).double()
    return betas_of(torch.cos(math.pi * (t + s) / (1 + s)) ** 2, largest)


@cosine_betas.mistake(
    "The square root of β is the noise's standard deviation in a step. Which of the two is asked "
    "for?"
)
def roots(T, s=0.008, largest=0.999):
    return betas_of(bars_of(T, s), largest).sqrt()
