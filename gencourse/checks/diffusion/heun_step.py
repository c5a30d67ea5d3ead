"""Exercise on a step of order two."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.fields import gradients_of_start, stepped, towards_zero


def heun_step_reference(velocity, x, t, s):
    """x at time s by Heun's step from t, by Euler's where s = 0: (B, ...)."""
    slope = velocity(x, t)
    predicted = x + (s - t) * slope
    if s == 0:
        return predicted
    return x + 0.5 * (s - t) * (slope + velocity(predicted, s))


@exercise(
    reference=heun_step_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "First Euler's step. It is a prediction of where x will be.",
        "What is the slope there, and then? The step is made with the mean of both.",
        "At s = 0 there may be no slope. What is left to do without it?",
    ),
    on_success="Twice the work of Euler, and an error that falls with the square of the step.",
)
def heun_step(answer, seed):
    x = draw(seed, 4, 3)
    yield "a step from t = 0.8 to 0.55", answer.run(stepped, x, 0.8, 0.55)
    yield "a step from t = 0.2 up to 0.7", answer.run(stepped, x, 0.2, 0.7)
    yield "a small step of images", answer.run(stepped, draw(seed + 1, 2, 3, 4, 5), 0.35, 0.3)
    yield "a step to a time that is small, not 0", answer.run(stepped, x, 0.2, 0.004)
    yield "a first step up, from t = 0", answer.run(stepped, x, 0.0, 0.3)
    yield "a last step, to t = 0", answer.run(stepped, x, 0.3, 0.0)
    yield "its gradients for x", answer.run(gradients_of_start, x, 0.8, 0.55)
    yield "a last step where the slope at 0 is infinite", answer.run(towards_zero, x, 0.4)


@heun_step.alternative
def with_weights(velocity, x, t, s):
    h, k1 = s - t, velocity(x, t)
    if not s:
        return torch.add(x, k1, alpha=h)
    k2 = velocity(x + h * k1, s)
    return x + h / 2 * k1 + h / 2 * k2


@heun_step.alternative
def as_correction(velocity, x, t, s):
    before = velocity(x, t)
    x = x + (s - t) * before
    return x + (s - t) * (velocity(x, s) - before) / 2 if s != 0 else x


def both_slopes(velocity, x, t, s):
    """The slope at t, where Euler's step ends, and the slope there at s."""
    slope = velocity(x, t)
    predicted = x + (s - t) * slope
    return slope, predicted, velocity(predicted, s) if s else None


@heun_step.mistake(
    "The correction was computed at the old time. Where and when does the predicted point lie?"
)
def correction_at_the_old_time(velocity, x, t, s):
    slope = velocity(x, t)
    predicted = x + (s - t) * slope
    return x + 0.5 * (s - t) * (slope + velocity(predicted, t)) if s else predicted


@heun_step.mistake("The correction was computed at x, at the new time. Where will x be by then?")
def correction_at_the_old_point(velocity, x, t, s):
    slope = velocity(x, t)
    return x + 0.5 * (s - t) * (slope + velocity(x, s)) if s else x + (s - t) * slope


@heun_step.mistake("Both slopes are right. Is the step made with their sum, or with their mean?")
def sum_for_mean(velocity, x, t, s):
    slope, predicted, after = both_slopes(velocity, x, t, s)
    return x + (s - t) * (slope + after) if s else predicted


@heun_step.mistake(
    "Above 0 it is right. At s = 0 the velocity may be infinite, and the text says what then: what?"
)
def corrected_at_zero(velocity, x, t, s):
    slope = velocity(x, t)
    return x + 0.5 * (s - t) * (slope + velocity(x + (s - t) * slope, s))


@heun_step.mistake("This is Euler's step alone. What does Heun's add?")
def euler_alone(velocity, x, t, s):
    return x + (s - t) * velocity(x, t)


@heun_step.mistake(
    "The mean of the slopes is right, but from where do you go? You have made Euler's step already."
)
def from_the_predicted_point(velocity, x, t, s):
    slope, predicted, after = both_slopes(velocity, x, t, s)
    return predicted + 0.5 * (s - t) * (slope + after) if s else predicted


@heun_step.mistake("The step goes with the slope at its end alone. Whose mean was to be taken?")
def slope_of_the_end_alone(velocity, x, t, s):
    _, predicted, after = both_slopes(velocity, x, t, s)
    return x + (s - t) * after if s else predicted


@heun_step.mistake(
    "This is the midpoint rule, which also has order two. Heun's looks at both ends of the step."
)
def midpoint(velocity, x, t, s):
    slope = velocity(x, t)
    if not s:
        return x + (s - t) * slope
    return x + (s - t) * velocity(x + 0.5 * (s - t) * slope, 0.5 * (s + t))


@heun_step.mistake(
    "Two of Euler's steps of half the length cost as much. Is the error of order two?"
)
def two_half_steps(velocity, x, t, s):
    if not s:
        return x + (s - t) * velocity(x, t)
    middle = x + 0.5 * (s - t) * velocity(x, t)
    return middle + 0.5 * (s - t) * velocity(middle, 0.5 * (s + t))


@heun_step.mistake(
    "You go the other way: dx/dt = u, and time changes by s - t. Which sign has that if s < t?"
)
def backwards(velocity, x, t, s):
    slope = velocity(x, t)
    predicted = x + (t - s) * slope
    return x + 0.5 * (t - s) * (slope + velocity(predicted, s)) if s else predicted


@heun_step.mistake(
    "The value is right where it is computed, but the slope at x is computed twice. A network's "
    "answer is what a sampler pays for: keep it."
)
def asked_three_times(velocity, x, t, s):
    predicted = x + (s - t) * velocity(x, t)
    return x + 0.5 * (s - t) * (velocity(x, t) + velocity(predicted, s)) if s else predicted
