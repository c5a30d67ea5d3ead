"""Guidance: asking for a class, and what a guided field does and does not sample.

Convention of w here: w = 1 is the conditional model, w = 0 the unconditional one. Others write
(1 + w) for it, so that w = 0 is the conditional model: `from_one_plus_w` translates.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gencourse.models.diffusion.exact import ExactDiffusion, isotropic_mixture
from gencourse.models.diffusion.losses import Field
from gencourse.models.diffusion.paths import Path, ve
from gencourse.models.diffusion.samplers import heun
from gencourse.models.diffusion.times import rho_levels
from gencourse.validation import require_same_shape


def guided(cond: Tensor, uncond: Tensor, w: float) -> Tensor:
    """Classifier-free guidance: uncond + w (cond - uncond). Scores, x̂, ε̂, v or velocities (B, ...).

    w = 1 is the conditional one, w = 0 the unconditional, w > 1 goes beyond. Source: Ho & Salimans
    2022 (arXiv 2207.12598), who write (1 + w) cond - w uncond.
    """
    require_same_shape("guided", uncond=uncond, cond=cond)
    return uncond + w * (cond - uncond)


def from_one_plus_w(w: float) -> float:
    """Our w of somebody's who writes (1 + w) cond - w uncond: 1 + w."""
    return 1 + w


def classifier_guidance(score: Tensor, gradient: Tensor, w: float) -> Tensor:
    """∇ log p_t(x_t) + w ∇ log p_t(y given x_t), with the gradient of a classifier that has seen
    noise: (B, ...). At w = 1 it is the score given y, by Bayes' rule.

    Source: Dhariwal & Nichol 2021 (arXiv 2105.05233).
    """
    require_same_shape("classifier_guidance", score=score, gradient=gradient)
    return score + w * gradient


def guided_field(cond: Field, uncond: Field, w: float) -> Field:
    """The field (x_t, t) -> guided(cond(x_t, t), uncond(x_t, t), w), for samplers."""
    return lambda x, t: guided(cond(x, t), uncond(x, t), w)


@dataclass(frozen=True)
class TwoClasses:
    """Two classes on a line, N(+m, s²) and N(-m, s²) with probability ½ each, on a path: all is
    known, p(y given x) = sigmoid(2 m x / s²) for the class at +m included.
    """

    mean: float = 1.0
    std: float = 0.5

    def exact(self, path: Path, label: int | None = None) -> ExactDiffusion:
        """The exact model of all data, or of class 0 (at +m) or 1 (at -m) alone."""
        means = torch.tensor([[self.mean], [-self.mean]], dtype=torch.float64, device="cpu")
        chosen = means if label is None else means[label : label + 1]
        return ExactDiffusion(isotropic_mixture(chosen, self.std), path)

    def product_moments(self, w: float) -> tuple[float, float]:
        """Mean and standard deviation of p(x) p(y = 0 given x)^w / Z, by a sum over a grid: what
        one might take guidance to sample.
        """
        x = torch.linspace(-12, 12, 48_001, dtype=torch.float64, device="cpu")
        log_p = self.exact(ve()).log_prob(x[:, None], 0.0)
        log_class = torch.nn.functional.logsigmoid(2 * self.mean * x / self.std**2)
        p = (log_p + w * log_class).softmax(0)
        mean = (p * x).sum()
        return mean.item(), ((p * (x - mean) ** 2).sum().sqrt()).item()

    def guided_moments(
        self, w: float, sigma_max: float = 1000.0, n: int = 200, particles: int = 2001
    ) -> tuple[float, float]:
        """Mean and standard deviation of what the guided ODE samples: from N(0, σ_max²), whose
        quantiles are followed in n Heun steps by the exact fields of class 0 and of all data.

        It is not product_moments, and depends on σ_max. Start at the same quantiles for all w.
        """
        path = ve(sigma_max)
        field = guided_field(self.exact(path, 0).velocity, self.exact(path).velocity, w)
        share = (torch.arange(particles, dtype=torch.float64, device="cpu") + 0.5) / particles
        x = sigma_max * torch.special.ndtri(share)[:, None]
        times = rho_levels(n, sigma_max, 0.002, last="sigma_min") / sigma_max
        x = heun(field, x, times)
        return x.mean().item(), x.std(correction=0).item()
