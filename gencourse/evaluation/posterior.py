"""What an encoder's posterior is worth: the best q for each image, the bound under any q, and what
all posteriors together say of the data.
"""

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.distributions import Normal
from tqdm.auto import tqdm

from gencourse.errors import InputError
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_same_shape, values_trusted

if TYPE_CHECKING:
    from gencourse.models.vae import Posterior


class LatentModel(Protocol):
    """A model whose posterior may be given: a VAE, or one's own class with these methods."""

    def encode(self, x: Tensor) -> "Posterior":
        """The encoder's q(z given x)."""

    def loss(
        self, x: Tensor, *, eps: Tensor | None = None, q: "Posterior | None" = None
    ) -> dict[str, Tensor]:
        """{"reconstruction", "kl"}, each (B,), nats, at one draw from q."""

    def log_weights(
        self,
        x: Tensor,
        *,
        K: int,
        generator: torch.Generator | None = None,
        q: "Posterior | None" = None,
    ) -> Tensor:
        """log p(x, z) - log q(z) at K draws from q, (K, B), nats."""


@torch.enable_grad()
def refit_posterior(
    model: LatentModel, x: Tensor, steps: int = 400, lr: float = 0.05, seed: int = 0
) -> "Posterior":
    """The best q(z) = N(mu, diag exp logvar) for each example of x (N, ...) alone: mu and logvar
    (N, D), without gradients.

    Maximises each example's ELBO over its own mu and logvar by Adam, from where the encoder puts
    them, with one reparameterised draw a step; in the second half of the steps lr falls to 0. What
    the ELBO gains is the encoder's amortisation gap; what the bound then still lacks is due to the
    shape of q. The model does not change. Source: Cremer et al. 2018 (arXiv 1801.03558).
    """
    require_count("refit_posterior", "steps", steps)
    with torch.no_grad():
        q = model.encode(x)
    mu, logvar = (t.detach().clone().requires_grad_() for t in q)
    # a shorter memory for squares than usual: gradients shrink as a far start comes near
    optimizer = torch.optim.Adam([mu, logvar], lr=lr, betas=(0.9, 0.95))
    generator = seeded(seed)
    for step in tqdm(range(steps), unit="step", delay=2, leave=False):
        optimizer.param_groups[0]["lr"] = lr * min(1, 2 - 2 * step / steps)
        eps = torch.randn(mu.shape, generator=generator, device="cpu").to(mu)
        with values_trusted():  # encode has looked at them
            terms = model.loss(x, eps=eps, q=q._replace(mu=mu, logvar=logvar))
        optimizer.zero_grad()
        (terms["reconstruction"] + terms["kl"]).sum().backward(inputs=[mu, logvar])
        optimizer.step()
    return q._replace(mu=mu.detach(), logvar=logvar.detach())


@torch.no_grad()
def elbo_under(
    model: LatentModel,
    x: Tensor,
    q: "Posterior",
    K: int = 100,
    seed: int = 0,
    rows_at_once: int = 10_000,
) -> Tensor:
    """The ELBO of each example of x (N, ...) under the q that is given, mu and logvar (N, D):
    (1/K) Σ_k log w_k with K draws from it, (N,), nats, on the CPU.

    `rows_at_once` limits the memory, as in dataset_iwae_bound.
    """
    require_count("elbo_under", "K", K)
    require_same_shape("elbo_under", mu=q.mu, logvar=q.logvar)
    if len(q.mu) != len(x):
        raise InputError(
            f"elbo_under: q should have one row per example of x, {len(x)}, got {len(q.mu)}. "
            "Refit it to these examples."
        )
    generator, B = seeded(seed), max(1, rows_at_once // K)
    batches = list(zip(x.split(B), q.mu.split(B), q.logvar.split(B), strict=True))
    return torch.cat(
        [
            model.log_weights(part, K=K, generator=generator, q=q._replace(mu=mu, logvar=logvar))
            .mean(0)
            .cpu()
            for part, mu, logvar in tqdm(batches, unit="batch", delay=2, leave=False)
        ]
    )


@torch.no_grad()
def index_information(
    mu: Tensor, logvar: Tensor, draws: int = 1, seed: int = 0
) -> tuple[float, float]:
    """I(n; z) and KL(q̄ ‖ p), nats, whose sum is the mean of KL(q_n ‖ p) over N posteriors q_n =
    N(mu_n, diag exp logvar_n), with q̄ = (1/N) Σ_n q_n and p = N(0, I).

    I, what a code tells of the number n of its example, is at most log N, whatever the encoder: so
    KL(q̄ ‖ p) also grows where the data are few. mu, logvar (N, D); z_n ~ q_n, `draws` times each:
    I ≈ mean of log q_n(z_n) - log q̄(z_n), KL(q̄ ‖ p) ≈ mean of log q̄(z_n) - log p(z_n). Their
    standard errors are those of a mean of N · draws values. Computed in float64 on the CPU, with
    N² densities for each of the draws. Source: Hoffman & Johnson 2016 (ELBO surgery).
    """
    require_same_shape("index_information", mu=mu, logvar=logvar)
    require_count("index_information", "draws", draws)
    q = Normal(mu.cpu().double(), (0.5 * logvar.cpu().double()).exp())
    p = Normal(torch.zeros_like(q.mean), torch.ones_like(q.mean))
    generator, information, divergence = seeded(seed), [], []
    for _ in range(draws):
        eps = torch.randn(mu.shape, generator=generator, dtype=torch.float64, device="cpu")
        z = q.mean + q.stddev * eps
        log_mean = log_aggregate(z, q)
        information.append(q.log_prob(z).sum(1) - log_mean)
        divergence.append(log_mean - p.log_prob(z).sum(1))
    return torch.cat(information).mean().item(), torch.cat(divergence).mean().item()


def log_aggregate(z: Tensor, q: Normal, rows: int = 500) -> Tensor:
    """log q̄(z) = log (1/N) Σ_n Π_d q_nd(z_d): z (M, D), q (N, D) -> (M,).

    With m and v for means and variances, -½ Σ_d (z_d - m_d)² / v_d is a product of [z², z] with
    [-½/v, m/v], and a constant: for so many rows of z at once.
    """
    weights = torch.cat([-0.5 / q.variance, q.mean / q.variance], 1).T  # (2D, N)
    constant = q.log_prob(torch.zeros_like(q.mean)).sum(1) - math.log(len(q.mean))
    return torch.cat(
        [
            torch.addmm(constant, torch.cat([part.square(), part], 1), weights).logsumexp(1)
            for part in z.split(rows)
        ]
    )
