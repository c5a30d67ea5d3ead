"""What a density must be, whatever its formula."""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.probes.general import gradients


def mass(log_density: Callable, grid: Tensor, *parameters: Tensor) -> Tensor:
    """The integral of exp(log_density) over an evenly spaced grid (n, 1), by a sum."""
    step = grid[1, 0] - grid[0, 0]
    return torch.as_tensor(log_density(grid, *parameters)).exp().sum() * step


def learned(draw: Callable, mu: Tensor, logvar: Tensor, eps: Tensor) -> dict[str, Tensor]:
    """The gradients of the summed draw, by name."""
    found = gradients(draw, mu, logvar, eps, wrt=(0, 1))
    return dict(zip(("for mu", "for logvar"), found, strict=True))


def difference(draw: Callable, *inputs: Tensor) -> Tensor:
    """The largest difference between two calls with the same arguments."""
    first, second = draw(*inputs), draw(*inputs)
    return torch.as_tensor(first - second).abs().max()
