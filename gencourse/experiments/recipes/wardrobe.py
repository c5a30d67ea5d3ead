"""Chapter 2's class-conditional GAN on clothes."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from gencourse.data import minibatches
from gencourse.experiments import measures
from gencourse.experiments.pictures import Pictures, pictures
from gencourse.experiments.recipe import Recipe, Training
from gencourse.experiments.recipes import gan
from gencourse.models.gan import ConditionalGAN, Discriminator, Generator

DATA_SET = "fashion-mnist"


class WardrobeRecipe(Recipe[ConditionalGAN, Pictures]):
    """A GAN that is asked for a class; its best weights are those whose samples are nearest to
    held-out images.
    """

    def data(self, source: str) -> Pictures:
        """Fashion-MNIST in three parts."""
        return pictures(DATA_SET, source)

    def model(self, settings: dict[str, Any], data: Pictures | None = None) -> ConditionalGAN:
        """A generator and a discriminator of one width, which both see the class."""
        width = settings["width"]
        generator = Generator(settings["latent_dim"], width, num_classes=measures.CLASSES)
        discriminator = Discriminator(width, num_classes=measures.CLASSES)
        return ConditionalGAN(generator, discriminator, d_lr_ratio=2.0)

    def batches(
        self, model: ConditionalGAN, data: Pictures, batch_size: int, seed: int
    ) -> Iterator:
        """Images (batch_size, 1, 28, 28) in [0, 1], and their labels (batch_size,)."""
        return minibatches(data.train, data.train_labels, batch_size=batch_size, seed=seed)

    def held_out(self, model: ConditionalGAN, data: Pictures) -> dict[str, float]:
        """The Fréchet distance of samples to held-out images, and how often the class is right."""
        labels = measures.in_turn(measures.QUICK_SAMPLES)
        samples = model.sample(labels)
        distance = measures.frechet(DATA_SET, samples, data.held_out)
        return {"frechet": distance, "obeyed": measures.obeyed(DATA_SET, samples, labels)}

    def scores(self, model: ConditionalGAN, data: Pictures) -> dict[str, float]:
        """The Fréchet distance, precision and recall, and how often the class is right."""
        labels = measures.in_turn(measures.SAMPLES)
        samples = model.sample(labels, seed=1)
        judged = measures.sample_scores(DATA_SET, samples, data.test)
        return {**judged, "obeyed": measures.obeyed(DATA_SET, samples, labels)}

    def samples(self, model: ConditionalGAN, data: Pictures) -> Tensor:
        """80 images, a class in each column."""
        return model.sample(measures.in_turn(80))


RECIPE = WardrobeRecipe(
    training={**gan.RECIPE.training, "default": Training(steps=1400, batch_size=32, lr=6e-3)},
    sizes=gan.RECIPE.sizes,
    meanings={
        **gan.RECIPE.meanings,
        "obeyed": "how often a classifier sees the class that was asked for; higher is better",
    },
    columns=measures.CLASSES,
)
