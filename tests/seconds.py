"""The seconds of the notebooks' cells, and the limits that a learner's patience sets at the default
scale.
"""

import json
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

CELL_SECONDS, NOTEBOOK_SECONDS = 60, 240  # on the two cores of a laptop
# float32 operations per second in products of matrices: chosen; two cores at 3 GHz with AVX2 have
# at most 192e9
LAPTOP = 120e9
ledger: dict[str, dict[str, float]] = defaultdict(dict)
# what this machine reached in the first cell of a notebook, where the scale is not smoke
speeds: dict[str, float] = {}


def note(name: str, duration: float) -> None:
    """Keep the seconds of a cell, "notebooks/01_vae.ipynb::Cell 3"."""
    notebook, cell = name.rsplit("::", 1)
    ledger[notebook][cell] = duration
    if notebook not in speeds and os.environ["GENCOURSE_SCALE"] != "smoke":
        speeds[notebook] = speed()


def speed() -> float:
    """Floating point operations per second of this machine now, in products of matrices:

    the median of some.
    """
    import torch

    a, seconds = torch.randn(1024, 1024), []
    for _ in range(21):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2 * len(a) ** 3 / statistics.median(seconds)


def slowness(notebook: str) -> float:
    """How many times slower than a laptop's two cores this machine was, at least 1:

    a slow machine is given as much more time.
    """
    return max(1.0, LAPTOP / speeds.get(notebook, LAPTOP))


def overlong() -> list[str]:
    """Notebooks and cells that take longer than a learner should wait; at smoke scale nobody waits,
    and nothing is said.
    """
    found = []
    for notebook in speeds:
        cells, slow = ledger[notebook], slowness(notebook)
        timed = [(notebook, sum(cells.values()), NOTEBOOK_SECONDS)]
        timed += [(f"{notebook} {cell}", seconds, CELL_SECONDS) for cell, seconds in cells.items()]
        found += [
            f"{name} took {s:.0f} s, more than {limit * slow:.0f}"
            for name, s, limit in timed
            if s > limit * slow
        ]
    return found


def lines() -> list[str]:
    """What a person is told of the seconds."""
    said = []
    for notebook, cells in sorted(ledger.items()):
        slowest = sorted(cells.items(), key=lambda pair: -pair[1])[:4]
        named = ", ".join(f"{cell} {seconds:.1f}" for cell, seconds in slowest)
        said.append(
            f"{notebook}: {sum(cells.values()):.1f} s in {len(cells)} cells; slowest: {named}"
        )
    for notebook in speeds:
        if slowness(notebook) > 1:
            said.append(
                f"{notebook}: this machine is {slowness(notebook):.1f} times slower than a laptop; "
                "the limits are as many times longer"
            )
    return said


def record(path: str) -> None:
    """Write benchmarks/results/runtime.json, from which the README's table is made."""
    import torch

    from benchmarks.readme import hardware

    seconds = {notebook: round(sum(cells.values())) for notebook, cells in sorted(ledger.items())}
    machine = hardware(torch.device("cpu"))
    known = {name: machine[name] for name in ("cpu", "cores")}
    Path(path).write_text(
        json.dumps(known | {"seconds": seconds}, indent=2) + "\n", encoding="utf-8"
    )
