"""Exercise on drawing a code."""

import torch
from torch import distributions

from gencourse.checks import draw, exercise
from gencourse.models import vae
from gencourse.probes.vae.densities import difference, growth, learned


@exercise(
    reference=vae.reparameterize,
    difficulty=1,
    minutes=5,
    points=2,
    hints=(
        (
            "If eps has mean 0 and standard deviation 1, what do you do to it to get another mean "
            "and standard deviation?"
        ),
        "logvar is log σ². Write σ in terms of it before you code.",
    ),
    on_success=(
        "Gradients reach both mu and logvar, which is the point of writing the draw this way."
    ),
)
def reparameterize(answer, seed):
    mu, logvar, eps = draw(seed, 3, 4, 3)
    logvar = 1 + 1.5 * logvar
    yield "the sample", answer(mu, logvar, eps)
    same = "the largest difference between two calls with the same eps"
    yield same, answer.run(difference, mu, logvar, eps)
    yield "the gradients of the summed sample", answer.run(learned, mu, logvar, eps)
    mu, logvar, eps = draw(seed + 1, 3, 5, 4)
    wide = answer(20 * mu, 5 * logvar, 2 * eps)
    yield "a sample with spreads from tiny to large, far from the origin", wide
    yield "the gradients of that sample", answer.run(learned, 20 * mu, 5 * logvar, 2 * eps)
    extreme = torch.where(logvar < 1, -27.0, 23.0) + 0.5 * logvar
    yield (
        "a sample around 0 with spreads below 1e-5 and above 1e4",
        answer(0 * mu, extreme, 3 * eps),
    )
    narrow = -torch.linspace(27, 45, 20).view(5, 4)
    said = "the factor by which samples around 0 grow with logvar + 2, for logvar from -45 to -27"
    yield said, answer.run(growth, narrow, eps)


@reparameterize.alternative
def by_square_root(mu, logvar, eps):
    return torch.addcmul(mu, logvar.exp().sqrt(), eps)


@reparameterize.alternative
def by_affine_transform(mu, logvar, eps):
    return distributions.AffineTransform(mu, torch.exp(logvar / 2), event_dim=1)(eps)


@reparameterize.mistake(
    "exp(logvar) is the variance. What is the standard deviation?",
    "Try logvar = log 4: what should the spread of z be? What is yours?",
)
def variance_as_std(mu, logvar, eps):
    return mu + logvar.exp() * eps


@reparameterize.mistake(
    "Narrow draws come out too wide: something small is added to σ. The exponential of a number is "
    "positive, so what does it protect from?"
)
def constant_added_to_std(mu, logvar, eps):
    return mu + ((0.5 * logvar).exp() + 1e-8) * eps


@reparameterize.mistake("logvar can be negative. Can a standard deviation?")
def logvar_as_std(mu, logvar, eps):
    return mu + logvar * eps


@reparameterize.mistake(
    "Your z holds NaN. A root needs a positive number: is logvar one, or is it the logarithm "
    "of one?"
)
def root_of_logvar(mu, logvar, eps):
    return mu + logvar.sqrt() * eps


@reparameterize.mistake(
    "Halving is right, but of which quantity: the logarithm itself, or what comes after undoing it?"
)
def half_logvar_as_std(mu, logvar, eps):
    return mu + 0.5 * logvar * eps


@reparameterize.mistake(
    "Half of the variance is not its square root. What does ½ do inside the exponential, and "
    "outside?"
)
def half_variance_as_std(mu, logvar, eps):
    return mu + 0.5 * logvar.exp() * eps


@reparameterize.mistake(
    "Your z does not depend on eps at all. Where does the randomness of the draw come in?"
)
def noise_left_out(mu, logvar, eps):
    return mu.clone()


@reparameterize.mistake("Every row is a draw of its own. Does every row get its own noise?")
def noise_shared_between_rows(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * eps[:1]


@reparameterize.mistake(
    "The numbers are right, but no gradient reaches mu and logvar. What cuts the graph?"
)
def without_gradient(mu, logvar, eps):
    with torch.no_grad():
        return mu + (0.5 * logvar).exp() * eps


@reparameterize.mistake(
    "The numbers are right, but no gradient reaches logvar. Is σ detached, or taken from `.data`?"
)
def std_detached(mu, logvar, eps):
    return mu + (0.5 * logvar).exp().detach() * eps


@reparameterize.mistake(
    "The numbers are right, but no gradient reaches mu. Is it detached, or taken from `.data`?"
)
def mu_detached(mu, logvar, eps):
    return mu.detach() + (0.5 * logvar).exp() * eps


@reparameterize.mistake(
    "eps is given to you. If you draw noise of your own, can anyone repeat the result?"
)
def own_noise(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)
