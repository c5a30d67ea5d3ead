"""Exercise on codes of one scale, and on the way back."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.sampling import into_and_back


def code_space_reference(codes):
    """Two functions: (z - mean) / std, and z std + mean, by the statistics of the codes."""
    std, mean = torch.std_mean(codes, 0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


@exercise(
    reference=code_space_reference,
    difficulty=1,
    minutes=6,
    points=3,
    hints=(
        "Mean and deviation of each column, once, of the codes for training.",
        "The second function undoes the first: what was done last is undone first.",
        "A column without any spread has deviation 0. What happens to it in the division?",
    ),
    on_success=(
        "The flow now starts at noise of the same size as what it should reach, in each dimension."
    ),
    exempt={
        "one example": "a deviation needs more than one code",
        "float64": "N and N - 1 in the denominator are both right, and differ in the fifth digit",
    },
    atol=3e-4,
)
def code_space(answer, seed):
    size, place = torch.tensor([0.1, 1.0, 3.0, 0.4]), torch.tensor([2.0, -1.0, 0.2, 0.0])
    codes, z, noise = draw(seed, 50_000, 4), draw(seed + 1, 5, 4), draw(seed + 2, 6, 4)
    codes, z = place + size * codes, place + size * z
    yield "50,000 codes", answer.run(into_and_back, codes, z, noise)
    two = [x[:, 2:] for x in (codes, z, noise)]
    yield "50,000 codes of two dimensions", answer.run(into_and_back, *two)
    codes[:, 1] = 2.0
    said = "50,000 codes of which one dimension is always 2"
    yield said, answer.run(into_and_back, codes, z, noise)


@code_space.alternative
def by_moments(codes):
    mean = codes.mean(0)
    deviation = codes.var(0).sqrt()
    deviation[deviation == 0] = 1

    def into(z):
        return z.sub(mean).div(deviation)

    def back(z):
        return torch.addcmul(mean, deviation, z)

    return into, back


@code_space.alternative
def by_squares(codes):
    mean, same = codes.mean(0), codes.amax(0) == codes.amin(0)
    std = ((codes - mean) ** 2).mean(0) ** 0.5 + 1.0 * same
    return [lambda z: z / std - mean / std, lambda z: (z + mean / std) * std]


def by(mean, std):
    """The two functions for a mean and a deviation."""
    return (lambda z: (z - mean) / std), (lambda z: z * std + mean)


def statistics(codes, dim=0):
    """Mean and deviation, 1 where it would be 0."""
    std, mean = torch.std_mean(codes, dim)
    return mean, torch.where(std > 0, std, 1.0)


@code_space.mistake("You divide by the variance. Which power of it makes the spread 1?")
def variance_for_std(codes):
    mean, std = statistics(codes)
    return by(mean, std**2)


@code_space.mistake(
    "One deviation for all dimensions, as Stable Diffusion has it. Dimensions differ thirtyfold "
    "here: the text asks for each."
)
def one_scale(codes):
    return by(codes.mean(0), codes.std())


@code_space.mistake(
    "One mean and one deviation for all dimensions. The text asks for each dimension's own."
)
def one_of_both(codes):
    return by(codes.mean(), codes.std())


@code_space.mistake(
    "The codes that come in are measured by their own mean and spread. What if a single one comes "
    "in, and how would `back` know what they were?"
)
def statistics_of_what_comes(codes):
    mean, std = statistics(codes)

    def into(z):
        own, mean = torch.std_mean(z, 0, correction=0)
        return (z - mean) / torch.where(own > 0, own, 1.0)

    return into, by(mean, std)[1]


@code_space.mistake("Each code is measured by its own numbers. Which axis holds the examples?")
def statistics_of_each_code(codes):
    mean, std = statistics(codes)

    def into(z):
        own, mean = torch.std_mean(z, 1, keepdim=True, correction=0)
        return (z - mean) / torch.where(own > 0, own, 1.0)

    return into, by(mean, std)[1]


@code_space.mistake("`into` is right. On the way back the mean is missing.")
def mean_forgotten_on_the_way_back(codes):
    mean, std = statistics(codes)
    return by(mean, std)[0], lambda z: z * std


@code_space.mistake(
    "`into` is right. `back` adds the mean before it multiplies. Which of the two was done last?"
)
def undone_in_the_same_order(codes):
    mean, std = statistics(codes)
    return by(mean, std)[0], lambda z: (z + mean) * std


@code_space.mistake(
    "`into` multiplies by the deviation and `back` divides. Which of them should make the spread 1?"
)
def upside_down(codes):
    mean, std = statistics(codes)
    return (lambda z: (z - mean) * std), (lambda z: z / std + mean)


@code_space.mistake("The spread is right. Should the mean of what comes out not be 0?")
def scale_alone(codes):
    _, std = statistics(codes)
    return by(0.0, std)


@code_space.mistake("The mean is right. Should the spread of what comes out not be 1?")
def shift_alone(codes):
    mean, _ = statistics(codes)
    return by(mean, 1.0)


@code_space.mistake(
    "`into` is right, and `back` does the same once more. It should undo it: a sample of the flow "
    "is standardised, the decoder wants a code."
)
def back_again(codes):
    into, _ = by(*statistics(codes))
    return into, into


@code_space.mistake("`into` is right, `back` returns what it is given. Who undoes it, then?")
def no_way_back(codes):
    return by(*statistics(codes))[0], lambda z: z


@code_space.mistake("Both functions are right, in the other order: first into, then back.")
def in_the_other_order(codes):
    return by(*statistics(codes))[::-1]


@code_space.mistake(
    "A dimension without spread was divided by 0. What does the text say of such a one?"
)
def divided_by_zero(codes):
    return by(codes.mean(0), codes.std(0))


@code_space.mistake(
    "A dimension without spread was divided by a tiny number, so that a new code there becomes "
    "huge. What does the text say of such a one?"
)
def divided_by_a_tiny_number(codes):
    return by(codes.mean(0), codes.std(0).clamp_min(1e-6))


@code_space.mistake(
    "The smallest code goes to -1 and the largest to 1. Two outliers decide that: asked for are "
    "mean 0 and deviation 1."
)
def between_the_extremes(codes):
    low, high = codes.amin(0), codes.amax(0)
    return by((low + high) / 2, torch.where(high > low, (high - low) / 2, 1.0))


@code_space.mistake(
    "This is the deviation from 0, not from the mean. Where mean and spread are equal it is too "
    "large by √2."
)
def deviation_from_zero(codes):
    return by(codes.mean(0), codes.square().mean(0).sqrt())
