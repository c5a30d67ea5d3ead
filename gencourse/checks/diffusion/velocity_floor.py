"""Exercise on the loss of a perfect network."""

import math

import torch

from gencourse.checks import draw, exercise


def velocity_floor_reference(std, t):
    """The least E|u - û(x_t, t)|² per dimension, s² / ((1 - t)² s² + t²), with the shape of t."""
    return std**2 / ((1 - t) ** 2 * std**2 + t**2)


@exercise(
    reference=velocity_floor_reference,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "u = ε - x and x_t = (1 - t) x + t ε are both normal. The best û is E[u given x_t].",
        (
            "For two normal numbers the variance of one given the other is Var u - Cov(u, x_t)² / "
            "Var x_t."
        ),
        "Var u = 1 + s². Cov(u, x_t) has a term of ε and one of x: with which signs?",
    ),
    on_success=(
        "Never 0, for any network. Its mean over uniform t is πs/2: know it before you call a "
        "loss high."
    ),
)
def velocity_floor(answer, seed):
    t = 0.05 + 0.9 * torch.rand(5, generator=torch.Generator().manual_seed(seed))
    yield "the floor at five times, s = 0.5", answer(0.5, t)
    yield "the floor at five times, s = 1", answer(1.0, t)
    yield "the floor at five times, s = 3", answer(3.0, t)
    yield "the floor at both ends, s = 0.4", answer(0.4, torch.tensor([0.0, 1.0]))
    yield "the floor at one time, s = 2", answer(2.0, t[:1])
    yield "the floor at some narrow widths", answer(0.05 + 0.1 * draw(seed, 1).sigmoid().item(), t)


@velocity_floor.alternative
def by_covariances(std, t):
    covariance = t - (1 - t) * std**2
    return (1 + std**2) - covariance**2 / ((1 - t) ** 2 * std**2 + t**2)


@velocity_floor.alternative
def by_precisions(std, t):
    # u and x_t determine x = x_t - t u, and ε = x_t + (1 - t) u
    return 1 / (t**2 / std**2 + (1 - t) ** 2)


@velocity_floor.mistake(
    "Zero? Two pairs (x, ε) can meet in one point x_t with different velocities. What can any "
    "network say there?"
)
def nothing(std, t):
    return torch.zeros_like(t)


@velocity_floor.mistake(
    "This is the variance of u before anybody has seen x_t. How much of it does x_t explain?"
)
def without_looking(std, t):
    return torch.full_like(t, 1 + std**2)


@velocity_floor.mistake(
    "This is the floor of the denoiser, for x. An error of x makes an error of u that is larger: "
    "by which factor?"
)
def floor_of_the_denoiser(std, t):
    return std**2 * t**2 / ((1 - t) ** 2 * std**2 + t**2)


@velocity_floor.mistake(
    "This is the floor of the noise, ε. An error of ε makes an error of u that is larger: by which "
    "factor?"
)
def floor_of_the_noise(std, t):
    return (1 - t) ** 2 * std**2 / ((1 - t) ** 2 * std**2 + t**2)


@velocity_floor.mistake(
    "This is right where noise is at t = 0 and data at t = 1. In this chapter data are at 0: which "
    "time is theirs?"
)
def noise_at_zero(std, t):
    return std**2 / (t**2 * std**2 + (1 - t) ** 2)


@velocity_floor.mistake("The variance of x_t: which power of the factors 1 - t and t is in it?")
def factors_not_squared(std, t):
    return std**2 / ((1 - t) * std**2 + t)


@velocity_floor.mistake("At s = 1 it is right. Is `std` a variance, or its root?")
def deviation_for_variance(std, t):
    return std / ((1 - t) ** 2 * std + t**2)


@velocity_floor.mistake(
    "This is the mean over uniform t, πs/2, which does not depend on t. Here each time has its own."
)
def mean_over_time(std, t):
    return torch.full_like(t, math.pi * std / 2)


@velocity_floor.mistake(
    "It would be right if data and noise pulled u the same way. With which sign is x in u, and "
    "with which in x_t?"
)
def sign_of_the_data(std, t):
    covariance = t + (1 - t) * std**2
    return (1 + std**2) - covariance**2 / ((1 - t) ** 2 * std**2 + t**2)


@velocity_floor.mistake("This is the error's root. The loss is a square.")
def root_of_the_floor(std, t):
    return (std**2 / ((1 - t) ** 2 * std**2 + t**2)).sqrt()
