"""Exercise on making data noisy."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import diffusion
from gencourse.probes.general import gradients


def wide(level, x):
    """A level (B,) as (B, 1, ..., 1)."""
    return level.view(-1, *[1] * (x.ndim - 1))


@exercise(
    reference=diffusion.perturb,
    difficulty=1,
    minutes=5,
    points=2,
    hints=(
        "x_t is a sum of two terms. Which letter multiplies which?",
        "One α and one σ for each row: which axis of x is that?",
        "view(-1, 1, 1, 1) makes (B,) fit (B, C, H, W). Here x can have any number of axes.",
    ),
    on_success="Any level in one line: no need to walk there step by step.",
)
def perturb(answer, seed):
    x, eps = draw(seed, 2, 2, 3, 4, 5)
    yield "noisy images", answer(x, eps, torch.tensor([0.7, 0.4]), torch.tensor([0.5, 0.3]))
    x, eps = draw(seed + 1, 2, 6, 2)
    alpha = torch.linspace(0.9, 0.1, 6)
    yield "noisy points, α² + σ² = 1", answer(x, eps, alpha, (1 - alpha**2).sqrt())
    yield "noisy points, α + σ = 1", answer(x, eps, alpha, 1 - alpha)
    x, eps = draw(seed + 2, 2, 4, 4)
    far = answer(x, eps, torch.ones(4), torch.tensor([0.2, 3.0, 11.0, 80.0]))
    yield "noisy points, α = 1 and σ up to 80", far
    ends = answer(x, eps, torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, 3.0]))
    yield "points at both ends of a path", ends
    yield (
        "its gradients",
        answer.run(gradients, x, eps, torch.ones(4), torch.tensor([0.2, 3.0, 1.0, 8.0])),
    )


@perturb.alternative
def by_addcmul(x, eps, alpha, sigma):
    while alpha.ndim < x.ndim:
        alpha, sigma = alpha.unsqueeze(-1), sigma.unsqueeze(-1)
    return torch.addcmul(alpha * x, sigma, eps)


@perturb.alternative
def row_by_row(x, eps, alpha, sigma):
    return torch.stack([alpha[i] * x[i] + sigma[i] * eps[i] for i in range(len(x))])


@perturb.mistake(
    "σ is the noise's standard deviation. Which power of it did you multiply the noise with?"
)
def variance_for_std(x, eps, alpha, sigma):
    return wide(alpha, x) * x + wide(sigma, x) ** 2 * eps


@perturb.mistake(
    "You took roots. √ᾱ and √(1 - ᾱ) are the paper's names for what is α and σ here: are they "
    "taken already?"
)
def roots_taken_again(x, eps, alpha, sigma):
    return wide(alpha, x).sqrt() * x + wide(sigma, x).sqrt() * eps


@perturb.mistake("The signal is right. Is σ a variance here, of which a root is still to be taken?")
def root_of_sigma(x, eps, alpha, sigma):
    return wide(alpha, x) * x + wide(sigma, x).sqrt() * eps


@perturb.mistake("α and σ have changed places. Which of them belongs to the data?")
def levels_exchanged(x, eps, alpha, sigma):
    return wide(sigma, x) * x + wide(alpha, x) * eps


@perturb.mistake(
    "Your σ is 1 - α, which holds on the linear path alone. You are given σ: what is it for?"
)
def linear_path_assumed(x, eps, alpha, sigma):
    return wide(alpha, x) * x + (1 - wide(alpha, x)) * eps


@perturb.mistake(
    "Your σ is √(1 - α²), which holds on variance-preserving paths alone. You are given σ: what is "
    "it for?"
)
def variance_preserving_assumed(x, eps, alpha, sigma):
    return wide(alpha, x) * x + (1 - wide(alpha, x) ** 2).clamp_min(0).sqrt() * eps


@perturb.mistake("The noise is right. Where is the signal made smaller?")
def alpha_left_out(x, eps, alpha, sigma):
    return x + wide(sigma, x) * eps


@perturb.mistake("The signal is right. Where does the noise get its size?")
def sigma_left_out(x, eps, alpha, sigma):
    return wide(alpha, x) * x + eps


@perturb.mistake("All rows got the noise of the first. Is it theirs?")
def noise_shared_by_all(x, eps, alpha, sigma):
    return wide(alpha, x) * x + wide(sigma, x) * eps[:1]


@perturb.mistake("All rows got the level of the first. Which one is their own?")
def one_level_for_all(x, eps, alpha, sigma):
    return alpha[0] * x + sigma[0] * eps


@perturb.mistake(
    "(B,) beside (B, ...) meets the last axis. Each row has its own level: which axis is that?",
    "With as many rows as numbers in a row nothing complains, and the levels go to the columns.",
)
def levels_along_the_last_axis(x, eps, alpha, sigma):
    return alpha * x + sigma * eps


@perturb.mistake("eps is given to you. If you draw noise of your own, can anyone repeat it?")
def own_noise(x, eps, alpha, sigma):
    return wide(alpha, x) * x + wide(sigma, x) * torch.randn_like(x)
