"""IPython as it runs in the box: nobody sees what it prints, and nothing that it opens."""

import contextlib
import io
import sys

import torch
from IPython.core.interactiveshell import InteractiveShell

KEPT = 4_000  # characters of a cell's output
FIGURES, DOTS = 4, 60  # of a cell that are kept, and dots of an inch in them


class Drain(io.TextIOBase):
    """Where prints go: counted, and but for the first ones not kept."""

    def __init__(self) -> None:
        self.count, self.kept = 0, ""

    encoding = "utf-8"

    def writable(self) -> bool:
        """It takes everything."""
        return True

    def isatty(self) -> bool:
        """It is no terminal."""
        return False

    def write(self, text: str) -> int:
        """Count the characters."""
        if self.count < KEPT:
            self.kept += text[: KEPT - self.count]
        self.count += len(text)
        return len(text)


class Shell(InteractiveShell):
    """IPython without a terminal or windows. exit() in a cell ends nothing, %matplotlib changes
    nothing.
    """

    def ask_exit(self) -> None:
        """Nothing ends."""

    def enable_gui(self, gui: str | None = None) -> None:
        """There are no windows."""

    def enable_matplotlib(self, gui: str | None = None) -> tuple[str | None, str]:
        """Figures are drawn and shown to nobody."""
        return gui, "agg"


def figures() -> list[torch.Tensor]:
    """The open figures, as the bytes of PNG pictures; those that cannot be drawn are left out."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    found: list[torch.Tensor] = []
    if pyplot is None:
        return found
    for number in pyplot.get_fignums()[:FIGURES]:
        buffer = io.BytesIO()
        with contextlib.suppress(Exception):
            pyplot.figure(number).savefig(buffer, format="png", dpi=DOTS)
            found.append(torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8))
    return found
