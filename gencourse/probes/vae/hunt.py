"""Pieces of a small program, which a bug hunt has mended, at work."""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.probes.general import gradients


def accused(suspects: Callable) -> list | str:
    """The names that a learner gives, in the order of the alphabet; of anything else the type."""
    named = suspects()
    names = [] if isinstance(named, str | dict) else list(named)
    if isinstance(named, str | dict) or not all(isinstance(name, str) for name in names):
        return type(named).__name__
    return sorted(names)


def toy_reconstruction(logits: Tensor, x: Tensor) -> Tensor:
    """Some function of (B, N) and (B, N) in which neither can stand for the other: (B,)."""
    return (logits - 2 * x).pow(3).sum(1)


def toy_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Some function of (B, D) and (B, D) in which neither can stand for the other: (B,)."""
    return 2 * mu.pow(3).sum(1) + (0.1 * logvar).exp().sum(1)


def loss_of_a_batch(
    step_loss: Callable, output: tuple[Tensor, Tensor, Tensor], x: Tensor
) -> dict[str, object]:
    """The loss that is made of a program's output and two functions, and what becomes of theirs."""
    kept: list[tuple[Tensor, Tensor]] = []

    def noted(function: Callable) -> Callable:
        def call(*args: Tensor, **kwargs: Tensor) -> Tensor:
            result = function(*args, **kwargs)
            kept.append((result, result.clone()))
            return result

        return call

    loss = step_loss(tuple(output), x, noted(toy_reconstruction), noted(toy_kl))
    same = all(torch.equal(now, before) for now, before in kept)
    return {"": loss, "whether what `reconstruction` and `kl` return stays as it is": same}


def gradients_of_the_loss(
    step_loss: Callable, output: tuple[Tensor, Tensor, Tensor], x: Tensor
) -> dict[str, Tensor]:
    """The gradients of the summed loss for a program's output, 0 where none arrives."""
    found = gradients(lambda *parts: step_loss(parts, x, toy_reconstruction, toy_kl), *output)
    return dict(zip(("logits", "mu", "logvar"), found, strict=True))


def numbers_of_the_report(
    report: Callable, reconstruction: Tensor, kl: Tensor, pixels: int
) -> dict[str, object]:
    """A report on a test set, and whether the numbers in it are Python's."""
    found = dict(report(reconstruction, kl, pixels))
    return {
        "the report": found,
        "whether the numbers are floats": all(isinstance(x, float) for x in found.values()),
    }
