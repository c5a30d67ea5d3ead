"""The corpus of submissions is what it says: names, ground truths, valid notebooks, right answers that are right."""

import ast
import asyncio
import builtins
import json
import time
from collections import Counter

import nbformat
import pytest
import torch
from IPython.core.inputtransformer2 import TransformerManager

from gencourse.checks import vae as check
from gencourse.grading.handout.lint import lint
from gencourse.grading.handout.release import read
from tests.grading import corpus_moved
from tests.grading.corpus import on_paper, truth, write
from tests.grading.corpus_assignment import NAME, POINTS, SOURCE, notebooks
from tests.grading.corpus_kind import GROUPS, TOTAL, Special, grade_cell
from tests.lanes import mostly_slow

RELEASED, SOLVED = notebooks()
KINDS = on_paper()
NO_PYTHON = {
    "syntax_error",
    "null_byte",
    "lone_surrogate",
    "nested_too_deeply",
    "notes_that_are_no_python",
}
NOT_VALID = {  # JSON, but no valid notebook of format 4
    *(
        "duplicated_cell_ids",
        "cells_no_list",
        "cell_no_object",
        "source_a_number",
        "source_a_list_of_numbers",
        "no_cells",
    ),
    *(
        "format_3",
        "format_5",
        "json_list",
        "json_text",
        "json_null",
        "deep_json",
        "deep_json_in_a_notebook",
    ),
    *("number_of_a_million_digits", "ids_that_are_paths"),
}
SAFE = [
    k
    for k in KINDS
    if k.group in ("honest", "edited") and NAME in k.files and k.name not in corpus_moved.ELSEWHERE
]


def cells_of(kind):
    """The code cells of a submission as plain Python."""
    data = kind.files.get(NAME)
    notebook = json.loads(data) if isinstance(data, bytes) else {}
    for cell in notebook.get("cells", []):
        if cell["cell_type"] == "code":
            yield TransformerManager().transform_cell("".join(cell["source"]).replace("\r\n", "\n"))


def test_there_are_enough_kinds_with_names_of_their_own():
    names = Counter(kind.name for kind in KINDS)
    assert not [name for name, times in names.items() if times > 1]
    assert len(KINDS) >= 75
    assert {kind.group for kind in KINDS} == set(GROUPS)
    assert all(
        kind.name.isidentifier() and kind.why.endswith(".") and "\n" not in kind.why
        for kind in KINDS
    )


def test_points_are_those_of_the_assignment():
    tests = [
        cell.metadata.nbgrader
        for cell in RELEASED.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    assert sum(flags.points for flags in tests) == TOTAL + 5
    assert all(
        getattr(check, task).points == points for task, points in POINTS.items() if task != "bits"
    )
    assert lint(read(SOURCE)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_ground_truth_is_possible_and_the_notebook_is_one_when_it_should_be(kind):
    assert kind.honest.keys() == POINTS.keys()
    assert all(kind.honest[task] in (0, points) for task, points in POINTS.items())
    assert kind.status in ("graded", "unreadable", "missing")
    assert all(0 <= total <= TOTAL for total in kind.accept or ())
    assert kind.status == "graded" or kind.total == 0
    assert json.loads(json.dumps(truth(kind)))["total"] == kind.total
    if isinstance(kind.files.get(NAME), bytes):
        assert is_valid(kind) != (kind.name in NOT_VALID or kind.status == "unreadable")
    if kind.group != "unreadable":
        wrong = no_python(kind)
        assert bool(wrong) == (kind.name in NO_PYTHON), wrong


def is_valid(kind) -> bool:
    """Whether the notebook of a submission is one by nbformat's rules, with ids of its own."""
    try:
        notebook = json.loads(kind.files[NAME])
        if list(nbformat.validator.iter_validate(notebook)):
            return False
        ids = [cell["id"] for cell in notebook["cells"] if "id" in cell]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, ImportError):
        return False
    return len(set(ids)) == len(ids)


def no_python(kind) -> list[Exception]:
    """What Python says of the cells of a submission that it cannot read."""
    wrong: list[Exception] = []
    for source in cells_of(kind):
        try:
            compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            wrong.append(error)
    return wrong


@pytest.mark.parametrize(
    "kind", [k for k in KINDS if k.group in ("leaking", "escaping")], ids=lambda k: k.name
)
def test_mark_stands_nowhere_in_the_submission(kind):
    """Or else showing a learner's own source would look like a leak."""
    for name, content in kind.files.items():
        mark = kind.canary.mark
        assert not mark or isinstance(content, Special) or mark.encode() not in content, name


class Shell:
    """What magics and shell lines call, without doing anything but run the body of a cell magic."""

    def __init__(self, names):
        self.names, self.ast_transformers = names, []

    def run_cell_magic(self, magic, line, body):
        exec(body, self.names)

    def __getattr__(self, name):
        return lambda *args, **kwargs: []


@pytest.fixture
def as_before(monkeypatch):
    """Answers may change defaults and the folder; afterwards all is as it was."""

    def refuse(*args):
        raise EOFError

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr("os.chdir", lambda folder: None)
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("kind", mostly_slow(SAFE, every=8), ids=lambda k: k.name)
def test_ground_truth_of_honest_answers_is_what_the_course_says(kind, as_before):
    """The cells are run here, in their order and once more for what they missed, then the answers are judged."""
    assert {
        task: points_of(task, answers_of(kind)) for task, points in POINTS.items()
    } == kind.honest


def answers_of(kind) -> dict:
    """What the cells of an honest submission define; the assignment's imports are there from the start."""
    names = {"__name__": "__main__"}
    shell = Shell(names)
    names["get_ipython"] = lambda: shell
    exec(next(cell.source for cell in RELEASED.cells if cell.cell_type == "code"), names)
    sources = [
        source
        for source in cells_of(kind)
        if "YOUR CODE HERE" not in source and not source.startswith(("check.", "assert"))
    ]
    for source in sources + sources:
        try:
            code = compile(source, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            coroutine = eval(code, names)
            if coroutine is not None:
                asyncio.run(coroutine)
        except (Exception, SystemExit):
            continue
    return names


def points_of(task: str, names: dict) -> int:
    if task != "bits":
        return getattr(check, task).judge(names.get(task)).points
    try:
        exec(grade_cell(SOLVED, "bits_test").source, names)
    except Exception:
        return 0
    return POINTS[task]


@pytest.mark.parametrize("task", POINTS)
def test_wrong_answers_are_wrong_and_stubs_are_worth_nothing(task, as_before):
    for name in ("wrong_all", "untouched"):
        kind = next(k for k in KINDS if k.name == name)
        assert points_of(task, answers_of(kind)) == 0


@pytest.mark.posix
def test_corpus_is_written_to_a_folder(tmp_path):
    small = [
        k
        for k in KINDS
        if not any(isinstance(c, Special) and c.what == "repeated" for c in k.files.values())
    ]
    write(small, tmp_path)
    truths = json.loads((tmp_path / "expected.json").read_text("utf-8"))
    assert set(truths) == {k.name for k in small}
    assert (tmp_path / "correct" / NAME).is_file()
    assert (tmp_path / "a_folder" / NAME).is_dir() and (tmp_path / "a_fifo" / NAME).is_fifo()
    assert (tmp_path / "symlink_to_the_solution" / NAME).is_symlink() and (
        tmp_path / "symlink_to_the_solution" / NAME
    ).exists()
    assert list((tmp_path / "missing").iterdir()) == []
