"""The models: an autoencoder, the VAE, and the conditional VAE."""

import itertools
import math
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.likelihoods import bernoulli_log_likelihood
from gencourse.models.vae.equations import (
    importance_log_weights,
    kl_to_standard_normal,
    negative_elbo,
    reparameterize,
)
from gencourse.models.vae.pixels import BernoulliPixels, GaussianPixels
from gencourse.runtime import full_precision, standard_normal
from gencourse.validation import require_count, require_images, require_indices, require_place


class Posterior(NamedTuple):
    """q(z given x) = N(mu, diag exp logvar): mu and logvar (B, D)."""

    mu: Tensor
    logvar: Tensor


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with a SiLU between each two, none at the end.

    Weights start at the variance that keeps signals at one size through the layers (He et al. 2015,
    arXiv 1502.01852), biases at 0; the last layer's weights are a third as large, so that the first
    outputs are close to its bias.
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

    def loss(self, x: Tensor, *, eps: Tensor | None = None) -> dict[str, Tensor]:
        """{"loss", "reconstruction", "kl"}, each (B,) in nats; loss = reconstruction + β kl is
        -ELBO at β = 1.

        eps (B, D) is the noise of z = mu + exp(½ logvar) eps, drawn from the global generator if
        not given.
        """
        return self._terms(x, eps=eps)

    def _terms(self, x: Tensor, *condition: Tensor, eps: Tensor | None = None) -> dict[str, Tensor]:
        """What `loss` returns, for images x and what both networks also see."""
        mu, logvar = self.encode(x, *condition)
        z = reparameterize(mu, logvar, torch.randn_like(mu) if eps is None else eps)
        reconstruction = -self.pixels.log_prob(self.decode(z, *condition), x)
        kl = kl_to_standard_normal(mu, logvar)
        return {
            "loss": negative_elbo(reconstruction, kl, self.beta),
            "reconstruction": reconstruction,
            "kl": kl,
        }

    @torch.no_grad()
    def log_weights(
        self, x: Tensor, *condition: Tensor, K: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """log w at K draws z ~ q(z given x): x (B, C, H, W) -> (K, B), nats.

        See importance_log_weights.
        """

        def log_likelihood(z: Tensor, x: Tensor, *condition: Tensor) -> Tensor:
            return self.pixels.log_prob(self.decode(z, *condition), x)

        return importance_log_weights(
            log_likelihood, *self.encode(x, *condition), x, *condition, K=K, generator=generator
        )

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """Means of p(x given z) at n draws z ~ p(z): (n, C, H, W) in [0, 1], without gradients."""
        require_count("VAE.sample", "n", n)
        return self.decode_mean(standard_normal(n, self.latent_dim, seed=seed))

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
        self, x: Tensor, y: Tensor, *, eps: Tensor | None = None
    ) -> dict[str, Tensor]:
        """As VAE.loss, for images x with labels y (B,)."""
        return self._terms(x, self.one_hot(y), eps=eps)

    def log_weights(  # type: ignore[override]
        self, x: Tensor, y: Tensor, K: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """As VAE.log_weights, for images x with labels y (B,)."""
        return super().log_weights(x, self.one_hot(y), K=K, generator=generator)

    def reconstruct(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """As VAE.reconstruct, for images x with labels y (B,)."""
        return super().reconstruct(x, self.one_hot(y))

    def sample(self, y: Tensor, seed: int = 0) -> Tensor:  # type: ignore[override]
        """One image for each label of y (n,): means of p(x given z, y) at z ~ p(z), (n, C, H, W) in
        [0, 1].
        """
        wanted = self.one_hot(y)
        return self.decode_mean(standard_normal(len(y), self.latent_dim, seed=seed), wanted)


def require_codes(where: str, z: Tensor, latent_dim: int, model: nn.Module) -> None:
    """Raise unless z is (B, latent_dim), where the model is."""
    require_place(where, "z", z, model)
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise InputError(
            f"{where}: z should have shape (B, {latent_dim}), got {tuple(z.shape)}. One row per "
            "code."
        )
