"""What a learner says of recorded runs and of samples."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

CAUSES = (
    "healthy",
    "mode collapse",
    "D is sure",
    "D is late",
    "D is flat",
    "thin noise",
    "stopped early",
)


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


def diagnosed(answer: Callable) -> object:
    """The causes that a learner names, by letters; capitals and blanks do not matter.

    Of anything but a dict only its type.
    """
    said = answer()
    if not isinstance(said, dict):
        return type(said).__name__
    return {str(letter): simplified(cause) for letter, cause in said.items()}


def simplified(cause: object) -> object:
    """That of the causes that is meant, else what was written."""
    if not isinstance(cause, str):
        return cause
    bare = " ".join(cause.lower().split())
    return next((known for known in CAUSES if known.lower() == bare), cause)
