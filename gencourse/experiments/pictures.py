"""Images in three parts, and what the recipes of models of digits have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gencourse.data import binarised, images, minibatches
from gencourse.errors import DataUnavailable
from gencourse.experiments.recipe import HELD_OUT, Model, Recipe
from gencourse.runtime import seeded


@dataclass(frozen=True)
class Pictures:
    """Images as bytes (N, C, H, W) and their labels (N,): to train on, held out, and the test."""

    train: Tensor
    train_labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    test: Tensor
    test_labels: Tensor

    @property
    def mean_image(self) -> Tensor:
        """The mean of the images to train on, (C, H, W) in [0, 1]."""
        return self.train.float().mean(0) / 255

    def few(self, n: int = 20) -> "Pictures":
        """The first n of each part, of that to train on three times as many."""
        train, train_labels, *others = vars(self).values()
        return Pictures(train[: 3 * n], train_labels[: 3 * n], *(part[:n] for part in others))


def pictures(name: str, source: str) -> Pictures:
    """A data set of `images` whose last twelfth of the training images is held out.

    The source is "shipped", "full", which downloads, or a folder with the set's files.
    """
    folder = None if source in ("shipped", "full") else Path(source)
    whole = images(name, full=source != "shipped", folder=folder)
    cut = len(whole.train_bytes) - len(whole.train_bytes) // HELD_OUT
    if len(whole.train_bytes) - cut < 2:
        raise DataUnavailable(
            f"train: data should hold at least {2 * HELD_OUT} training images, got "
            f"{len(whole.train_bytes)}. Pass the whole set, or leave --data out."
        )
    train, held_out = whole.train_bytes[:cut], whole.train_bytes[cut:]
    train_labels, held_out_labels = whole.train_labels[:cut], whole.train_labels[cut:]
    return Pictures(
        train, train_labels, held_out, held_out_labels, whole.test_bytes, whole.test_labels
    )


def binary(images: Tensor) -> Tensor:
    """Images in bytes drawn once as 0 or 1, each pixel with its grey value as the probability;
    every call gives the same.
    """
    return torch.bernoulli(images.float() / 255, generator=seeded(0))


class DigitsRecipe(Recipe[Model, Pictures]):
    """What models of binary digits share: MNIST, its pixels drawn anew at each pass."""

    def data(self, source: str) -> Pictures:
        """MNIST in three parts."""
        return pictures("mnist", source)

    def batches(self, model: Model, data: Pictures, batch_size: int, seed: int) -> Iterator:
        """Images (batch_size, 1, 28, 28) of 0 and 1."""
        grey = minibatches(data.train, batch_size=batch_size, seed=seed)
        return binarised(grey, seed=seed + 1)
