"""Exercise on what a denoiser is trained with."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.fields import denoising, gradients_of_data


def denoising_loss_reference(denoise, x, eps, t, levels, weight=1.0):
    """w |x - x̂(x_t, t)|², summed over all but the first axis: (B,)."""
    alpha, sigma = (level.view(-1, *[1] * (x.ndim - 1)) for level in levels(t))
    error = x - denoise(alpha * x + sigma * eps, t)
    return weight * error.square().flatten(1).sum(1)


@exercise(
    reference=denoising_loss_reference,
    difficulty=2,
    minutes=8,
    points=4,
    hints=(
        "Three lines: the noisy x_t, what the denoiser makes of it, how far that is from x.",
        "levels(t) has shapes (B,), one of each per row. x_t needs them in front of its axes.",
        "A squared error, summed over everything that belongs to one example.",
    ),
    on_success=(
        "Its floor is not 0: no denoiser can know what the noise has covered. The chapter knows "
        "how much."
    ),
)
def denoising_loss(answer, seed):
    x, eps = draw(seed, 2, 5, 2)
    t = torch.linspace(0.15, 0.9, 5)[
        torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    ]
    weight = 0.5 + 3 * t
    yield "the loss of five points", answer.run(denoising, x, eps, t)
    yield "the loss of five points, each weighed with 2.5", answer.run(denoising, x, eps, t, 2.5)
    yield "the loss of five points with weights", answer.run(denoising, x, eps, t, weight)
    x, eps = draw(seed + 1, 2, 2, 3, 4, 5)
    yield "the loss of two images", answer.run(denoising, x, eps, t[:2], weight[:2])
    x, eps = draw(seed + 2, 2, 4, 4)
    yield (
        "the loss of four points of four numbers",
        answer.run(denoising, x, eps, t[:4], weight[1:]),
    )
    yield "its gradients for x and eps", answer.run(gradients_of_data, x, eps, t[:4], weight[1:])


@denoising_loss.alternative
def by_einsum(denoise, x, eps, t, levels, weight=1.0):
    alpha, sigma = levels(t)
    rows = x.flatten(1)
    x_t = (alpha[:, None] * rows + sigma[:, None] * eps.flatten(1)).view_as(x)
    error = denoise(x_t, t).flatten(1) - rows
    return torch.einsum("bd,bd->b", error, error) * weight


@denoising_loss.alternative
def row_by_row(denoise, x, eps, t, levels, weight=1.0):
    alpha, sigma = levels(t)
    x_t = torch.stack([a * x0 + s * e for a, s, x0, e in zip(alpha, sigma, x, eps, strict=True)])
    x_hat = denoise(x_t, t)
    return torch.stack([((a - b) ** 2).sum() for a, b in zip(x, x_hat, strict=True)]) * weight


def wide(level, x):
    """A level (B,) as (B, 1, ..., 1)."""
    return level.view(-1, *[1] * (x.ndim - 1))


def noisy(x, eps, t, levels):
    """x_t."""
    alpha, sigma = levels(t)
    return wide(alpha, x) * x + wide(sigma, x) * eps


def squared(error):
    """The square of an error, summed per example."""
    return error.square().flatten(1).sum(1)


@denoising_loss.mistake(
    "You took the mean over the numbers of an example. Others do; then the floor is per dimension "
    "too. The text fixes the sum: how many times larger is it?"
)
def mean_over_the_numbers(denoise, x, eps, t, levels, weight=1.0):
    return weight * (denoise(noisy(x, eps, t, levels), t) - x).square().flatten(1).mean(1)


@denoising_loss.mistake(
    "One number per example is asked for, so that each can have its time and its weight. Where was "
    "a mean taken?"
)
def one_number_for_the_batch(denoise, x, eps, t, levels, weight=1.0):
    return (weight * squared(denoise(noisy(x, eps, t, levels), t) - x)).mean()


@denoising_loss.mistake(
    "Your target is the noise. A network may be asked for that, but this one is a denoiser: what "
    "should it say?"
)
def noise_as_target(denoise, x, eps, t, levels, weight=1.0):
    return weight * squared(denoise(noisy(x, eps, t, levels), t) - eps)


@denoising_loss.mistake(
    "The denoiser was shown x itself. That is easy to copy, and nothing is learned: what should it "
    "see?"
)
def shown_the_answer(denoise, x, eps, t, levels, weight=1.0):
    return weight * squared(denoise(x, t) - x)


@denoising_loss.mistake(
    "The target is x_t. A denoiser that returns what it gets would be perfect then: what is it to "
    "find?"
)
def noisy_target(denoise, x, eps, t, levels, weight=1.0):
    x_t = noisy(x, eps, t, levels)
    return weight * squared(denoise(x_t, t) - x_t)


@denoising_loss.mistake("Every example got the time of the first. How many times are there?")
def one_time_for_all(denoise, x, eps, t, levels, weight=1.0):
    t = t[:1].expand_as(t)
    return weight * squared(denoise(noisy(x, eps, t, levels), t) - x)


@denoising_loss.mistake(
    "The noise is right for t, but the denoiser is told another time, the same for all. How is it "
    "to know how noisy its input is?"
)
def told_one_time(denoise, x, eps, t, levels, weight=1.0):
    return weight * squared(denoise(noisy(x, eps, t, levels), torch.zeros_like(t)) - x)


@denoising_loss.mistake(
    "The denoiser is told 1000 t. DDPM's count to 1000; here times lie between 0 and 1."
)
def told_thousands(denoise, x, eps, t, levels, weight=1.0):
    return weight * squared(denoise(noisy(x, eps, t, levels), 1000 * t) - x)


@denoising_loss.mistake(
    "The denoiser is told σ. Some conventions use it as the time; here the path's time is t."
)
def told_the_level(denoise, x, eps, t, levels, weight=1.0):
    return weight * squared(denoise(noisy(x, eps, t, levels), levels(t)[1]) - x)


@denoising_loss.mistake("Without weights it is right. Where does `weight` come in?")
def weight_left_out(denoise, x, eps, t, levels, weight=1.0):
    return squared(denoise(noisy(x, eps, t, levels), t) - x)


@denoising_loss.mistake(
    "Without weights it is right. The weight is a factor of the square: is it one of the error?"
)
def weight_squared(denoise, x, eps, t, levels, weight=1.0):
    return weight**2 * squared(denoise(noisy(x, eps, t, levels), t) - x)


@denoising_loss.mistake(
    "Is this a distance, or its square? Only the square's best answer is a mean."
)
def distance_for_square(denoise, x, eps, t, levels, weight=1.0):
    return weight * squared(denoise(noisy(x, eps, t, levels), t) - x).sqrt()


@denoising_loss.mistake("Every value is right, but nothing can be learned: what cuts the graph?")
def detached(denoise, x, eps, t, levels, weight=1.0):
    with torch.no_grad():
        return weight * squared(denoise(noisy(x, eps, t, levels), t) - x)


@denoising_loss.mistake(
    "(B,) beside (B, ...) meets the last axis. Each row has its own level: which axis is that?",
    "With as many rows as numbers in a row nothing complains, and the levels go to the columns.",
)
def levels_along_the_last_axis(denoise, x, eps, t, levels, weight=1.0):
    alpha, sigma = levels(t)
    return weight * squared(denoise(alpha * x + sigma * eps, t) - x)
