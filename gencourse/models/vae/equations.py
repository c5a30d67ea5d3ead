"""The equations of the VAE: pure functions, one value per example, in nats."""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.likelihoods import gaussian_log_density
from gencourse.runtime import drawn_on
from gencourse.validation import require_count, require_same_shape


def reparameterize(mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """z = mu + exp(½ logvar) · eps, a draw from N(mu, exp logvar) that has gradients.

    All (B, D).
    """
    require_same_shape("reparameterize", mu=mu, logvar=logvar, eps=eps)
    return mu + (0.5 * logvar).exp() * eps


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp logvar) ‖ N(0, I)) = ½ Σ_d [mu_d² + exp(logvar_d) - 1 - logvar_d].

    mu, logvar (B, D) -> (B,), nats. Source: Kingma & Welling 2014, appendix B.
    """
    require_same_shape("kl_to_standard_normal", mu=mu, logvar=logvar)
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def standard_normal_log_density(z: Tensor) -> Tensor:
    """log N(z; 0, I): z (B, D) -> (B,), nats."""
    return gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))


def beta_vae_loss(reconstruction: Tensor, kl: Tensor, beta: float = 1.0) -> Tensor:
    """reconstruction + β · kl, with reconstruction = -log p(x given z): to be minimised.

    All (B,), nats. It is -ELBO at β = 1 and at no other β; at β > 1 it is larger, and still an
    upper bound of -log p(x). Source: Higgins et al. 2017.
    """
    require_same_shape("beta_vae_loss", reconstruction=reconstruction, kl=kl)
    return reconstruction + beta * kl


def kl_weight(step: int, warmup: int, beta_max: float = 1.0) -> float:
    """β at a training step: rises linearly from 0 at step 0 to beta_max at step `warmup`, then
    stays.
    """
    return beta_max if warmup <= 0 else beta_max * min(1.0, step / warmup)


def importance_log_weights(
    log_likelihood: Callable[..., Tensor],
    mu: Tensor,
    logvar: Tensor,
    *data: Tensor,
    K: int,
    generator: torch.Generator | None = None,
    log_prior: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """log w = log p(x given z) + log p(z) - log q(z given x) at K draws z ~ q = N(mu, exp logvar)
    for each example.

    `log_likelihood(z, *data)` returns log p(x given z) for rows of codes and data, `log_prior(z)`
    log p(z), which is that of N(0, I) if not given;
    mu, logvar (B, D), data (B, ...) -> (K, B), nats. Source: Burda et al. 2016, section 3.
    """
    require_count("importance_log_weights", "K", K)
    # (K·B, ...)
    mu, logvar, *repeated = (t.expand(K, *t.shape).flatten(0, 1) for t in (mu, logvar, *data))
    where = drawn_on(generator)
    eps = torch.randn(mu.shape, dtype=mu.dtype, generator=generator, device=where).to(mu.device)
    z = reparameterize(mu, logvar, eps)
    log_p_z = (log_prior or standard_normal_log_density)(z)
    return (log_likelihood(z, *repeated) + log_p_z - gaussian_log_density(z, mu, logvar)).view(
        K, -1
    )
