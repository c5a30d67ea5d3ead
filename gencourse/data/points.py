"""Two-dimensional densities that are known exactly, to judge a learned model against the truth."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.runtime import on_cpu, seeded
from gencourse.validation import require_tensor


@dataclass(frozen=True)
class GaussianMixture:
    """p(x) = Σ_k weights_k N(x; centres_k, stds_k² I), x in R².

    centres (K, 2), stds (K,), weights (K,) that sum to 1. Points of any device can be asked about.
    """

    centres: Tensor
    stds: Tensor
    weights: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats: x (B, 2) -> (B,)."""
        require_tensor("GaussianMixture.log_prob", "x", x)
        if x.ndim != 2 or x.shape[1] != 2:
            raise InputError(
                f"GaussianMixture.log_prob: x should have shape (B, 2), got {tuple(x.shape)}. "
                "Reshape it."
            )
        centres, stds, weights = (part.to(x) for part in (self.centres, self.stds, self.weights))
        squared = (x[:, None] - centres).square().sum(-1)  # (B, K)
        log_normal = -squared / (2 * stds**2) - 2 * stds.log() - math.log(2 * math.pi)
        return (weights.log() + log_normal).logsumexp(1)

    def to(self, device: torch.device | str) -> "GaussianMixture":
        """The same density, whose parameters and samples are on that device."""
        return GaussianMixture(*(p.to(device) for p in (self.centres, self.stds, self.weights)))

    def sample(self, n: int, seed: int) -> Tensor:
        """n exact draws, shape (n, 2)."""
        generator, weights = seeded(seed), self.weights.cpu()
        which = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, 2, generator=generator, device="cpu").to(self.centres.device)
        which = which.to(self.centres.device)
        return self.centres[which] + self.stds[which, None] * noise


@on_cpu()
def points(name: str = "ring") -> GaussianMixture:
    """A known density: "ring" (eight modes), "grid" (25), "two" or "spiral" (along a curve)."""
    shapes = {"ring": _ring, "grid": _grid, "two": _two, "spiral": _spiral}
    if name not in shapes:
        raise InputError(
            f"points: name should be one of {', '.join(shapes)}, got {name!r}. Choose one of them."
        )
    centres, std = shapes[name]()
    K = len(centres)
    return GaussianMixture(centres, torch.full((K,), std), torch.full((K,), 1 / K))


def _ring() -> tuple[Tensor, float]:
    angle = torch.arange(8) * (2 * math.pi / 8)
    return 2 * torch.stack([angle.cos(), angle.sin()], dim=1), 0.1


def _grid() -> tuple[Tensor, float]:
    return torch.cartesian_prod(torch.linspace(-2, 2, 5), torch.linspace(-2, 2, 5)), 0.08


def _two() -> tuple[Tensor, float]:
    return torch.tensor([[-1.5, 0.0], [1.5, 0.0]]), 0.5


def _spiral() -> tuple[Tensor, float]:
    t = torch.linspace(0.25, 1, 64).sqrt()
    angle = 3.5 * math.pi * t
    return 2.2 * t[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1), 0.08
