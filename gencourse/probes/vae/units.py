"""Which of a code's numbers carry information."""

from collections.abc import Callable

import torch
from torch import Tensor


def units(active: Callable, mu: Tensor, *threshold: float) -> dict[str, object]:
    """What is said of the units, and of which kind it is."""
    said = active(mu, *threshold)
    found = torch.as_tensor(said)
    return {
        "whether a tensor is returned": isinstance(said, Tensor),
        "whether truth values are returned": found.dtype == torch.bool,
        "which are active": found,
    }
