"""Cells of a chapter, run in one namespace at the default scale, with their claims written down.

Figures are made, not drawn, and closed; what cells print is thrown away.
"""

import contextlib
import io
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import torch

from authoring.slices import Cell
from gencourse import claims

# a GPU that is not looked at starts no threads, and this process can be copied
SETTINGS = {
    "GENCOURSE_SCALE": "default",
    "GENCOURSE_STRICT": "1",
    "GENCOURSE_DEVICE": "cpu",
    "GENCOURSE_WIDGETS": "0",
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass
class Outcome:
    """What a claim was made of: its value, whether it held, and the error that came instead."""

    value: float = float("nan")
    held: bool = False
    error: str = ""


@dataclass
class Run:
    """A namespace, what was claimed in it, and the seconds of its cells."""

    names: dict[str, object] = field(default_factory=lambda: {"__name__": "__main__"})
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)

    def cell(self, number: int, source: str) -> None:
        """Run a cell; its claims are written down, held or not."""
        began = time.perf_counter()
        try:
            with self.recorded(), quiet():
                exec(compile(source, f"cell {number}", "exec"), self.names)
        finally:
            plt.close("all")
        self.seconds[number] = time.perf_counter() - began

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Within, `claim` raises nothing and writes down."""
        claim = claims.claim

        def written_down(name: str, value: float, **where: Any) -> None:
            held = True
            try:
                claim(name, value, **where)
            except claims.ClaimFailed:
                held = False
            self.outcomes[name] = Outcome(float(value), held)

        claims.claim = written_down
        if "claim" in self.names:  # imported by a cell before
            self.names["claim"] = written_down
        try:
            yield
        finally:
            claims.claim = claim


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within, nothing is printed, and no progress bar is drawn."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def settle(threads: int = 1) -> None:
    """Make this process run as the notebooks are executed; before anything of a chapter is run."""
    os.environ |= SETTINGS
    torch.set_num_threads(threads)
    matplotlib.use("Agg")


def run_all(cells: Sequence[Cell], order: Sequence[int]) -> Run:
    """These cells, in this order, in a fresh namespace."""
    run = Run()
    for number in order:
        run.cell(number, cells[number].source)
    return run
