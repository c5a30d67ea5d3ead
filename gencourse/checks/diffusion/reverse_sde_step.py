"""Exercise on a step of the reverse SDE, of the flow, and of all between them."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients


def reverse_sde_step_reference(x, score, eps, f, g, h, churn=1.0):
    """x (B, ...) a time h earlier, by dx = [f x - ½ (1 + λ²) g² score] dt + λ g dw, λ = churn."""
    drift = f * x - 0.5 * (1 + churn**2) * g**2 * score
    return x - h * drift + churn * g * h**0.5 * eps


@exercise(
    reference=reverse_sde_step_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Time runs backward: dt is -h. The noise has no direction in time.",
        "Variances of noise add up over the steps, so a step of half the length has half of it.",
        "At churn 0 no noise is left, and half of the score. At churn 1 there is all of both.",
    ),
    on_success=(
        "At churn 0 this is Euler's step of the probability-flow ODE, at 1 Anderson's SDE; all "
        "have the same marginals."
    ),
)
def reverse_sde_step(answer, seed):
    x, score, eps = draw(seed, 3, 4, 3)
    yield "a step of four points, churn 1", answer(x, score, eps, -0.7, 1.3, 0.04)
    yield "a step without churn", answer(x, score, eps, -0.7, 1.3, 0.04, 0.0)
    yield "a step with churn 0.6", answer(x, score, eps, -0.7, 1.3, 0.04, 0.6)
    yield "a long step with churn 1.5", answer(x, score, eps, -2.1, 0.4, 0.3, 1.5)
    images = answer(*draw(seed + 1, 3, 2, 3, 4, 5), 0.0, 2.2, 0.01)
    yield "a step of images where the signal keeps its size", images
    yield "its gradients", answer.run(gradients, x, score, eps, -0.7, 1.3, 0.04)


@reverse_sde_step.alternative
def as_two_steps(x, score, eps, f, g, h, churn=1.0):
    flow = x + h * (0.5 * g**2 * score - f * x)
    variance = churn**2 * g**2 * h
    return flow + 0.5 * variance * score + variance**0.5 * eps


@reverse_sde_step.alternative
def by_addcmul(x, score, eps, f, g, h, churn=1.0):
    kept = (1 - f * h) * x
    pulled = torch.add(kept, score, alpha=(0.5 + 0.5 * churn**2) * g * g * h)
    return pulled.add(eps, alpha=churn * g * h**0.5)


def step(x, score, eps, f, g, h, churn, towards=None, noise=None):
    """A step with a drift along the score of size `towards` and noise of size `noise`."""
    towards = 0.5 * (1 + churn**2) * g**2 if towards is None else towards
    noise = churn * g * h**0.5 if noise is None else noise
    return x - h * (f * x - towards * score) + noise * eps


@reverse_sde_step.mistake(
    "You went forward in time, with the reverse drift. In which direction does data lie, t + h or "
    "t - h?"
)
def forward_in_time(x, score, eps, f, g, h, churn=1.0):
    return x + h * (f * x - 0.5 * (1 + churn**2) * g**2 * score) + churn * g * h**0.5 * eps


@reverse_sde_step.mistake(
    "The noise of many small steps should not vanish: is its variance or its deviation in "
    "proportion to h?"
)
def noise_by_the_step(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, noise=churn * g * h)


@reverse_sde_step.mistake(
    "The noise does not know the length of the step. If there are twice as many steps, should "
    "there be twice as much?"
)
def noise_of_any_step(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, noise=churn * g)


@reverse_sde_step.mistake(
    "The noise is right. Which power of g stands before the score? g dw has variance g² dt."
)
def g_not_squared_before_the_score(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, towards=0.5 * (1 + churn**2) * g)


@reverse_sde_step.mistake("The drift is right. Is g the noise's deviation, or its variance?")
def variance_for_noise(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, noise=churn * g**2 * h**0.5)


@reverse_sde_step.mistake(
    "The drift is that of the ODE, ½ g² score, whatever the churn. What removes the noise that you "
    "add?"
)
def drift_of_the_flow(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, towards=0.5 * g**2)


@reverse_sde_step.mistake(
    "At churn 1 it is right. The drift is g² score, whatever the churn: where no noise is added, "
    "how much of it is too much?"
)
def drift_of_the_full_noise(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, towards=g**2)


@reverse_sde_step.mistake(
    "The drift is right. At churn 0 this should be an ODE: what does it add there?"
)
def noise_without_churn(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, noise=g * h**0.5)


@reverse_sde_step.mistake(
    "At churn 0 and 1 it is right. Noise of deviation λg has variance λ²g²: which power does the "
    "drift need?"
)
def churn_not_squared(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, towards=0.5 * (1 + churn) * g**2)


@reverse_sde_step.mistake(
    "The drift of the score is right in size. Does it lead to where the data are dense, or away?"
)
def against_the_score(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, towards=-0.5 * (1 + churn**2) * g**2)


@reverse_sde_step.mistake(
    "The forward drift is run backward too. Which sign has f x in a step back?"
)
def forward_drift_added(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, -f, g, h, churn)


@reverse_sde_step.mistake("Score and noise are right. Where is the drift f x?")
def forward_drift_left_out(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, 0.0, g, h, churn)


@reverse_sde_step.mistake(
    "The noise has the other sign. It is symmetric, so the samples are as good, but the text lets "
    "x rise with eps, so that all answers can be compared."
)
def noise_subtracted(x, score, eps, f, g, h, churn=1.0):
    return step(x, score, eps, f, g, h, churn, noise=-churn * g * h**0.5)
