"""A VAE whose likelihood is known in closed form, to test bounds against."""

import torch
from torch import Tensor, nn

from gencourse.likelihoods import gaussian_log_density
from gencourse.models.vae.equations import kl_to_standard_normal, negative_elbo, reparameterize
from gencourse.models.vae.networks import Posterior
from gencourse.runtime import seeded
from gencourse.validation import require_place


class LinearGaussianVAE(nn.Module):
    """The VAE whose truth is known: p(z) = N(0, I), p(x given z) = N(Wz + b, s² I), linear encoder.

    Here log p(x) = log N(x; b, WWᵀ + s² I), and the exact posterior is Gaussian with covariance (I
    + WᵀW/s²)⁻¹, diagonal when the columns of W are orthogonal. Source: Tipping & Bishop 1999
    (probabilistic PCA); as a test of VAEs: Lucas et al. 2019 (arXiv 1911.02469).
    """

    def __init__(self, data_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.W = nn.Parameter(0.1 * torch.randn(data_dim, latent_dim))
        self.b = nn.Parameter(torch.zeros(data_dim))
        self.log_std = nn.Parameter(torch.zeros(()))
        self.encoder = nn.Linear(data_dim, latent_dim)
        self.logvar = nn.Parameter(torch.zeros(latent_dim))

    def encode(self, x: Tensor) -> Posterior:
        """q(z given x): x (B, data_dim) -> mu, logvar (B, latent_dim)."""
        require_place("LinearGaussianVAE.encode", "x", x, self)
        mu = self.encoder(x)
        return Posterior(mu, self.logvar.expand_as(mu))

    def loss(self, x: Tensor, *, eps: Tensor | None = None) -> dict[str, Tensor]:
        """{"loss", "reconstruction", "kl"}, each (B,), nats."""
        mu, logvar = self.encode(x)
        z = reparameterize(mu, logvar, torch.randn_like(mu) if eps is None else eps)
        mean = z @ self.W.T + self.b
        reconstruction = -gaussian_log_density(x, mean, (2 * self.log_std).expand_as(mean))
        kl = kl_to_standard_normal(mu, logvar)
        return {
            "loss": negative_elbo(reconstruction, kl),
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log p(x): x (B, data_dim) -> (B,), nats."""
        require_place("LinearGaussianVAE.log_prob", "x", x, self)
        covariance = self.W @ self.W.T + (2 * self.log_std).exp() * torch.eye(
            len(self.b), dtype=self.b.dtype, device=self.b.device
        )
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)

    def exact_posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, D) and covariance (D, D) of p(z given x)."""
        require_place("LinearGaussianVAE.exact_posterior", "x", x, self)
        s2 = (2 * self.log_std).exp()
        covariance = torch.linalg.inv(
            torch.eye(self.W.shape[1], dtype=self.W.dtype, device=self.W.device)
            + self.W.T @ self.W / s2
        )
        return (x - self.b) @ self.W @ covariance / s2, covariance

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n draws of x, (n, data_dim)."""
        generator = seeded(seed)
        z, noise = (
            torch.randn(n, size, generator=generator, device="cpu").to(self.W)
            for size in (self.W.shape[1], len(self.b))
        )
        return (z @ self.W.T + self.b + self.log_std.exp() * noise).detach()
