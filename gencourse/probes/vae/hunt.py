"""Pieces of a small program, which a bug hunt has mended, at work."""

from collections.abc import Callable

from torch import Tensor

from gencourse.probes.general import gradients


def accused(suspects: Callable) -> list | str:
    """The names that a learner gives, in the order of the alphabet; a text as it is."""
    named = suspects()
    return named if isinstance(named, str) else sorted(named)


def toy_reconstruction(logits: Tensor, x: Tensor) -> Tensor:
    """Some function of (B, N) and (B, N) in which neither can stand for the other: (B,)."""
    return (logits - 2 * x).abs().sum(1)


def toy_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Some function of (B, D) and (B, D) in which neither can stand for the other: (B,)."""
    return 2 * mu.square().sum(1) + (0.1 * logvar).exp().sum(1)


def loss_of_a_batch(
    step_loss: Callable, output: tuple[Tensor, Tensor, Tensor], x: Tensor
) -> object:
    """The loss that is made of a program's output and two functions."""
    return step_loss(tuple(output), x, toy_reconstruction, toy_kl)


def gradients_of_the_loss(
    step_loss: Callable, output: tuple[Tensor, Tensor, Tensor], x: Tensor
) -> dict[str, Tensor]:
    """The gradients of the summed loss for a program's output, 0 where none arrives."""
    found = gradients(lambda *parts: loss_of_a_batch(step_loss, parts, x), *output)
    return dict(zip(("logits", "mu", "logvar"), found, strict=True))


def numbers_of_the_report(
    report: Callable, reconstruction: Tensor, kl: Tensor, pixels: int
) -> dict[str, object]:
    """A report on a test set, and whether a number in it is still a tensor."""
    found = dict(report(reconstruction, kl, pixels))
    return {
        "the report": found,
        "whether a number is still a tensor": any(isinstance(x, Tensor) for x in found.values()),
    }
