"""Exercise on the denoiser that can only copy."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import diffusion
from gencourse.probes.general import gradients


def optimal_denoiser_reference(x, sigma, train):
    """Σ_i w_i train_i, w = softmax_i(-|x - train_i|² / (2σ²)): (B, D)."""
    return diffusion.optimal_denoiser(x, sigma, train)


@exercise(
    reference=optimal_denoiser_reference,
    rtol=5e-4,  # squares of far distances leave few digits in float32
    atol=2e-4,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Bayes' rule with N equally probable points: how probable is each of them, given x?",
        "The noise is normal. What does its log-density say of a distance?",
        "torch.cdist gives distances (B, N); a softmax over N weighs the points.",
    ),
    on_success=(
        "The best there is on this set, and its samples are the set. A network that does as well "
        "has learned it by heart."
    ),
)
def optimal_denoiser(answer, seed):
    train = draw(seed, 7, 3)
    x = 0.8 * draw(seed + 1, 4, 3)
    yield "four points, seven to copy, σ = 0.8", answer(x, 0.8, train)
    yield "σ = 2.5", answer(x, 2.5, train)
    yield "σ = 0.3", answer(x, 0.3, train)
    yield "little noise, σ = 0.01: the nearest", answer(x, 0.01, train)
    yield "much noise, σ = 1000: nearly the mean", answer(x, 1000.0, train)
    yield "far away, at 15", answer(15 + x, 1.7, train)
    yield "one point to copy", answer(x, 0.5, train[:1])
    yield "as many as there are to copy", answer(draw(seed + 2, 7, 3), 0.7, train)
    yield "its gradients", answer.run(gradients, x, 2.5, train)


@optimal_denoiser.alternative
def by_cdist(x, sigma, train):
    apart = torch.cdist(x, train, compute_mode="donot_use_mm_for_euclid_dist")
    return (-(apart**2) / (2 * sigma**2)).softmax(dim=-1) @ train


@optimal_denoiser.alternative
def by_hand(x, sigma, train):
    z = ((x[:, None, :] - train[None]) / sigma) ** 2
    logs = -0.5 * z.sum(2)
    w = torch.exp(logs - logs.max(dim=1, keepdim=True).values)
    return torch.einsum("bn,nd->bd", w, train) / w.sum(1, keepdim=True)


def squares(x, train):
    """|x - train_i|², (B, N)."""
    return (x[:, None] - train).square().sum(2)


@optimal_denoiser.mistake(
    "The weights of one x should sum to 1. Along which axis do yours: over the x, or over the set?"
)
def softmax_over_the_batch(x, sigma, train):
    return (-squares(x, train) / (2 * sigma**2)).softmax(0) @ train


@optimal_denoiser.mistake("A normal density has 2σ² below the square. Where is the 2?")
def two_left_out(x, sigma, train):
    return (-squares(x, train) / sigma**2).softmax(1) @ train


@optimal_denoiser.mistake("A normal density has 2σ² below the square. Is your σ squared?")
def sigma_not_squared(x, sigma, train):
    return (-squares(x, train) / (2 * sigma)).softmax(1) @ train


@optimal_denoiser.mistake("The 2 is not squared in 2σ². What is (2σ)²?")
def two_squared(x, sigma, train):
    return (-squares(x, train) / (2 * sigma) ** 2).softmax(1) @ train


@optimal_denoiser.mistake("The exponent of a normal density has the distance's square. Has yours?")
def distance_not_squared(x, sigma, train):
    return (-squares(x, train).sqrt() / (2 * sigma**2)).softmax(1) @ train


@optimal_denoiser.mistake(
    "The square of a distance is a sum over the dimensions. With the mean, D dimensions look D "
    "times closer."
)
def mean_over_the_dimensions(x, sigma, train):
    return (-squares(x, train) / x.shape[1] / (2 * sigma**2)).softmax(1) @ train


@optimal_denoiser.mistake(
    "The farthest point weighs most. Which sign has the exponent of a normal density?"
)
def sign_turned(x, sigma, train):
    return (squares(x, train) / (2 * sigma**2)).softmax(1) @ train


@optimal_denoiser.mistake(
    "You return the nearest point, whatever the noise. At σ = 1000, can anybody know which one it "
    "was?"
)
def nearest_alone(x, sigma, train):
    return train[squares(x, train).argmin(1)]


@optimal_denoiser.mistake("You return the mean of the set, whatever x is. What does x say?")
def mean_alone(x, sigma, train):
    return train.mean(0).expand_as(x).clone()


@optimal_denoiser.mistake(
    "With much noise it is right; with little, or far away, it is 0 / 0. What does a softmax take "
    "out before it takes exponentials?"
)
def through_densities(x, sigma, train):
    w = (-squares(x, train) / (2 * sigma**2)).exp()
    return (w @ train) / w.sum(1, keepdim=True)


@optimal_denoiser.mistake(
    "A small number below the line hides 0 / 0, and makes a 0 of it: is the nearest point at the "
    "origin?"
)
def through_densities_with_a_tiny_number(x, sigma, train):
    w = (-squares(x, train) / (2 * sigma**2)).exp()
    return (w @ train) / (w.sum(1, keepdim=True) + 1e-12)


@optimal_denoiser.mistake("These are the weights. Of what are they the weights?")
def weights_themselves(x, sigma, train):
    return (-squares(x, train) / (2 * sigma**2)).softmax(1)


@optimal_denoiser.mistake("The weights do not sum to 1: which of softmax's two steps is missing?")
def not_normalised(x, sigma, train):
    return (-squares(x, train) / (2 * sigma**2)).exp() @ train


@optimal_denoiser.mistake("This is the score, (x̂ - x)/σ². Which of the two is a denoiser's answer?")
def score_for_denoiser(x, sigma, train):
    return ((-squares(x, train) / (2 * sigma**2)).softmax(1) @ train - x) / sigma**2
