"""The models: an autoencoder, the VAE, and the conditional VAE."""

import itertools
import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.likelihoods import bernoulli_log_likelihood, gaussian_log_density
from gencourse.models.vae.codes import Posterior, require_codes, require_posterior
from gencourse.models.vae.equations import (
    beta_vae_loss,
    importance_log_weights,
    kl_to_standard_normal,
    reparameterize,
    standard_normal_log_density,
)
from gencourse.models.vae.mixture import GaussianMixture
from gencourse.models.vae.pixels import BernoulliPixels, GaussianPixels
from gencourse.runtime import full_precision, seeded
from gencourse.validation import require_count, require_images, require_indices, require_place


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with a SiLU between each two, none at the end.

    Weights start with variance 2 / n_in (He et al. 2015, arXiv 1502.01852), biases at 0; the last
    layer's weights are a third as large, so that the first outputs are close to its bias. He's
    factor 2 keeps signals at one size behind a ReLU, since E[relu(z)²] = ½ for z ~ N(0, 1); as
    E[silu(z)²] = 0.356, a layer behind a SiLU makes 0.71 of a variance of 1, which networks of two
    hidden layers bear.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        linear = nn.Linear(n_in, n_out)
        layers += [linear, nn.SiLU()]
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
    with torch.no_grad():
        linear.weight.mul_(1 / 3)
    return nn.Sequential(*layers[:-1])


class Autoencoder(nn.Module):
    """Encoder and decoder without a distribution between them: loss = -log p(x given z =
    encode(x)).
    """

    def __init__(
        self,
        latent_dim: int = 2,
        hidden: int = 512,
        image_shape: tuple[int, int, int] = (1, 28, 28),
    ) -> None:
        super().__init__()
        C, H, W = image_shape
        self.latent_dim, self.image_shape = latent_dim, (C, H, W)
        pixels = math.prod(image_shape)
        self.encoder = mlp(pixels, hidden, hidden, latent_dim)
        self.decoder = mlp(latent_dim, hidden, hidden, pixels)

    def encode(self, x: Tensor) -> Tensor:
        """z (B, D) of images x (B, C, H, W)."""
        require_place("Autoencoder.encode", "x", x, self)
        return full_precision(self.encoder(x.flatten(1)))

    def decode(self, z: Tensor) -> Tensor:
        """Logits (B, C, H, W) of codes z (B, D)."""
        require_codes("Autoencoder.decode", z, self.latent_dim, self)
        return full_precision(self.decoder(z)).unflatten(1, self.image_shape)

    def loss(self, x: Tensor) -> dict[str, Tensor]:
        """{"loss"}: -log p(x given z), (B,), nats."""
        require_images("Autoencoder.loss", x, self.image_shape, self)
        return {"loss": -bernoulli_log_likelihood(self.decode(self.encode(x)), x)}


class VAE(nn.Module):
    """p(z) = N(0, I), p(x given z) by `decoder`, q(z given x) = N(mu, diag exp logvar) by
    `encoder`.

    latent_dim D, hidden width, image_shape (C, H, W); `pixels` says what the decoder's output
    means; `beta` weighs the KL in the loss (1 is the ELBO) and may be changed while training.
    `mean_image` (C, H, W), the average of the training images, is where an untrained decoder
    starts: with it the first steps need not learn that margins are dark. `condition` is the width
    of a vector that both networks also see (0 here; see ConditionalVAE).

    Two more attributes may be changed while training. `prior` is None for N(0, I), or a
    GaussianMixture, which then is p(z) everywhere; it is not trained, and no part of the
    `state_dict`. `draws` is the number K of codes that the loss draws for each image: from two on
    the loss is minus the IWAE-K bound.
    """

    def __init__(
        self,
        latent_dim: int = 16,
        hidden: int = 512,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        pixels: BernoulliPixels | GaussianPixels | None = None,
        beta: float = 1.0,
        mean_image: Tensor | None = None,
        condition: int = 0,
    ) -> None:
        super().__init__()
        require_count("VAE", "latent_dim", latent_dim)
        C, H, W = image_shape
        self.latent_dim, self.image_shape = latent_dim, (C, H, W)
        self.pixels, self.beta = pixels or BernoulliPixels(), beta
        self.prior: GaussianMixture | None = None
        self.draws = 1
        size = math.prod(image_shape)
        self.encoder = mlp(size + condition, hidden, hidden, 2 * latent_dim)
        self.decoder = mlp(latent_dim + condition, hidden, hidden, size)
        if mean_image is not None:
            require_images("VAE", mean_image[None], self.image_shape)
            with torch.no_grad():
                cast(nn.Linear, self.decoder[-1]).bias.copy_(
                    self.pixels.output_for(mean_image.clamp(0.01, 0.99)).flatten()
                )

    def encode(self, x: Tensor, *condition: Tensor) -> Posterior:
        """q(z given x) of images x (B, C, H, W): mu and logvar, each (B, D)."""
        require_images("VAE.encode", x, self.image_shape, self)
        for each in condition:
            require_place("VAE.encode", "condition", each, self)
        encoded = full_precision(self.encoder(torch.cat([x.flatten(1), *condition], 1)))
        return Posterior(*encoded.chunk(2, dim=1))

    def decode(self, z: Tensor, *condition: Tensor) -> Tensor:
        """Logits (B, C, H, W) at codes z (B, D); means if `pixels` are GaussianPixels."""
        require_codes("VAE.decode", z, self.latent_dim, self)
        for each in condition:
            require_place("VAE.decode", "condition", each, self)
        decoded = full_precision(self.decoder(torch.cat([z, *condition], 1)))
        return decoded.unflatten(1, self.image_shape)

    @torch.no_grad()
    def decode_mean(self, z: Tensor, *condition: Tensor) -> Tensor:
        """E[x given z] (B, C, H, W) in [0, 1] at codes z (B, D), moved to the model's device;
        without gradients.
        """
        own = next(self.parameters())
        return self.pixels.mean(self.decode(z.to(own), *(c.to(own) for c in condition)))

    def loss(
        self, x: Tensor, *, eps: Tensor | None = None, q: Posterior | None = None
    ) -> dict[str, Tensor]:
        """{"loss", "reconstruction", "kl"}, each (B,) in nats; loss = reconstruction + β kl is
        -ELBO at β = 1.

        With K = `draws` above one, loss = -log (1/K) Σ_k exp(-reconstruction_k - β kl_k), which at
        β = 1 is minus the IWAE-K bound, with kl_k = log q(z_k given x) - log p(z_k); the other two
        terms are means over the draws. eps (K·B, D), B rows for each draw, is the noise of
        z = mu + exp(½ logvar) eps, drawn from the global generator if not given; q takes
        the place of the encoder's posterior.
        """
        return self._terms(x, eps=eps, q=q)

    def _posterior(self, x: Tensor, *condition: Tensor, q: Posterior | None) -> Posterior:
        """q where it is given, else the encoder's, for images x and what both networks also see."""
        if q is None:
            return self.encode(x, *condition)
        require_images("VAE", x, self.image_shape, self)
        require_posterior("VAE", q, (len(x), self.latent_dim), self)
        return q

    def _terms(
        self,
        x: Tensor,
        *condition: Tensor,
        eps: Tensor | None = None,
        q: Posterior | None = None,
    ) -> dict[str, Tensor]:
        """What `loss` returns, for images x and what both networks also see."""
        mu, logvar = self._posterior(x, *condition, q=q)
        B, K = len(mu), self.draws
        if eps is None:  # an example's draws are a row, so that processes can share a batch
            eps = torch.randn(B, K, self.latent_dim, dtype=mu.dtype, device=mu.device)
            eps = eps.transpose(0, 1).flatten(0, 1)
        mu, logvar, x, *seen = (
            t.expand(K, *t.shape).flatten(0, 1) for t in (mu, logvar, x, *condition)
        )
        z = reparameterize(mu, logvar, eps)
        reconstruction = -self.pixels.log_prob(self.decode(z, *seen), x)
        if K == 1 and self.prior is None:
            kl = kl_to_standard_normal(mu, logvar)
        else:
            kl = gaussian_log_density(z, mu, logvar) - self.log_prior(z)
        loss = beta_vae_loss(reconstruction, kl, self.beta)
        if K > 1:
            loss = math.log(K) - (-loss).view(K, B).logsumexp(0)
            reconstruction, kl = (t.view(K, B).mean(0) for t in (reconstruction, kl))
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl}

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) of codes z (B, D) -> (B,), nats."""
        return standard_normal_log_density(z) if self.prior is None else self.prior.log_prob(z)

    @torch.no_grad()
    def log_weights(
        self,
        x: Tensor,
        *condition: Tensor,
        K: int,
        generator: torch.Generator | None = None,
        q: Posterior | None = None,
    ) -> Tensor:
        """log w at K draws z ~ q(z given x), the encoder's if none is given: x (B, C, H, W) ->
        (K, B), nats.

        See importance_log_weights.
        """

        def log_likelihood(z: Tensor, x: Tensor, *condition: Tensor) -> Tensor:
            return self.pixels.log_prob(self.decode(z, *condition), x)

        mu, logvar = self._posterior(x, *condition, q=q)
        data, prior = (x, *condition), self.log_prior
        return importance_log_weights(
            log_likelihood, mu, logvar, *data, K=K, generator=generator, log_prior=prior
        )

    def sample(self, n: int, seed: int = 0, draw: bool = False) -> Tensor:
        """n images (n, C, H, W), without gradients: means of p(x given z) at z ~ p(z), in [0, 1],
        or with draw=True draws from p(x given z) at the same codes.
        """
        require_count("VAE.sample", "n", n)
        return self._sample(n, seed=seed, draw=draw)

    @torch.no_grad()
    def _sample(self, n: int, *condition: Tensor, seed: int, draw: bool) -> Tensor:
        """What `sample` returns, where both networks also see a condition."""
        generator = seeded(seed)
        if self.prior is None:
            z = torch.randn(n, self.latent_dim, generator=generator, device="cpu")
        else:
            z, generator = self.prior.sample(n, seed), seeded(seed + 1)
        if not draw:
            return self.decode_mean(z, *condition)
        own = next(self.parameters())
        output = self.decode(z.to(own), *condition)
        return self.pixels.draw(output, generator)  # which goes on behind the codes

    @torch.no_grad()
    def reconstruct(self, x: Tensor, *condition: Tensor) -> Tensor:
        """The decoder's mean at the mean of q(z given x): (B, C, H, W) in [0, 1]."""
        return self.decode_mean(self.encode(x, *condition).mu, *condition)


class ConditionalVAE(VAE):
    """p(x given z, y): encoder and decoder also see the label y as a one-hot vector, so one can ask
    for a class.

    Its ELBO bounds log p(x given y). Every method takes the labels y (B,) after x. Source: Kingma
    et al. 2014 (arXiv 1406.5298); Sohn et al. 2015, whose prior depends on the condition too.
    """

    def __init__(self, num_classes: int = 10, **kwargs: Any) -> None:
        super().__init__(condition=num_classes, **kwargs)
        self.num_classes = num_classes

    def one_hot(self, y: Tensor) -> Tensor:
        """Labels y (B,) of whole numbers below num_classes as (B, num_classes) floats, where the
        model is.
        """
        require_indices("ConditionalVAE", "y", y, self.num_classes, ndim=1)
        own = next(self.parameters())
        return F.one_hot(y.to(own.device).long(), self.num_classes).to(own.dtype)

    def loss(  # type: ignore[override]
        self, x: Tensor, y: Tensor, *, eps: Tensor | None = None, q: Posterior | None = None
    ) -> dict[str, Tensor]:
        """As VAE.loss, for images x with labels y (B,)."""
        return self._terms(x, self.one_hot(y), eps=eps, q=q)

    def log_weights(  # type: ignore[override]
        self,
        x: Tensor,
        y: Tensor,
        K: int,
        generator: torch.Generator | None = None,
        q: Posterior | None = None,
    ) -> Tensor:
        """As VAE.log_weights, for images x with labels y (B,)."""
        return super().log_weights(x, self.one_hot(y), K=K, generator=generator, q=q)

    def reconstruct(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """As VAE.reconstruct, for images x with labels y (B,)."""
        return super().reconstruct(x, self.one_hot(y))

    def sample(  # type: ignore[override]
        self, y: Tensor, seed: int = 0, draw: bool = False
    ) -> Tensor:
        """One image for each label of y (n,), (n, C, H, W): means of p(x given z, y) at z ~ p(z),
        in [0, 1], or with draw=True draws from it.
        """
        return self._sample(len(y), self.one_hot(y), seed=seed, draw=draw)
