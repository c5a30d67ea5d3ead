"""Exercise on a random step back."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import ddpm_step
from gencourse.probes.general import gradients


def ancestral_step_reference(x_t, x_hat, eps, start, end):
    """A draw of x_s given x_t and x̂, by the posterior's mean and variance: (B, ...)."""
    return ddpm_step(x_t, x_hat, eps, start, end)


@exercise(
    reference=ancestral_step_reference,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "First a = α/α' and c² = σ² - a²σ'²: what happens to x between s and t.",
        "The mean is (a σ'² x_t + α' c² x̂) / σ². Where does it lie if σ' = 0?",
        "The variance is c² σ'² / σ², and noise is scaled by its root.",
    ),
    on_success="The last step adds no noise by itself: the posterior's variance is 0 there.",
)
def ancestral_step(answer, seed):
    x_t, x_hat, eps = draw(seed, 3, 4, 3)
    yield "a step where α² + σ² = 1", answer(x_t, x_hat, eps, (0.6, 0.8), (0.8, 0.6))
    yield "a step of flow matching", answer(x_t, x_hat, eps, (0.3, 0.7), (0.55, 0.45))
    yield "a step from σ = 9 to 2.5 at α = 1", answer(9 * x_t, x_hat, eps, (1.0, 9.0), (1.0, 2.5))
    yield "the last step, to σ = 0", answer(x_t, x_hat, eps, (0.9, 0.2), (1.0, 0.0))
    images = draw(seed + 1, 3, 2, 3, 4, 5)
    yield "a step of images", answer(*images, (0.4, 0.7), (0.7, 0.3))
    yield "its gradients", answer.run(gradients, x_t, x_hat, eps, (0.6, 0.8), (0.8, 0.6))


@ancestral_step.alternative
def as_ddim_with_noise(x_t, x_hat, eps, start, end):
    (a, s), (a2, s2) = start, end
    variance = (s2 / s) ** 2 * (s**2 - (a / a2 * s2) ** 2)
    kept = max(s2**2 - variance, 0.0) ** 0.5
    return a2 * x_hat + kept * (x_t - a * x_hat) / s + variance**0.5 * eps


@ancestral_step.alternative
def by_precisions(x_t, x_hat, eps, start, end):
    (a, s), (a2, s2) = start, end
    if s2 == 0:
        return a2 * x_hat
    ratio = a / a2
    between = s**2 - ratio**2 * s2**2
    precision = 1 / s2**2 + ratio**2 / between
    mean = (a2 * x_hat / s2**2 + ratio * x_t / between) / precision
    return mean + (1 / precision) ** 0.5 * eps


def parts(start, end):
    """α/α', c², and the posterior's variance."""
    (a, s), (a2, s2) = start, end
    ratio = a / a2
    between = s**2 - ratio**2 * s2**2
    return ratio, between, between * s2**2 / s**2


def mean_of(x_t, x_hat, start, end):
    """The posterior's mean."""
    ratio, between, _ = parts(start, end)
    return (ratio * end[1] ** 2 * x_t + end[0] * between * x_hat) / start[1] ** 2


@ancestral_step.mistake(
    "The mean is right. Your variance is c², DDPM's β, also in the last step. It makes a sampler "
    "too, if noise is left away at the end; asked for is the posterior's variance, its β̃."
)
def beta_for_the_posterior(x_t, x_hat, eps, start, end):
    return mean_of(x_t, x_hat, start, end) + parts(start, end)[1] ** 0.5 * eps


@ancestral_step.mistake(
    "The mean and the last step are right. Your variance is c², DDPM's β. That is a legitimate "
    "sampler, but asked for is the posterior's variance, its β̃: by what is c² smaller?"
)
def beta_but_at_the_end(x_t, x_hat, eps, start, end):
    between = parts(start, end)[1] if end[1] else 0.0
    return mean_of(x_t, x_hat, start, end) + between**0.5 * eps


@ancestral_step.mistake(
    "The mean is right. Noise is scaled by its standard deviation: is that one?"
)
def variance_for_std(x_t, x_hat, eps, start, end):
    return mean_of(x_t, x_hat, start, end) + parts(start, end)[2] * eps


@ancestral_step.mistake("This is the mean. The step is a draw: where does eps come in?")
def mean_alone(x_t, x_hat, eps, start, end):
    return mean_of(x_t, x_hat, start, end)


@ancestral_step.mistake(
    "The noise is right. The two factors of the mean have changed places: near the data, whom "
    "should it trust more, x_t or x̂?"
)
def factors_exchanged(x_t, x_hat, eps, start, end):
    return mean_of(x_hat, x_t, start, end) + parts(start, end)[2] ** 0.5 * eps


@ancestral_step.mistake(
    "All noise at the end is new, of the size of the whole level. How much of it does x_t know "
    "already?"
)
def noised_anew(x_t, x_hat, eps, start, end):
    return end[0] * x_hat + end[1] * eps


@ancestral_step.mistake(
    "The noise of x_t is kept whole, as DDIM keeps it, and more is added: is the level at the end "
    "then σ'?"
)
def ddim_and_noise(x_t, x_hat, eps, start, end):
    kept = end[0] * x_hat + end[1] * (x_t - start[0] * x_hat) / start[1]
    return kept + parts(start, end)[2] ** 0.5 * eps


@ancestral_step.mistake("This is DDIM's step, without any noise. Which variance is asked for?")
def ddim_alone(x_t, x_hat, eps, start, end):
    return end[0] * x_hat + end[1] * (x_t - start[0] * x_hat) / start[1]


@ancestral_step.mistake(
    "c² is the noise that comes in between s and t. On the way the old noise shrinks: by a²?"
)
def old_noise_not_scaled(x_t, x_hat, eps, start, end):
    (a, s), (a2, s2) = start, end
    between = max(s**2 - s2**2, 0.0)
    mean = (a / a2 * s2**2 * x_t + a2 * between * x_hat) / s**2
    return mean + (between * s2**2 / s**2) ** 0.5 * eps


@ancestral_step.mistake(
    "The noise is right. In the mean x̂ has to arrive at the signal's size at s: which factor is "
    "missing?"
)
def signal_at_full_size(x_t, x_hat, eps, start, end):
    ratio, between, variance = parts(start, end)
    mean = (ratio * end[1] ** 2 * x_t + between * x_hat) / start[1] ** 2
    return mean + variance**0.5 * eps


@ancestral_step.mistake(
    "The noise is right. In the mean x_t stands without a = α/α'. At α = 1 nobody sees it. Else?"
)
def ratio_left_out(x_t, x_hat, eps, start, end):
    _, between, variance = parts(start, end)
    mean = (end[1] ** 2 * x_t + end[0] * between * x_hat) / start[1] ** 2
    return mean + variance**0.5 * eps


@ancestral_step.mistake("The mean is right. The noise is drawn anew: eps is given to you.")
def own_noise(x_t, x_hat, eps, start, end):
    noise = torch.randn_like(x_t)
    return mean_of(x_t, x_hat, start, end) + parts(start, end)[2] ** 0.5 * noise


@ancestral_step.mistake(
    "You took x_hat for a prediction of the noise. Many networks are asked for that; here x_hat is "
    "a prediction of the data."
)
def data_taken_for_noise(x_t, x_hat, eps, start, end):
    x = (x_t - start[1] * x_hat) / start[0]
    return mean_of(x_t, x, start, end) + parts(start, end)[2] ** 0.5 * eps


@ancestral_step.mistake(
    "The noise has the other sign. It is symmetric, so the samples are as good, but the text lets "
    "the result rise with eps, so that all answers can be compared."
)
def noise_subtracted(x_t, x_hat, eps, start, end):
    return mean_of(x_t, x_hat, start, end) - parts(start, end)[2] ** 0.5 * eps
