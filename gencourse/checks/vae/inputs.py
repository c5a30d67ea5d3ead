"""Inputs for the trials of this chapter."""

import torch

from gencourse.runtime import seeded


def draw(seed: int, *shape: int) -> torch.Tensor:
    """Standard normal numbers from a generator of their own, the same for every answer."""
    return torch.randn(*shape, generator=seeded(seed))
