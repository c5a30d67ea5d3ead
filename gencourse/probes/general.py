"""Probes that suit answers of any chapter."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def summed(result: object) -> Tensor:
    """The sum of all numbers in a tensor, or in a tuple, list or dict of tensors."""
    if isinstance(result, dict):
        result = list(result.values())
    parts = result if isinstance(result, tuple | list) else [result]
    return sum((torch.as_tensor(part).sum() for part in parts), torch.zeros(()))


def gradients(
    answer: Callable, *inputs: Any, wrt: tuple[int, ...] | None = None, **named: Any
) -> list[Tensor]:
    """The gradients of the summed result for some of the inputs, 0 where none arrives.

    `wrt` holds the positions of these inputs; without it they are all the floating ones.
    """
    if wrt is None:
        floating = [isinstance(x, Tensor) and x.is_floating_point() for x in inputs]
        wrt = tuple(i for i, is_floating in enumerate(floating) if is_floating)
    leaves = [inputs[i].detach().clone().requires_grad_() for i in wrt]
    replaced = dict(zip(wrt, leaves, strict=True))
    total = summed(answer(*[replaced.get(i, x) for i, x in enumerate(inputs)], **named))
    if not total.requires_grad:
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves, found, strict=True)
    ]


def kind(answer: Callable, *inputs: Any, **named: Any) -> dict[str, object]:
    """What sort of thing the answer returns."""
    result = answer(*inputs, **named)
    return {
        "whether a Python float is returned": isinstance(result, float),
        "whether a tensor is returned": isinstance(result, Tensor),
        "whether it still holds a graph": bool(getattr(result, "requires_grad", False)),
    }


def accused(suspects: Callable) -> list | str:
    """The names that a learner gives, in the order of the alphabet; of anything else the type."""
    named = suspects()
    names = [] if isinstance(named, str | dict) else list(named)
    if isinstance(named, str | dict) or not all(isinstance(name, str) for name in names):
        return type(named).__name__
    return sorted(names)
