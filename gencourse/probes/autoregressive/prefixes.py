"""What sort of thing inputs and targets are."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


def both(answer: Callable, *args: Any) -> object:
    """Inputs and targets, which may come as one tensor of two rows."""
    result = answer(*args)
    return list(result) if isinstance(result, Tensor) else result


def whole_numbers(answer: Callable, *args: Any) -> bool:
    """Whether a pair of tensors of whole numbers is returned."""
    x, y = answer(*args)
    return all(isinstance(t, Tensor) and not t.is_floating_point() for t in (x, y))
