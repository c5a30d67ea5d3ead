"""Paths from data to noise: x_t = α(t) x + σ(t) ε, with data at t = 0 and noise at t = 1.

One convention holds in the whole chapter. Others' are translated by `translation`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.validation import require_count, require_same_shape, require_tensor

Level = float | Tensor  # of signal or noise: one number, or one for each row of a batch, (B,)


def per_row(where: str, name: str, value: Level, x: Tensor) -> Tensor:
    """A level, for multiplication with x (B, ...): a number as a scalar, (B,) as (B, 1, ..., 1).

    Raises for any other shape, where broadcasting would mix up rows and columns.
    """
    value = as_time(value)
    if value.ndim == 0:
        return value
    if value.shape != (len(x),):
        raise InputError(
            f"{where}: {name} should be a number or have shape ({len(x)},), one for each row, got "
            f"{describe(value)}. Leave further axes away; they are added here."
        )
    return value.view(-1, *[1] * (x.ndim - 1))


def as_time(t: Level) -> Tensor:
    """A time as a tensor: a float in float64, so that no digit is lost on the way."""
    return t if isinstance(t, Tensor) else torch.tensor(t, dtype=torch.float64, device="cpu")


def perturb(x: Tensor, eps: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """x_t = α x + σ ε, a draw from p(x_t given x) = N(αx, σ² I).

    x, eps (B, ...) of one shape; alpha, sigma numbers or (B,), one for each row. The noise's
    standard deviation is σ, its variance σ².
    """
    require_same_shape("perturb", x=x, eps=eps)
    alpha, sigma = (
        per_row("perturb", name, value, x) for name, value in (("alpha", alpha), ("sigma", sigma))
    )
    return alpha * x + sigma * eps


def snr(alpha: Level, sigma: Level) -> Tensor:
    """Signal-to-noise ratio α² / σ² for data of variance 1; infinite at σ = 0. Any shape."""
    return as_time(alpha) ** 2 / as_time(sigma) ** 2


@dataclass(frozen=True, eq=False)
class Path:
    """x_t = alpha(t) x + sigma(t) eps for 0 ≤ t ≤ 1, with the derivatives of both in t.

    Each of the four functions takes times of any shape and returns numbers of that shape; at t = 0
    alpha is 1 and sigma 0. Made by `linear`, `cosine`, `linear_beta` and `ve`.
    """

    name: str
    alpha: Callable[[Tensor], Tensor]
    sigma: Callable[[Tensor], Tensor]
    alpha_dot: Callable[[Tensor], Tensor]
    sigma_dot: Callable[[Tensor], Tensor]

    def levels(self, t: Level) -> tuple[Tensor, Tensor]:
        """α(t) and σ(t), each with the shape of t."""
        t = as_time(t)
        return self.alpha(t), self.sigma(t)

    def slopes(self, t: Level) -> tuple[Tensor, Tensor]:
        """dα/dt and dσ/dt, each with the shape of t."""
        t = as_time(t)
        return self.alpha_dot(t), self.sigma_dot(t)

    def perturb(self, x: Tensor, eps: Tensor, t: Level) -> Tensor:
        """x_t = α(t) x + σ(t) ε: x, eps (B, ...), t a number or (B,) -> (B, ...)."""
        return perturb(x, eps, *self.levels(t))

    def velocity(self, x: Tensor, eps: Tensor, t: Level) -> Tensor:
        """The conditional velocity u = dx_t/dt = α'(t) x + σ'(t) ε of the pair (x, ε): shapes as in
        `perturb`. On the linear path it is ε - x.
        """
        return perturb(x, eps, *self.slopes(t))

    def snr(self, t: Level) -> Tensor:
        """α(t)² / σ(t)², with the shape of t."""
        return snr(*self.levels(t))


def linear() -> Path:
    """The path of flow matching: α = 1 - t, σ = t, so x_t = (1 - t) x + t ε and u = ε - x.

    Source: Liu et al. 2022 (rectified flow, arXiv 2209.03003), Lipman et al. 2022 (2210.02747).
    """
    return Path(
        "linear",
        alpha=lambda t: 1 - t,
        sigma=lambda t: t.clone(),
        alpha_dot=lambda t: -torch.ones_like(t),
        sigma_dot=torch.ones_like,
    )


def cosine(s: float = 0.008) -> Path:
    """The variance-preserving path α = cos θ / cos θ₀ with θ(t) = ½π (t + s)/(1 + s) and θ₀ = θ(0),
    σ² = 1 - α².

    At s = 0 it is α = cos ½πt, σ = sin ½πt. For s > 0 σ' is infinite at t = 0. Source: Nichol &
    Dhariwal 2021 (arXiv 2102.09672), whose f(t)/f(0) is α².
    """
    if not 0 <= s < 1:
        raise InputError(f"cosine: s should lie in [0, 1), got {s}. Take 0, or the paper's 0.008.")
    rate, first = 0.5 * math.pi / (1 + s), 0.5 * math.pi * s / (1 + s)

    def sigma(t: Tensor) -> Tensor:  # 1 - cos²θ/cos²θ₀ without the difference of equal numbers
        product = (rate * t).sin() * (rate * t + 2 * first).sin()
        return product.clamp_min(0).sqrt() / math.cos(first)

    def sigma_dot(t: Tensor) -> Tensor:
        theta = rate * t + first
        if s == 0:
            return rate * theta.cos()
        return rate * theta.sin() * theta.cos() / (sigma(t) * math.cos(first) ** 2)

    return Path(
        "cosine",
        alpha=lambda t: (rate * t + first).cos() / math.cos(first),
        sigma=sigma,
        alpha_dot=lambda t: -rate * (rate * t + first).sin() / math.cos(first),
        sigma_dot=sigma_dot,
    )


def linear_beta(beta_min: float = 0.1, beta_max: float = 20.0) -> Path:
    """The variance-preserving path of DDPM in continuous time: α² = exp(-∫₀ᵗ β), σ² = 1 - α² with
    β(t) = β_min + t (β_max - β_min).

    DDPM's β of 1e-4 to .02 in 1,000 steps are β(t)/1000. σ' is infinite at t = 0. Source: Song et
    al. 2021 (score SDE, arXiv 2011.13456), appendix C.
    """

    def beta(t: Tensor) -> Tensor:
        return beta_min + t * (beta_max - beta_min)

    def integral(t: Tensor) -> Tensor:
        return beta_min * t + 0.5 * (beta_max - beta_min) * t**2

    def alpha(t: Tensor) -> Tensor:
        return (-0.5 * integral(t)).exp()

    def sigma(t: Tensor) -> Tensor:
        return (-torch.expm1(-integral(t))).sqrt()

    return Path(
        "linear beta",
        alpha=alpha,
        sigma=sigma,
        alpha_dot=lambda t: -0.5 * beta(t) * alpha(t),
        sigma_dot=lambda t: 0.5 * beta(t) * alpha(t) ** 2 / sigma(t),
    )


def ve(sigma_max: float = 80.0) -> Path:
    """The variance-exploding path α = 1, σ = σ_max t: x_t = x + σ ε, EDM's time being σ itself.

    There is no end at which the data are gone; at t = 1 x_t is close to N(0, σ_max² I) if σ_max is
    large beside the data. Source: Karras et al. 2022 (EDM, arXiv 2206.00364), table 1.
    """
    if not sigma_max > 0:
        raise InputError(f"ve: sigma_max should be above 0, got {sigma_max}. EDM takes 80.")
    return Path(
        "variance exploding",
        alpha=torch.ones_like,
        sigma=lambda t: sigma_max * t,
        alpha_dot=torch.zeros_like,
        sigma_dot=lambda t: torch.full_like(t, sigma_max),
    )


# discrete schedules: DDPM's β_1 ... β_T


def linear_betas(T: int = 1000, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """DDPM's β_1, ..., β_T, evenly spaced: (T,), float64. Source: Ho et al. 2020 (2006.11239)."""
    require_count("linear_betas", "T", T)
    return torch.linspace(first, last, T, dtype=torch.float64, device="cpu")


def scaled_linear_betas(T: int = 1000, first: float = 0.00085, last: float = 0.012) -> Tensor:
    """Stable Diffusion's β_1, ..., β_T, whose square roots are evenly spaced: (T,), float64.

    Source: the released configuration of Rombach et al. 2022 (from memory).
    """
    return linear_betas(T, math.sqrt(first), math.sqrt(last)) ** 2


def cosine_betas(T: int = 1000, s: float = 0.008, largest: float = 0.999) -> Tensor:
    """β_n = 1 - ᾱ(n/T) / ᾱ((n - 1)/T) of the cosine path, cut at `largest`, since the last is 1:
    (T,), float64. Source: Nichol & Dhariwal 2021, equation 17.
    """
    require_count("cosine_betas", "T", T)
    times = torch.linspace(0, 1, T + 1, dtype=torch.float64, device="cpu")
    bars = cosine(s).alpha(times) ** 2
    return (1 - bars[1:] / bars[:-1]).clamp(max=largest)


def alpha_bars(betas: Tensor) -> Tensor:
    """ᾱ_n = Π_{i ≤ n} (1 - β_i), with ᾱ_0 = 1 in front: betas (T,) -> (T + 1,).

    So entry n belongs to x after n steps of noise, x_n = √ᾱ_n x + √(1 - ᾱ_n) ε, and x_0 is data.
    Code that counts steps from 0 keeps ᾱ_{n+1} at place n.
    """
    require_tensor("alpha_bars", "betas", betas)
    if betas.ndim != 1 or not ((betas > 0) & (betas <= 1)).all():
        raise InputError(
            f"alpha_bars: betas should have shape (T,) and lie in (0, 1], got {describe(betas)}. "
            "They are variances of single steps."
        )
    return torch.cat([torch.ones_like(betas[:1]), (1 - betas).cumprod(0)])


def terminal_snr(bars: Tensor) -> float:
    """The signal-to-noise ratio ᾱ_T / (1 - ᾱ_T) that is left after the last step: (T + 1,) -> a
    number. Samplers that start at pure noise assume that it is 0.
    """
    return (bars[-1] / (1 - bars[-1])).item()


def check_terminal_snr(bars: Tensor, largest: float = 0.01) -> None:
    """Raise if a schedule ends while there is signal left, since its sampler starts at N(0, I).

    bars (T + 1,) as `alpha_bars` returns them.
    """
    if not terminal_snr(bars) <= largest:
        raise InputError(
            f"check_terminal_snr: the last signal-to-noise ratio should be at most {largest:g}, "
            f"got {terminal_snr(bars):.3g}. Take more steps or larger betas."
        )
