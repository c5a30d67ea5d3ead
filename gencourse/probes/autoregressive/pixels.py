"""Models of images for a sampler that draws them pixel by pixel."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.autoregressive.arguments import uncopied


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


class Layer(nn.Module):
    """A convolution that sees all neighbours of a pixel, with a part that can be frozen."""

    def __init__(self, weights: Tensor, bias: float) -> None:
        super().__init__()
        self.bias, self.weights = nn.Parameter(torch.tensor(bias)), nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the shape of the images x (n, 1, H, W)."""
        return nn.functional.conv2d(x.float(), self.weights, padding=1) + self.bias


def from_layer(sample: Callable, u: Tensor, weights: Tensor, bias: float) -> dict[str, object]:
    """Images from a convolution that is in training mode, and from the same after a change."""
    layer = Layer(weights, bias)
    first = sample(layer, u)
    with torch.no_grad():
        layer.weights.neg_()
        layer.bias.neg_()
    return {"the images": first, "the images after it has learned": sample(layer, u)}


def kinds(sample: Callable, u: Tensor) -> dict[str, bool]:
    """Whether the model is given floating numbers, in float32, and whether such come out."""
    given = []

    def model(x: Tensor) -> Tensor:
        given.append(x.dtype)
        return torch.zeros(x.shape)

    images = torch.as_tensor(sample(model, uncopied(u)))  # so no stress makes it float64
    return {
        "whether those that the model is given do": all(t.is_floating_point for t in given),
        "whether those are float32, as u and the weights of layers are": set(given)
        <= {torch.float32},
        "whether those that are returned do": images.is_floating_point()
        and images.dtype not in (torch.half, torch.bfloat16),  # with which no layer computes
    }


def repeats(sample: Callable, u: Tensor, weights: Tensor, biases: Tensor) -> bool:
    """Whether a second call with the same numbers draws the same images."""
    model = linear(weights, biases)
    return torch.equal(sample(model, u), sample(model, u))
