"""The bug hunt: piece 4, from the score to the noise."""

import torch

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.general import gradients


def repair_4_reference(score, sigma):
    """ε̂ = -σ score: (B, D), σ a number."""
    return -sigma * score


@repair(
    reference=repair_4_reference,
    minutes=2,
    hints=(
        "Did its instrument complain?",
        "The score points to the data, the noise away from them.",
    ),
    on_success="It was innocent.",
)
def repair_4(answer, seed):
    yield "the noise of four points, σ = 0.4", answer(draw(seed, 4, 2), 0.4)
    yield "the noise of three points, σ = 2.5", answer(draw(seed + 1, 3, 2), 2.5)
    yield "the noise of one point, σ a tensor", answer(draw(seed + 2, 1, 2), torch.tensor(0.7))
    yield "its gradients", answer.run(gradients, draw(seed, 4, 2), 0.4)


@repair_4.alternative
def by_division(score, sigma):
    return score / (-1 / sigma)


@repair_4.alternative
def by_negation(score, sigma):
    return torch.mul(score, sigma).neg()


@repair_4.mistake(
    "You took the minus sign away. Which way does the score point, and which way the noise?"
)
def without_the_sign(score, sigma):
    return sigma * score


@repair_4.mistake("Which power of σ makes a score as large as noise of spread 1?")
def variance_for_std(score, sigma):
    return -(sigma**2) * score


@repair_4.mistake("With little noise the score is large. Does σ divide it, or multiply?")
def divided(score, sigma):
    return -score / sigma


@repair_4.mistake("Where is σ? The score of a narrow cluster is far larger than its noise.")
def sigma_left_out(score, sigma):
    return -score
