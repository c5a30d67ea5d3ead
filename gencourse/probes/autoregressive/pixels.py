"""Models of images for a sampler that draws them pixel by pixel."""

from collections.abc import Callable

import torch
from torch import Tensor


def from_alternating(sample: Callable, u: Tensor) -> Tensor:
    """Images from a model that wants each pixel to be 1 minus the one before."""

    def model(x: Tensor) -> Tensor:
        before = torch.cat([torch.zeros(len(x), 1), x.float().flatten(1)[:, :-1]], 1)
        return (200 * (1 - 2 * before)).view(x.shape)

    return sample(model, u)


def linear(weights: Tensor, biases: Tensor) -> Callable[[Tensor], Tensor]:
    """A model whose logits are weights times all pixels, plus biases."""
    return lambda x: (x.float().flatten(1) @ weights.T + biases).view(x.shape)


def from_linear(sample: Callable, u: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Images from a linear model."""
    return sample(linear(weights, biases), u)


def given(sample: Callable, u: Tensor) -> bool:
    """Whether the model is only ever given floating numbers."""
    kinds = []

    def model(x: Tensor) -> Tensor:
        kinds.append(x.is_floating_point())
        return torch.zeros(x.shape)

    sample(model, u)
    return all(kinds)


def repeats(sample: Callable, u: Tensor, weights: Tensor, biases: Tensor) -> bool:
    """Whether a second call with the same numbers draws the same images."""
    model = linear(weights, biases)
    return torch.equal(sample(model, u), sample(model, u))
