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


def growth(draw: Callable, logvar: Tensor, eps: Tensor) -> Tensor:
    """By which factor a draw around 0 grows when logvar grows by 2, seen however small it is."""
    mu = torch.zeros_like(eps)
    return torch.as_tensor(draw(mu, logvar + 2, eps) / draw(mu, logvar, eps))


def difference(draw: Callable, *inputs: Tensor) -> Tensor:
    """The largest difference between two calls with the same arguments."""
    first, second = draw(*inputs), draw(*inputs)
    return torch.as_tensor(first - second).abs().max()
