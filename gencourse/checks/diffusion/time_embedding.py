"""Exercise on how a network is told the time."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.models import diffusion
from gencourse.probes.diffusion.training import columns
from gencourse.probes.general import gradients


def time_embedding_reference(t, width, scale):
    """cos ω_i t and sin ω_i t with ω_i = scale · 10^(-4 i/h), h = ⌊width/2⌋: (B, width)."""
    return diffusion.time_embedding(t, width, scale)


@exercise(
    reference=time_embedding_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "First the h frequencies, (h,): from scale down nearly to scale / 10,000.",
        "Each time with each frequency: (B, 1) times (h,) is (B, h).",
        "An odd width leaves one column over.",
    ),
    on_success=(
        "Neighbouring times differ in the fast columns, distant ones in the slow columns too. In "
        "which order the columns stand is up to you: the next layer mixes them."
    ),
    atol=1e-4,
)
def time_embedding(answer, seed):
    t = draw(seed, 5).sigmoid()
    yield "eight numbers for each of five times", answer.run(columns, t, 8, 30.5)
    yield "six numbers, at a larger scale", answer.run(columns, t, 6, 60.0)
    yield "seven numbers, an odd width", answer.run(columns, t, 7, 30.0)
    yield "two numbers, a single frequency", answer.run(columns, t, 2, 0.6)
    ends = torch.tensor([0.0, 1.0, 0.5])
    yield "ten numbers at both ends", answer.run(columns, ends, 10, 40.0)
    yield "the gradients for the times", answer.run(gradients, t, 8, 30.0)


@time_embedding.alternative
def interleaved(t, width, scale):
    h = width // 2
    omega = scale * torch.exp(-math.log(10_000) * torch.arange(h, dtype=t.dtype) / h)
    angles = torch.outer(t, omega)
    both = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)
    return torch.nn.functional.pad(both, (0, width % 2))


@time_embedding.alternative
def column_by_column(t, width, scale):
    result = t.new_zeros(len(t), width)
    for i in range(width // 2):
        angle = scale * t / 10_000 ** (i / (width // 2))
        result[:, 2 * i], result[:, 2 * i + 1] = angle.cos(), angle.sin()
    return result


def waves(t, omega, width):
    """Cosines and sines at frequencies ω, and zeros up to the width."""
    angles = t[:, None] * omega
    both = torch.cat([angles.cos(), angles.sin()], 1)
    return torch.nn.functional.pad(both, (0, width - both.shape[1]))


def shares(t, h):
    """i/h for i = 0, ..., h - 1."""
    return torch.arange(h, dtype=t.dtype) / h


@time_embedding.mistake(
    "t lies in [0, 1], and most of your columns hardly change there: this embedding was made for "
    "t = 0, 1, ..., 999. What is scale for?",
)
def scale_left_out(t, width, scale):
    return waves(t, 10 ** (-4 * shares(t, width // 2)), width)


@time_embedding.mistake(
    "Your slowest frequency is scale / 10,000 itself: DDPM's own program divides by h - 1. Both "
    "are in use; which one does the text write?"
)
def divided_by_one_less(t, width, scale):
    h = width // 2
    share = torch.arange(h, dtype=t.dtype) / max(h - 1, 1)
    return waves(t, scale * 10 ** (-4 * share), width)


@time_embedding.mistake(
    "Your frequencies stop halfway down. By what is i divided: by the width, or by how many "
    "frequencies there are?"
)
def divided_by_the_width(t, width, scale):
    return waves(t, scale * 10 ** (-2 * shares(t, width // 2)), width)


@time_embedding.mistake("Your frequencies rise from scale on. Which sign has the exponent?")
def frequencies_that_rise(t, width, scale):
    return waves(t, scale * 10 ** (4 * shares(t, width // 2)), width)


@time_embedding.mistake(
    "The exponent is right, its base is not: e to that power is not 10 to it. Which one is asked "
    "for?"
)
def powers_of_e(t, width, scale):
    return waves(t, scale * (-4 * shares(t, width // 2)).exp(), width)


@time_embedding.mistake(
    "Each angle has a factor 2π, as in Fourier features. Does the text have one?"
)
def with_two_pi(t, width, scale):
    return waves(t, 2 * math.pi * scale * 10 ** (-4 * shares(t, width // 2)), width)


@time_embedding.mistake(
    "All frequencies are the same: i/h between whole numbers was cut to 0. Which division keeps "
    "the fraction?"
)
def whole_division(t, width, scale):
    return waves(t, torch.full((width // 2,), scale, dtype=t.dtype), width)


@time_embedding.mistake(
    "t was divided by the scale, so nearly nothing turns. Should times that lie in [0, 1] become "
    "larger or smaller?"
)
def divided_by_the_scale(t, width, scale):
    return waves(t, 10 ** (-4 * shares(t, width // 2)) / scale, width)


@time_embedding.mistake(
    "Even widths are right. An odd one gives a column too few: what does the text put there?"
)
def odd_width_short(t, width, scale):
    return time_embedding_reference(t, width - width % 2, scale)


@time_embedding.mistake(
    "Even widths are right. For an odd one you made one frequency more and cut the last column "
    "off. How many frequencies does ⌊width/2⌋ say, and what is in the column that is left over?"
)
def odd_width_cut(t, width, scale):
    return time_embedding_reference(t, width + width % 2, scale)[:, :width]


@time_embedding.mistake(
    "There are sines alone. sin(ωt) does not tell t from another time with the same sine: which "
    "function does?"
)
def sines_alone(t, width, scale):
    angles = t[:, None] * scale * 10 ** (-4 * shares(t, width))
    return angles.sin()


@time_embedding.mistake(
    "Each sine stands there twice, and no cosine. Which second function of the angle is asked for?"
)
def sines_twice(t, width, scale):
    angles = t[:, None] * scale * 10 ** (-4 * shares(t, width // 2))
    return torch.nn.functional.pad(torch.cat([angles.sin(), angles.sin()], 1), (0, width % 2))


@time_embedding.mistake(
    "The table lies on its side: times go along the first axis, numbers of one time along the "
    "second."
)
def on_its_side(t, width, scale):
    return time_embedding_reference(t, width, scale).T


@time_embedding.mistake(
    "Your frequencies are evenly spaced. The text lets each be the same factor below the last."
)
def evenly_spaced(t, width, scale):
    return waves(t, scale * (1 - shares(t, width // 2)), width)


@time_embedding.mistake(
    "Times between 0 and 1 were made whole numbers, so that all of them are 0 or 1. Do they count "
    "steps here?"
)
def whole_times(t, width, scale):
    return time_embedding_reference(t.floor(), width, scale)


@time_embedding.mistake(
    "Scaled times were made whole numbers: two times of one thousandth are told the same, and no "
    "gradient passes. Does t count steps here?"
)
def whole_steps(t, width, scale):
    omega = 10 ** (-4 * shares(t, width // 2))
    return waves((t * scale).floor(), omega, width)
