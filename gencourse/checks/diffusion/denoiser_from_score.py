"""Exercise on Tweedie's formula."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import x_from_score
from gencourse.probes.general import gradients


def wide(level, x):
    """A level (B,) as (B, 1, ..., 1)."""
    return level.view(-1, *[1] * (x.ndim - 1))


@exercise(
    reference=x_from_score,
    difficulty=1,
    minutes=6,
    points=2,
    hints=(
        "For x_t = αx + σε the score is (α E[x given x_t] - x_t) / σ². Solve it for the mean.",
        "One α and one σ for each row: which axis of x_t is that?",
        "view(-1, 1, 1, 1) makes (B,) fit (B, C, H, W). Here x_t can have any number of axes.",
    ),
    on_success="Whoever knows the score knows the best denoiser: 'what was it' is 'where to'.",
)
def denoiser_from_score(answer, seed):
    x_t, score = draw(seed, 2, 2, 3, 4, 5)
    alpha, sigma = torch.tensor([0.7, 0.4]), torch.tensor([0.5, 1.9])
    yield "the denoised images", answer(x_t, score, alpha, sigma)
    x_t, score = draw(seed + 1, 2, 6, 2)
    alpha = torch.linspace(0.9, 0.3, 6)
    yield "the denoised points, α² + σ² = 1", answer(x_t, score, alpha, (1 - alpha**2).sqrt())
    x_t, score = draw(seed + 2, 2, 4, 4)
    sigma = torch.tensor([0.2, 3.0, 1.4, 8.0])
    alpha = torch.tensor([0.8, 0.6, 1.3, 0.9])
    yield "the denoised points, as many as they have numbers", answer(x_t, score, alpha, sigma)
    yield "the denoised points at α = 1", answer(x_t, score, torch.ones(4), sigma)
    yield "its gradients", answer.run(gradients, x_t, score, alpha, sigma)


@denoiser_from_score.alternative
def by_steps(x_t, score, alpha, sigma):
    while alpha.ndim < x_t.ndim:
        alpha, sigma = alpha[..., None], sigma[..., None]
    return torch.addcmul(x_t, sigma**2, score) / alpha


@denoiser_from_score.alternative
def row_by_row(x_t, score, alpha, sigma):
    rows = zip(x_t, score, alpha, sigma, strict=True)
    return torch.stack([x / a + s * s / a * gradient for x, gradient, a, s in rows])


@denoiser_from_score.mistake("The score is divided by a variance: which power of σ brings it back?")
def sigma_for_its_square(x_t, score, alpha, sigma):
    return (x_t + wide(sigma, x_t) * score) / wide(alpha, x_t)


@denoiser_from_score.mistake(
    "The score points to where the data are denser. Do you go with it, or against it?"
)
def against_the_score(x_t, score, alpha, sigma):
    return (x_t - wide(sigma, x_t) ** 2 * score) / wide(alpha, x_t)


@denoiser_from_score.mistake(
    "This is Tweedie's formula for x_t = x + σε, and right there. Here the data were made smaller "
    "too: by what?"
)
def alpha_left_out(x_t, score, alpha, sigma):
    return x_t + wide(sigma, x_t) ** 2 * score


@denoiser_from_score.mistake("x_t is divided by α. Is the step along the score as well?")
def step_not_divided(x_t, score, alpha, sigma):
    return x_t / wide(alpha, x_t) + wide(sigma, x_t) ** 2 * score


@denoiser_from_score.mistake("The step is divided by α. Is x_t as well?")
def x_t_not_divided(x_t, score, alpha, sigma):
    return x_t + wide(sigma, x_t) ** 2 * score / wide(alpha, x_t)


@denoiser_from_score.mistake("At α below 1 x_t is smaller than x: does α multiply or divide?")
def multiplied_by_alpha(x_t, score, alpha, sigma):
    return (x_t + wide(sigma, x_t) ** 2 * score) * wide(alpha, x_t)


@denoiser_from_score.mistake("α is a factor of x, and no variance: which power of it divides?")
def divided_by_the_square(x_t, score, alpha, sigma):
    return (x_t + wide(sigma, x_t) ** 2 * score) / wide(alpha, x_t) ** 2


@denoiser_from_score.mistake("α and σ have changed places. Which of them belongs to the noise?")
def levels_exchanged(x_t, score, alpha, sigma):
    return (x_t + wide(alpha, x_t) ** 2 * score) / wide(sigma, x_t)


@denoiser_from_score.mistake(
    "(B,) beside (B, ...) meets the last axis. Each row has its own level: which axis is that?",
    "With as many rows as numbers in a row nothing complains, and the levels go to the columns.",
)
def levels_along_the_last_axis(x_t, score, alpha, sigma):
    return (x_t + sigma**2 * score) / alpha


@denoiser_from_score.mistake(
    "This is the noise, E[ε given x_t] = -σ score. Which of the two is a denoiser's answer?"
)
def noise_for_data(x_t, score, alpha, sigma):
    return -wide(sigma, x_t) * score


@denoiser_from_score.mistake("Every row got the level of the first. Which one is its own?")
def one_level_for_all(x_t, score, alpha, sigma):
    return (x_t + sigma[0] ** 2 * score) / alpha[0]
