"""Exercises on drawing a code and on its price."""

import math

import torch
from torch import distributions

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw, gradients
from gencourse.models import vae

# --- reparameterize ------------------------------------------------------------------------------------------------


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
    said = "the gradients of the summed sample with respect to mu and logvar"
    yield said, ask(gradients(call, "mu", "logvar"), mu=mu, logvar=logvar, eps=eps)


@reparameterize.mistake(
    "exp(logvar) is the variance. What is the standard deviation?", "Try logvar = log 4: what should the spread of z be? What is yours?"
)
def variance_as_std(mu, logvar, eps):
    return mu + logvar.exp() * eps


@reparameterize.mistake("logvar can be negative. Can a standard deviation?")
def logvar_as_std(mu, logvar, eps):
    return mu + logvar * eps


@reparameterize.mistake("Your z holds NaN. A root needs a positive number: is logvar one, or is it the logarithm of one?")
def root_of_logvar(mu, logvar, eps):
    return mu + logvar.sqrt() * eps


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


@reparameterize.mistake("The numbers are right, but no gradient reaches mu. Is it detached, or taken from `.data`?")
def mu_detached(mu, logvar, eps):
    return mu.detach() + (0.5 * logvar).exp() * eps


@reparameterize.mistake("eps is given to you. If you draw noise of your own, can anyone repeat the result?")
def own_noise(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)


@reparameterize.also_right
def by_square_root(mu, logvar, eps):
    return torch.addcmul(mu, logvar.exp().sqrt(), eps)


@reparameterize.also_right
def by_affine_transform(mu, logvar, eps):
    return distributions.AffineTransform(mu, torch.exp(logvar / 2), event_dim=1)(eps)


# --- kl_to_standard_normal -----------------------------------------------------------------------------------------


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


@kl_to_standard_normal.mistake(
    "Your KL is negative. Can a divergence be?", "Go through the signs of the four terms at μ = 0, σ = 1 and then at μ = 1."
)
def sign_reversed(mu, logvar):
    return -vae.kl_to_standard_normal(mu, logvar)


@kl_to_standard_normal.mistake("You treat logvar as log σ. What does its name say, and where does that change the formula?")
def logvar_read_as_log_std(mu, logvar):
    return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)


@kl_to_standard_normal.mistake(
    "Independent dimensions: do their divergences add up or average?",
    "784 pixels are summed in the other term. What β does your average amount to?",
)
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


@kl_to_standard_normal.mistake("Put q = p: is your divergence zero there? Something constant is missing.")
def one_left_out(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - logvar).sum(1)


@kl_to_standard_normal.mistake("The mean over the batch is the loop's business. What shape is asked for?")
def averaged_over_batch(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()


@kl_to_standard_normal.mistake("Tutorials add up the whole batch. Here one value per row is asked for: which axis should survive?")
def summed_over_the_batch_too(mu, logvar):
    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


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
