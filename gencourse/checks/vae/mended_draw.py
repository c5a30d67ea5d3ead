"""The bug hunt: mending the draw of a code."""

import torch

from gencourse.checks import exercise
from gencourse.checks.vae.reparameterize import reparameterize
from gencourse.models import vae


@exercise(
    reference=vae.reparameterize,
    difficulty=1,
    minutes=3,
    points=2,
    hints=("The instrument found no spread at all. Where should it come from?",),
    on_success="Now q is a distribution, and the KL term is about something that is used.",
)
def mended_draw(answer, seed):
    yield from reparameterize.trial(answer, seed)


@mended_draw.alternative
def draw_by_sqrt(mu, logvar, eps):
    return torch.exp(logvar).sqrt() * eps + mu


@mended_draw.mistake(
    "This is still the planted piece: a code without noise is an autoencoder's. Where does eps "
    "enter?"
)
def planted_draw(mu, logvar, eps):
    return mu


@mended_draw.mistake(
    "z is not σ either. What do mean, spread and noise have to do with each other?"
)
def std_alone(mu, logvar, eps):
    return (0.5 * logvar).exp()


@mended_draw.mistake("The noise is there now. Is exp(logvar) the factor that it needs?")
def draw_with_variance(mu, logvar, eps):
    return mu + logvar.exp() * eps


@mended_draw.mistake("The noise is there now, scaled by a logarithm. What undoes it?")
def draw_with_logvar(mu, logvar, eps):
    return mu + logvar * eps


@mended_draw.mistake(
    "The numbers are right, but training would learn nothing: no gradient passes through your draw."
)
def draw_without_gradient(mu, logvar, eps):
    return (mu + (0.5 * logvar).exp() * eps).detach()


@mended_draw.mistake(
    "The noise is there, with one strength for all. Who was to say how strong it is?"
)
def draw_with_unit_noise(mu, logvar, eps):
    return mu + eps
