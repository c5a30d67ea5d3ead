"""What a learner says of recorded runs and of samples."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

WORDS = ("healthy", "mode collapse", "the discriminator wins", "oscillation")


def asked_twice(answer: Callable, x: Tensor, *others: Any) -> dict[str, object]:
    """The answers to one question that is asked twice with the same tensors, and their kind."""
    held = [
        nn.Parameter(t.clone(), requires_grad=False) if isinstance(t, Tensor) else t
        for t in (x, *others)
    ]  # parameters are handed on as they are, and not as copies
    answers = [answer(*held), answer(*held)]
    floating = [isinstance(one, Tensor) and one.is_floating_point() for one in answers]
    whole = not any(floating) and not any(isinstance(one, float) for one in answers)
    return {"": answers, "whether whole numbers are returned": whole}


def diagnosed(answer: Callable) -> dict[str, object]:
    """The diagnoses of the four runs, where capitals and the article do not matter."""
    said = answer()
    if not isinstance(said, dict):
        return {"whether a dict from letters to words came back": False}
    said = {str(letter): simplified(word) for letter, word in said.items()}
    return {
        "whether a dict from letters to words came back": True,
        "the letters": ", ".join(sorted(said)),
        "whether every word is one of the four": all(word in WORDS for word in said.values()),
        **{f"run {letter}": said.get(letter) for letter in "ABCD"},
    }


def simplified(word: object) -> object:
    """That of the four words that is meant, else the word as it was written."""
    if not isinstance(word, str):
        return word
    bare = word.strip().lower().removeprefix("the ")
    return next((known for known in WORDS if known.removeprefix("the ") == bare), word)
