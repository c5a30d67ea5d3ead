"""Pieces of a small program, which a bug hunt has repaired, at work."""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.probes.general import gradients


def toy_reconstruction(logits: Tensor, x: Tensor) -> Tensor:
    """Some function of (B, N) and (B, N) in which neither can stand for the other: (B,)."""
    return (logits - 2 * x).pow(3).sum(1)


def toy_kl(mu: Tensor, std: Tensor) -> Tensor:
    """Some function of (B, D) and (B, D) in which neither can stand for the other: (B,)."""
    return 2 * mu.pow(3).sum(1) + (0.1 * std).exp().sum(1)


def mean_and_width(posterior: Callable, h: Tensor) -> dict[str, Tensor]:
    """Mean and standard deviation of q, by name, and the latter's logarithm."""
    heads = posterior(h)
    if isinstance(heads, dict):  # would be unpacked into its keys
        raise TypeError("the two should be returned as mu, std, not as a dict.")
    mu, std = heads
    return {"mu": mu, "std": std, "log std": std.log()}


def gradients_of_q(posterior: Callable, h: Tensor) -> dict[str, Tensor]:
    """The gradients for h of the mean, and of the logarithm of the standard deviation."""
    (of_mu,) = gradients(lambda h: posterior(h)[0], h)
    (of_std,) = gradients(lambda h: posterior(h)[1].log(), h)
    return {"from mu": of_mu, "from log std": of_std}


def code_and_gradients(
    draw: Callable, mu: Tensor, std: Tensor, eps: Tensor, scale: float = 1.0
) -> dict[str, Tensor]:
    """Codes, enlarged, and the gradients of the sum of their squares for mu and std."""
    found = gradients(lambda mu, std: (scale * draw(mu, std, eps)).square(), mu, std)
    return {
        "the codes": scale * draw(mu, std, eps),
        "the gradients of their squares for mu": found[0],
        "the gradients of their squares for std": found[1],
    }


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
    return dict(zip(("logits", "mu", "std"), found, strict=True))


def numbers_of_the_report(
    report: Callable, reconstruction: Tensor, kl: Tensor, pixels: int
) -> dict[str, object]:
    """A report on a test set, and whether the numbers in it are Python's."""
    found = dict(report(reconstruction, kl, pixels))
    return {
        "the report": found,
        "whether the numbers are floats": all(isinstance(x, float) for x in found.values()),
    }
