"""Chapter 2's convolutional GAN on digits."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from gencourse.data import minibatches
from gencourse.experiments.measures import QUICK_SAMPLES, SAMPLES, frechet, sample_scores
from gencourse.experiments.pictures import Pictures, pictures
from gencourse.experiments.recipe import Recipe, Training
from gencourse.models.gan import GAN, Discriminator, Generator

DATA_SET = "mnist"


class GANRecipe(Recipe[GAN, Pictures]):
    """A GAN; its best weights are those whose samples are nearest to held-out images."""

    def data(self, source: str) -> Pictures:
        """MNIST in three parts."""
        return pictures(DATA_SET, source)

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> GAN:
        """A generator and a discriminator of one width."""
        generator = Generator(settings["latent_dim"], settings["width"])
        return GAN(generator, Discriminator(settings["width"]), d_lr_ratio=2.0)

    def batches(self, model: GAN, data: Pictures, batch_size: int, seed: int) -> Iterator:
        """Images (batch_size, 1, 28, 28) in [0, 1]."""
        return minibatches(data.train, batch_size=batch_size, seed=seed)

    def held_out(self, model: GAN, data: Pictures) -> dict[str, float]:
        """The Fréchet distance of samples to held-out images."""
        return {"frechet": frechet(DATA_SET, model.sample(QUICK_SAMPLES), data.held_out)}

    def scores(self, model: GAN, data: Pictures) -> dict[str, float]:
        """The Fréchet distance, precision and recall."""
        return sample_scores(DATA_SET, model.sample(SAMPLES, seed=1), data.test)

    def samples(self, model: GAN, data: Pictures) -> Tensor:
        """64 images, of the same codes each time."""
        return model.sample(64)


RECIPE = GANRecipe(
    training={
        "smoke": Training(steps=6, batch_size=8, lr=4e-3),
        "default": Training(steps=1600, batch_size=32, lr=8e-3),
        "full": Training(steps=20_000, batch_size=64, lr=4e-3),
    },
    sizes={
        "smoke": {"latent_dim": 8, "width": 2},
        "default": {"latent_dim": 64, "width": 24},
        "full": {"latent_dim": 64, "width": 32},
    },
    meanings={
        "frechet": "Fréchet distance of 2,000 samples to the test images; lower is better",
        "precision": "the share of samples that lie among test images; higher is better",
        "recall": "the share of test images that lie among samples; higher is better",
    },
)
