"""Chapter 1's autoencoder with two latent numbers, on binary digits."""

from typing import Any

import torch
from torch import Tensor

from gencourse.experiments.measures import device_of, reconstruction_nats
from gencourse.experiments.pictures import DigitsRecipe, Pictures, binary
from gencourse.experiments.recipe import Training
from gencourse.models.vae import Autoencoder


class AutoencoderRecipe(DigitsRecipe[Autoencoder]):
    """An autoencoder; its best weights are those that reconstruct best."""

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> Autoencoder:
        """An autoencoder."""
        return Autoencoder(**settings)

    def held_out(self, model: Autoencoder, data: Pictures) -> dict[str, float]:
        """-log p(x given its code), nats."""
        return {"nats": reconstruction_nats(model, binary(data.held_out))}

    def scores(self, model: Autoencoder, data: Pictures) -> dict[str, float]:
        """-log p(x given its code), nats."""
        return {"reconstruction": reconstruction_nats(model, binary(data.test))}

    def samples(self, model: Autoencoder, data: Pictures) -> Tensor:
        """Rows of held-out images and of what comes back: it has no p(z) to draw from."""
        x = binary(data.held_out[:32]).to(device_of(model))
        rows = zip(x.split(8), model.decode(model.encode(x)).sigmoid().split(8), strict=True)
        return torch.cat([part for row in rows for part in row])


RECIPE = AutoencoderRecipe(
    training={
        "smoke": Training(steps=6, batch_size=16, lr=4e-3),
        "default": Training(steps=600, batch_size=128, lr=4e-3),
        "full": Training(steps=5_000, batch_size=128, lr=4e-3),
    },
    sizes={
        "smoke": {"latent_dim": 2, "hidden": 16},
        "default": {"latent_dim": 2, "hidden": 512},
        "full": {"latent_dim": 2, "hidden": 512},
    },
    meanings={"reconstruction": "nats per binary test image for x given its code; lower is better"},
)
