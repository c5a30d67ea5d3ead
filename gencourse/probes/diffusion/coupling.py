"""A network of half of the numbers, and what a coupling layer makes of it."""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.probes.general import gradients


def toy_network(width: int, shape: str = "uneven") -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """half (B, k) -> log-scale and shift, each (B, width): some functions in which no half can
    stand for the other. shape="even": log-scales of both signs that sum to 0 over a row;
    "far": log-scales between -3.2 and 4.8.
    """

    def network(half: Tensor) -> tuple[Tensor, Tensor]:
        k = half.shape[1]
        mixed = torch.linspace(-1, 1.3, k * width, dtype=half.dtype).view(k, width)
        log_scale = torch.sin(half @ mixed + 0.3) + 0.2
        if shape == "even":
            log_scale = log_scale - log_scale.mean(1, keepdim=True)
        if shape == "far":
            log_scale = 4 * log_scale
        return log_scale, torch.cos(half @ mixed.flip(0)) - 0.5 * half.sum(1, keepdim=True)

    return network


def through(layer: Callable, x: Tensor, shape: str = "uneven") -> dict[str, object]:
    """The two that a layer returns, by name."""
    result = layer(x, toy_network(x.shape[1] - x.shape[1] // 2, shape))
    if isinstance(result, dict):  # would be unpacked into its keys
        raise TypeError("the two should be returned as z, log_det, not as a dict.")
    z, log_det = result
    return {"z": z, "log_det": log_det}


def back(inverse: Callable, z: Tensor, shape: str = "uneven") -> Tensor:
    """What an inverse makes of z."""
    return inverse(z, toy_network(z.shape[1] - z.shape[1] // 2, shape))


def gradients_through(layer: Callable, x: Tensor) -> dict[str, Tensor]:
    """The gradients for x of the sum of z, and of the sum of the log-determinants."""
    network = toy_network(x.shape[1] - x.shape[1] // 2)
    (of_z,) = gradients(lambda x: layer(x, network)[0], x)
    (of_log_det,) = gradients(lambda x: layer(x, network)[1], x)
    return {"from z": of_z, "from log_det": of_log_det}


def gradients_back(inverse: Callable, z: Tensor) -> Tensor:
    """The gradients of the sum of x for z."""
    return gradients(lambda z: back(inverse, z), z)[0]
