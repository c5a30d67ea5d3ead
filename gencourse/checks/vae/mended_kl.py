"""The bug hunt: mending the price of a code."""

from gencourse.checks import draw, exercise
from gencourse.checks.vae.kl_to_standard_normal import kl_to_standard_normal
from gencourse.models import vae
from gencourse.probes.general import gradients


@exercise(
    reference=vae.kl_to_standard_normal,
    difficulty=1,
    minutes=3,
    points=2,
    hints=("Your own trust_kl tells when you are done: trust_kl(mended_kl).",),
    on_success=(
        "The sign decides whether training pulls q to the prior or drives it away without bound."
    ),
)
def mended_kl(answer, seed):
    yield from kl_to_standard_normal.trial(answer, seed)
    mu, logvar = draw(seed + 2, 2, 5, 3)
    learned = "the gradients that training sends to mu and logvar"
    yield learned, answer.run(gradients, mu, logvar)
    yield f"{learned} far from the prior", answer.run(gradients, 10 * mu, 5 * logvar)


@mended_kl.alternative
def planted_with_the_sign_mended(mu, logvar):
    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)


@mended_kl.mistake("This is still the planted piece: it is negative, and a divergence never is.")
def planted_kl(mu, logvar):
    return -vae.kl_to_standard_normal(mu, logvar)


@mended_kl.mistake("The sign is right now. Are dimensions averaged where they should add up?")
def kl_averaged(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar) / mu.shape[1]


@mended_kl.mistake("The sign is right now, the size is double. Which factor is missing?")
def kl_without_half(mu, logvar):
    return 2 * vae.kl_to_standard_normal(mu, logvar)


@mended_kl.mistake(
    "The numbers are right, but training would not feel them: no gradient passes through your KL."
)
def kl_without_gradient(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar).detach()


@mended_kl.mistake("One value per example, please: the loop takes the mean.")
def kl_mean_over_batch(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar).mean()
