"""The bug hunt: piece 5, guidance."""

import torch

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.general import gradients


def repair_5_reference(cond, uncond, w):
    """uncond + w (cond - uncond): w = 1 is the conditional one."""
    return uncond + w * (cond - uncond)


@repair(
    reference=repair_5_reference,
    minutes=2,
    hints=(
        "The comment behind the piece says what w = 1 means. Put it in.",
        "Papers use two forms. The program asks for w = 1, so which one does it speak?",
    ),
    on_success="Both forms are right; a program needs one.",
)
def repair_5(answer, seed):
    cond, uncond = draw(seed, 2, 4, 2)
    for w in (1.0, 0.0, 2.5, 0.37, -0.55, 7.5):
        yield f"w = {w}", answer(cond, uncond, w)
    yield "one point, w = 4", answer(*draw(seed + 1, 2, 1, 2), 4.0)
    yield "its gradients", answer.run(gradients, cond, uncond, 2.5)


@repair_5.alternative
def by_lerp(cond, uncond, w):
    return torch.lerp(uncond, cond, w)


@repair_5.alternative
def translated(cond, uncond, w):
    w = w - 1
    return (1 + w) * cond - w * uncond


@repair_5.mistake(
    "This is still the planted piece, the form in which w = 0 is the conditional one. Here "
    "w = 1 is."
)
def planted_steered(cond, uncond, w):
    return (1 + w) * cond - w * uncond


@repair_5.mistake("At w = 1 it is right. What should be left at w = 0?")
def condition_alone(cond, uncond, w):
    return w * cond


@repair_5.mistake("w pulls to the unconditional one. At which w is it the conditional one?")
def exchanged(cond, uncond, w):
    return cond + w * (uncond - cond)


@repair_5.mistake("At w = 1 it is right, and w is not used. What is it for?")
def never_guided(cond, uncond, w):
    return cond.clone()


@repair_5.mistake("At w = 0 it is right. Do the two factors sum to 1?")
def factors_that_do_not_sum_to_one(cond, uncond, w):
    return uncond + w * cond
