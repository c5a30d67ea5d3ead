"""Right means that the cells below work with it:

each chapter's solutions, with other right answers in the place of the references.
"""

import importlib
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.lanes import exercises

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "solutions").glob("*.ipynb"))


def of_chapter(chapter: str) -> dict:
    """The exercises of a chapter by their names."""
    named = {tuple(name.split(".")): one for name, one in exercises().items()}
    return {name: one for (topic, name), one in named.items() if topic == chapter}


def rounds(path: Path) -> int:
    """As many as the most alternatives of one exercise:

    forms of different exercises share a run.
    """
    chapter = path.stem.split("_", 1)[1]
    return max(len(one.right_forms) for one in of_chapter(chapter).values())


CASES = [
    pytest.param(path, k, id=f"{path.stem}-{k}") for path in NOTEBOOKS for k in range(rounds(path))
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "k"), CASES)
def test_every_alternative_carries_the_rest_of_the_notebook(path, k):
    chapter = path.stem.split("_", 1)[1]
    known = of_chapter(chapter)
    notebook = nbformat.read(path, as_version=4)
    cells, replaced = [], set()
    for cell in notebook.cells:
        cells.append(cell)
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if name in known and cell.metadata.nbgrader.solution:
            forms = known[name].right_forms
            form = forms[k % len(forms)]
            module = importlib.import_module(f"gencourse.checks.{chapter}.{name}").__name__
            source = f"from {module} import {form.__name__} as {name}"
            cells.append(nbformat.v4.new_code_cell(source))
            replaced.add(name)
    assert replaced == set(known)
    notebook.cells = cells
    os.environ["GENCOURSE_STRICT"] = "1"
    arguments = ["--log-level=40"]
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", extra_arguments=arguments
    ).execute()
