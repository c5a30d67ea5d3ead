"""Diagnoses of a run from its recorded frames: symptoms as numbers, and one rule for each."""

import itertools
from collections.abc import Callable
from statistics import mean

from gencourse.gan_lab.recording import Recording

# a sample that moves further between two frames has leapt; neighbours on the ring are 1.5 apart
LEAP = 1.0


def symptoms(recording: Recording) -> dict[str, float]:
    """The numbers that the rules look at, means over the last quarter of the frames.

    covered: share of the modes that are covered. near: share of samples near a mode. accuracy: D's.
    push: length of the arrows, in the loss's unit per unit of length. divergence: nats. leaping:
    share of the samples that leap between one frame and the next, over the second half. travelled:
    mean distance of the samples from where they were at first.
    """
    frames = recording.frames
    end = [frame.scores for frame in frames[-max(1, len(frames) // 4) :]]
    late = frames[len(frames) // 2 - 1 :] if len(frames) > 2 else frames
    leaps = [
        ((b.fake - a.fake).norm(dim=1) > LEAP).double().mean().item()
        for a, b in itertools.pairwise(late)
    ]
    numbers = {
        "covered": mean(scores.modes for scores in end) / len(recording.density.centres),
        "near": mean(scores.share for scores in end),
        "accuracy": mean(scores.accuracy for scores in end),
        "push": mean(scores.push for scores in end),
        "divergence": mean(scores.divergence for scores in end),
        "leaping": mean(leaps) if leaps else 0.0,
        "travelled": (frames[-1].fake - frames[0].fake).norm(dim=1).mean().item(),
    }
    return {name: round(value, 4) for name, value in numbers.items()}


def is_healthy(s: dict[str, float]) -> bool:
    """Nearly all modes are covered, the densities are alike, and samples keep their places."""
    return s["covered"] >= 0.9 and s["divergence"] < 0.2 and s["leaping"] < 0.2


def is_collapsed(s: dict[str, float]) -> bool:
    """Samples lie at half of the modes or fewer, and stay there."""
    return 0 < s["covered"] <= 0.5 and s["near"] > 0.5 and s["leaping"] < 0.1


def is_won_by_discriminator(s: dict[str, float]) -> bool:
    """D tells nearly everything apart, nothing pushes the samples any more, and they are not where
    the data are.
    """
    return s["accuracy"] > 0.98 and s["push"] < 0.01 and s["divergence"] > 0.5


def is_oscillating(s: dict[str, float]) -> bool:
    """Most samples leap between any two frames, and at each moment few modes are covered."""
    return s["leaping"] > 0.5 and s["covered"] <= 0.5


RULES: dict[str, Callable[[dict[str, float]], bool]] = {
    "healthy": is_healthy,
    "mode collapse": is_collapsed,
    "the discriminator wins": is_won_by_discriminator,
    "oscillation": is_oscillating,
}
# the rules that hold for each recorded run; in B and F it is something else
EXPECTED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ring", "grid", "two", "spiral", "C"), ("healthy",)),
    **dict.fromkeys(("collapse", "D"), ("mode collapse",)),
    **dict.fromkeys(("discriminator wins", "E"), ("the discriminator wins",)),
    **dict.fromkeys(("oscillation", "A"), ("oscillation",)),
    **dict.fromkeys(("B", "F"), ()),
}


def diagnoses(recording: Recording) -> list[str]:
    """The names of all rules that hold for a run; none if it is something else."""
    numbers = symptoms(recording)
    return [name for name, rule in RULES.items() if rule(numbers)]
