"""The exercise notebooks as a learner first runs them: unsolved, from top to bottom, no traceback, no point."""

import importlib
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from gencourse.checks import catalogue

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "exercises").glob("*.ipynb"))


def run(notebook):
    os.environ["GENCOURSE_STRICT"] = "0"
    NotebookClient(notebook, timeout=300, kernel_name="python3", extra_arguments=["--log-level=40"]).execute()
    return ["".join(o.get("data", {}).get("text/plain", "") for o in c.outputs) for c in notebook.cells if c.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_unsolved_notebook_runs_and_scores_nothing(path):
    notebook = nbformat.read(path, as_version=4)
    exercises = catalogue(importlib.import_module("gencourse.checks." + path.stem.split("_", 1)[1]))
    shown = run(notebook)
    verdicts = [text for text in shown if re.match(r"[○✓✗] \w+: ", text)]
    assert [text.split(":")[0][2:] for text in verdicts] == [exercise.name for exercise in exercises]
    assert all(": not attempted, 0 of " in text for text in verdicts), verdicts
    table = shown[-1]
    assert table.count("not attempted") == len(exercises)
    assert re.search(rf"total +0 / {sum(e.points for e in exercises)}$", table)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_cells_run_in_another_order_win_nothing(path):
    """Checks first, answers later, everything twice: the table of an unsolved notebook stays at zero."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    answers = [cell for cell in code if "YOUR CODE HERE" in cell.source]
    checks = [cell for cell in code if re.match(r"check\.\w+\(", cell.source)]
    setup, table = code[:2], code[-1]
    order = [*setup, *reversed(answers), *reversed(checks), *answers, *checks, table]
    for i, cell in enumerate(order := [nbformat.v4.new_code_cell(cell.source) for cell in order]):
        cell.id = f"cell-{i}"
    notebook.cells = order
    assert re.search(r"total +0 / ", run(notebook)[-1])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_released_notebook_holds_no_answer(path):
    released = nbformat.read(path, as_version=4)
    solved = nbformat.read(ROOT / "solutions" / path.name, as_version=4)
    assert "SOLUTION" not in path.read_text("utf-8")
    by_id = {c.metadata.nbgrader.grade_id: c for c in solved.cells if "nbgrader" in c.metadata}
    stubs = 0
    for cell in released.cells:
        assert not cell.get("outputs")
        if "nbgrader" in cell.metadata and cell.metadata.nbgrader.solution:
            stubs += 1
            assert "raise NotImplementedError()" in cell.source
            assert "raise NotImplementedError()" not in by_id[cell.metadata.nbgrader.grade_id].source
    assert stubs == len(re.findall(r'"grade": true', path.read_text("utf-8")))
