"""What the recipes of chapter 4's denoisers have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from gencourse.data import minibatches
from gencourse.experiments.measures import (
    QUICK_SAMPLES,
    SAMPLES,
    frechet,
    in_turn,
    obeyed,
    sample_scores,
)
from gencourse.experiments.pictures import Pictures, pictures
from gencourse.experiments.recipe import Model, Recipe

MEANINGS = {
    "frechet": "Fréchet distance of 2,000 samples to the test images; lower is better",
    "precision": "the share of samples that lie among test images; higher is better",
    "recall": "the share of test images that lie among samples; higher is better",
    "obeyed": "how often a classifier sees the class that was asked for; higher is better",
}


@dataclass(frozen=True)
class DenoiserRecipe(Recipe[Model, Pictures]):
    """A diffusion model that can be asked for a class; its best weights are those whose samples,
    in few steps, are nearest to held-out images.

    `data_set` is what it is trained on, `steps` and `w` are those of the scores.
    """

    data_set: str = "mnist"
    steps: int = 25
    w: float = 1.0

    def data(self, source: str) -> Pictures:
        """The data set in three parts."""
        return pictures(self.data_set, source)

    def batches(self, model: Model, data: Pictures, batch_size: int, seed: int) -> Iterator:
        """Images (batch_size, 1, 28, 28) in [0, 1], and their labels (batch_size,)."""
        return minibatches(data.train, data.train_labels, batch_size=batch_size, seed=seed)

    def drawn(self, model: Any, n: int, steps: int, seed: int = 0) -> Tensor:
        """n images of the model, every class in turn."""
        return model.sample(n, steps=steps, seed=seed, y=in_turn(n), w=self.w)

    def held_out(self, model: Model, data: Pictures) -> dict[str, float]:
        """The Fréchet distance of samples to held-out images, and how often the class is right."""
        samples = self.drawn(model, QUICK_SAMPLES, steps=10)
        distance = frechet(self.data_set, samples, data.held_out)
        return {
            "frechet": distance,
            "obeyed": obeyed(self.data_set, samples, in_turn(QUICK_SAMPLES)),
        }

    def scores(self, model: Model, data: Pictures) -> dict[str, float]:
        """The Fréchet distance, precision and recall, and how often the class is right."""
        samples = self.drawn(model, SAMPLES, self.steps, seed=1)
        judged = sample_scores(self.data_set, samples, data.test)
        return {**judged, "obeyed": obeyed(self.data_set, samples, in_turn(SAMPLES))}

    def samples(self, model: Model, data: Pictures) -> Tensor:
        """80 images, a class in each column, of the same noise each time."""
        return self.drawn(model, 80, self.steps)
