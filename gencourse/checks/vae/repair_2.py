"""The bug hunt: piece 2, a code for each image."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.vae.hunt import code_and_gradients


def repair_2_reference(mu, std, eps):
    """z = mu + std · eps, a draw from N(mu, std²) by way of which mu and std learn. All (B, D)."""
    return mu + std * eps


@exercise(
    reference=repair_2_reference,
    difficulty=2,
    minutes=4,
    points=2,
    hints=(
        "Print z.grad_fn, or the gradients of z.sum() for mu and std. Do they look as expected?",
        "Which derivative has z = mu + std · eps in std? Which one does the planted piece have?",
        "no_grad is for what shall not be learned from. Is that so of std · eps?",
    ),
    on_success=(
        "Every value was right before; the width of q could not hear what it did to the images."
    ),
    rtol=1e-5,
    atol=1e-6,
)
def repair_2(answer, seed):
    mu, width, eps = draw(seed, 3, 4, 3)
    inputs = mu, (0.5 + width).exp(), eps
    yield "the codes of four images", answer(*inputs)
    yield "the codes of four images", answer.run(code_and_gradients, *inputs)
    mu, width, eps = draw(seed + 1, 3, 1, 1)
    yield "a code of one number", answer.run(code_and_gradients, mu, width.abs(), eps)
    mu, width, eps = draw(seed + 2, 3, 5, 4)
    spread = 20 * mu, (4 * width).exp(), 2 * eps
    yield "codes from narrow and wide q", answer.run(code_and_gradients, *spread)
    sharp = 0 * mu, (width - 15).exp(), eps
    yield "1e6 times the codes of q of almost no width", answer.run(code_and_gradients, *sharp, 1e6)


@repair_2.alternative
def by_addcmul(mu, std, eps):
    return torch.addcmul(mu, std, eps)


@repair_2.alternative
def by_affine_transform(mu, std, eps):
    return torch.distributions.AffineTransform(mu, std)(eps)


@repair_2.alternative
def noise_alone_is_constant(mu, std, eps):
    with torch.no_grad():
        noise = eps.clone()
    return noise * std + mu


@repair_2.mistake(
    "mu is overwritten: `+=` works in place, so that the mean of q is lost. And what is computed "
    "without gradients teaches std nothing."
)
def mean_overwritten(mu, std, eps):
    with torch.no_grad():
        mu += std * eps
    return mu


@repair_2.mistake("Still std learns nothing, as in the planted piece: where is it cut off from z?")
def planted_draw(mu, std, eps):
    with torch.no_grad():
        noise = std * eps
    return mu + noise


@repair_2.mistake("std learns now, mu no longer does. Who was cut off?")
def mean_detached(mu, std, eps):
    return mu.detach() + std * eps


@repair_2.mistake("The values are right. Neither mu nor std learns from them.")
def nothing_learns(mu, std, eps):
    return (mu + std * eps).detach()


@repair_2.mistake(
    "std is no logarithm in this program. What does an exponential do to a standard deviation?"
)
def std_taken_for_logvar(mu, std, eps):
    return mu + (0.5 * std).exp() * eps


@repair_2.mistake("std is a standard deviation in this program. What is its root?")
def std_taken_for_variance(mu, std, eps):
    return mu + std.sqrt() * eps


@repair_2.mistake("You scale the noise by the variance. What is std already?")
def variance_as_std(mu, std, eps):
    return mu + std**2 * eps


@repair_2.mistake("The code is the mean: this gradient is clean, and q has no width at all.")
def mean_alone(mu, std, eps):
    return mu + 0 * std


@repair_2.mistake("The noise has one strength for all. Who was to say how strong it is?")
def unit_noise(mu, std, eps):
    return mu + eps + 0 * std


@repair_2.mistake("The code does not use the noise that it was given. Which one did you draw?")
def another_noise(mu, std, eps):
    return mu + std * torch.randn_like(std)


@repair_2.mistake("The mean is scaled by the noise, too. What does the noise belong to?")
def noise_on_both(mu, std, eps):
    return (mu + std) * eps


@repair_2.mistake("Mean and standard deviation have exchanged their roles.")
def exchanged(mu, std, eps):
    return std + mu * eps


@repair_2.mistake("Noise is subtracted. z should rise with eps, as the docstring writes it.")
def noise_subtracted(mu, std, eps):
    return mu - std * eps
