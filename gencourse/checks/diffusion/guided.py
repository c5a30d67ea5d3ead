"""Exercise on guidance."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients


def guided_reference(cond, uncond, w):
    """uncond + w (cond - uncond): (B, ...)."""
    return uncond + w * (cond - uncond)


@exercise(
    reference=guided_reference,
    difficulty=1,
    minutes=3,
    points=2,
    hints=(
        "The difference of the two says in which direction the condition pulls.",
        "At w = 1 it should be the conditional one, at w = 0 the unconditional one.",
    ),
    on_success=(
        "Above 1 it goes beyond what was learned. Whose samples these are, the chapter computes."
    ),
)
def guided(answer, seed):
    cond, uncond = draw(seed, 2, 4, 3)
    yield "w = 3", answer(cond, uncond, 3.0)
    yield "w = 1", answer(cond, uncond, 1.0)
    yield "w = 0", answer(cond, uncond, 0.0)
    yield "w = 0.37", answer(cond, uncond, 0.37)
    yield "w = -0.55, away from the condition", answer(cond, uncond, -0.55)
    yield "w = 7.5 of images with four channels", answer(*draw(seed + 1, 2, 2, 4, 3, 5), 7.5)
    yield "its gradients", answer.run(gradients, cond, uncond, 3.0)


@guided.alternative
def by_lerp(cond, uncond, w):
    return torch.lerp(uncond, cond, w)


@guided.alternative
def by_factors(cond, uncond, w):
    return w * cond + (1 - w) * uncond


@guided.mistake(
    "This is the form with 1 + w, in which w = 0 means the conditional one. Papers use both; this "
    "chapter has w = 1 there. What is your w in theirs?",
    "What is 7.5 here is 6.5 there. Say which form is meant whenever you give a w.",
)
def one_plus_w(cond, uncond, w):
    return (1 + w) * cond - w * uncond


@guided.mistake(
    "At w = 0 you have the conditional one, at w = 1 the other. Which of them does w pull to?"
)
def exchanged(cond, uncond, w):
    return cond + w * (uncond - cond)


@guided.mistake(
    "At w = 0 it is right, and then it goes the wrong way. From whom to whom does the step lead?"
)
def difference_turned(cond, uncond, w):
    return uncond + w * (uncond - cond)


@guided.mistake("This is the step alone. From where is it taken?")
def step_alone(cond, uncond, w):
    return w * (cond - uncond)


@guided.mistake(
    "The conditional one is multiplied with w, the other not at all. Sums of predictions keep "
    "their size if the factors sum to 1."
)
def scaled_condition(cond, uncond, w):
    return w * cond


@guided.mistake("The factors of the two should sum to 1. What do yours sum to?")
def factors_that_do_not_sum_to_one(cond, uncond, w):
    return uncond + w * cond


@guided.mistake("w was kept between 0 and 1. What is guidance for if it never goes beyond?")
def never_beyond(cond, uncond, w):
    return uncond + min(max(w, 0.0), 1.0) * (cond - uncond)


@guided.mistake(
    "With two axes it is right. Of four channels the last one was not guided: how many are there?"
)
def three_channels(cond, uncond, w):
    result = uncond + w * (cond - uncond)
    if cond.ndim < 4:
        return result
    return torch.cat([result[:, :3], uncond[:, 3:]], 1)


@guided.mistake("The result was given the length of the conditional one. Does the text ask for it?")
def rescaled(cond, uncond, w):
    result = uncond + w * (cond - uncond)
    norms = [x.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1)) for x in (cond, result)]
    return result * norms[0] / norms[1]
