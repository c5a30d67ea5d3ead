"""What a wrong answer earns."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners give, the hint that it earns, and what a second hint adds."""

    answer: Callable
    hint: str
    more: str = ""

    @property
    def name(self) -> str:
        """The name under which verdicts know the mistake."""
        return self.answer.__name__
