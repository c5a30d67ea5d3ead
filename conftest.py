"""Test settings: smoke scale, no network, strict checks for what is solved, and a ledger of the notebooks' seconds."""

import json
import os
from collections import defaultdict
from pathlib import Path

# before torch is imported anywhere; the notebooks' kernels inherit all of it
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers with two threads each would wait for one another
os.environ.setdefault("GENCOURSE_SCALE", "smoke")
os.environ["GENCOURSE_DEVICE"] = "cpu"  # the reference for graded work, also on a machine with a GPU
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent / "tests" / "offline"), os.environ.get("PYTHONPATH", "")])

import pytest

from tests.offline.sitecustomize import forbid_network

forbid_network()
CELL_SECONDS, NOTEBOOK_SECONDS = 60, 240
ledger: dict[str, dict[str, float]] = defaultdict(dict)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Chapters and solutions run in strict mode; exercises, which are unsolved, run as a learner sees them."""
    os.environ["GENCOURSE_STRICT"] = "0" if item.path.parent.name == "exercises" else "1"


def pytest_runtest_logreport(report):
    if report.when == "call" and ".ipynb::" in report.nodeid:
        notebook, cell = report.nodeid.rsplit("::", 1)
        ledger[notebook][cell] = report.duration


def overlong() -> list[str]:
    """Notebooks and cells that take longer than a learner should wait."""
    found = [
        f"{n} took {sum(c.values()):.0f} s, more than {NOTEBOOK_SECONDS}" for n, c in ledger.items() if sum(c.values()) > NOTEBOOK_SECONDS
    ]
    return found + [
        f"{n} {cell} took {s:.0f} s, more than {CELL_SECONDS}" for n, c in ledger.items() for cell, s in c.items() if s > CELL_SECONDS
    ]


def pytest_terminal_summary(terminalreporter):
    if not ledger:
        return
    terminalreporter.section(f"seconds of the notebooks at {os.environ['GENCOURSE_SCALE']} scale")
    for notebook, cells in sorted(ledger.items()):
        slowest = sorted(cells.items(), key=lambda pair: -pair[1])[:4]
        named = ", ".join(f"{cell} {seconds:.1f}" for cell, seconds in slowest)
        terminalreporter.write_line(f"{notebook}: {sum(cells.values()):.1f} s in {len(cells)} cells; slowest: {named}")
    if record := os.environ.get("GENCOURSE_RECORD"):  # benchmarks/results/runtime.json, from which the README's table is made
        seconds = {notebook: round(sum(cells.values())) for notebook, cells in sorted(ledger.items())}
        Path(record).write_text(json.dumps({"cores": os.cpu_count(), "seconds": seconds}, indent=2) + "\n")
    for line in overlong():
        terminalreporter.write_line(f"TOO LONG: {line}", red=True)


def pytest_sessionfinish(session):
    if overlong() and session.exitstatus == 0:
        session.exitstatus = 1
