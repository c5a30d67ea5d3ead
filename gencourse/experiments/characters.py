"""A text in three parts, as tokens."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gencourse.data import Text, text
from gencourse.errors import InputError
from gencourse.experiments.recipe import HELD_OUT

LEAST = 2_000  # characters: of fewer nothing can be learnt, and the parts would be too short


@dataclass(frozen=True)
class Characters:
    """Tokens (N,) to train on, held out, and the test; token i is the character vocabulary[i]."""

    vocabulary: tuple[str, ...]
    train: Tensor
    held_out: Tensor
    test: Tensor

    @property
    def text(self) -> Text:
        """What turns a string into tokens, and back."""
        return Text("characters", self.vocabulary, self.train, self.test)

    def few(self, n: int = 400) -> "Characters":
        """The first n tokens of each part, and the whole vocabulary."""
        return Characters(self.vocabulary, self.train[:n], self.held_out[:n], self.test[:n])


def characters(source: str) -> Characters:
    """Shakespeare ("shipped"), or the text in a file.

    The test is the text's validation part, its last tenth; of the rest the last twelfth is held
    out.
    """
    if source == "full":
        raise InputError(
            "train: data should be 'shipped' or the path of a text, got 'full'. The text that "
            "ships is whole; for a longer training say --scale full."
        )
    whole = text("shakespeare" if source == "shipped" else Path(source))
    length = len(whole.train) + len(whole.validation)
    if length < LEAST:
        raise InputError(
            f"train: data should be a text of at least {LEAST:,} characters, got {length:,}. "
            "Pass a longer one."
        )
    cut = len(whole.train) - len(whole.train) // HELD_OUT
    return Characters(whole.vocabulary, whole.train[:cut], whole.train[cut:], whole.validation)
