"""Small networks for points, and what is put around a network: the time's embedding before it,
preconditioning outside.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gencourse.errors import InputError, describe
from gencourse.models.diffusion.paths import Level, as_time
from gencourse.models.vae.networks import mlp
from gencourse.validation import require_count, require_indices, require_place, require_tensor


def time_embedding(t: Tensor, width: int, scale: float = 1000.0) -> Tensor:
    """[cos ω_i t, sin ω_i t] for ⌊width/2⌋ frequencies ω_i = scale · 10⁻⁴ⁱᐟʰ, h = ⌊width/2⌋ and
    i = 0, ..., h - 1: t (B,) in [0, 1] -> (B, width), cosines first; of an odd width the last is 0.

    DDPM's for scale = 1000, whose times were 0 to 999: without the scale all frequencies but the
    first few see t in [0, 1] as constant. Source: Vaswani et al. 2017, Ho et al. 2020.
    """
    require_tensor("time_embedding", "t", t)
    require_count("time_embedding", "width", width, at_least=2)
    if t.ndim != 1:
        raise InputError(
            f"time_embedding: t should have shape (B,), got {describe(t)}. One time per example."
        )
    h = width // 2
    share = torch.arange(h, dtype=t.dtype, device=t.device) / h
    angles = t[:, None] * scale * 10.0 ** (-4 * share)
    parts = [angles.cos(), angles.sin(), torch.zeros_like(t[:, None])]
    return torch.cat(parts[: 2 + width % 2], 1)


class PointNetwork(nn.Module):
    """(x_t (B, dim), t (B,)) -> (B, dim): a perceptron of three hidden layers that sees x_t, an
    embedding of t and, with num_classes > 0, one of the label.

    Label num_classes, the default, stands for "no label": guidance needs a network that knows both.
    """

    def __init__(
        self, dim: int = 2, width: int = 128, num_classes: int = 0, time_width: int = 32
    ) -> None:
        super().__init__()
        require_count("PointNetwork", "dim", dim)
        self.dim, self.num_classes, self.time_width = dim, num_classes, time_width
        self.labels = nn.Embedding(num_classes + 1, time_width) if num_classes else None
        condition = time_width * (2 if num_classes else 1)
        self.layers = mlp(dim + condition, width, width, width, dim)

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """What the network says at x_t (B, dim) and t (B,), for labels y (B,) if it has classes."""
        require_place("PointNetwork", "x_t", x_t, self)
        if x_t.ndim != 2 or x_t.shape[1] != self.dim or t.shape != (len(x_t),):
            raise InputError(
                f"PointNetwork: x_t and t should have shapes (B, {self.dim}) and (B,), got "
                f"{describe(x_t)} and {describe(t)}. One time per point."
            )
        parts = [x_t, time_embedding(t.to(x_t), self.time_width, scale=30.0)]
        if self.labels is not None:
            if y is None:
                y = torch.full((len(x_t),), self.num_classes, device=x_t.device)
            require_indices("PointNetwork", "y", y, self.num_classes + 1, ndim=1)
            parts.append(self.labels(y))
        elif y is not None:
            raise InputError(
                "PointNetwork: y should be left away, as the network has no classes, got labels. "
                "Make it with num_classes."
            )
        return self.layers(torch.cat(parts, 1))


class Preconditioning(NamedTuple):
    """x̂ = skip · x_t + out · F(inside · x_t, t): three factors with the shape of the levels."""

    skip: Tensor
    out: Tensor
    inside: Tensor


def preconditioning(alpha: Level, sigma: Level, sigma_data: float = 0.5) -> Preconditioning:
    """EDM's factors, for any levels: with v = α² σ_d² + σ², the variance of x_t, skip = α σ_d² / v,
    out = σ σ_d / √v, inside = 1 / √v.

    skip · x_t is the best linear denoiser for data of mean 0 and deviation σ_d, out the deviation
    of what is left, so what F sees and what it is trained towards have variance 1 at every level.
    At α = 1 it is table 1 of Karras et al. 2022 (arXiv 2206.00364).
    """
    alpha, sigma = as_time(alpha), as_time(sigma)
    v = alpha**2 * sigma_data**2 + sigma**2
    return Preconditioning(alpha * sigma_data**2 / v, sigma * sigma_data / v.sqrt(), v.rsqrt())
