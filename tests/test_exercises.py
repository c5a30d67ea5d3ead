"""The exercise notebooks as a learner first runs them:

unsolved, from top to bottom, no traceback, no point.
"""

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
pytestmark = pytest.mark.slow


EMPTY = "%reset -f"  # the names are gone, the modules stay imported


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def in_another_order(notebook):
    """Checks first, answers later, everything twice."""
    code = code_cells(notebook)
    answers = [cell for cell in code if "YOUR CODE HERE" in cell.source]
    checks = [cell for cell in code if re.match(r"check\.\w+\(", cell.source)]
    setup, table = code[:2], code[-1]
    return [*setup, *reversed(answers), *reversed(checks), *answers, *checks, table]


def run(sources):
    """What the cells show, as text, in a kernel of their own."""
    os.environ["GENCOURSE_STRICT"] = "0"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    NotebookClient(
        notebook, timeout=280, kernel_name="python3", extra_arguments=["--log-level=40"]
    ).execute()
    return [
        "".join(o.get("data", {}).get("text/plain", "") for o in c.outputs) for c in notebook.cells
    ]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda p: p.stem)
def shown(request):
    """(exercises, what the notebook's cells show, what they show in another order):

    both in one kernel, which takes seconds to start. That all stubs are not attempted is shown in
    test_checks, that their cells run by nbval.
    """
    path = request.param
    exercises = catalogue(importlib.import_module("gencourse.checks." + path.stem.split("_", 1)[1]))
    notebook = nbformat.read(path, as_version=4)
    first = [cell.source for cell in code_cells(notebook)]
    texts = run([*first, EMPTY, *(cell.source for cell in in_another_order(notebook))])
    return exercises, texts[: len(first)], texts[len(first) + 1 :]


def test_unsolved_notebook_runs_and_scores_nothing(shown):
    exercises, texts, _ = shown
    verdicts = [text for text in texts if re.match(r"[○✓✗] \w+: ", text)]
    assert [text.split(":")[0][2:] for text in verdicts] == [
        exercise.name for exercise in exercises
    ]
    assert all(": not attempted, 0 of " in text for text in verdicts), verdicts
    table = texts[-1]
    assert table.count("not attempted") == len(exercises)
    assert re.search(rf"total +0 / {sum(e.points for e in exercises)}$", table)


def test_cells_run_in_another_order_win_nothing(shown):
    """The table of an unsolved notebook stays at zero."""
    assert re.search(r"total +0 / ", shown[2][-1])


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
            assert (
                "raise NotImplementedError()" not in by_id[cell.metadata.nbgrader.grade_id].source
            )
    assert stubs == len(re.findall(r'"grade": true', path.read_text("utf-8")))
