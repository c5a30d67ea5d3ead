"""Pixels that are drawn."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.vae.prior import SIGMAS
from gencourse.runtime import seeded

PIXELS = 11


class Logits(nn.Module):
    """A decoder z (n, D) -> (n, PIXELS) whose logits at z = 0 lie from -4 to 3."""

    def __init__(self, latent_dim: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.linspace(-1.0, 1.3, PIXELS * latent_dim).view(PIXELS, latent_dim)
        )
        self.bias = nn.Parameter(torch.linspace(-4.0, 3.0, PIXELS))
        self.scale = scale
        self.codes: list[Tensor] = []

    def forward(self, z: Tensor) -> Tensor:
        """The logits; the codes are kept."""
        self.codes.append(z.detach().clone())
        return self.scale * (z @ self.weight.T + self.bias)


def frequencies(generate: Callable, seed: int) -> dict[str, object]:
    """How often each pixel is on in many images of the code 0, and whether they hang together."""
    n, decoder = 20_000, Logits(2)
    images = generate(decoder, torch.zeros(n, 2), seeded(seed))
    found: dict[str, object] = {
        "the shape": list(images.shape),
        "whether they are floats": images.is_floating_point(),
        "whether all pixels are 0 or 1": bool(((images == 0) | (images == 1)).all()),
    }
    if images.shape != (n, PIXELS):
        return found
    images = images.detach().double()
    logits = decoder.bias.detach().double()

    def as_often_as(p: Tensor) -> bool:
        return bool(((images.mean(0) - p).abs() <= SIGMAS * (p * (1 - p) / n).sqrt()).all())

    p = logits.sigmoid()
    standard = (images - p) / (p * (1 - p)).sqrt()
    together = (standard.T @ standard / n - torch.eye(PIXELS)).triu(1).abs()
    neighbours = (standard[1:] * standard[:-1]).mean(0).abs()
    limit = SIGMAS * 1.3 / math.sqrt(n)
    return {
        **found,
        "whether each pixel is on as often as p(x given z) says": as_often_as(p),
        "whether as often as normal noise on logits makes it": as_often_as(
            torch.special.ndtr(logits)
        ),
        "whether as often as logits say that are cut at 0 and 1": as_often_as(logits.clamp(0, 1)),
        "whether images of one code differ": bool((images != images[0]).any()),
        "whether bright pixels are on more often than dark ones": bool(
            images.mean(0)[-1] > images.mean(0)[0]
        ),
        "whether pixels of an image are independent given z": bool((together < limit).all()),
        "whether images are independent of one another given z": bool((neighbours < limit).all()),
    }


def drawn(generate: Callable, z: Tensor, seed: int, scale: float) -> dict[str, object]:
    """Images of some codes; if the scale is large, no chance is left in them."""
    decoder = Logits(z.shape[1], scale)
    images = generate(decoder, z, seeded(seed))
    found = {
        "the shape": list(images.shape),
        "whether the codes that were passed are decoded, once": len(decoder.codes) == 1
        and torch.equal(decoder.codes[0], z),
        "whether they hold a graph": images.requires_grad,
    }
    return found | ({"the images": images} if scale > 100 else {})


def repeated(generate: Callable, z: Tensor, seed: int) -> dict[str, bool]:
    """Images from two generators in one state, and twice from one generator."""
    decoder, generator = Logits(z.shape[1], 0.1), seeded(seed)
    first, second = generate(decoder, z, generator), generate(decoder, z, generator)
    again = generate(decoder, z, seeded(seed))
    return {
        "whether two generators in one state give the same images": torch.equal(first, again),
        "whether a second call with one generator repeats the first": torch.equal(first, second),
    }
