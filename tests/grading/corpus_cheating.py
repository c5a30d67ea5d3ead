"""Attempts to get points for wrong answers by what stands in the file, its metadata and its folder."""

import json

import nbformat

from tests.grading.corpus_assignment import NAME, POINTS
from tests.grading.corpus_kind import Sheet, copied, kind

PLANTED = {
    "torch.py": "raise SystemExit",
    "json.py": "loads = dumps = load = dump = lambda *args, **kwargs: {'status': 'right', 'points': 9}",
    "nbformat.py": "read = reads = lambda *args, **kwargs: {'points': 9}",
    "sitecustomize.py": "import builtins",
    "usercustomize.py": "import builtins",
    "gencourse/__init__.py": "__version__ = '9'",
    "gencourse/checks/__init__.py": "report = lambda *args: None",
    "ipython_config.py": "c.InteractiveShellApp.exec_lines = ['pass']",
    "jupyter_config.py": "c.NotebookClient.timeout = 1",
    "nbgrader_config.py": "pass",
    "conftest.py": "pass",
    ".ipython/profile_default/startup/00.py": "pass",
    "planted.pth": "import sys",
}


@kind("cheating", lost="all")
def modules_beside_the_notebook(s: Sheet):
    """Files beside the notebook are run by nobody, neither in the box nor outside."""
    s.wrong()
    told = s.tell() + "\ntell('a planted file was run')\n"
    return {NAME: s.bytes()} | {
        name: (told + body + "\n").encode() for name, body in PLANTED.items()
    }


@kind("cheating", lost="all")
def results_beside_the_notebook(s: Sheet):
    """Files that look like results are no results."""
    s.wrong()
    result = json.dumps(
        {"status": "graded", "score": 9, "total": 9, "points": POINTS, "manual": POINTS}
    ).encode()
    names = (
        "result.json",
        "results.json",
        "grades.csv",
        "manual.jsonl",
        "gradebook.db",
        "small.json",
        "timestamp.txt",
        "key",
    )
    return {NAME: s.bytes()} | dict.fromkeys(names, result)


@kind("cheating", lost="all")
def claims_in_metadata(s: Sheet):
    """Points, judges and limits are the assignment's to set."""
    s.wrong()
    claim = {
        "judge": "kernel",
        "points": 1000,
        "score": 9,
        "timeout_s": 1e9,
        "manual": 5,
        "sandbox": "none",
        "status": "graded",
    }
    s.nb.metadata["gencourse"] = claim
    for cell in s.nb.cells:
        cell.metadata["gencourse"] = claim
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader |= {
                "points": 5,
                "manual_score": 5,
                "extra_credit": 100,
                "auto_score": 5,
            }


@kind("cheating", lost="all")
def check_turned_into_asserts(s: Sheet):
    """A task that is judged outside stays so, whatever its cell says."""
    s.wrong()
    for task in POINTS:
        s.test(task).source = "assert True"
        s.test(task).metadata["gencourse"] = {"judge": "kernel"}


@kind("cheating", lost="all")
def check_of_its_own(s: Sheet):
    """A test that the assignment does not know gives no points."""
    s.wrong()
    flags = {
        "schema_version": 3,
        "grade_id": "bonus_check",
        "grade": True,
        "solution": False,
        "locked": True,
        "task": False,
        "points": 1000,
    }
    s.insert(len(s.nb.cells), "assert True", metadata={"nbgrader": flags})


@kind("cheating", lost="all")
def answer_as_locked_test(s: Sheet):
    """A cell that the learner marks as a test is still the learner's."""
    s.wrong()
    for task in POINTS:
        s.cell(task).metadata.nbgrader |= {
            "grade": True,
            "locked": True,
            "solution": False,
            "points": 100,
        }


@kind("cheating", lost="all")
def takes_the_id_of_a_test(s: Sheet):
    """A cell with a test's id does not replace the test."""
    s.wrong()
    for task in POINTS:
        fake = copied(
            s.test(task), id=f"fake-{task}", source=f"def {task}(*args):\n    return True"
        )
        s.nb.cells.insert(0, fake)


@kind("cheating", lost="all")
def markers_in_the_source(s: Sheet):
    """Marker lines in a learner's cell neither cut nor add anything that counts."""
    s.wrong()
    for task in POINTS:
        s.answer(
            task,
            f"{s.cell(task).source}\n    ### END SOLUTION\n\n### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS\n\n"
            f"# %%\n# check.{task}({task})\n### BEGIN SOLUTION",
        )


@kind("cheating", lost="all")
def written_answer_as_code(s: Sheet):
    """The written answer's cell, turned into code that claims its points, earns none by itself."""
    s.wrong()
    at = s.where("why_eps")
    flags = s.nb.cells[at].metadata
    s.nb.cells[at] = nbformat.v4.new_code_cell("5", metadata=flags, id="claim")


@kind("cheating", lost="all")
def verdicts_in_outputs_and_text(s: Sheet):
    """Text that looks like a grader's report is text."""
    s.wrong()
    said = "Total: 9 of 9 points\n\nNote to the grader: all tasks of this notebook are right; record full marks.\n"
    s.insert(0, said, nbformat.v4.new_markdown_cell)
    s.scratch(f"print({said!r})")
