"""One thing under five names: x̂, ε̂, v, velocity u and score, linear maps of each other.

Given x_t = αx + σε, each of them is a linear function a x + b ε of the pair (x, ε), and two
equations give the pair back. It holds for a single pair and, since it is linear, for conditional
means: for E[x given x_t], E[ε given x_t] and the rest.
"""

from torch import Tensor

from gencourse.errors import InputError
from gencourse.models.diffusion.paths import Level, Path, per_row
from gencourse.validation import require_same_shape

KINDS = ("x", "eps", "v", "u", "score")


def x_from_eps(x_t: Tensor, eps: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """x = (x_t - σε) / α: (B, ...). An error of ε grows by σ/α, without limit as α → 0."""
    alpha, sigma = _levels("x_from_eps", x_t, eps, alpha, sigma)
    return (x_t - sigma * eps) / alpha


def eps_from_x(x_t: Tensor, x: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """ε = (x_t - αx) / σ: (B, ...). An error of x grows by α/σ, without limit as σ → 0."""
    alpha, sigma = _levels("eps_from_x", x_t, x, alpha, sigma)
    return (x_t - alpha * x) / sigma


def v_from_pair(x: Tensor, eps: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """v = αε - σx: (B, ...). Source: Salimans & Ho 2022 (arXiv 2202.00512)."""
    alpha, sigma = _levels("v_from_pair", x, eps, alpha, sigma)
    return alpha * eps - sigma * x


def x_from_v(x_t: Tensor, v: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """x = (α x_t - σv) / (α² + σ²): (B, ...). The denominator is 1 on variance-preserving paths."""
    alpha, sigma = _levels("x_from_v", x_t, v, alpha, sigma)
    return (alpha * x_t - sigma * v) / (alpha**2 + sigma**2)


def eps_from_v(x_t: Tensor, v: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """ε = (σ x_t + αv) / (α² + σ²): (B, ...)."""
    alpha, sigma = _levels("eps_from_v", x_t, v, alpha, sigma)
    return (sigma * x_t + alpha * v) / (alpha**2 + sigma**2)


def score_from_x(x_t: Tensor, x_hat: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """Tweedie's formula: ∇ log p_t(x_t) = (α E[x given x_t] - x_t) / σ², for x_hat the conditional
    mean: (B, ...). Source: Robbins 1956, Efron 2011; Vincent 2011 for the learned x̂.
    """
    alpha, sigma = _levels("score_from_x", x_t, x_hat, alpha, sigma)
    return (alpha * x_hat - x_t) / sigma**2


def x_from_score(x_t: Tensor, score: Tensor, alpha: Level, sigma: Level) -> Tensor:
    """Tweedie's formula for the mean: E[x given x_t] = (x_t + σ² score) / α: (B, ...)."""
    alpha, sigma = _levels("x_from_score", x_t, score, alpha, sigma)
    return (x_t + sigma**2 * score) / alpha


def score_from_eps(eps: Tensor, sigma: Level) -> Tensor:
    """score = -E[ε given x_t] / σ: (B, ...)."""
    return -eps / per_row("score_from_eps", "sigma", sigma, eps)


def row_of(kind: str, path: Path, t: Level) -> tuple[Level, Level]:
    """(a, b) of a quantity a x + b ε at time t.

    x: (1, 0). eps: (0, 1). v: (-σ, α). u: (α', σ'). score: (0, -1/σ).
    """
    alpha, sigma = path.levels(t)
    rows: dict[str, tuple[Level, Level]] = {
        "x": (1.0, 0.0),
        "eps": (0.0, 1.0),
        "v": (-sigma, alpha),
        "u": path.slopes(t),
        "score": (0.0, -1 / sigma),
    }
    if kind not in rows:
        raise InputError(
            f"row_of: kind should be one of {', '.join(KINDS)}, got {kind!r}. Choose one of them."
        )
    return rows[kind]


def pair_from(value: Tensor, kind: str, x_t: Tensor, path: Path, t: Level) -> tuple[Tensor, Tensor]:
    """The pair (x, ε) that solves αx + σε = x_t and a x + b ε = value, with (a, b) = row_of(kind).

    x = (b x_t - σ value) / d and ε = (α value - a x_t) / d with d = αb - σa, which is α, σ and
    α² + σ² for eps, x (negative) and v, ασ' - σα' for u (1 on the linear path), -α/σ for the score.
    Where d = 0 the value does not determine the pair. value, x_t (B, ...), t a number or (B,).
    """
    require_same_shape("pair_from", x_t=x_t, value=value)
    alpha, sigma, a, b = (
        per_row("pair_from", "t", level, x_t) for level in (*path.levels(t), *row_of(kind, path, t))
    )
    d = alpha * b - sigma * a
    return (b * x_t - sigma * value) / d, (alpha * value - a * x_t) / d


def convert(value: Tensor, source: str, target: str, x_t: Tensor, path: Path, t: Level) -> Tensor:
    """One of "x", "eps", "v", "u", "score" from another, at x_t and time t of a path.

    value, x_t (B, ...), t a number or (B,) -> (B, ...). For 0 < t < 1 all are determined by each;
    at t = 0 x cannot give ε, and at α = 0 ε cannot give x. On the linear path u is good at both
    ends, on variance-preserving ones v.
    """
    x, eps = pair_from(value, source, x_t, path, t)
    a, b = (per_row("convert", "t", level, x_t) for level in row_of(target, path, t))
    return a * x + b * eps


def _levels(
    where: str, x: Tensor, other: Tensor, alpha: Level, sigma: Level
) -> tuple[Tensor, Tensor]:
    """Both levels, for multiplication with x; raises where shapes do not match."""
    require_same_shape(where, x=x, other=other)
    return per_row(where, "alpha", alpha, x), per_row(where, "sigma", sigma, x)
