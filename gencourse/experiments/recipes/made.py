"""Chapter 3's MADE on binary digits."""

from typing import Any

from torch import Tensor

from gencourse.experiments.measures import exact_nats
from gencourse.experiments.pictures import DigitsRecipe, Pictures, binary
from gencourse.experiments.recipe import Training
from gencourse.models.autoregressive import MADE


class MADERecipe(DigitsRecipe[MADE]):
    """A MADE; its best weights are those with the highest likelihood."""

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> MADE:
        """A MADE that starts from the mean image."""
        return MADE(**settings, mean_image=None if data is None else data.mean_image)

    def held_out(self, model: MADE, data: Pictures) -> dict[str, float]:
        """-log p(x), nats."""
        return {"nats": exact_nats(model, binary(data.held_out))}

    def scores(self, model: MADE, data: Pictures) -> dict[str, float]:
        """-log p(x), nats."""
        return {"nats": exact_nats(model, binary(data.test))}

    def samples(self, model: MADE, data: Pictures) -> Tensor:
        """32 images."""
        return model.sample(32)


RECIPE = MADERecipe(
    training={
        "smoke": Training(steps=6, batch_size=16, lr=8e-3),
        "default": Training(steps=600, batch_size=128, lr=8e-3),
        "full": Training(steps=10_000, batch_size=256, lr=8e-3),
    },
    sizes={"smoke": {"hidden": 16}, "default": {"hidden": 512}, "full": {"hidden": 1024}},
    samples_every=5,
    meanings={"nats": "-log p(x) per binary test image, exact; lower is better"},
)
