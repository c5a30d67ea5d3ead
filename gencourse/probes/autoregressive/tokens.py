"""Texts cut into windows, and tables of pairs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def windows(cut: Callable, tokens: Tensor, block: int) -> dict[str, object]:
    """The inputs and the targets that a text is cut into."""
    x, y = cut(tokens, block)
    return {"x": x, "y": y}


def kinds_of_windows(cut: Callable, tokens: Tensor, block: int) -> dict[str, bool]:
    """What sort of things inputs and targets are."""
    pair = list(cut(tokens, block))
    return {
        "whether both are tensors": all(isinstance(t, Tensor) for t in pair),
        "whether both hold whole numbers": all(holds_whole_numbers(t) for t in pair),
    }


def kind_of_table(count: Callable, documents: list[Tensor], V: int) -> dict[str, bool]:
    """What sort of thing a table of counts is."""
    table = count(documents, V)
    whole = holds_whole_numbers(table)
    small = isinstance(table, Tensor) and whole and torch.iinfo(table.dtype).max < 10**6
    return {
        "whether it is a tensor": isinstance(table, Tensor),
        "whether it holds whole numbers": whole,
        "whether a pair could be counted a million times": not small,
    }


def has_slope(cost: Callable, logits: Tensor, *others: Any) -> bool:
    """Whether a cost can be differentiated for the logits."""
    return torch.as_tensor(cost(logits.clone().requires_grad_(), *others)).requires_grad


def holds_whole_numbers(values: Any) -> bool:
    """Whether an array is of a type of whole numbers."""
    kind = values.dtype if isinstance(values, Tensor) else torch.as_tensor(values).dtype
    return not (kind.is_floating_point or kind.is_complex or kind == torch.bool)
