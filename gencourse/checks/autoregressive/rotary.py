"""Exercise on rotary positions: queries and keys that are turned by where they stand."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.autoregressive.attention import turned_products
from gencourse.probes.general import gradients


def angles_of(positions, half, base, dtype=torch.float32):
    """t · base^(-i/half): (T, half)."""
    i = torch.arange(half, dtype=torch.float64)
    return torch.outer(positions.double(), base ** (-i / half)).to(dtype)


def rotary_reference(x, positions, base):
    """The pairs (x_i, x_{i + d/2}) of x (..., T, d) turned by positions[t] · base^(-2i/d)."""
    a, b = x.chunk(2, dim=-1)
    angles = angles_of(positions, a.shape[-1], base, x.dtype)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


@exercise(
    reference=rotary_reference,
    difficulty=2,
    minutes=15,
    points=3,
    atol=1e-4,
    hints=(
        "Two numbers a, b turned by φ: a cos φ - b sin φ and a sin φ + b cos φ. Which two numbers "
        "of x are a pair?",
        "One angle for each position and each pair: a table (T, d/2), from torch.outer.",
        "Pair 0 turns by t itself, the last pair by hardly more than t / base.",
    ),
    on_success=(
        "Lengths stay, and a query's product with a key depends on how far apart they are, not on "
        "where."
    ),
)
def rotary(answer, seed):
    x, count = draw(seed, 2, 3, 5, 8), torch.arange(5)
    yield "x turned, at the positions 0 to 4, with base 10000", answer(x, count, 10_000.0)
    yield "x turned with base 7", answer(x, count, 7.0)
    later = torch.tensor([3, 4, 9, 50, 51])
    yield "x turned at the positions 3, 4, 9, 50, 51", answer(x, later, 1000.0)
    yield "x turned with base 2.5", answer(x, count, 2.5)
    far = torch.tensor([0, 1, 130, 300, 1030])
    yield "x turned at the positions 0, 1, 130, 300, 1030", answer(x, far, 10_000.0)
    pair = draw(seed + 1, 1, 2, 3, 2)
    yield "x of a single pair", answer(pair, count[:3], 100.0)
    yield "x at position 7 alone", answer(x[:, :, :1], torch.tensor([7]), 100.0)
    wide = draw(seed + 2, 1, 1, 4, 32)
    yield "x of 16 pairs", answer(wide, torch.arange(4) + 11, 500.0)
    q, k = draw(seed + 3, 1, 1, 1, 8), draw(seed + 4, 1, 1, 1, 8)
    said = "q turned at 3, 10 and 40 times k turned at 1, 8 and 38"
    yield said, answer.run(turned_products, q, k, [3, 10, 40], [1, 8, 38])
    yield "the gradients for x", answer.run(gradients, x, count + 2, 100.0, wrt=(0,))


@rotary.alternative
def by_complex_numbers(x, positions, base):
    half = x.shape[-1] // 2
    z = torch.complex(x[..., :half], x[..., half:])
    angles = angles_of(positions, half, base, x.dtype)
    z = z * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], dim=-1)


@rotary.alternative
def by_a_table_of_full_width(x, positions, base):
    d = x.shape[-1]
    i = torch.arange(d, dtype=x.dtype) % (d // 2)
    angles = positions[:, None].to(x.dtype) / base ** (2 * i / d)
    turned = torch.cat([-x[..., d // 2 :], x[..., : d // 2]], -1)
    return x * angles.cos() + turned * angles.sin()


def turn(x, positions, base, sign=1.0, power=1.0, angles=None):
    """Rotation with knobs: the sense of turning, and how fast the angles fall."""
    a, b = x.chunk(2, dim=-1)
    if angles is None:
        i = torch.arange(a.shape[-1], dtype=torch.float64)
        rates = base ** (-power * i / a.shape[-1])
        angles = torch.outer(positions.double(), rates).to(x.dtype)
    cos, sin = angles.cos(), sign * angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


@rotary.mistake("Your pairs turn the other way round. Which of the two sines has the minus?")
def turned_backwards(x, positions, base):
    return turn(x, positions, base, sign=-1.0)


@rotary.mistake(
    "Your pairs are neighbours, (x_0, x_1), (x_2, x_3) and so on. That works as well, but which "
    "pairs does the text name?"
)
def neighbours_as_pairs(x, positions, base):
    d = x.shape[-1]
    halves = torch.cat([x[..., 0::2], x[..., 1::2]], -1)
    turned = turn(halves, positions, base)
    return torch.stack([turned[..., : d // 2], turned[..., d // 2 :]], -1).flatten(-2)


@rotary.mistake(
    "The positions are counted from 0 whatever was passed. What if a cache already holds some?"
)
def positions_ignored(x, positions, base):
    return turn(x, torch.arange(len(positions)), base)


@rotary.mistake("The positions are counted from 1. Which ones were passed?")
def one_too_far(x, positions, base):
    return turn(x, positions + 1, base)


@rotary.mistake(
    "The rates fall too slowly: base^(-i/d). With d/2 pairs, what is i over the number of pairs?"
)
def half_the_power(x, positions, base):
    return turn(x, positions, base, power=0.5)


@rotary.mistake("Your later pairs turn faster and faster. Which sign has the power of the base?")
def rates_that_grow(x, positions, base):
    return turn(x, positions, base, power=-1.0)


@rotary.mistake(
    "Your halves are pairs, as they should be, and your table of angles is made for neighbours: it "
    "holds each angle twice in a row. Which angle do x_i and x_{i + d/2} share?"
)
def angles_of_neighbours(x, positions, base):
    half = x.shape[-1] // 2
    angles = angles_of(positions, half, base, x.dtype).repeat_interleave(2, -1)
    turned = torch.cat([-x[..., half:], x[..., :half]], -1)
    return x * angles.cos() + turned * angles.sin()


@rotary.mistake("All pairs turn at the same rate. On what else should the angle depend?")
def one_rate(x, positions, base):
    return turn(x, positions, base, power=0.0)


@rotary.mistake(
    "Both halves have a plus, or both a minus: lengths change, and that is no rotation. What are "
    "the columns of a rotation matrix?"
)
def no_minus(x, positions, base):
    a, b = x.chunk(2, dim=-1)
    angles = angles_of(positions, a.shape[-1], base, x.dtype)
    return torch.cat([a * angles.cos() + b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


@rotary.mistake(
    "Your second half is made from a first half that has been turned already. From which numbers "
    "are both made?"
)
def one_after_the_other(x, positions, base):
    a, b = x.chunk(2, dim=-1)
    angles = angles_of(positions, a.shape[-1], base, x.dtype)
    a = a * angles.cos() - b * angles.sin()
    return torch.cat([a, a * angles.sin() + b * angles.cos()], -1)


@rotary.mistake("Sine and cosine are exchanged: at position 0 nothing should turn.")
def sine_for_cosine(x, positions, base):
    a, b = x.chunk(2, dim=-1)
    angles = angles_of(positions, a.shape[-1], base, x.dtype)
    return torch.cat([a * angles.sin() - b * angles.cos(), a * angles.cos() + b * angles.sin()], -1)


@rotary.mistake("The halves come back exchanged. Where was x_i, and where is it now?")
def halves_exchanged(x, positions, base):
    return turn(x, positions, base).roll(x.shape[-1] // 2, dims=-1)


@rotary.mistake("These angles are added to x. Rotary positions multiply: they turn the pairs of x.")
def angles_added(x, positions, base):
    angles = angles_of(positions, x.shape[-1] // 2, base, x.dtype)
    return x + torch.cat([angles.sin(), angles.cos()], -1)
