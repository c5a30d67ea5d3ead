"""Exercise on the price of a code."""

import math

import torch
from torch import distributions

from gencourse.checks import draw, exercise
from gencourse.models import vae


@exercise(
    reference=vae.kl_to_standard_normal,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        (
            "Start from E_q[log q(z) - log p(z)] in one dimension. Which expectations of z do you "
            "need?"
        ),
        "E_q[z²] = μ² + σ². Test your result at σ = 1, where it must be μ²/2.",
        "Then test at μ = 0, σ² = 4: 0.8069 nats per dimension.",
    ),
    on_success=(
        "A KL is never negative, and it is zero only where q is the prior. Both follow from your "
        "formula."
    ),
)
def kl_to_standard_normal(answer, seed):
    mu, logvar = draw(seed, 2, 5, 3)
    yield "the KL of five Gaussians in three dimensions", answer(mu, 1.3 * logvar)
    wide = torch.full((2, 3), math.log(4.0))
    yield "the KL at mu = 0, variance 4", answer(torch.zeros(2, 3), wide)
    yield "the KL of the prior from itself", answer(torch.zeros(3, 2), torch.zeros(3, 2))
    mu, logvar = draw(seed + 1, 2, 4, 6)
    yield "the KL of four Gaussians near the prior", answer(0.1 * mu, 0.1 * logvar)
    yield "the KL of means up to 30 and variances up to 10000", answer(10 * mu, 4 * logvar)
    yield "the KL of a code that is almost a point", answer(0.3 * mu[:2], logvar[:2] - 25)
    yield "the KL of codes that are very wide", answer(mu, logvar + 25)
    narrow = -torch.linspace(27, 57, 24).view(4, 6)
    yield "the KL of codes whose logvar runs from -57 to -27", answer(0.3 * mu, narrow)


@kl_to_standard_normal.alternative
def by_kl_divergence(mu, logvar):
    prior = distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return distributions.kl_divergence(distributions.Normal(mu, (logvar / 2).exp()), prior).sum(-1)


@kl_to_standard_normal.alternative
def as_in_the_paper(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)


@kl_to_standard_normal.mistake(
    "Your KL is negative. Can a divergence be?",
    "Go through the signs of the four terms at μ = 0, σ = 1 and then at μ = 1.",
)
def sign_reversed(mu, logvar):
    return -vae.kl_to_standard_normal(mu, logvar)


@kl_to_standard_normal.mistake(
    "You treat logvar as log σ. What does its name say, and where does that change the formula?"
)
def logvar_read_as_log_std(mu, logvar):
    return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)


@kl_to_standard_normal.mistake(
    "Codes that are almost points come out too cheap: something small is added to σ². You have its "
    "logarithm, so what does that protect from?"
)
def constant_added_to_the_variance(mu, logvar):
    variance = logvar.exp() + 1e-8
    return 0.5 * (mu**2 + variance - 1 - variance.log()).sum(1)


@kl_to_standard_normal.mistake(
    "Independent dimensions: do their divergences add up or average?",
    "784 pixels are summed in the other term. What β does your average amount to?",
)
def averaged_over_dimensions(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(1)


@kl_to_standard_normal.mistake(
    "This is KL(p‖q). Which of the two distributions should the expectation be taken under?"
)
def arguments_reversed(mu, logvar):
    return 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(1)


@kl_to_standard_normal.mistake(
    "Everything is twice too large. Which factor stands in front of the squares in a "
    "Gaussian's logarithm?"
)
def half_left_out(mu, logvar):
    return (mu**2 + logvar.exp() - 1 - logvar).sum(1)


@kl_to_standard_normal.mistake(
    "One term has a square that it should not have. Where does log σ² enter: as itself, or squared?"
)
def logvar_squared(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar**2).sum(1)


@kl_to_standard_normal.mistake(
    "Does the -1 belong to each dimension, or once to the sum? Put q = p and look."
)
def one_outside_the_sum(mu, logvar):
    return 0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1)


@kl_to_standard_normal.mistake(
    "Put q = p: is your divergence zero there? Something constant is missing."
)
def one_left_out(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - logvar).sum(1)


@kl_to_standard_normal.mistake(
    "The mean over the batch is the loop's business. What shape is asked for?"
)
def averaged_over_batch(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()


@kl_to_standard_normal.mistake(
    "Tutorials add up the whole batch. Here one value per row is asked for: which axis should "
    "survive?"
)
def summed_over_the_batch_too(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


@kl_to_standard_normal.mistake(
    "One number per example is asked for. Over which axis is there still something to add up?"
)
def kl_not_summed(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


@kl_to_standard_normal.mistake("μ enters the KL, but with which power?")
def mu_not_squared(mu, logvar):
    return 0.5 * (mu + logvar.exp() - 1 - logvar).sum(1)
