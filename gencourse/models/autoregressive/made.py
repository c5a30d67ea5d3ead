"""MADE: an MLP whose weights are masked so that output d sees only the inputs before d."""

import itertools
import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.likelihoods import bernoulli_log_likelihood
from gencourse.runtime import full_precision, seeded
from gencourse.validation import (
    require_count,
    require_images,
    require_place,
    values_are_trusted,
)


def made_masks(D: int, hidden: int, layers: int) -> list[Tensor]:
    """0/1 masks of the `layers` hidden layers and of the output, each (units out, units in).

    Unit k of a hidden layer may see the first m_k inputs, m spread evenly over 1 ... D - 1, in
    ascending order; a connection is kept where the second unit may see all that the first sees,
    m_out ≥ m_in, and output d where d > m. Source: Germain et al. 2015, equations 12 and 13 (arXiv
    1502.03509).
    """
    degrees = torch.arange(hidden) * max(D - 1, 1) // hidden + 1  # spread over 1 ... D - 1
    inputs = torch.arange(1, D + 1)
    sizes = [inputs, *[degrees] * layers]
    masks = [
        (after[:, None] >= before[None]).float() for before, after in itertools.pairwise(sizes)
    ]
    return [*masks, (inputs[:, None] > degrees[None]).float()]


class MaskedLinear(nn.Linear):
    """A linear layer, some of whose connections are cut: y = (W ⊙ mask) x + b.

    The mask is a buffer, not a parameter.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, in) -> (B, out)."""
        return F.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    """p(x) = Π_d Bernoulli(x_d; σ(logit_d(x_1 ... x_{d-1}))) over the pixels of binary images, all
    D factors in one pass.

    image_shape (C, H, W), D = C · H · W, channel by channel in raster order. Besides the MLP there
    are direct connections from each pixel to those after it, as in the paper. `mean_image` (C, H,
    W), the average of the training images, is where an untrained model starts.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        hidden: int = 512,
        layers: int = 1,
        mean_image: Tensor | None = None,
    ) -> None:
        super().__init__()
        require_count("MADE", "layers", layers)
        require_count("MADE", "hidden", hidden)
        C, H, W = image_shape
        self.image_shape, D = (C, H, W), math.prod(image_shape)
        parts: list[nn.Module] = []
        for mask in made_masks(D, hidden, layers):
            parts += [MaskedLinear(mask), nn.SiLU()]
        self.net, self.direct = nn.Sequential(*parts[:-1]), MaskedLinear(torch.ones(D, D).tril(-1))
        nn.init.zeros_(self.direct.weight)
        if mean_image is not None:
            with torch.no_grad():
                cast(nn.Linear, self.net[-1]).bias.copy_(
                    mean_image.clamp(0.01, 0.99).logit().flatten()
                )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, C, H, W) of x (B, C, H, W): that of a pixel depends on the pixels before it
        only.
        """
        require_place("MADE", "x", x, self)
        pixels = x.flatten(1)
        return (full_precision(self.net(pixels)) + full_precision(self.direct(pixels))).unflatten(
            1, self.image_shape
        )

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact: (B, C, H, W) of 0 and 1 -> (B,), nats."""
        require_binary("MADE.log_prob", x, self.image_shape, self)
        return bernoulli_log_likelihood(self(x), x)

    def loss(self, x: Tensor) -> dict[str, Tensor]:
        """{"loss"}: -log p(x), (B,), nats per image."""
        return {"loss": -self.log_prob(x)}

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n images (n, C, H, W) of 0 and 1, pixel by pixel, one forward pass each."""
        weight = self.direct.weight
        return raster_sample(
            lambda x: self(x.to(weight)), n, self.image_shape, seeded(seed), weight.device
        )


def require_binary(where: str, x: Tensor, shape: tuple[int, int, int], model: nn.Module) -> None:
    """Raise unless x is a batch of images (B, *shape) of 0 and 1, where the model is: of other
    values the result would be no probability.
    """
    require_images(where, x, shape, model)
    if not values_are_trusted() and not ((x == 0) | (x == 1)).all():
        raise InputError(
            f"{where}: x should hold 0 and 1 only, got other values too. Draw them: "
            "torch.bernoulli(x)."
        )


@torch.no_grad()
def raster_sample(
    model: Callable[[Tensor], Tensor],
    n: int,
    shape: tuple[int, int, int],
    generator: torch.Generator,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Binary images (n, C, H, W) pixel by pixel, row after row: x_d ~ Bernoulli(σ(model(x)_d)), one
    forward pass per pixel.

    `model` maps images (n, C, H, W) to logits of the same shape. What is not drawn yet is 0, which
    a causal model cannot see.
    """
    require_count("raster_sample", "n", n)
    x = torch.zeros(n, *shape, device=device)
    uniform = torch.rand(math.prod(shape), n, generator=generator, device=generator.device)
    for d, u in enumerate(uniform.to(device)):
        x.flatten(1)[:, d] = (u < model(x).flatten(1)[:, d].sigmoid()).float()
    return x
