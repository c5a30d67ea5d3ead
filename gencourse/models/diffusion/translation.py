"""Others' conventions in this course's: data at t = 0, noise at t = 1, x_t = α x + σ ε.

A denoiser does not depend on the convention: x̂ at (x_t, α, σ) is x̂ at (c x_t, cα, cσ) for every
c > 0. So a model of one convention answers in all others, after its input is scaled.
"""

import math
from typing import NamedTuple

from torch import Tensor

from gencourse.errors import InputError
from gencourse.models.diffusion.paths import Level, alpha_bars, as_time, per_row


class Translated(NamedTuple):
    """A noisy point in another form: x_t (B, ...), with its levels α and σ."""

    x_t: Tensor
    alpha: Level
    sigma: Level


def to_linear(x_t: Tensor, alpha: Level, sigma: Level) -> Translated:
    """The same point on the linear path: x_t / (α + σ), at time t = σ / (α + σ), which is the new
    σ. x_t (B, ...), levels numbers or (B,).
    """
    return _scaled(x_t, alpha, sigma, as_time(alpha) + as_time(sigma))


def to_vp(x_t: Tensor, alpha: Level, sigma: Level) -> Translated:
    """The same point on a variance-preserving path: x_t / √(α² + σ²)."""
    return _scaled(x_t, alpha, sigma, (as_time(alpha) ** 2 + as_time(sigma) ** 2).sqrt())


def to_ve(x_t: Tensor, alpha: Level, sigma: Level) -> Translated:
    """The same point as x + σε: x_t / α, with EDM's σ, ours over α. Not where α = 0."""
    return _scaled(x_t, alpha, sigma, as_time(alpha))


def _scaled(x_t: Tensor, alpha: Level, sigma: Level, by: Tensor) -> Translated:
    divisor = per_row("to_linear", "alpha + sigma", by, x_t)
    return Translated(x_t / divisor, as_time(alpha) / by, as_time(sigma) / by)


def ddpm_levels(betas: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """(α, σ) = (√ᾱ, √(1 - ᾱ)) after DDPM's step 1, ..., T, or at 0, data: betas (T,).

    Code that counts from 0 calls it step - 1: index i of its list is i + 1 here.
    """
    if not 0 <= step <= len(betas):
        raise InputError(
            f"ddpm_levels: step should lie in 0..{len(betas)}, got {step}. Code that counts from 0 "
            "has its last at T - 1."
        )
    bar = alpha_bars(betas)[step]
    return bar.sqrt(), (1 - bar).sqrt()


def edm_levels(sigma: Level) -> tuple[Tensor, Tensor]:
    """(α, σ) = (1, σ) of EDM's noise level, which is also its time."""
    sigma = as_time(sigma)
    return sigma * 0 + 1, sigma


def score_sde_levels(
    t: Level, kind: str = "vp", sigma_min: float = 0.01, sigma_max: float = 50.0
) -> tuple[Tensor, Tensor]:
    """(α, σ) of the score SDE paper at its time t in [0, 1], data at 0: "vp" with β from .1 to 20,
    "ve" with σ = σ_min (σ_max/σ_min)ᵗ, which is σ_min and not 0 at t = 0.

    Source: Song et al. 2021 (arXiv 2011.13456), appendix C.
    """
    t = as_time(t)
    if kind == "vp":
        half = 0.25 * t**2 * (20 - 0.1) + 0.5 * t * 0.1
        return (-half).exp(), (1 - (-2 * half).exp()).sqrt()
    if kind == "ve":
        return t * 0 + 1, sigma_min * (t * math.log(sigma_max / sigma_min)).exp()
    raise InputError(f"score_sde_levels: kind should be vp or ve, got {kind!r}. Choose one.")


def from_reversed_time(t: Level, velocity: Tensor) -> tuple[Level, Tensor]:
    """Our (t, u) of a convention with noise at t = 0 and data at t = 1, x_t = t x + (1 - t) ε and
    u = x - ε (MIT 6.S184, Meta's flow_matching, torchcfm): (1 - t, -u). Its own inverse.
    """
    return 1 - t, -velocity
