"""Noise, drawn where the generator is, so that one seed gives the same numbers on every device."""

import torch
from torch import Tensor

from gencourse.runtime import drawn_on


def noise_like(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draws from N(0, 1) with the shape, precision and device of x; without a generator from the
    global one.
    """
    where = drawn_on(generator)
    return torch.randn(x.shape, dtype=x.dtype, generator=generator, device=where).to(x.device)
