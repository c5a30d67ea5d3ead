"""What sort of thing inputs and targets are."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def both(answer: Callable, *args: Any) -> object:
    """Inputs and targets by name, be they a pair or one tensor of two rows."""
    result = answer(*args)
    two = isinstance(result, Tensor | list | tuple) and len(result) == 2
    return {"x": result[0], "y": result[1]} if two else result


def whole_numbers(answer: Callable, *args: Any) -> dict[str, bool]:
    """Whether a pair of tensors of whole numbers is returned, both of type torch.long."""
    x, y = answer(*args)
    return {
        "whether both are tensors": all(isinstance(t, Tensor) for t in (x, y)),
        "whether both hold whole numbers": not any(
            torch.as_tensor(t).is_floating_point() for t in (x, y)
        ),
        "whether y holds numbers of type torch.long, as cross_entropy asks for": (
            torch.as_tensor(y).dtype == torch.long
        ),
        "whether x holds numbers of type torch.long, too": torch.as_tensor(x).dtype == torch.long,
    }


def dialogue(answer: Callable, rows: Tensor, spoken: Tensor, lengths: Tensor) -> dict[str, object]:
    """Inputs and targets of dialogues by name, and whether a loss takes the targets."""
    x, y = answer(rows, spoken, lengths)
    return {
        "x": x,
        "y": y,
        "whether y holds numbers of torch.long": y.numel() == 0 or y.dtype == torch.long,
        "whether x holds whole numbers": x.numel() == 0 or not x.is_floating_point(),
    }
