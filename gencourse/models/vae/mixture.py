"""A prior that is learned: a mixture of normals, fitted to codes by expectation maximisation."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from tqdm.auto import tqdm

from gencourse.errors import InputError, describe
from gencourse.likelihoods import LOG_2PI
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_tensor


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """p(z) = Σ_k π_k N(z; m_k, S_k), a mixture of K normals with full covariances.

    weights π (K,), which add up to 1; means m (K, D); covariances S (K, D, D), positive definite.
    `fit` finds all three.
    """

    weights: Tensor
    means: Tensor
    covariances: Tensor

    def __post_init__(self) -> None:
        for name in ("weights", "means", "covariances"):
            require_tensor("GaussianMixture", name, getattr(self, name))
        if self.means.ndim != 2:
            raise InputError(
                f"GaussianMixture: means should have shape (K, D), got {describe(self.means)}. "
                "One row per normal."
            )
        K, D = self.means.shape
        for name, shape in (("weights", (K,)), ("covariances", (K, D, D))):
            if (got := tuple(getattr(self, name).shape)) != shape:
                raise InputError(
                    f"GaussianMixture: {name} should have shape {shape}, as the means are "
                    f"{(K, D)}, got {got}. One for each normal."
                )

    @classmethod
    def fit(
        cls, codes: Tensor, K: int, steps: int = 60, seed: int = 0, ridge: float = 1e-3
    ) -> Self:
        """A mixture of K normals, fitted to codes (N, D) by so many steps of expectation
        maximisation, on their device.

        E: r_nk = π_k N(z_n; m_k, S_k) / p(z_n). M, with N_k = Σ_n r_nk: π_k = N_k / N,
        m_k = Σ_n r_nk z_n / N_k and S_k = Σ_n r_nk (z_n - m_k)(z_n - m_k)ᵀ / N_k + ridge · I. At
        ridge = 0 no step lowers the mean of log p over the codes; the ridge keeps a normal that
        holds only a few codes from shrinking to a point. For K = 1 this is the normal of maximum
        likelihood. A normal that loses all its codes keeps the weight 0. The means start at codes
        drawn with `seed`, the covariances at that of all codes, the weights equal. Computed in
        float64 on the CPU, so that all devices find one mixture. Source: Dempster et al. 1977.
        """
        require_rows("GaussianMixture.fit", "codes", codes)
        require_count("GaussianMixture.fit", "K", K)
        require_count("GaussianMixture.fit", "steps", steps)
        N, D = codes.shape
        if N < K:
            raise InputError(
                f"GaussianMixture.fit: codes should be at least as many as normals, {K}, got {N}. "
                "Lower K."
            )
        if not ridge >= 0:
            raise InputError(
                f"GaussianMixture.fit: ridge should be at least 0, got {ridge}. Pass a small "
                "variance, 1e-3 say."
            )
        z = codes.detach().cpu().double()
        if not z.isfinite().all():
            raise InputError(
                "GaussianMixture.fit: codes should be finite, got NaN or infinity. Look at what "
                "encoded them."
            )
        centre = z.mean(0)
        z = z - centre  # squares of large numbers would lose digits
        pairs = (z[:, :, None] * z[:, None, :]).flatten(1)  # z zᵀ (N, D²)
        floor = ridge * torch.eye(D, dtype=z.dtype, device="cpu")
        weights = torch.full((K,), 1 / K, dtype=z.dtype, device="cpu")
        means = z[torch.randperm(N, generator=seeded(seed), device="cpu")[:K]]
        covariances = (pairs.mean(0).view(D, D) + floor).expand(K, D, D)
        for _ in tqdm(range(steps), unit="step", delay=2, leave=False):
            r = log_joint(z, pairs, weights, means, covariances).softmax(1)  # (N, K)
            counts = r.sum(0)
            weights, safe = counts / N, counts.clamp_min(1e-100)[:, None]  # 0 / safe = 0
            means = r.T @ z / safe
            second = (r.T @ pairs / safe).view(K, D, D)
            covariances = second - means[:, :, None] * means[:, None, :] + floor
        return cls(*(t.to(codes) for t in (weights, means + centre, covariances)))

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): z (N, D) -> (N,), nats; with gradients for z."""
        require_rows("GaussianMixture.log_prob", "z", z, like=self.means)
        factors = cholesky(self.covariances)
        eye = torch.eye(z.shape[1], dtype=factors.dtype, device="cpu")
        whiten = torch.linalg.solve_triangular(factors, eye, upper=False).to(z)  # L⁻¹ (K, D, D)
        with torch.autocast(z.device.type, enabled=False):  # squares would lose its 16 bits' digits
            centre = self.weights @ self.means  # and those of large numbers
            shift = (whiten @ (self.means - centre)[:, :, None]).flatten()  # (K·D,)
            white = torch.addmm(-shift, z - centre, whiten.flatten(0, 1).T)  # L⁻¹ (z - m)
        constant = self.weights.log() - log_root_det(factors).to(z) - 0.5 * z.shape[1] * LOG_2PI
        return (constant - 0.5 * white.view(len(z), *self.means.shape).square().sum(2)).logsumexp(1)

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n draws of z, (n, D), without gradients; the same on every device for one seed."""
        require_count("GaussianMixture.sample", "n", n)
        generator = seeded(seed)
        k = torch.multinomial(self.weights.cpu(), n, replacement=True, generator=generator)
        eps = torch.randn(n, self.means.shape[1], generator=generator, device="cpu")
        means, factors = self.means.cpu(), cholesky(self.covariances).to(self.means.dtype)
        z = means[k] + (factors[k] @ eps.to(means)[:, :, None]).squeeze(2)
        return z.detach().to(self.means.device)


def log_joint(
    z: Tensor, pairs: Tensor, weights: Tensor, means: Tensor, covariances: Tensor
) -> Tensor:
    """log π_k + log N(z_n; m_k, S_k), (N, K), with the products pairs = z zᵀ (N, D²) given.

    With Λ = S⁻¹ the exponent is -½ Σ_ij Λ_ij z_i z_j + mᵀΛ z - ½ mᵀΛ m: three matrix products for
    all codes and normals.
    """
    factors = cholesky(covariances)
    precisions = torch.cholesky_inverse(factors)  # (K, D, D)
    slopes = (precisions @ means[:, :, None]).squeeze(2)  # (K, D)
    constant = (
        weights.log()
        - log_root_det(factors)
        - 0.5 * ((slopes * means).sum(1) + z.shape[1] * LOG_2PI)
    )
    return torch.addmm(constant + z @ slopes.T, pairs, precisions.flatten(1).T, alpha=-0.5)


def cholesky(covariances: Tensor) -> Tensor:
    """Lower triangular factors L with L Lᵀ = S, (K, D, D), in float64 on the CPU."""
    factors, failed = torch.linalg.cholesky_ex(covariances.cpu().double())
    if failed.any():
        raise InputError(
            "GaussianMixture: covariances should be positive definite, got one that is not, that "
            f"of normal {int(failed.bool().nonzero()[0])}. Fit with a larger ridge, or fewer "
            "normals."
        )
    return factors


def log_root_det(factors: Tensor) -> Tensor:
    """½ log det S = Σ_d log L_dd of factors (K, D, D), (K,)."""
    return factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def require_rows(where: str, name: str, z: Tensor, like: Tensor | None = None) -> None:
    """Raise unless z are codes (N, D) of floats, and as wide and where `like` (K, D) is."""
    require_tensor(where, name, z)
    if z.ndim != 2 or len(z) == 0 or not z.is_floating_point():
        raise InputError(
            f"{where}: {name} should be floats of shape (N, D), got {describe(z)}. One row per "
            "code."
        )
    if like is None:
        return
    if z.shape[1] != like.shape[1]:
        raise InputError(
            f"{where}: {name} should have shape (N, {like.shape[1]}), got {tuple(z.shape)}. Use "
            "codes of the model that the mixture was fitted to."
        )
    if z.device != like.device:
        raise InputError(
            f"{where}: {name} should be on the mixture's device, {like.device}, got {z.device}. "
            f"Move it: {name}.to({str(like.device)!r})."
        )
    if z.dtype != like.dtype:
        has, got = (str(t.dtype).removeprefix("torch.") for t in (like, z))
        raise InputError(
            f"{where}: {name} should have the mixture's precision, {has}, got {got}. Convert it: "
            f"{name}.to({like.dtype})."
        )
