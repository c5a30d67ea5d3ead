"""Chapter 1's VAE on binary digits."""

from typing import Any

from torch import Tensor

from gencourse.experiments.measures import elbo_terms, iwae
from gencourse.experiments.pictures import DigitsRecipe, Pictures, binary
from gencourse.experiments.recipe import Training
from gencourse.models.vae import VAE

K = 500  # importance samples


class VAERecipe(DigitsRecipe[VAE]):
    """A VAE; its best weights are those with the highest ELBO."""

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> VAE:
        """A VAE, whose decoder starts from the mean image."""
        return VAE(**settings, mean_image=None if data is None else data.mean_image)

    def held_out(self, model: VAE, data: Pictures) -> dict[str, float]:
        """-ELBO and its two terms, nats."""
        terms = elbo_terms(model, binary(data.held_out))
        return {
            "nats": -terms["elbo"],
            "reconstruction": terms["reconstruction"],
            "kl": terms["kl"],
        }

    def scores(self, model: VAE, data: Pictures) -> dict[str, float]:
        """The two bounds, nats."""
        x = binary(data.test)
        return {"elbo": elbo_terms(model, x)["elbo"], "iwae_500": iwae(model, x, K)}

    def samples(self, model: VAE, data: Pictures) -> Tensor:
        """64 means of p(x given z) at draws from the prior."""
        return model.sample(64)


RECIPE = VAERecipe(
    training={
        "smoke": Training(steps=6, batch_size=16, lr=4e-3),
        "default": Training(steps=1_200, batch_size=128, lr=4e-3),
        # at 4e-3 a training of 280,000 steps met an infinite loss at its 42,000th
        "full": Training(steps=30_000, batch_size=512, lr=4e-3, tried=60_000),
    },
    sizes={
        "smoke": {"latent_dim": 2, "hidden": 16},
        "default": {"latent_dim": 16, "hidden": 512},
        "full": {"latent_dim": 40, "hidden": 512},
    },
    meanings={
        "elbo": "nats per binary test image, a lower bound of log p(x); higher is better",
        "iwae_500": "the same, tighter: the IWAE bound with 500 samples",
    },
)
