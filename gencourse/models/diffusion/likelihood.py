"""Likelihood of a flow in continuous time, and the ELBO of the same denoiser: in nats."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.likelihoods import LOG_2PI
from gencourse.models.diffusion.losses import Field, field_and_divergence, slopes
from gencourse.models.diffusion.noise import noise_like
from gencourse.models.diffusion.paths import Path, perturb
from gencourse.models.diffusion.samplers import rows
from gencourse.validation import require_same_shape


def standard_normal_log_prob(x: Tensor, std: float = 1.0) -> Tensor:
    """log N(x; 0, std² I): x (B, ...) -> (B,), nats."""
    z = x.flatten(1) / std
    return -0.5 * (z.square() + LOG_2PI).sum(1) - z.shape[1] * math.log(std)


def divergence(velocity: Field, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """u(x, t) and its exact divergence Σ_d ∂u_d/∂x_d, by D backward passes: x (B, D), t (B,) ->
    (B, D), (B,).
    """
    return field_and_divergence(lambda y: velocity(y, t), x)


def hutchinson(velocity: Field, x: Tensor, t: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """u(x, t) and vᵀ J v, an unbiased estimate of its divergence by one backward pass, if the probe
    v has E[v vᵀ] = I: x, probe (B, ...), t (B,) -> (B, ...), (B,).

    Source: Hutchinson 1989; for flows Grathwohl et al. 2019 (FFJORD, arXiv 1810.01367).
    """
    require_same_shape("hutchinson", x=x, probe=probe)
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        u = velocity(x, t)
        along = slopes(u * probe, x)  # vᵀ J
    return u, (along * probe).flatten(1).sum(1)


def sign_probe(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Numbers that are ±1 with probability ½ each (Rademacher), like x: the probe with the smaller
    variance.
    """
    z = noise_like(x, generator)
    return torch.where(z >= 0, torch.ones_like(z), -torch.ones_like(z))


def hutchinson_variance(A: Tensor, probe: str = "sign") -> float:
    """The variance of vᵀ A v for a probe v of independent signs, 2 (‖S‖² - Σ_i S_ii²), or of
    standard normals ("normal"), 2 ‖S‖², with S = ½ (A + Aᵀ) and ‖·‖ the Frobenius norm.

    A (D, D) -> a number. Only the symmetric part counts, and signs know the diagonal exactly.
    """
    S = 0.5 * (A + A.T)
    diagonal = S.diagonal().square().sum() if probe == "sign" else 0.0
    return (2 * (S.square().sum() - diagonal)).item()


def ode_likelihood_step(velocity: Field, x: Tensor, t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """An Euler step from the scalar time t to s, and what it adds to log p(x): x + (s - t) u and
    (s - t) div u, both at (x, t). x (B, D) -> (B, D), (B,), nats, without gradients.

    From data to noise the sum of these and log p_1(x_1) is log p(x): where u spreads points, the
    data are denser than the noise that they become.
    """
    u, trace = divergence(velocity, x, rows(t, x))
    return x + (s - t) * u.detach(), (s - t) * trace.detach()


def ode_log_prob(
    velocity: Field,
    x: Tensor,
    times: Tensor,
    probe: Tensor | None = None,
    prior: Callable[[Tensor], Tensor] = standard_normal_log_prob,
) -> tuple[Tensor, Tensor]:
    """log p(x) = log p_1(x_1) + ∫ div u(x_t, t) dt along dx/dt = u from data to noise, and x_1.

    x (B, D), times (n + 1,) that rise from data to noise, in Heun's steps for x and the integral ->
    (B,), nats, and (B, D), both without gradients. The divergence is exact, or Hutchinson's with
    one probe for the whole way, which leaves log p unbiased. `prior` is log p_1, N(0, I) if not
    given. log p falls along the way where u spreads points: d log p_t(x_t)/dt = -div u. Source:
    Chen et al. 2018 (neural ODE, arXiv 1806.07366).
    """

    def slope(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        u, trace = (
            divergence(velocity, x, rows(t, x))
            if probe is None
            else hutchinson(velocity, x, rows(t, x), probe)
        )
        return u.detach(), trace.detach()

    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for t, s in itertools.pairwise(times.cpu().unbind()):
        u, trace = slope(x, t)
        later, later_trace = slope(x + (s - t) * u, s)
        x = x + (s - t) * 0.5 * (u + later)
        total = total + (s - t) * 0.5 * (trace + later_trace)
    return prior(x) + total, x


def continuity_residual(
    log_prob: Callable[[Tensor, Tensor], Tensor], velocity: Field, x: Tensor, t: Tensor
) -> Tensor:
    """∂p/∂t + div(p u) over p, which is ∂log p/∂t + u · ∇ log p + div u, at points x (B, D) and
    times t (B,) -> (B,): zero where u moves mass so that densities are p_t (continuity equation).

    log_prob and velocity take (B, D) and (B,).
    """
    u, trace = divergence(velocity, x.detach(), t)
    with torch.enable_grad():
        x, t = x.detach().requires_grad_(), t.detach().requires_grad_()
        by_x, by_t = torch.autograd.grad(log_prob(x, t).sum(), (x, t))
    return (by_t + (u * by_x).sum(1) + trace).detach()


def diffusion_elbo(
    denoise: Field, x: Tensor, path: Path, times: Tensor, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    """A bound of log p(x) as that of a deep VAE whose encoder is fixed, the noise: {"elbo",
    "prior", "steps", "reconstruction"}, each (B,), nats, elbo = -(prior + steps + reconstruction).

    times (n + 1,) fall from 1 to a t_0 > 0. prior = KL(N(αx, σ² I) ‖ N(0, σ² I)) at the first time;
    steps = Σ ½ (SNR(s) - SNR(t)) |x - x̂(x_t, t)|² over neighbouring t > s, each with a fresh draw
    of x_t, unbiased; reconstruction = -log N(x; x_{t_0}/α, (σ/α)² I) at the last time. With more
    steps and the best x̂ it rises to log p(x) of the exact model. On a path with σ(1) ≠ 1 the prior
    is N(0, σ(1)² I). x (B, ...). Source: Kingma et al. 2021 (arXiv 2107.00630).
    """
    with torch.no_grad():
        (alpha, sigma), (alpha_0, sigma_0) = path.levels(times[0]), path.levels(times[-1])
        prior = 0.5 * (alpha / sigma) ** 2 * x.square().flatten(1).sum(1)
        steps = torch.zeros_like(prior)
        for t, s in itertools.pairwise(times.cpu().unbind()):
            x_hat = denoise(path.perturb(x, noise_like(x, generator), t), rows(t, x))
            error = (x - x_hat).square().flatten(1).sum(1)
            steps = steps + 0.5 * (path.snr(s) - path.snr(t)) * error
        x_0 = perturb(x, noise_like(x, generator), alpha_0, sigma_0)
        width = (sigma_0 / alpha_0).item()
        reconstruction = -standard_normal_log_prob(x - x_0 / alpha_0, width)
    return {
        "elbo": -(prior + steps + reconstruction),
        "prior": prior,
        "steps": steps,
        "reconstruction": reconstruction,
    }
