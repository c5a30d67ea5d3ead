"""Editing with a model that is trained already: inpainting by replacement, image to image."""

import math

import torch
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.models.diffusion.losses import Field
from gencourse.models.diffusion.noise import noise_like
from gencourse.models.diffusion.paths import Level, Path, perturb
from gencourse.models.diffusion.samplers import ddim, ddim_step, ddpm_step, rows
from gencourse.models.diffusion.times import follow
from gencourse.validation import require_same_shape


def replace_known(
    x_t: Tensor, known: Tensor, mask: Tensor, eps: Tensor, alpha: Level, sigma: Level
) -> Tensor:
    """x_t where the mask is 0, and α known + σ ε where it is 1: what is known, with the noise that
    belongs to the level of x_t.

    x_t, known, eps (B, ...), mask of a shape that broadcasts with them, alpha and sigma as for
    `perturb`.
    """
    require_same_shape("replace_known", x_t=x_t, known=known, eps=eps)
    return torch.where(mask.bool(), perturb(known, eps, alpha, sigma), x_t)


def inpaint_step(
    x_t: Tensor,
    x_hat: Tensor,
    known: Tensor,
    mask: Tensor,
    noises: tuple[Tensor, Tensor],
    start: tuple[Level, Level],
    end: tuple[Level, Level],
) -> Tensor:
    """One step of inpainting by replacement, from the levels (α, σ) to (α', σ'): an ancestral step
    with the first of two noises, then α' known + σ' · (the second) where the mask is 1.

    What is known gets the level where the step ends, not the one where it starts. All (B, ...).
    """
    eps, eps_known = noises
    return replace_known(ddpm_step(x_t, x_hat, eps, start, end), known, mask, eps_known, *end)


def inpaint(
    denoise: Field,
    x: Tensor,
    known: Tensor,
    mask: Tensor,
    path: Path,
    times: Tensor,
    generator: torch.Generator | None = None,
    deterministic: bool = False,
) -> Tensor:
    """Inpainting by replacement: a sampler along the times that puts what is known (mask 1), with
    fresh noise of its level, into x_t after every step; ancestral, or DDIM if deterministic.

    x (B, ...) noise to start from, known (B, ...) data whose entries under mask 0 are not used ->
    (B, ...), equal to known where the mask is 1. A heuristic: the rest is denoised as if the noised
    known part were all that is known of it, so this does not sample p(rest given known), whatever
    the steps. Source: Song et al. 2021, section 5; mended by Lugmayr et al. 2022 (RePaint).
    """
    x = replace_known(x, known, mask, noise_like(x, generator), *path.levels(times[0]))

    def step(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        x_hat, start, end = denoise(x, rows(t, x)), path.levels(t), path.levels(s)
        eps = noise_like(x, generator), noise_like(x, generator)
        if deterministic:
            return replace_known(ddim_step(x, x_hat, start, end), known, mask, eps[1], *end)
        return inpaint_step(x, x_hat, known, mask, eps, start, end)

    return follow(step, x, times)


def replacement_limit(
    rho: float, known: float, deterministic: bool = False, n: int = 4000
) -> tuple[float, float]:
    """Mean and standard deviation of x_2 that `inpaint` tends to with many steps, for two standard
    normals of correlation rho and x_1 = known: on every schedule the same.

    With τ = (σ/α)², C the covariance and P = (C + τ I)⁻¹ the fresh noise in the known part averages
    out, and c · dm/dτ = P₂₂ m + P₂₁ known, with c = 2 for the ODE and 1 for the reverse SDE;
    c · dv/dτ = 2 P₂₂ v, less 1 for the SDE. From τ = ∞, where m = 0 and v = τ, to 0; in n steps of
    Heun in log τ. The truth is rho · known and √(1 - rho²).
    """
    c, noise = (2.0, 0.0) if deterministic else (1.0, 1.0)

    def slopes(log_tau: float, m: float, v: float) -> tuple[float, float]:
        tau = math.exp(log_tau)
        a, b = 1 / (1 + rho + tau), 1 / (1 - rho + tau)  # P has these in its own axes
        own, cross = 0.5 * (a + b), 0.5 * (a - b)
        return tau * (own * m + cross * known) / c, tau * (2 * own * v / c - noise)

    first, last = math.log(1e8), math.log(1e-9)
    h, m, v = (last - first) / n, 0.0, 1e8
    for i in range(n):
        at = first + i * h
        dm, dv = slopes(at, m, v)
        dm2, dv2 = slopes(at + h, m + h * dm, v + h * dv)
        m, v = m + h * (dm + dm2) / 2, v + h * (dv + dv2) / 2
    return m, math.sqrt(v)


def image_to_image(
    denoise: Field,
    x: Tensor,
    path: Path,
    times: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Noise x up to the first of the times, then DDIM's steps down: x (B, ...), times (n + 1,) from
    t_0 < 1 to 0 -> (B, ...). The larger t_0, the more of x is replaced. Source: Meng et al. 2022
    (SDEdit, arXiv 2108.01073).
    """
    x_t = perturb(x, noise_like(x, generator), *path.levels(times[0]))
    return ddim(denoise, x_t, path, times)


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """From noise a to noise b on the sphere: [sin((1 - λ) Ω) a + sin(λ Ω) b] / sin Ω, with Ω the
    angle between them and λ = share: (B, ...).

    Two independent noises stay noise of variance 1 on the way; linear interpolation has variance ½
    in the middle. Source: Shoemake 1985.
    """
    require_same_shape("slerp", a=a, b=b)
    if not 0 <= share <= 1:
        raise InputError(f"slerp: share should lie in [0, 1], got {describe(share)}. 0 gives a.")
    p, q = a.flatten(1), b.flatten(1)
    lengths = torch.linalg.vector_norm(p, dim=1) * torch.linalg.vector_norm(q, dim=1)
    cosine = ((p * q).sum(1) / lengths)[:, None]
    angle = cosine.clamp(-1, 1).acos().clamp_min(1e-6)
    mixed = (((1 - share) * angle).sin() * p + (share * angle).sin() * q) / angle.sin()
    return mixed.view_as(a)
