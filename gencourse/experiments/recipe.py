"""What is particular to a model's training: a Recipe, found by its file's name in `recipes/`."""

import importlib
import math
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.experiments import recipes

HELD_OUT = 12  # one of so many training examples is kept to measure along the way
Model = TypeVar("Model", bound=nn.Module)
Data = TypeVar("Data")


@dataclass(frozen=True)
class Training:
    """How long and how fast: steps, examples in a batch, the learning rate of the first step.

    `tried` is the largest number of steps for which that rate is known to serve. Of longer
    trainings it falls with the root of their length, for what is stable in a short one may not be.
    """

    steps: int
    batch_size: int
    lr: float
    tried: float = math.inf

    def rate(self, steps: int) -> float:
        """The learning rate of the first of so many steps."""
        return self.lr * min(1.0, math.sqrt(self.tried / steps))


@dataclass(frozen=True)
class Recipe(ABC, Generic[Model, Data]):
    """What `train` has to know of a model; the loop itself is `fit`.

    `training` and `sizes`, the arguments of the model, are given for each scale; `meanings` says
    what the scores are, their unit, and which way is better.
    """

    training: Mapping[str, Training]
    sizes: Mapping[str, Mapping[str, int]]
    meanings: Mapping[str, str]
    columns: int = 8  # of images in a picture of samples
    samples_every: int = 1  # so many looks: more where samples take longer than training does

    @abstractmethod
    def data(self, source: str) -> Data:
        """The data in three parts: to train on, held out to measure along the way, and the test.

        The source is "shipped", "full", or the path of files.
        """

    def settings(self, data: Data, scale: str) -> dict[str, Any]:
        """All that `model` needs to make the model anew, as JSON has it."""
        return dict(self.sizes[scale])

    @abstractmethod
    def model(self, settings: dict[str, Any], data: Data | None = None) -> Model:
        """A model of these settings, untrained; given data it may start from their mean."""

    def most_steps(self, settings: dict[str, Any], data: Data, batch_size: int) -> float:
        """The steps after which held-out measures grow worse: no limit, unless a recipe knows one.
        Whoever asks for a number of steps gets them all the same.
        """
        return math.inf

    @abstractmethod
    def batches(self, model: Model, data: Data, batch_size: int, seed: int) -> Iterator:
        """Endless batches of the part to train on, as the model's loss takes them."""

    @abstractmethod
    def held_out(self, model: Model, data: Data) -> dict[str, float]:
        """Quick measures on the part held out; the first says which weights are best, by being
        low.
        """

    @abstractmethod
    def scores(self, model: Model, data: Data) -> dict[str, float]:
        """The measures of the chapter on the test part, taken once, at the end."""

    @abstractmethod
    def samples(self, model: Model, data: Data) -> Tensor | str:
        """What the model makes: images (N, C, H, W) in [0, 1], or a text."""


def names() -> list[str]:
    """The models that can be trained: the names of the files in `recipes/`."""
    return sorted(module.name for module in pkgutil.iter_modules(recipes.__path__))


def recipe(name: str) -> Recipe:
    """The recipe of a model; raises InputError, with all names, for one that there is not."""
    if name not in names():
        raise InputError(
            f"train: name should be one of {', '.join(names())}, got {name!r}. Choose one of them: "
            "gencourse train vae, say."
        )
    return importlib.import_module(f"{recipes.__name__}.{name}").RECIPE
