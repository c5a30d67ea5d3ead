"""Exercises on the two log-densities that a VAE needs."""

import math

import torch
import torch.nn.functional as F
from torch import distributions

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw
from gencourse.models import vae

LOG_2PI = math.log(2 * math.pi)


# --- gaussian_log_density ------------------------------------------------------------------------------------------


@exercise(
    reference=vae.gaussian_log_density,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "Write down log N for one coordinate first. It has three terms; which of them contain the variance?",
        "Independent coordinates: what happens to a product of densities under the logarithm, and over which axis?",
    ),
    insight="The trial also added up your density over a fine grid: it integrates to 1, so no constant is missing.",
)
def gaussian_log_density(ask, seed):
    x, mu, logvar = draw(seed, 3, 5, 3)
    call = "gaussian_log_density(x, mu, logvar)"
    yield "the log-densities of five points in three dimensions", ask(call, x=x, mu=mu, logvar=1.5 * logvar)
    grid = torch.linspace(-30, 30, 6001)[:, None]
    here = torch.full_like(grid, float(mu[0, 0]))
    spread = torch.full_like(grid, float(logvar[0, 0]))
    mass = f"0.01 * torch.as_tensor({call}).exp().sum()"
    yield "the total mass of a one-dimensional density on a grid", ask(mass, x=grid, mu=here, logvar=spread)
    narrow = torch.full((2, 3), -12.0)
    far = ask(call, x=40 * (0.5 * narrow).exp(), mu=torch.zeros(2, 3), logvar=narrow)
    yield "two points 40 standard deviations away from a narrow density", far


@gaussian_log_density.mistake(
    "How often does log 2π enter for a point in D dimensions? Count it once per coordinate, then look at what your sum does.",
    "A term that already holds D, inside a sum over D coordinates, is counted D² times.",
)
def constant_counted_d_times(x, mu, logvar):
    D = x.shape[1]
    return (-0.5 * D * LOG_2PI - 0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake("Your density does not integrate to 1. Which normalising constant does the bell curve carry?")
def constant_left_out(x, mu, logvar):
    return (-0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake("How often is log 2π counted when x has three coordinates? Should it not be once for each?")
def constant_counted_once(x, mu, logvar):
    return -0.5 * LOG_2PI + (-0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake("The constant is log(1/σ), and you have log σ². How are the two related?")
def logvar_not_halved(x, mu, logvar):
    return (-0.5 * LOG_2PI - logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake("What stands in front of the squared distance in the exponent of a bell curve?")
def half_left_out_of_the_exponent(x, mu, logvar):
    return (-0.5 * LOG_2PI - 0.5 * logvar - (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake("A narrow bell is a high one. Does your density at the centre grow or fall when the variance shrinks?")
def logvar_with_the_wrong_sign(x, mu, logvar):
    return (-0.5 * LOG_2PI + 0.5 * logvar - 0.5 * (x - mu) ** 2 / logvar.exp()).sum(1)


@gaussian_log_density.mistake("In the exponent the squared distance is measured in units of what: σ or σ²?")
def divided_by_std(x, mu, logvar):
    return (-0.5 * LOG_2PI - 0.5 * logvar - 0.5 * (x - mu) ** 2 / (0.5 * logvar).exp()).sum(1)


@gaussian_log_density.mistake("You seem to read logvar as the logarithm of the standard deviation. What is its name saying?")
def logvar_as_log_std(x, mu, logvar):
    return distributions.Normal(mu, logvar.exp()).log_prob(x).sum(1)


@gaussian_log_density.mistake("One number per point is asked for, and you return one per coordinate. What joins independent coordinates?")
def not_summed(x, mu, logvar):
    return distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x)


@gaussian_log_density.mistake("The rows are different points. Which axis is to be added up, and which one should survive?")
def summed_over_everything(x, mu, logvar):
    return distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).sum()


@gaussian_log_density.mistake("Is a mean over coordinates still the logarithm of a product?")
def mean_over_coordinates(x, mu, logvar):
    return distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).mean(1)


@gaussian_log_density.mistake("The name says log-density: should a point at the centre score higher or lower than one far away?")
def negated(x, mu, logvar):
    return -vae.gaussian_log_density(x, mu, logvar)


@gaussian_log_density.also_right
def by_torch_distributions(x, mu, logvar):
    return distributions.Independent(distributions.Normal(mu, torch.exp(logvar) ** 0.5), 1).log_prob(x)


@gaussian_log_density.also_right
def by_multivariate_normal(x, mu, logvar):
    return distributions.MultivariateNormal(mu, scale_tril=torch.diag_embed((0.5 * logvar).exp())).log_prob(x)


# --- bernoulli_log_likelihood --------------------------------------------------------------------------------------


@exercise(
    reference=vae.bernoulli_log_likelihood,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "For one pixel: log s(l) if it is on, log(1 - s(l)) if it is off. Which torch function takes logits, not probabilities?",
        "A batch of images has four axes. Which of them should be left in the result?",
    ),
    insight="It stays finite at logits of ±1000, where every probability has long rounded to 0 or 1.",
)
def bernoulli_log_likelihood(ask, seed):
    logits = 2 * draw(seed, 4, 1, 3, 5)
    x = (draw(seed + 100, 4, 1, 3, 5) > 0).float()
    call = "bernoulli_log_likelihood(logits, x)"
    yield "the log-likelihoods of four small images", ask(call, logits=logits, x=x)
    yield "the value at logits of 0, where every pixel is a fair coin", ask(call, logits=torch.zeros_like(logits), x=x)
    yield "the value at logits of +1000 and -1000", ask(call, logits=1000 * logits.sign(), x=x)


@bernoulli_log_likelihood.mistake("Was the sigmoid applied twice? Which function of torch applies it by itself?")
def sigmoid_twice(logits, x):
    return -F.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none").flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "A log-probability of an image is that of all its pixels together. Is a mean over pixels one?",
    "At logits 0 an image of 15 pixels has probability 2⁻¹⁵. What is the logarithm of that?",
)
def mean_over_pixels(logits, x):
    return vae.bernoulli_log_likelihood(logits, x) / logits[0].numel()


@bernoulli_log_likelihood.mistake("The name says log-likelihood: higher is better. Can the logarithm of a probability be positive?")
def sign_of_a_loss(logits, x):
    return -vae.bernoulli_log_likelihood(logits, x)


@bernoulli_log_likelihood.mistake(
    "At large logits you get infinities or NaN. What does float32 make of 1 - sigmoid(60), and of its logarithm?"
)
def log_of_sigmoid(logits, x):
    p = logits.sigmoid()
    return (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("Right for small logits, off for large ones: is something clamped on the way through a probability?")
def probabilities_clamped(logits, x):
    return -F.binary_cross_entropy(logits.sigmoid(), x, reduction="none").flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "Right for small logits, off for large ones: what does the small constant inside your logarithm do at ±1000?"
)
def probabilities_with_a_floor(logits, x):
    p = logits.sigmoid()
    return (x * (p + 1e-8).log() + (1 - x) * (1 - p + 1e-8).log()).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "Right for small logits, infinite for large ones. What does exp(1000) give, and which function avoids it?"
)
def exponential_overflows(logits, x):
    return (x * logits - torch.log(1 + logits.exp())).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("Only the pixels that are on count in your sum. Do the dark ones say nothing?")
def dark_pixels_left_out(logits, x):
    return (x * F.logsigmoid(logits)).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("One number per image is asked for. How many axes does an image have, besides the batch?")
def summed_over_one_axis(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


@bernoulli_log_likelihood.mistake("You added up the whole batch. Which axis should survive?")
def summed_over_the_batch(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


@bernoulli_log_likelihood.mistake(
    "torch's loss averages over pixels and batch unless told otherwise. Which sum is asked for, and what shape?"
)
def torchs_default_mean(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x)


@bernoulli_log_likelihood.also_right
def by_bernoulli(logits, x):
    return distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))


@bernoulli_log_likelihood.also_right
def by_softplus(logits, x):
    return (x * logits - F.softplus(logits)).reshape(len(x), -1).sum(-1)
