"""Looks at a model while `fit` trains it: measures, samples, the best weights so far."""

import contextlib
import math
import time
import warnings
from collections.abc import Iterator
from typing import Any

from torch import nn

from gencourse.experiments.folder import Folder, read_weights, save_weights
from gencourse.experiments.measures import measuring
from gencourse.experiments.recipe import Recipe
from gencourse.training import History, checkpoint

LOOKS = 20  # in a training
MEAN_OF = 100  # steps before a look, whose mean of a training term is kept


def looks(steps: int) -> set[int]:
    """The steps after which to look, evenly spread; the last one is among them."""
    return {max(1, round(i * steps / LOOKS)) for i in range(1, LOOKS + 1)}


@contextlib.contextmanager
def warning_where_unwritable() -> Iterator[None]:
    """Within the block what cannot be written is a warning: a full disk, or a table that another
    program holds open, is no reason to end a training.
    """
    try:
        yield
    except OSError as error:
        warnings.warn(f"train: a file could not be written ({error}).", stacklevel=4)


class Watch:
    """What `fit` calls before each step.

    A training that goes on takes up the rows of its folder up to where `fit` goes on.
    """

    def __init__(
        self, recipe: Recipe, model: nn.Module, data: Any, folder: Folder, steps: int
    ) -> None:
        self.recipe, self.model, self.data, self.folder = recipe, model, data, folder
        self.steps, self.looks = steps, looks(steps)
        kept = checkpoint.read(folder.checkpoint) or {"step": 0, "seconds": 0.0}
        self.seconds, self.began = kept["seconds"], 0.0
        self.rows = [row for row in folder.rows() if row["step"] < kept["step"]]
        self.best = math.inf
        if folder.best.exists():
            self.best = read_weights(folder.best)[1]["measure"]

    def __call__(self, step: int) -> None:
        """Look if it is time; the last look is left to `close`."""
        self.began = self.began or time.perf_counter() - self.seconds
        if step in self.looks and step < self.steps:
            self.look(step, time.perf_counter() - self.began)

    def look(self, step: int, seconds: float) -> None:
        """Measure the model after so many steps and seconds, and write what there is to write."""
        with measuring(self.model):
            measures = self.recipe.held_out(self.model, self.data)
        self.rows.append({"step": step, "seconds": seconds, **measures})
        first = next(iter(measures.values()))
        with warning_where_unwritable():
            if first < self.best:
                save_weights(self.folder.best, self.model, step=step, measure=first)
                self.best = first
        with warning_where_unwritable():
            self.folder.write_rows(self.rows)
        if sum(step < other for other in self.looks) % self.recipe.samples_every == 0:
            with measuring(self.model):
                samples = self.recipe.samples(self.model, self.data)
            with warning_where_unwritable():
                self.folder.write_samples(step, samples, self.recipe.columns)

    def close(self, history: History) -> None:
        """The last look, and the training terms of all looks beside their measures."""
        self.look(self.steps, history.seconds)
        for row in self.rows:
            for term, values in history.values.items():
                before = values[max(0, int(row["step"]) - MEAN_OF) : int(row["step"])]
                row[f"train/{term}"] = sum(before) / len(before)
        with warning_where_unwritable():
            self.folder.write_rows(self.rows)
