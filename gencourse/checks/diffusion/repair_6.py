"""The bug hunt: piece 6, the step."""

import torch

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.general import gradients


def repair_6_reference(x_t, eps, start, end):
    """α' (x_t - σε)/α + σ'ε: a deterministic step from (α, σ) to (α', σ'), (B, D)."""
    x_hat = (x_t - start[1] * eps) / start[0]
    return end[0] * x_hat + end[1] * eps


@repair(
    reference=repair_6_reference,
    minutes=3,
    hints=(
        "If x_t = αx + σε, which x_s has the same x and the same ε?",
        "Each of the two terms has a level at the end. Which number is taken from the wrong place?",
    ),
    on_success="The same data and the same noise, mixed anew.",
)
def repair_6(answer, seed):
    x_t, eps = draw(seed, 2, 4, 2)
    yield "a step where α² + σ² = 1", answer(x_t, eps, (0.6, 0.8), (0.8, 0.6))
    yield "a small step with little noise", answer(x_t, eps, (0.97, 0.25), (0.98, 0.2))
    yield "the last step, to σ = 0", answer(x_t, eps, (0.9, 0.3), (1.0, 0.0))
    one = draw(seed + 1, 2, 1, 2)
    yield "a step of one point, α² + σ² not 1", answer(*one, (0.3, 0.7), (0.55, 0.45))
    yield "its gradients", answer.run(gradients, x_t, eps, (0.6, 0.8), (0.8, 0.6))


@repair_6.alternative
def along_x_t(x_t, eps, start, end):
    ratio = end[0] / start[0]
    return ratio * x_t + (end[1] - ratio * start[1]) * eps


@repair_6.alternative
def by_add(x_t, eps, start, end):
    x_hat = torch.add(x_t, eps, alpha=-start[1]) / start[0]
    return torch.add(end[0] * x_hat, eps, alpha=end[1])


@repair_6.mistake(
    "This is still the planted piece. Which σ has the noise after the step, and which has it in "
    "yours?"
)
def planted_step(x_t, eps, start, end):
    return end[0] * (x_t - start[1] * eps) / start[0] + start[1] * eps


@repair_6.mistake("The noise is right. At which size do data stand at the level of the end?")
def signal_at_full_size(x_t, eps, start, end):
    return (x_t - start[1] * eps) / start[0] + end[1] * eps


@repair_6.mistake("x̂ has the size that the data had in x_t. By what is it to be divided first?")
def not_divided(x_t, eps, start, end):
    return end[0] * (x_t - start[1] * eps) + end[1] * eps


@repair_6.mistake("The noise that you take off is that of the end. How much of it was in x_t?")
def noise_of_the_end_taken_off(x_t, eps, start, end):
    return end[0] * (x_t - end[1] * eps) / start[0] + end[1] * eps


@repair_6.mistake("This is α'x̂, the data of the step. Where is its noise?")
def noise_left_out(x_t, eps, start, end):
    return end[0] * (x_t - start[1] * eps) / start[0]


@repair_6.mistake(
    "New noise makes another sampler of it. The piece promises a step that is deterministic: which "
    "noise is there already?"
)
def fresh_noise(x_t, eps, start, end):
    x_hat = (x_t - start[1] * eps) / start[0]
    return end[0] * x_hat + end[1] * torch.randn_like(x_t)


@repair_6.mistake("You went up, from the level `end` to `start`. Which is the way to the data?")
def ends_exchanged(x_t, eps, start, end):
    return repair_6_reference(x_t, eps, end, start)
