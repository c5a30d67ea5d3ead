"""Exercises on the four formulas that a VAE is made of."""

import math

import torch
import torch.nn.functional as F
from torch import distributions

from gencourse.checks._exercise import exercise
from gencourse.models import vae
from gencourse.runtime import seeded

LOG_2PI = math.log(2 * math.pi)


def draw(seed: int, *shape: int) -> torch.Tensor:
    """Standard normal inputs for a trial, from a generator of their own."""
    return torch.randn(*shape, generator=seeded(seed))


# --- gaussian_log_density --------------------------------------------------------------------------------------


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
    mass = f"0.01 * {call}.exp().sum()"
    yield "the total mass of a one-dimensional density on a grid", ask(mass, x=grid, mu=here, logvar=spread)


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
    return torch.stack([distributions.MultivariateNormal(m, torch.diag(v.exp())).log_prob(row) for row, m, v in zip(x, mu, logvar, strict=True)])


# --- reparameterize --------------------------------------------------------------------------------------------


@exercise(
    reference=vae.reparameterize,
    difficulty=1,
    minutes=5,
    points=2,
    hints=(
        "If eps has mean 0 and standard deviation 1, what do you do to it to get another mean and standard deviation?",
        "logvar is log σ². Write σ in terms of it before you code.",
    ),
    insight="Gradients reach both mu and logvar, which is the point of writing the draw this way.",
)
def reparameterize(ask, seed):
    mu, logvar, eps = draw(seed, 3, 4, 3)
    logvar = 1 + 1.5 * logvar
    call = "reparameterize(mu, logvar, eps)"
    yield "the sample", ask(call, mu=mu, logvar=logvar, eps=eps)
    yield "two calls with the same eps, compared", ask(f"bool(({call} == {call}).all())", mu=mu, logvar=logvar, eps=eps)
    gradients = f"""
        mu, logvar = mu.requires_grad_(), logvar.requires_grad_()
        z = {call}
        [0 if g is None else g for g in torch.autograd.grad(z.sum(), (mu, logvar), allow_unused=True)] if z.requires_grad else "no gradient"
    """
    yield "the gradients of the summed sample with respect to mu and logvar", ask(gradients, mu=mu, logvar=logvar, eps=eps)


@reparameterize.mistake(
    "exp(logvar) is the variance. What is the standard deviation?", "Try logvar = log 4: what should the spread of z be? What is yours?"
)
def variance_as_std(mu, logvar, eps):
    return mu + logvar.exp() * eps


@reparameterize.mistake("logvar can be negative. Can a standard deviation?")
def logvar_as_std(mu, logvar, eps):
    return mu + logvar * eps


@reparameterize.mistake("Halving is right, but of which quantity: the logarithm itself, or what comes after undoing it?")
def half_logvar_as_std(mu, logvar, eps):
    return mu + 0.5 * logvar * eps


@reparameterize.mistake("Half of the variance is not its square root. What does ½ do inside the exponential, and outside?")
def half_variance_as_std(mu, logvar, eps):
    return mu + 0.5 * logvar.exp() * eps


@reparameterize.mistake("Your z does not depend on eps at all. Where does the randomness of the draw come in?")
def noise_left_out(mu, logvar, eps):
    return mu.clone()


@reparameterize.mistake("Every row is a draw of its own. Does every row get its own noise?")
def noise_shared_between_rows(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * eps[:1]


@reparameterize.mistake("The numbers are right, but no gradient reaches mu and logvar. What cuts the graph?")
def without_gradient(mu, logvar, eps):
    with torch.no_grad():
        return mu + (0.5 * logvar).exp() * eps


@reparameterize.mistake("The numbers are right, but no gradient reaches logvar. Is σ detached, or taken from `.data`?")
def std_detached(mu, logvar, eps):
    return mu + (0.5 * logvar).exp().detach() * eps


@reparameterize.mistake("eps is given to you. If you draw noise of your own, can anyone repeat the result?")
def own_noise(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)


@reparameterize.also_right
def by_square_root(mu, logvar, eps):
    return torch.addcmul(mu, logvar.exp().sqrt(), eps)


@reparameterize.also_right
def by_affine_transform(mu, logvar, eps):
    return distributions.AffineTransform(mu, torch.exp(logvar / 2), event_dim=1)(eps)


# --- kl_to_standard_normal -------------------------------------------------------------------------------------


@exercise(
    reference=vae.kl_to_standard_normal,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "Start from E_q[log q(z) - log p(z)] in one dimension. Which expectations of z do you need?",
        "E_q[z²] = μ² + σ². Test your result at σ = 1, where it must be μ²/2.",
        "Then test at μ = 0, σ² = 4: 0.8069 nats per dimension.",
    ),
    insight="A KL is never negative, and it is zero only where q is the prior. Both follow from your formula.",
)
def kl_to_standard_normal(ask, seed):
    mu, logvar = draw(seed, 2, 5, 3)
    call = "kl_to_standard_normal(mu, logvar)"
    yield "the KL of five Gaussians in three dimensions", ask(call, mu=mu, logvar=1.3 * logvar)
    yield "the KL at mu = 0, variance 4", ask(call, mu=torch.zeros(2, 3), logvar=torch.full((2, 3), math.log(4.0)))


@kl_to_standard_normal.mistake("Your KL is negative. Can a divergence be?", "Go through the signs of the four terms at μ = 0, σ = 1 and then at μ = 1.")
def sign_reversed(mu, logvar):
    return -vae.kl_to_standard_normal(mu, logvar)


@kl_to_standard_normal.mistake("You treat logvar as log σ. What does its name say, and where does that change the formula?")
def logvar_read_as_log_std(mu, logvar):
    return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)


@kl_to_standard_normal.mistake("Independent dimensions: do their divergences add up or average?", "784 pixels are summed in the other term. What β does your average amount to?")
def averaged_over_dimensions(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(1)


@kl_to_standard_normal.mistake("This is KL(p‖q). Which of the two distributions should the expectation be taken under?")
def arguments_reversed(mu, logvar):
    return 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(1)


@kl_to_standard_normal.mistake("Everything is twice too large. Which factor stands in front of the squares in a Gaussian's logarithm?")
def half_left_out(mu, logvar):
    return (mu**2 + logvar.exp() - 1 - logvar).sum(1)


@kl_to_standard_normal.mistake("One term has a square that it should not have. Where does log σ² enter: as itself, or squared?")
def logvar_squared(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar**2).sum(1)


@kl_to_standard_normal.mistake("Does the -1 belong to each dimension, or once to the sum? Put q = p and look.")
def one_outside_the_sum(mu, logvar):
    return 0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1)


@kl_to_standard_normal.mistake("The mean over the batch is the loop's business. What shape is asked for?")
def averaged_over_batch(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()


@kl_to_standard_normal.mistake("One number per example is asked for. Over which axis is there still something to add up?")
def kl_not_summed(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


@kl_to_standard_normal.mistake("μ enters the KL, but with which power?")
def mu_not_squared(mu, logvar):
    return 0.5 * (mu + logvar.exp() - 1 - logvar).sum(1)


@kl_to_standard_normal.also_right
def by_kl_divergence(mu, logvar):
    prior = distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return distributions.kl_divergence(distributions.Normal(mu, (logvar / 2).exp()), prior).sum(-1)


@kl_to_standard_normal.also_right
def as_in_the_paper(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)


# --- bernoulli_log_likelihood ----------------------------------------------------------------------------------


@exercise(
    reference=vae.bernoulli_log_likelihood,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "For one pixel: log s(l) if it is on, log(1 - s(l)) if it is off. Which torch function takes logits, not probabilities?",
        "A batch of images has four axes. Which of them should be left in the result?",
    ),
    insight="It stays finite at logits of ±60, where a probability has already rounded to 0 or 1.",
)
def bernoulli_log_likelihood(ask, seed):
    logits = 2 * draw(seed, 4, 1, 3, 5)
    x = (draw(seed + 100, 4, 1, 3, 5) > 0).float()
    call = "bernoulli_log_likelihood(logits, x)"
    yield "the log-likelihoods of four small images", ask(call, logits=logits, x=x)
    yield "the value at logits of 0, where every pixel is a fair coin", ask(call, logits=torch.zeros_like(logits), x=x)
    yield "the value at logits of +60 and -60", ask(call, logits=60 * logits.sign(), x=x)


@bernoulli_log_likelihood.mistake("Was the sigmoid applied twice? Which function of torch applies it by itself?")
def sigmoid_twice(logits, x):
    return -F.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none").flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("A log-probability of an image is that of all its pixels together. Is a mean over pixels one?", "At logits 0 an image of 15 pixels has probability 2⁻¹⁵. What is the logarithm of that?")
def mean_over_pixels(logits, x):
    return vae.bernoulli_log_likelihood(logits, x) / logits[0].numel()


@bernoulli_log_likelihood.mistake("The name says log-likelihood: higher is better. Can the logarithm of a probability be positive?")
def sign_of_a_loss(logits, x):
    return -vae.bernoulli_log_likelihood(logits, x)


@bernoulli_log_likelihood.mistake("At large logits you get infinities or NaN. What does float32 make of 1 - sigmoid(60), and of its logarithm?")
def log_of_sigmoid(logits, x):
    p = logits.sigmoid()
    return (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("Right for small logits, off for large ones: is something clamped on the way through a probability?")
def probabilities_clamped(logits, x):
    return -F.binary_cross_entropy(logits.sigmoid(), x, reduction="none").flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("Right for small logits, off for large ones: what does the small constant inside your logarithm do at ±60?")
def probabilities_with_a_floor(logits, x):
    p = logits.sigmoid()
    return (x * (p + 1e-8).log() + (1 - x) * (1 - p + 1e-8).log()).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("Only the pixels that are on count in your sum. Do the dark ones say nothing?")
def dark_pixels_left_out(logits, x):
    return (x * F.logsigmoid(logits)).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake("One number per image is asked for. How many axes does an image have, besides the batch?")
def summed_over_one_axis(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


@bernoulli_log_likelihood.mistake("You added up the whole batch. Which axis should survive?")
def summed_over_the_batch(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


@bernoulli_log_likelihood.also_right
def by_bernoulli(logits, x):
    return distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))


@bernoulli_log_likelihood.also_right
def by_softplus(logits, x):
    return (x * logits - F.softplus(logits)).reshape(len(x), -1).sum(-1)
