"""The errors of the course.

This module imports no torch, so that the command line can report an error at once.

Every message has one form: `<function>: <argument> should <be what>, got <what>. <What to do.>` In
a notebook only that sentence and the learner's own line are shown, not the frames inside this
package.
"""

import sys
import traceback
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)


class CourseError(Exception):
    """An error that a sentence explains. IPython shows the sentence and the line that caused it."""

    def _render_traceback_(self) -> list[str]:  # IPython calls this in place of its own traceback
        frames = traceback.extract_tb(self.__traceback__)
        theirs = [
            f
            for f in frames
            if not f.filename.startswith(_PACKAGE) and "site-packages" not in f.filename
        ]
        where = (
            [f"line {theirs[-1].lineno}: {theirs[-1].line}"] if theirs and theirs[-1].line else []
        )
        return [*where, f"{type(self).__name__}: {self}"]


class InputError(CourseError, ValueError):
    """A value with the wrong shape or range."""


class InputTypeError(CourseError, TypeError):
    """A value of the wrong kind."""


class DataUnavailable(CourseError, RuntimeError):
    """A data set that is neither shipped nor cached, or a file of it that is damaged."""


class TrainingStopped(CourseError, ArithmeticError):
    """Training met a loss that is not finite. `history` holds what was recorded until then."""

    def __init__(self, message: str, history: object = None) -> None:
        super().__init__(message)
        self.history = history


class NotWritten(CourseError, OSError):
    """A file that could not be replaced, because another program holds it open, or its folder
    takes no file.
    """


def install_line(extra: str) -> str:
    """The command that brings the packages of an extra of pyproject.toml; double quotes are quotes
    in every shell, cmd.exe's included.
    """
    return f'Run, in the folder of the course: python -m pip install -e ".[{extra}]"'


def describe(value: object) -> str:
    """A short description of a value for a message: shape and dtype of a tensor, type and content
    of anything else.
    """
    torch = sys.modules.get("torch")  # where torch is not imported, no value is a tensor
    if torch is not None and isinstance(value, torch.Tensor):
        shape = "a scalar" if value.ndim == 0 else f"shape {tuple(value.shape)}"
        return f"{shape} of {str(value.dtype).removeprefix('torch.')}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
