"""What a training recorded."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gencourse.errors import InputError, TrainingStopped
from gencourse.runtime import full_precision
from gencourse.validation import require_count


@dataclass
class History:
    """What `fit` recorded: for each term the batch mean at every step.

    `history["loss"]` is a list of numbers.
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    planned: int | None = None  # steps that were asked for
    interrupted: bool = False

    def __getitem__(self, term: str) -> list[float]:
        if not self.values:
            raise InputError(
                f"History: term should be one that was recorded, got {term!r}, and nothing was: "
                "no step was made. Look at the batches, and train again."
            )
        if term not in self.values:
            raise InputError(
                f"History: term should be one of {', '.join(self.values)}, got {term!r}. Choose "
                "one of them."
            )
        return self.values[term]

    @property
    def steps(self) -> int:
        """The number of steps recorded."""
        return max(map(len, self.values.values()), default=0)

    def latest(self) -> dict[str, str]:
        """The last number of each term, as a progress bar shows it."""
        return {term: f"{values[-1]:.4g}" for term, values in self.values.items()}

    def last(self, term: str = "loss", steps: int = 100) -> float:
        """The mean of a term over the last steps: one batch is too noisy to quote."""
        require_count("History.last", "steps", steps)
        tail = self[term][-steps:]
        return sum(tail) / len(tail)

    def __repr__(self) -> str:
        terms = ", ".join(f"{term} {self.last(term):.4g}" for term in self.values)
        of = f" of {self.planned:,}" if self.planned and self.planned > self.steps else ""
        cut = ", interrupted" if self.interrupted else ""
        means = f"; mean of the last 100: {terms}" if terms else ""
        return f"History({self.steps:,}{of} steps{cut}{means})"


class Reader:
    """What turns the terms of each step into numbers of a History: the batch means.

    Numbers are read `every` so many steps, all at once, since a GPU finishes all its work for each
    reading, and then averaged over processes by `mean`.
    """

    def __init__(
        self, history: History, every: int, mean: Callable[[Tensor], Tensor] = lambda x: x
    ) -> None:
        self.history, self.every, self.mean = history, every, mean
        self.waiting: list[tuple[int, list[str], Tensor]] = []  # step, names, means

    def take(self, player: str, terms: dict[str, Tensor], step: int) -> None:
        """Keep the means of one player's terms; read them if every step is to be read."""
        names = [f"{player}/{term}" if player else term for term in terms]
        means = torch.stack([full_precision(value.detach()).mean() for value in terms.values()])
        self.waiting.append((step, names, means))
        if self.every == 1:
            self.read()

    def read(self) -> None:
        """Append all that waits to the history; stop at the first that is not finite."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        numbers = iter(self.mean(torch.cat([means for *_, means in waiting])).tolist())
        for step, names, _ in waiting:
            for name, mean in zip(names, numbers, strict=False):
                if not abs(mean) < float("inf"):
                    raise TrainingStopped(self.sentence(name, mean, step), self.history)
                self.history.values.setdefault(name, []).append(mean)

    def sentence(self, name: str, mean: float, step: int) -> str:
        """What is to be said of a number that is not finite."""
        reached = "The parameters are those of the step before."
        if self.every > 1:
            reached = f"The parameters have gone on with it for up to {self.every} steps."
        return (
            f"fit: {name} should be finite, got {mean} at step {step}. {reached} Lower lr, or look "
            "for a log or a division without a floor."
        )
