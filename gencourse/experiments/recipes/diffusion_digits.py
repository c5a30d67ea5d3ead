"""Chapter 4's diffusion of pixels, on digits."""

from typing import Any

from gencourse.experiments.denoisers import MEANINGS, DenoiserRecipe
from gencourse.experiments.measures import CLASSES
from gencourse.experiments.pictures import Pictures
from gencourse.experiments.recipe import Training
from gencourse.models.diffusion import ImageDiffusion, UNet


class PixelRecipe(DenoiserRecipe[ImageDiffusion]):
    """A U-Net that says x̂."""

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> ImageDiffusion:
        """A U-Net of these sizes, and its average."""
        return ImageDiffusion(UNet(**settings, num_classes=CLASSES))


RECIPE = PixelRecipe(
    training={
        "smoke": Training(steps=6, batch_size=8, lr=2e-3),
        "default": Training(steps=520, batch_size=64, lr=2e-3),
        "full": Training(steps=10_000, batch_size=128, lr=1.5e-3),
    },
    sizes={
        "smoke": {"width": 4, "deep": 8, "dense": 16, "narrow": 2},
        "default": {"width": 16, "deep": 64, "dense": 384},
        "full": {"width": 24, "deep": 64, "dense": 384},
    },
    meanings=MEANINGS,
    columns=CLASSES,
    samples_every=4,
)
