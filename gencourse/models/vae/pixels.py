"""What a decoder's output means: the distribution of the pixels given a code."""

import math

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.likelihoods import bernoulli_log_likelihood, gaussian_log_density
from gencourse.runtime import drawn_on


class BernoulliPixels:
    """p(x given z) with one coin per pixel: the decoder returns logits."""

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """log p(x given z): output, x (B, C, H, W) -> (B,), nats."""
        return bernoulli_log_likelihood(output, x)

    def mean(self, output: Tensor) -> Tensor:
        """E[x given z], in [0, 1]."""
        return output.sigmoid()

    def draw(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x ~ p(x given z): each pixel 0 or 1, shaped like output."""
        where = drawn_on(generator)
        u = torch.rand(output.shape, dtype=output.dtype, generator=generator, device=where)
        return (u.to(output.device) < output.sigmoid()).to(output.dtype)

    def output_for(self, mean: Tensor) -> Tensor:
        """The decoder output whose mean is `mean`, in (0, 1)."""
        return mean.logit()


class GaussianPixels:
    """p(x given z) = N(x; output, std² I) with one fixed std: squared error with its scale stated.

    Up to a constant -log p = |x - output|² / (2 std²), so a loss |x - output|² + KL is this model
    with std² = ½.
    """

    def __init__(self, std: float) -> None:
        if not std > 0:
            raise InputError(
                f"GaussianPixels: std should be positive, got {std}. Pass a standard deviation, "
                "0.1 say."
            )
        self.std = std

    def log_prob(self, output: Tensor, x: Tensor) -> Tensor:
        """log p(x given z), a density: output, x (B, C, H, W) -> (B,), nats."""
        return gaussian_log_density(x, output, torch.full_like(output, 2 * math.log(self.std)))

    def mean(self, output: Tensor) -> Tensor:
        """The mean of x given z as an image, clamped to [0, 1]."""
        return output.clamp(0, 1)

    def draw(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x ~ p(x given z), output + std · noise, shaped like output and not clamped to [0, 1]."""
        where = drawn_on(generator)
        noise = torch.randn(output.shape, dtype=output.dtype, generator=generator, device=where)
        return output + self.std * noise.to(output.device)

    def output_for(self, mean: Tensor) -> Tensor:
        """The decoder output whose mean is `mean`."""
        return mean
