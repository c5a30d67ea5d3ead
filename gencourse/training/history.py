"""What a training recorded."""

from dataclasses import dataclass, field

from gencourse.errors import InputError
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
