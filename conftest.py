"""Test settings: smoke scale, no network, strict checks for what is solved, and a ledger of the notebooks' seconds."""

import json
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

# before torch is imported anywhere; the notebooks' kernels inherit all of it
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers with two threads each would wait for one another
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # and a thread that waits leaves its core to others
os.environ.setdefault("GENCOURSE_SCALE", "smoke")
os.environ["GENCOURSE_DEVICE"] = "cpu"  # the reference for graded work, also on a machine with a GPU
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent / "tests" / "offline"), os.environ.get("PYTHONPATH", "")])

import pytest

from tests.offline.sitecustomize import forbid_network

forbid_network()
CELL_SECONDS, NOTEBOOK_SECONDS = 60, 240  # on the two cores of a laptop
LAPTOP = 120e9  # float32 operations per second in products of matrices: chosen; two cores at 3 GHz with AVX2 have at most 192e9
ledger: dict[str, dict[str, float]] = defaultdict(dict)
speeds: dict[str, float] = {}  # what this machine reached in the first cell of a notebook


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Chapters and solutions run in strict mode; exercises, which are unsolved, run as a learner sees them."""
    os.environ["GENCOURSE_STRICT"] = "0" if item.path.parent.name == "exercises" else "1"


def pytest_runtest_logreport(report):
    if report.when == "call" and ".ipynb::" in report.nodeid:
        notebook, cell = report.nodeid.rsplit("::", 1)
        ledger[notebook][cell] = report.duration
        if notebook not in speeds and os.environ["GENCOURSE_SCALE"] != "smoke":
            speeds[notebook] = speed()


def speed() -> float:
    """Floating point operations per second of this machine now, in products of matrices: the median of some."""
    import torch

    a, seconds = torch.randn(1024, 1024), []
    for _ in range(21):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2 * len(a) ** 3 / statistics.median(seconds)


def slowness(notebook: str) -> float:
    """How many times slower than a laptop's two cores this machine was, at least 1: a slow machine is given as much more time."""
    return max(1.0, LAPTOP / speeds.get(notebook, LAPTOP))


def overlong() -> list[str]:
    """Notebooks and cells that take longer than a learner should wait."""
    found = []
    for notebook, cells in ledger.items():
        slow = slowness(notebook)
        timed = [(notebook, sum(cells.values()), NOTEBOOK_SECONDS)]
        timed += [(f"{notebook} {cell}", seconds, CELL_SECONDS) for cell, seconds in cells.items()]
        found += [f"{name} took {s:.0f} s, more than {limit * slow:.0f}" for name, s, limit in timed if s > limit * slow]
    return found


def pytest_terminal_summary(terminalreporter):
    if not ledger:
        return
    terminalreporter.section(f"seconds of the notebooks at {os.environ['GENCOURSE_SCALE']} scale")
    for notebook, cells in sorted(ledger.items()):
        slowest = sorted(cells.items(), key=lambda pair: -pair[1])[:4]
        named = ", ".join(f"{cell} {seconds:.1f}" for cell, seconds in slowest)
        terminalreporter.write_line(f"{notebook}: {sum(cells.values()):.1f} s in {len(cells)} cells; slowest: {named}")
    for notebook in speeds:
        if slowness(notebook) > 1:
            said = f"{notebook}: this machine is {slowness(notebook):.1f} times slower than a laptop; the limits are as many times longer"
            terminalreporter.write_line(said)
    if record := os.environ.get("GENCOURSE_RECORD"):  # benchmarks/results/runtime.json, from which the README's table is made
        import torch

        from benchmarks.readme import hardware

        seconds = {notebook: round(sum(cells.values())) for notebook, cells in sorted(ledger.items())}
        machine = hardware(torch.device("cpu"))
        known = {name: machine[name] for name in ("cpu", "cores")}
        Path(record).write_text(json.dumps(known | {"seconds": seconds}, indent=2) + "\n")
    for line in overlong():
        terminalreporter.write_line(f"TOO LONG: {line}", red=True)


def pytest_sessionfinish(session):
    if overlong() and session.exitstatus == 0:
        session.exitstatus = 1
