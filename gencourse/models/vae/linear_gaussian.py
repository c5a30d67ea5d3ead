"""A VAE whose likelihood is known in closed form, to test bounds against."""

import torch
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.likelihoods import LOG_2PI, gaussian_log_density
from gencourse.models.vae.codes import Posterior, require_codes, require_posterior
from gencourse.models.vae.equations import (
    beta_vae_loss,
    importance_log_weights,
    kl_to_standard_normal,
    reparameterize,
)
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

    def decode(self, z: Tensor) -> Tensor:
        """The mean Wz + b of x given z: z (B, latent_dim) -> (B, data_dim)."""
        require_codes("LinearGaussianVAE.decode", z, self.W.shape[1], self)
        return z @ self.W.T + self.b

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """log p(x given z): z (B, latent_dim), x (B, data_dim) -> (B,), nats."""
        mean = self.decode(z)
        return gaussian_log_density(x, mean, (2 * self.log_std).expand_as(mean))

    def loss(
        self, x: Tensor, *, eps: Tensor | None = None, q: Posterior | None = None
    ) -> dict[str, Tensor]:
        """{"loss", "reconstruction", "kl"}, each (B,), nats; q takes the encoder's place."""
        mu, logvar = self._posterior(x, q)
        z = reparameterize(mu, logvar, torch.randn_like(mu) if eps is None else eps)
        reconstruction = -self.log_likelihood(z, x)
        kl = kl_to_standard_normal(mu, logvar)
        return {
            "loss": beta_vae_loss(reconstruction, kl),
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def _posterior(self, x: Tensor, q: Posterior | None) -> Posterior:
        """q where it is given, else the encoder's."""
        if q is None:
            return self.encode(x)
        require_place("LinearGaussianVAE", "x", x, self)
        require_posterior("LinearGaussianVAE", q, (len(x), self.W.shape[1]), self)
        return q

    @torch.no_grad()
    def log_weights(
        self,
        x: Tensor,
        K: int,
        q: Posterior | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """x (B, data_dim) -> log w (K, B), nats, at K draws from q, the encoder's if none is given.

        Source: as importance_log_weights, which computes them.
        """
        mu, logvar = self._posterior(x, q)
        return importance_log_weights(self.log_likelihood, mu, logvar, x, K=K, generator=generator)

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

    def elbo(self, x: Tensor, q_mean: Tensor, q_covariance: Tensor) -> Tensor:
        """E_q[log p(x given z)] - KL(q ‖ p(z)) in closed form, for any normal q: x (B, data_dim),
        q_mean (B, D), q_covariance (D, D) or (B, D, D) -> (B,), nats.

        It is log p(x) - KL(q ‖ p(z given x)). With m and C for q's mean and covariance, and d for
        data_dim, -½ [d log 2πs² + (|x - Wm - b|² + tr WCWᵀ) / s²]
        - ½ [|m|² + tr C - D - log det C].
        """
        for name, value in (("x", x), ("q_mean", q_mean), ("q_covariance", q_covariance)):
            require_place("LinearGaussianVAE.elbo", name, value, self)
        D = self.W.shape[1]
        for name, value, shapes in (
            ("q_mean", q_mean, [(len(x), D)]),
            ("q_covariance", q_covariance, [(D, D), (len(x), D, D)]),
        ):
            if tuple(value.shape) not in shapes:
                raise InputError(
                    f"LinearGaussianVAE.elbo: {name} should have shape "
                    f"{' or '.join(map(str, shapes))}, got {tuple(value.shape)}. See "
                    "exact_posterior for a pair that fits."
                )
        squared = (x - self.decode(q_mean)).square().sum(1) + spread(self.W, q_covariance)
        log_likelihood = -0.5 * (
            x.shape[1] * (LOG_2PI + 2 * self.log_std) + squared / (2 * self.log_std).exp()
        )
        trace = q_covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
        kl = 0.5 * (q_mean.square().sum(1) + trace - D - torch.logdet(q_covariance))
        return log_likelihood - kl

    @torch.no_grad()
    def em_step(self, data: Tensor) -> None:
        """One step of expectation maximisation on data (N, data_dim), which sets W, b and log_std;
        no step lowers the mean of log p.

        E: q_n = N(m_n, C) is the exact posterior of x_n. M: W, b and s maximise Σ_n elbo(x_n, q_n):
        [W b] = (Σ_n x_n [m_n 1]) (Σ_n E_q [z 1]ᵀ[z 1])⁻¹, and then, with them,
        s² = Σ_n (|x_n - W m_n - b|² + tr WCWᵀ) / (N data_dim). Where b is the mean of the data it
        stays, and the steps are those of Tipping & Bishop 1999; else it comes close to it slowly.
        The less noise there is in the data, the more steps it takes. The encoder is left alone; see
        set_exact_encoder.
        """
        if data.ndim != 2 or data.shape[1] != len(self.b):
            raise InputError(
                f"LinearGaussianVAE.em_step: data should have shape (N, {len(self.b)}), got "
                f"{tuple(data.shape)}. One row per example."
            )
        mean, covariance = self.exact_posterior(data)
        codes = torch.cat([mean, torch.ones_like(mean[:, :1])], 1)  # [m 1]
        second = codes.T @ codes
        second[:-1, :-1] += len(data) * covariance
        solution = torch.linalg.solve(second, codes.T @ data).T  # second is symmetric
        self.W.copy_(solution[:, :-1])
        self.b.copy_(solution[:, -1])
        squared = (data - self.decode(mean)).square().sum(1) + spread(self.W, covariance)
        self.log_std.copy_(0.5 * (squared.mean() / data.shape[1]).log())

    @torch.no_grad()
    def set_exact_encoder(self) -> None:
        """Make the encoder the exact posterior, so that the bound is log p(x).

        A diagonal covariance can be exact only where the columns of W are orthogonal. So W = USVᵀ
        is first turned to US, which leaves p(x) as it is: the prior looks the same from all sides.
        """
        U, S, _ = torch.linalg.svd(self.W, full_matrices=False)
        self.W.copy_(U * S)
        s2 = (2 * self.log_std).exp()
        variance = s2 / (s2 + S.square())
        self.encoder.weight.copy_(variance[:, None] * self.W.T / s2)
        self.encoder.bias.copy_(-self.encoder.weight @ self.b)
        self.logvar.copy_(variance.log())

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n draws of x, (n, data_dim)."""
        generator = seeded(seed)
        z, noise = (
            torch.randn(n, size, generator=generator, device="cpu").to(self.W)
            for size in (self.W.shape[1], len(self.b))
        )
        return (z @ self.W.T + self.b + self.log_std.exp() * noise).detach()


def spread(W: Tensor, covariance: Tensor) -> Tensor:
    """tr WCWᵀ, by how much E|x - Wz - b|² exceeds its value at the mean of z: covariance C
    (..., D, D) -> (...).
    """
    return ((W @ covariance) * W).sum((-2, -1))
