"""Exact answers: marginals, scores, denoisers and velocities of mixtures of normals, the flow map
of a normal, and the floors below which no loss can fall.
"""

import math

import torch
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.likelihoods import LOG_2PI
from gencourse.models.diffusion.paths import Level, Path, as_time, per_row
from gencourse.models.vae.mixture import GaussianMixture
from gencourse.validation import require_tensor


def isotropic_mixture(
    means: Tensor, stds: Tensor | float, weights: Tensor | None = None
) -> GaussianMixture:
    """Σ_k π_k N(m_k, s_k² I) as a GaussianMixture: means (K, D), stds (K,) or one number, weights
    (K,), equal if not given.

    A known density of `gencourse.data.points` becomes one by
    `isotropic_mixture(p.centres, p.stds, p.weights)`.
    """
    if means.ndim != 2:
        raise InputError(
            f"isotropic_mixture: means should have shape (K, D), got {describe(means)}. In one "
            "dimension D is 1: means[:, None]."
        )
    K, D = means.shape
    variances = torch.as_tensor(stds).to(means).expand(K) ** 2
    if weights is None:
        weights = torch.full((K,), 1 / K)
    eye = torch.eye(D, dtype=means.dtype, device=means.device)
    return GaussianMixture(weights.to(means), means, variances[:, None, None] * eye)


def marginal(mixture: GaussianMixture, alpha: float, sigma: float) -> GaussianMixture:
    """The distribution of x_t = αx + σε for x from the mixture: Σ_k π_k N(α m_k, α² S_k + σ² I)."""
    D = mixture.means.shape[1]
    eye = torch.eye(D, dtype=mixture.means.dtype, device=mixture.means.device)
    return GaussianMixture(
        mixture.weights,
        alpha * mixture.means,
        alpha**2 * mixture.covariances + sigma**2 * eye,
    )


def mixture_responsibilities(
    x_t: Tensor, alpha: Level, sigma: Level, means: Tensor, stds: Tensor, weights: Tensor
) -> Tensor:
    """r_k = π_k N(x_t; α m_k, (α² s_k² + σ²) I) / p_t(x_t), the probability that x_t came from
    component k.

    x_t (B, D), means (K, D), stds and weights (K,), alpha and sigma numbers or (B,) -> (B, K).
    """
    difference, variance = _to_components(x_t, alpha, sigma, means, stds)
    D = x_t.shape[1]
    squared = difference.square().sum(2) / variance
    return (weights.log() - 0.5 * (squared + D * variance.log())).softmax(1)


def mixture_score(
    x_t: Tensor, alpha: Level, sigma: Level, means: Tensor, stds: Tensor, weights: Tensor
) -> Tensor:
    """∇ log p_t(x_t) = Σ_k r_k (α m_k - x_t) / (α² s_k² + σ²) for data Σ_k π_k N(m_k, s_k² I).

    x_t (B, D), means (K, D), stds and weights (K,), alpha and sigma numbers or (B,) -> (B, D).
    """
    r = mixture_responsibilities(x_t, alpha, sigma, means, stds, weights)
    difference, variance = _to_components(x_t, alpha, sigma, means, stds)
    return -(r[:, :, None] * difference / variance[:, :, None]).sum(1)


def mixture_denoiser(
    x_t: Tensor, alpha: Level, sigma: Level, means: Tensor, stds: Tensor, weights: Tensor
) -> Tensor:
    """E[x given x_t] = Σ_k r_k (m_k + α s_k² (x_t - α m_k) / (α² s_k² + σ²)), without a division
    by α or σ: shapes as in `mixture_score`.
    """
    r = mixture_responsibilities(x_t, alpha, sigma, means, stds, weights)
    difference, variance = _to_components(x_t, alpha, sigma, means, stds)
    alpha = per_row("mixture_denoiser", "alpha", alpha, x_t)
    gain = alpha * stds**2 / variance  # (B, K)
    return (r[:, :, None] * (means + gain[:, :, None] * difference)).sum(1)


def _to_components(
    x_t: Tensor, alpha: Level, sigma: Level, means: Tensor, stds: Tensor
) -> tuple[Tensor, Tensor]:
    """x_t - α m_k (B, K, D) and α² s_k² + σ² (B, K) or (1, K)."""
    require_tensor("mixture_score", "x_t", x_t)
    if x_t.ndim != 2 or means.ndim != 2 or x_t.shape[1] != means.shape[1]:
        raise InputError(
            f"mixture_score: x_t and means should have shapes (B, D) and (K, D), got "
            f"{describe(x_t)} and {describe(means)}. In one dimension D is 1: x[:, None]."
        )
    alpha, sigma = (
        per_row("mixture_score", name, value, x_t)
        for name, value in (("alpha", alpha), ("sigma", sigma))
    )
    centres = alpha[..., None] * means if alpha.ndim else alpha * means
    return x_t[:, None] - centres, (alpha**2 * stds**2 + sigma**2).view(-1, len(stds))


class ExactDiffusion:
    """What a perfect network would say: the exact conditional means along a path for data from a
    mixture with any covariances.

    It has the methods of `DiffusionModel` (denoise, noise, score, velocity), takes x_t (B, D) and a
    time t that is a number or (B,), and goes into every sampler in the network's place, so that
    what is wrong with a sample is the sampler's. The densities are in nats.

    Each S_k = U diag(λ) Uᵀ is turned to its own axes once; at time t the variances there are
    α² λ + σ².
    """

    def __init__(self, mixture: GaussianMixture, path: Path) -> None:
        self.mixture, self.path = mixture, path
        values, vectors = torch.linalg.eigh(mixture.covariances.cpu().double())
        if not (values > 0).all():
            raise InputError(
                "ExactDiffusion: the mixture's covariances should be positive definite, got an "
                f"eigenvalue of {values.min():.3g}. For single points see optimal_denoiser."
            )
        self.values, self.vectors = values.to(mixture.means), vectors.to(mixture.means)

    def _parts(self, x_t: Tensor, t: Level) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Responsibilities' logarithms with p_t (B, K), x_t - α m_k in each component's own axes
        and its variances there (B, K, D), α and σ (B, 1, 1) or numbers.
        """
        require_tensor("ExactDiffusion", "x_t", x_t)
        D = self.mixture.means.shape[1]
        if x_t.ndim != 2 or x_t.shape[1] != D:
            raise InputError(
                f"ExactDiffusion: x_t should have shape (B, {D}), got {describe(x_t)}. One row "
                "per point."
            )
        rows = x_t[:, None]
        alpha, sigma = (
            per_row("ExactDiffusion", "t", level, rows) for level in self._levels(x_t, t)
        )
        own = torch.einsum("bkd,kde->bke", rows - alpha * self.mixture.means, self.vectors)
        variance = (alpha**2 * self.values + sigma**2).expand_as(own)
        log_normal = -0.5 * (own.square() / variance + variance.log() + LOG_2PI).sum(2)
        return self.mixture.weights.log() + log_normal, own, variance, alpha, sigma

    def _levels(self, x_t: Tensor, t: Level) -> tuple[Tensor, Tensor]:
        """α and σ with the precision of x_t where they are rows, in float64 where they are one."""
        t = as_time(t)
        return self.path.levels(t.to(x_t) if t.ndim else t)

    def _mean(self, log_joint: Tensor, components: Tensor) -> Tensor:
        """Σ_k r_k of components (B, K, D)."""
        return (log_joint.softmax(1)[:, :, None] * components).sum(1)

    def _back(self, own: Tensor) -> Tensor:
        """Vectors (B, K, D) in the components' own axes, in the axes of the data."""
        return torch.einsum("bke,kde->bkd", own, self.vectors)

    def log_prob(self, x_t: Tensor, t: Level = 0.0) -> Tensor:
        """log p_t(x_t): (B, D) -> (B,), nats."""
        return self._parts(x_t, t)[0].logsumexp(1)

    def score(self, x_t: Tensor, t: Level) -> Tensor:
        """∇ log p_t(x_t) = -Σ_k r_k U diag(α²λ + σ²)⁻¹ Uᵀ (x_t - α m_k): (B, D) -> (B, D)."""
        log_joint, own, variance, _, _ = self._parts(x_t, t)
        return -self._mean(log_joint, self._back(own / variance))

    def denoise(self, x_t: Tensor, t: Level) -> Tensor:
        """x̂ = E[x given x_t] = Σ_k r_k (m_k + α S_k (α² S_k + σ² I)⁻¹ (x_t - α m_k)): (B, D)."""
        log_joint, own, variance, alpha, _ = self._parts(x_t, t)
        shift = self._back(alpha * self.values / variance * own)
        return self._mean(log_joint, self.mixture.means + shift)

    def noise(self, x_t: Tensor, t: Level) -> Tensor:
        """ε̂ = E[ε given x_t] = -σ score: (B, D)."""
        t = as_time(t)
        return -per_row("ExactDiffusion", "t", self._levels(x_t, t)[1], x_t) * self.score(x_t, t)

    def velocity(self, x_t: Tensor, t: Level) -> Tensor:
        """The marginal velocity u = E[dx_t/dt given x_t] = α' x̂ + σ' ε̂: (B, D). Finite at both
        ends of the linear path; on paths whose σ' is infinite at 0 for t > 0 only.
        """
        t = as_time(t)
        a, b = self.path.slopes(t.to(x_t) if t.ndim else t)
        a, b = (per_row("ExactDiffusion", "t", slope, x_t) for slope in (a, b))
        return a * self.denoise(x_t, t) + b * self.noise(x_t, t)

    def posterior_variance(self, x_t: Tensor, t: Level) -> Tensor:
        """tr Cov[x given x_t]: (B, D) -> (B,), summed over dimensions.

        It is the least expected |x - x̂|² at this x_t, so its mean over p_t is the floor of the
        denoising loss at t. Times row_of(kind)'s factor it is that of another target: on the
        linear path the floor of the velocity is this over t².
        """
        log_joint, own, variance, alpha, sigma = self._parts(x_t, t)
        means = self.mixture.means + self._back(alpha * self.values / variance * own)
        within = (self.values * sigma**2 / variance).sum(2)
        second = (log_joint.softmax(1) * (within + means.square().sum(2))).sum(1)
        return second - self._mean(log_joint, means).square().sum(1)

    def sample(self, n: int, t: float = 0.0, seed: int = 0) -> Tensor:
        """n exact draws of x_t, (n, D); data at t = 0."""
        alpha, sigma = (level.item() for level in self.path.levels(t))
        return marginal(self.mixture, alpha, sigma).sample(n, seed=seed)


def gaussian_flow_map(
    x: Tensor,
    mean: Level,
    std: Level,
    start: tuple[Level, Level],
    end: tuple[Level, Level],
) -> Tensor:
    """Where the probability-flow ODE takes x from the levels (α, σ) to (α', σ') when the data are
    N(mean, std²) in each dimension: α'm + (x - αm) √((α'²s² + σ'²) / (α²s² + σ²)).

    x (B, ...), the others numbers or tensors that broadcast with it -> (B, ...). The map is affine
    since all marginals are normal, and does not depend on the path between the two ends.
    """
    (alpha, sigma), (alpha_end, sigma_end) = start, end
    before, after = (
        as_time(a) ** 2 * as_time(std) ** 2 + as_time(s) ** 2
        for a, s in ((alpha, sigma), (alpha_end, sigma_end))
    )
    return alpha_end * mean + (x - alpha * mean) * (after / before).sqrt()


# floors


def denoiser_floor(std: Level, alpha: Level, sigma: Level) -> Tensor:
    """The least E|x - x̂|² for data N(m, s²): s²σ² / (α²s² + σ²), per dimension, at one noise
    level.
    """
    std, alpha, sigma = as_time(std), as_time(alpha), as_time(sigma)
    return std**2 * sigma**2 / (alpha**2 * std**2 + sigma**2)


def noise_floor(std: Level, alpha: Level, sigma: Level) -> Tensor:
    """The least E|ε - ε̂|² for data N(m, s²): α²s² / (α²s² + σ²), per dimension, at one noise
    level.
    """
    std, alpha, sigma = as_time(std), as_time(alpha), as_time(sigma)
    return alpha**2 * std**2 / (alpha**2 * std**2 + sigma**2)


def velocity_floor(std: Level, t: Level) -> Tensor:
    """The least E|u - û|² at time t of the linear path for data N(m, s²) and independent noise:
    s² / ((1 - t)² s² + t²), per dimension.
    """
    std, t = as_time(std), as_time(t)
    return std**2 / ((1 - t) ** 2 * std**2 + t**2)


def flow_matching_floor(std: float) -> float:
    """The least flow matching loss for data N(m, s²): ∫₀¹ velocity_floor dt = πs/2, per dimension.

    For independent pairs, t uniform and no weight; a loss that is summed over D dimensions has D
    times this floor. A weight or another distribution of t gives another number.
    """
    return math.pi * std / 2


def straightness_of_gaussian(std: float) -> float:
    """∫₀¹ E|x_1 - x_0 - u(x_t, t)|² dt along the exact flow between N(0, s²) and N(0, 1) with
    independent pairs: s (2 - π/2), per dimension.

    Straight paths have 0, so this flow is curved, though each pair's own line is straight.
    """
    return std * (2 - math.pi / 2)
