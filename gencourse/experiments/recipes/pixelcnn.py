"""Chapter 3's gated PixelCNN on binary digits."""

from typing import Any

from torch import Tensor

from gencourse.experiments.measures import exact_nats
from gencourse.experiments.pictures import DigitsRecipe, Pictures, binary
from gencourse.experiments.recipe import Training
from gencourse.models.autoregressive import PixelCNN

QUICK = 200  # held-out images that are measured along the way


class PixelCNNRecipe(DigitsRecipe[PixelCNN]):
    """A PixelCNN; its best weights are those with the highest likelihood."""

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> PixelCNN:
        """A PixelCNN that starts from the mean image."""
        return PixelCNN(**settings, mean_image=None if data is None else data.mean_image)

    def held_out(self, model: PixelCNN, data: Pictures) -> dict[str, float]:
        """-log p(x) of a few of the images, nats."""
        return {"nats": exact_nats(model, binary(data.held_out[:QUICK]))}

    def scores(self, model: PixelCNN, data: Pictures) -> dict[str, float]:
        """-log p(x), nats."""
        return {"nats": exact_nats(model, binary(data.test))}

    def samples(self, model: PixelCNN, data: Pictures) -> Tensor:
        """32 images."""
        return model.sample(32)


RECIPE = PixelCNNRecipe(
    training={
        "smoke": Training(steps=6, batch_size=4, lr=8e-3),
        "default": Training(steps=400, batch_size=8, lr=8e-3),
        "full": Training(steps=20_000, batch_size=8, lr=6e-3),
    },
    sizes={
        "smoke": {"channels": 4, "kernel": 3, "layers": 1},
        "default": {"channels": 16, "kernel": 7, "layers": 3},
        "full": {"channels": 24, "kernel": 5, "layers": 4},
    },
    samples_every=2,
    meanings={"nats": "-log p(x) per binary test image, exact; lower is better"},
)
