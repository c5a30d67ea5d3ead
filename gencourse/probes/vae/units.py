"""Which of a code's numbers carry information."""

from collections.abc import Callable

import torch
from torch import Tensor


def units(active: Callable, mu: Tensor, *threshold: float) -> dict[str, object]:
    """What is said of the units (a tensor, or a list of truth values), and of which kind it is."""
    said = torch.as_tensor(active(mu, *threshold))
    return {"whether truth values are returned": said.dtype == torch.bool, "which are active": said}
