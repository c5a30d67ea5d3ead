"""Stochastic differential equations: forward, reverse, Langevin, and the ODE between them.

All are simulated by `euler_maruyama`, forward or backward in time, by the order of the times.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.models.diffusion.losses import Field
from gencourse.models.diffusion.noise import noise_like
from gencourse.models.diffusion.paths import Level, Path, as_time, per_row
from gencourse.models.diffusion.times import follow
from gencourse.validation import require_count

Diffusion = Callable[[Tensor], Tensor]  # times -> g(t), of the same shape


def sde_coefficients(path: Path, t: Level) -> tuple[Tensor, Tensor]:
    """f(t) and g(t) of the forward SDE dx = f x dt + g dw whose x_t given x is N(αx, σ² I):
    f = α'/α and g² = 2σσ' - 2fσ². Each with the shape of t.

    VP: f = -β/2, g² = β. VE: f = 0, g² = dσ²/dt. Linear path: f = -1/(1 - t), g² = 2t/(1 - t),
    both infinite at t = 1. Source: Song et al. 2021; Kingma et al. 2021 (arXiv 2107.00630).
    """
    t = as_time(t)
    (alpha, sigma), (alpha_dot, sigma_dot) = path.levels(t), path.slopes(t)
    f = alpha_dot / alpha
    return f, (2 * sigma * (sigma_dot - f * sigma)).sqrt()


def forward_sde(path: Path) -> tuple[Field, Diffusion]:
    """(drift(x, t), diffusion(t)) of dx = f x dt + g dw, from data to noise."""
    return _linear_drift(path), lambda t: sde_coefficients(path, t)[1]


def reverse_sde(path: Path, score: Field, churn: float = 1.0) -> tuple[Field, Diffusion]:
    """(drift(x, t), diffusion(t)) of dx = [f x - ½ (1 + λ²) g² score(x, t)] dt + λ g dw, run from
    t = 1 to 0, with λ = churn.

    λ = 1 is Anderson's reverse SDE, λ = 0 the probability-flow ODE; all λ have the marginals p_t of
    the forward process, since the noise that is added and the drift ½ λ² g² score that removes it
    are Langevin steps, which leave p_t as it is. score(x_t, t): (B, ...), (B,) -> (B, ...). Source:
    Anderson 1982; Song et al. 2021, appendix D; the family in λ: Karras et al. 2022, equation 6.
    """
    forward = _linear_drift(path)

    def drift(x: Tensor, t: Tensor) -> Tensor:
        g = per_row("reverse_sde", "t", sde_coefficients(path, t)[1], x)
        return forward(x, t) - 0.5 * (1 + churn**2) * g**2 * score(x, t)

    return drift, lambda t: churn * sde_coefficients(path, t)[1]


def _linear_drift(path: Path) -> Field:
    return lambda x, t: per_row("forward_sde", "t", sde_coefficients(path, t)[0], x) * x


def euler_maruyama(
    drift: Field,
    diffusion: Diffusion,
    x: Tensor,
    times: Tensor,
    generator: torch.Generator | None = None,
    keep: bool = False,
) -> Tensor:
    """Steps x + drift(x, t) h + diffusion(t) √|h| ε along the times, h = s - t from each t to the
    next s; forward if they rise, backward if they fall.

    x (B, ...), times (n + 1,) -> x at the last time, or with keep=True at all, (n + 1, B, ...). ε
    is one draw of N(0, 1) for each number: its factor √|h| is what makes variances add up to g² h.
    """

    def step(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        h, rows = (s - t).item(), t.to(x).expand(len(x))
        move = drift(x, rows) * h
        noise = math.sqrt(abs(h)) * noise_like(x, generator)
        return x + move + per_row("euler_maruyama", "diffusion", diffusion(t), x) * noise

    return follow(step, x, times, keep)


def brownian_variance(t: Level, sigma: float = 1.0, start: float = 0.0) -> Tensor:
    """The variance σ² t + start of dx = σ dw at time t, with the shape of t."""
    return as_time(t) * sigma**2 + start


def ornstein_uhlenbeck_variance(t: Level, theta: float, sigma: float, start: float = 0.0) -> Tensor:
    """The variance of dx = -θ x dt + σ dw at time t: start e^{-2θt} + σ²/(2θ) (1 - e^{-2θt}), which
    tends to σ²/(2θ). With the shape of t.
    """
    decay = (-2 * theta * as_time(t)).exp()
    return start * decay + sigma**2 / (2 * theta) * (1 - decay)


def langevin(
    score: Callable[[Tensor], Tensor],
    x: Tensor,
    step: float,
    n: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """n steps x + h score(x) + √(2h) ε of the unadjusted Langevin algorithm: x (B, ...) ->
    (B, ...).

    As h → 0 it leaves the density with that score as it is. At a finite h the law is another:
    for N(0, s²) the variance tends to s² / (1 - h / (2s²)). Source: Roberts & Tweedie 1996.
    """
    require_count("langevin", "n", n)
    if not step > 0:
        raise InputError(f"langevin: step should be above 0, got {step}. Take a small number.")
    for _ in range(n):
        x = x + step * score(x) + math.sqrt(2 * step) * noise_like(x, generator)
    return x


def churn_step(
    x: Tensor, sigma: float, gamma: float, generator: torch.Generator | None = None
) -> tuple[Tensor, float]:
    """EDM's churn on the variance-exploding path: noise that takes x from level σ up to
    σ̂ = (1 + γ) σ, as (x + √(σ̂² - σ²) ε, σ̂), before an ODE step down from there.

    x (B, ...) -> (B, ...). Source: Karras et al. 2022, algorithm 2.
    """
    raised = (1 + gamma) * sigma
    return x + math.sqrt(raised**2 - sigma**2) * noise_like(x, generator), raised
