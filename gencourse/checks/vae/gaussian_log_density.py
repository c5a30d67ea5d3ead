"""Exercise on the log-density of a Gaussian with independent coordinates."""

import math

import torch
from torch import distributions

from gencourse.checks import draw, exercise
from gencourse.models import vae
from gencourse.probes.vae.densities import mass

LOG_2PI = math.log(2 * math.pi)


@exercise(
    reference=vae.gaussian_log_density,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "Write down log N for one coordinate first. It has three terms; which of them contain "
            "the variance?"
        ),
        (
            "Independent coordinates: what happens to a product of densities under the logarithm, "
            "and over which axis?"
        ),
    ),
    on_success=(
        "The trial also added up your density over a fine grid: it integrates to 1, so no constant "
        "is missing."
    ),
)
def gaussian_log_density(answer, seed):
    x, mu, logvar = draw(seed, 3, 5, 3)
    yield "the log-densities of five points in three dimensions", answer(x, mu, 1.5 * logvar)
    grid = torch.linspace(-30, 30, 601)[:, None]
    here, spread = (
        torch.full_like(grid, float(mu[0, 0])),
        torch.full_like(grid, float(logvar[0, 0])),
    )
    total = "the total mass of a one-dimensional density on a grid"
    yield total, answer.run(mass, grid, here, spread)
    narrow = torch.full((2, 3), -25.0)
    far = answer(40 * (0.5 * narrow).exp(), torch.zeros(2, 3), narrow)
    yield "two points 40 standard deviations away from a narrow density", far
    near = answer(mu + 0.02 * x, mu, logvar - 7)
    yield "five points near the centre of narrow densities", near
    moved = answer(100 + mu + 0.1 * x, 100 + mu, logvar - 4)
    yield "five points near the centre of narrow densities around 100", moved
    eps, mu, logvar = draw(seed + 1, 3, 4, 6)
    logvar = 4 + 4 * logvar
    x = 10 * mu + (0.5 * logvar).exp() * eps
    yield "four draws from densities narrow and wide, up to thousands", answer(x, 10 * mu, logvar)
    wide = torch.full_like(eps, 25.0)
    yield "four draws from a density that is very wide", answer((0.5 * wide).exp() * eps, mu, wide)
    narrow = -torch.linspace(27, 57, 24).view(4, 6)
    drawn = answer((0.5 * narrow).exp() * eps, 0 * mu, narrow)
    yield "four draws from densities whose logvar runs from -57 to -27", drawn


@gaussian_log_density.alternative
def by_torch_distributions(x, mu, logvar):
    return distributions.Independent(
        distributions.Normal(mu, torch.exp(logvar) ** 0.5), 1
    ).log_prob(x)


@gaussian_log_density.alternative
def by_multivariate_normal(x, mu, logvar):
    return distributions.MultivariateNormal(
        mu, scale_tril=torch.diag_embed((0.5 * logvar).exp())
    ).log_prob(x)


@gaussian_log_density.mistake(
    (
        "How often does log 2π enter for a point in D dimensions? Count it once per coordinate, "
        "then look at what your sum does."
    ),
    "A term that already holds D, inside a sum over D coordinates, is counted D² times.",
)
def constant_counted_d_times(x, mu, logvar):
    D = x.shape[1]
    return (-0.5 * D * LOG_2PI - 0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake(
    "Your density does not integrate to 1. Which normalising constant does the bell curve carry?"
)
def constant_left_out(x, mu, logvar):
    return (-0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake(
    "How often is log 2π counted when x has three coordinates? Should it not be once for each?"
)
def constant_counted_once(x, mu, logvar):
    return -0.5 * LOG_2PI + (-0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake(
    "Narrow densities come out too wide: something small is added to σ². The exponential of a "
    "number is positive, so what does it protect from?"
)
def constant_added_to_the_variance(x, mu, logvar):
    variance = logvar.exp() + 1e-8
    return -0.5 * (LOG_2PI + variance.log() + (x - mu) ** 2 / variance).sum(1)


@gaussian_log_density.mistake(
    "The constant is log(1/σ), and you have log σ². How are the two related?"
)
def logvar_not_halved(x, mu, logvar):
    return (-0.5 * LOG_2PI - logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake(
    "What stands in front of the squared distance in the exponent of a bell curve?"
)
def half_left_out_of_the_exponent(x, mu, logvar):
    return (-0.5 * LOG_2PI - 0.5 * logvar - (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake(
    "A narrow bell is a high one. Does your density at the centre grow or fall when the "
    "variance shrinks?"
)
def logvar_with_the_wrong_sign(x, mu, logvar):
    return (-0.5 * LOG_2PI + 0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake(
    "In the exponent the squared distance is measured in units of what: σ or σ²?"
)
def divided_by_std(x, mu, logvar):
    return (-0.5 * LOG_2PI - 0.5 * logvar - 0.5 * (x - mu) ** 2 / (0.5 * logvar).exp()).sum(1)


@gaussian_log_density.mistake(
    "You seem to read logvar as the logarithm of the standard deviation. What is its name saying?"
)
def logvar_as_log_std(x, mu, logvar):
    return distributions.Normal(mu, logvar.exp()).log_prob(x).sum(1)


@gaussian_log_density.mistake(
    "One number per point is asked for, and you return one per coordinate. What joins "
    "independent coordinates?"
)
def not_summed(x, mu, logvar):
    return distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x)


@gaussian_log_density.mistake(
    "The rows are different points. Which axis is to be added up, and which one should survive?"
)
def summed_over_everything(x, mu, logvar):
    return distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).sum()


@gaussian_log_density.mistake(
    "Far from the origin x², 2xμ and μ² nearly cancel, and float32 has seven digits. What should "
    "be subtracted before anything is squared?"
)
def squares_that_cancel(x, mu, logvar):
    squared = x**2 - 2 * x * mu + mu**2
    return -0.5 * (LOG_2PI + logvar + squared / logvar.exp()).sum(1)


@gaussian_log_density.mistake("Is a mean over coordinates still the logarithm of a product?")
def mean_over_coordinates(x, mu, logvar):
    return distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).mean(1)


@gaussian_log_density.mistake(
    "The name says log-density: should a point at the centre score higher or lower than one "
    "far away?"
)
def negated(x, mu, logvar):
    return -vae.gaussian_log_density(x, mu, logvar)
