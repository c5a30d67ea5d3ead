"""Chapter 4's latent flow: on codes of chapter 1's VAE, with the decoder that ships."""

from collections.abc import Iterator
from typing import Any, cast

from torch import nn

from gencourse.data import binarised
from gencourse.experiments.denoisers import MEANINGS, DenoiserRecipe
from gencourse.experiments.measures import CLASSES
from gencourse.experiments.pictures import Pictures
from gencourse.experiments.recipe import Training
from gencourse.models.diffusion import CodeNetwork, LatentDiffusion
from gencourse.models.vae import VAE, trained_decoder


class CodesRecipe(DenoiserRecipe[LatentDiffusion]):
    """An encoder for the decoder of digits that ships, and a flow on its codes."""

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> LatentDiffusion:
        """The shipped decoder with an untrained encoder, and an untrained flow."""
        decoder = trained_decoder().layers
        vae = VAE(cast(nn.Linear, decoder[0]).in_features)
        vae.decoder.load_state_dict(decoder.state_dict())
        network = CodeNetwork(vae.latent_dim, num_classes=CLASSES, **settings)
        return LatentDiffusion(vae, network)

    def batches(
        self, model: LatentDiffusion, data: Pictures, batch_size: int, seed: int
    ) -> Iterator:
        """Images (batch_size, 1, 28, 28) of 0 and 1, and their labels (batch_size,)."""
        return binarised(super().batches(model, data, batch_size, seed), seed=seed + 1)


RECIPE = CodesRecipe(
    training={
        "smoke": Training(steps=6, batch_size=8, lr=2e-3),
        "default": Training(steps=1500, batch_size=256, lr=2e-3),
        "full": Training(steps=5_000, batch_size=512, lr=2e-3),
    },
    sizes={
        "smoke": {"width": 16, "blocks": 1},
        "default": {"width": 256, "blocks": 3},
        "full": {"width": 384, "blocks": 4},
    },
    meanings=MEANINGS,
    columns=CLASSES,
    samples_every=4,
)
