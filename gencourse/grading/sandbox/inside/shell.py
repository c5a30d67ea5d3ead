"""IPython as it runs in the box: nobody sees what it prints, and nothing that it opens."""

import io

from IPython.core.interactiveshell import InteractiveShell


class Drain(io.TextIOBase):
    """Where prints go: counted, not kept."""

    def __init__(self) -> None:
        self.count = 0

    encoding = "utf-8"

    def writable(self) -> bool:
        """It takes everything."""
        return True

    def isatty(self) -> bool:
        """It is no terminal."""
        return False

    def write(self, text: str) -> int:
        """Count the characters."""
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
