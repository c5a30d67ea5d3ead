"""From the instructor's notebook to the learners': what is cut, what is locked, what is refused, and that bytes repeat."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell as code
from nbformat.v4 import new_markdown_cell as prose

from gencourse.errors import InputError
from gencourse.grading.handout import release
from gencourse.grading.handout.nbgrader_format import answer_of, checksum

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "authoring"))
import build  # noqa: E402

IMPORT = "from gencourse.checks import report\nfrom gencourse.checks import vae as check\n"
ANSWER = "def elbo_terms(log_likelihood, kl, beta):\n    ### BEGIN SOLUTION\n    return 0\n    ### END SOLUTION"
FLAGS = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
TEST = {"grade": True, "locked": True, "points": 2}


def about(grade_id, /, **values):
    return {"nbgrader": {**FLAGS, "grade_id": grade_id, **values}}


def notebook(*cells, **metadata):
    return release.with_ids(nbformat.v4.new_notebook(cells=list(cells), metadata=metadata))


def good():
    return notebook(
        prose("# Title"), code(IMPORT), code(ANSWER), code("check.elbo_terms(elbo_terms)")
    )


def test_metadata_are_derived_from_markers_and_calls():
    _, _, answer, check = release.with_metadata(good()).cells
    assert answer.metadata == about("elbo_terms", solution=True)
    points = build.front_page.checks_of(Path("01_vae.py")).elbo_terms.points
    assert check.metadata == about("elbo_terms_check", grade=True, locked=True, points=points) | {
        "editable": False,
        "deletable": False,
    }
    assert release.lint(good()) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("### BEGIN SOLUTION\nw = 3\n### END SOLUTION", "w"),
        ("### BEGIN SOLUTION\nw: int = 3\n### END SOLUTION", "w"),
        (
            "def helper():\n    pass\n\n%time 1\nclass Model:\n    # BEGIN SOLUTION\n    pass\n    # END SOLUTION",
            "Model",
        ),
        (
            "import math\n\n@property\ndef f(self):\n    ### BEGIN SOLUTION\n    ### END SOLUTION\n    return math.e\n\nx = 1",
            "f",
        ),
    ],
)
def test_an_answer_is_named_by_the_statement_around_its_marker(source, name):
    (cell,) = release.with_metadata(notebook(code(source))).cells
    assert cell.metadata["nbgrader"]["grade_id"] == name


def test_metadata_of_the_author_are_kept_and_completed():
    given = [
        {"grade": True, "grade_id": "q1_test", "points": 3},
        {"grade_id": "q1", "solution": True},
        about("q2", solution=True)["nbgrader"],
    ]
    cells = release.with_metadata(
        notebook(*(code("1", metadata={"nbgrader": values}) for values in given))
    ).cells
    assert cells[0].metadata.nbgrader == about("q1_test", **TEST | {"points": 3})["nbgrader"]
    assert cells[1].metadata.nbgrader == about("q1", solution=True)["nbgrader"]
    assert cells[2].metadata.nbgrader == given[2]


def test_nothing_is_changed_in_place_and_making_it_twice_changes_nothing():
    source = good()
    before = copy.deepcopy(source)
    first, second = release.released(source), release.released(source)
    release.solved(source)
    release.lint(source)
    assert source == before
    assert release.as_text(first) == release.as_text(second)
    assert release.with_metadata(release.with_metadata(source)) == release.with_metadata(source)


def test_released_has_stubs_and_solved_has_answers():
    hidden = "check.elbo_terms(elbo_terms)\n### BEGIN HIDDEN TESTS\nassert elbo_terms(0, 0, 1) == 0\n### END HIDDEN TESTS\n1"
    source = notebook(code(IMPORT), code(ANSWER), code(hidden))
    assert [cell.source for cell in release.released(source).cells[1:]] == [
        "def elbo_terms(log_likelihood, kl, beta):\n    # YOUR CODE HERE\n    raise NotImplementedError()",
        "check.elbo_terms(elbo_terms)\n1",
    ]
    assert [cell.source for cell in release.solved(source).cells[1:]] == [
        "def elbo_terms(log_likelihood, kl, beta):\n    return 0",
        "check.elbo_terms(elbo_terms)\nassert elbo_terms(0, 0, 1) == 0\n1",
    ]


def test_whole_answers_and_written_answers_become_stubs():
    source = notebook(
        code("w = 3", metadata=about("w", solution=True)),
        prose("Because.", metadata=about("why", grade=True, solution=True, points=5)),
        prose(
            "It is\n### BEGIN SOLUTION\nsmall.\n### END SOLUTION",
            metadata=about("what", grade=True, solution=True, points=5),
        ),
        prose(
            "Draw.\n=== BEGIN MARK SCHEME ===\n2 points\n=== END MARK SCHEME ===",
            metadata=about("task", task=True, locked=True, points=2),
        ),
    )
    assert release.lint(source) == []
    assert [cell.source for cell in release.released(source).cells] == [
        "# YOUR CODE HERE\nraise NotImplementedError()",
        "YOUR ANSWER HERE",
        "It is\nYOUR ANSWER HERE",
        "Draw.",
    ]


def test_cells_are_locked_cleared_and_checksummed():
    outputs = [nbformat.v4.new_output("stream", text="the answer")]
    source = good()
    for cell in source.cells[1:]:
        cell.update(outputs=outputs, execution_count=4)
        cell.metadata["collapsed"] = cell.metadata["scrolled"] = True
    source.cells.insert(0, code("import math", metadata=about("setup", locked=True)))
    source.metadata["celltoolbar"] = "Create Assignment"
    setup, title, _, answer, check = (made := release.released(source)).cells
    assert "celltoolbar" not in made.metadata
    assert setup.metadata["deletable"] is False and setup.metadata["editable"] is False
    assert answer.metadata["deletable"] is False and "editable" not in answer.metadata
    assert (
        check.metadata["deletable"] is False
        and check.metadata["editable"] is False
        and title.metadata == {}
    )
    assert "the answer" not in release.as_text(
        made
    ) and 'execution_count": 4' not in release.as_text(made)
    assert "collapsed" not in release.as_text(made)
    assert all(
        cell.metadata["nbgrader"]["checksum"] == checksum(cell) for cell in (setup, answer, check)
    )


def test_checksum_is_nbgraders():
    """The value that nbgrader 0.9.6 writes for this cell; test_nbgrader.py compares many more where nbgrader is installed."""
    cell = code(
        "assert two(1) == 2", metadata=about("two_test", grade=True, locked=True, points=1.5)
    )
    assert checksum(cell) == "369c8ec171ebe09f0790e3904b265c0e"


def test_checksum_depends_on_everything_that_counts():
    cell = code("assert f(1)", metadata=about("f_check", **TEST))
    changes = [{"source": "assert f(2)"}, {"cell_type": "raw"}]
    changes += [
        {"metadata": about("f_check", **TEST | change)}
        for change in ({"points": 3}, {"solution": True}, {"grade_id": "g_check"})
    ]
    sums = {checksum(cell)} | {
        checksum(nbformat.from_dict({**cell, **change})) for change in changes
    }
    assert len(sums) == 1 + len(changes)
    assert checksum(
        nbformat.from_dict({**cell, "metadata": about("f_check", **TEST | {"points": 2.0})})
    ) == checksum(cell)


ONE = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION"
CHECK = {"metadata": about("f_check", **TEST)}
WRITTEN = about("why", grade=True, solution=True, points=5)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([code(ONE), code(ONE)], "cell 2 (f): grade_id should be unique, got 'f', which cell 1 has too. Rename one."),
        ([code("1", metadata=about("a b", locked=True))], "cell 1 (a b): grade_id should be made of letters, digits, _ and -, got 'a b'. Rename"),
        ([code("1", metadata=about("ä", locked=True))], "cell 1 (ä): grade_id should be made of letters, digits, _ and -, got 'ä'. Rename it."),
        ([code("1", metadata={"nbgrader": FLAGS | {"locked": True}})], "cell 1 (1): grade_id should be made of letters, digits, _ and -, got None"),
        ([code("1", **CHECK), code(ONE)], "cell 1 (f_check): a check should follow its answer, got its answer in cell 2. Move one of the two."),
        ([code("1", **CHECK)], "cell 1 (f_check): a check should follow its answer, got no answer before it. Move one of the two."),
        ([code("# with\n\nassert f() == 1")], None),
        ([code(ONE), code("# with\n\nassert f() == 1")], "cell 2 (# with): a test should say what it is worth, got a cell without nbgrader"),
        ([code(ONE), code("1", metadata=about("f_check", **TEST | {"points": 0}))], "points should be a number above 0, got 0. Say what"),
        ([code(ONE), code("1", metadata=about("f_check", **TEST | {"points": "2"}))], "points should be a number above 0, got '2'. Say what"),
        ([code(ONE), code("1", metadata=about("f_check", **TEST | {"points": float("nan")}))], "points should be a number above 0, got nan."),
        ([code(ONE), code("1", metadata=about("f_check", **TEST | {"points": True}))], "points should be a number above 0, got True."),
        ([code(ONE), code("1", metadata=about("f_check", grade=True, locked=True))], "points should be a number above 0, got None."),
        ([code(ONE), code("1", metadata=about("f_check", **TEST | {"locked": False}))], "a check should be locked, got locked: false. Set it"),
        ([code("1", metadata=about("f", locked=True, colour="red"))], "nbgrader metadata should have no other keys, got colour. Put them beside"),
        ([code("1", metadata=about("f", locked=True) | {"gencourse": {"judge": "outside"}})], None),
        ([code("1", metadata=about("f", locked=1))], "locked should be true or false, got 1. Correct it."),
        ([code("1", metadata=about("f", locked=True, schema_version=1))], "schema_version should be 3, got 1. Run nbgrader update."),
        ([code("1", metadata={"nbgrader": {"schema_version": 3, "grade_id": "f", "locked": True}})], "should have the flag grade, got none."),
        ([code("1", metadata=about("t", locked=True, task=True, points=2))], "a task should be a markdown cell, got code. Change the type."),
        ([prose("1", metadata=about("why", solution=True))], "a written answer should have both flags, grade and solution, got one of them."),
        ([prose("1", metadata=WRITTEN, attachments={"a.png": {"image/png": "aGk="}})], "an answer should hold no attached files, got some"),
        ([code("def f():\n    # YOUR CODE HERE", metadata=about("f", solution=True))], "an answer should be the instructor's, got a stub, of which"),
        ([prose("YOUR ANSWER HERE", metadata=WRITTEN)], "cell 1 (why): an answer should be the instructor's, got a stub, of which a release"),
        ([prose("Write between BEGIN SOLUTION and its end.")], "BEGIN SOLUTION should stand on a line of its own, as a comment, got 'Write between"),
        ([prose("### END HIDDEN TESTS")], "END HIDDEN TESTS should follow BEGIN HIDDEN TESTS, got it alone. Add or remove a marker."),
        ([prose("### BEGIN SOLUTION\n### END SOLUTION")], "BEGIN SOLUTION should stand in an answer, got a cell without the flag solution."),
        ([code(ONE + "\nprint('BEGIN SOLUTION')")], "BEGIN SOLUTION should stand on a line of its own, as a comment, got \"print('BEGIN"),
        ([code(ONE + "  # done")], "END SOLUTION should stand on a line of its own, as a comment, got '### END SOLUTION  # done'."),
        ([code(ONE.replace("return 1", "### BEGIN SOLUTION"))], "a region SOLUTION should end before the next one, got BEGIN SOLUTION inside it."),
        ([code(ONE[: ONE.rindex("\n")])], "cell 1 (f): BEGIN SOLUTION should be followed by END SOLUTION, got the end of the cell. Add the marker."),
        ([code(ONE + "\n### END SOLUTION")], "END SOLUTION should follow BEGIN SOLUTION, got it alone. Add or remove a marker."),
        ([code("### END SOLUTION")], "END SOLUTION should follow BEGIN SOLUTION, got it alone."),
        ([code(ONE.replace("return 1", "### END HIDDEN TESTS"))], "END HIDDEN TESTS should follow BEGIN HIDDEN TESTS, got it inside SOLUTION."),
        ([code("### BEGIN HIDDEN TESTS\nassert 1\n### END HIDDEN TESTS")], "BEGIN HIDDEN TESTS should stand in a graded cell, got a cell without"),
        ([code(ONE + "\n### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS")], "cell 1 (f): BEGIN HIDDEN TESTS should stand in a graded cell, got a"),
        ([code("### AUTOTEST f(1)")], "a test should be written out, got AUTOTEST, which only nbgrader can expand."),
        ([code("check.elbo_terms(elbo_terms)")], "its exercise should be known, got no `from gencourse.checks import ... as check`. Add this line."),
        ([code(IMPORT), code("check.nothing(nothing)")], "cell 2 (check.nothing(nothing)): nothing should be an exercise of gencourse.checks.vae"),
        ([code(IMPORT), code("check.elbo_terms(other)")], "a check should be check.elbo_terms(elbo_terms), got check.elbo_terms(other). Correct"),
        ([code(IMPORT.replace("vae", "vea")), code("check.f(f)")], "its exercise should be in gencourse.checks.vea, got no such module."),
        ([code("def f(:\n    ### BEGIN SOLUTION\n    ### END SOLUTION")], "an answer should be valid Python, got"),
        ([code("### BEGIN SOLUTION\nprint(1)\n### END SOLUTION")], "an answer should define a name, got none. Define one, or give the cell metadata"),
    ],
)  # fmt: skip
def test_lint_says_what_to_mend(cells, sentence):
    found = release.lint(notebook(*cells))
    assert found == [] if sentence is None else any(sentence in line for line in found), found
    assert all(
        line.startswith("cell ") and ", got" in line and line.endswith(".") for line in found
    )


def test_lint_looks_at_the_notebook_too():
    assert release.lint(
        notebook(kernelspec={"language": "R", "name": "ir", "display_name": "R"})
    ) == ["notebook: its language should be python, got 'R'. Choose a Python kernel."]
    assert "state of widgets" in release.lint(notebook(widgets={}))[0]


@pytest.mark.parametrize(
    "source",
    [
        ONE.replace("return 1", "### BEGIN SOLUTION"),
        ONE[: ONE.rindex("\n")],
        "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS",
        "### AUTOTEST f(1)",
    ],
)
def test_released_refuses_what_nbgrader_refuses(source):
    with pytest.raises(InputError, match=r"^cell 1 .* should .*, got .*\."):
        release.released(notebook(code(source)))
    with pytest.raises(InputError, match="BEGIN SOLUTION should stand in an answer"):
        release.released(notebook(prose("Write BEGIN SOLUTION.")))


def test_hostile_text_is_cut_line_by_line_at_newlines_only():
    """Other line separators of Unicode end no line, or the rest of an answer would be released."""
    secret = "def f():\n    ### BEGIN SOLUTION\n    a = 'secret\u2028### END SOLUTION\x0c\x85 secret'\n    ### END SOLUTION\r\n    return a"
    made = (
        release.released(notebook(code(secret, metadata=about("f", solution=True)))).cells[0].source
    )
    assert made == "def f():\n    # YOUR CODE HERE\n    raise NotImplementedError()\n    return a"
    assert (
        "on a line of its own"
        in release.lint(notebook(code(secret, metadata=about("f", solution=True))))[0]
    )


def test_a_check_belongs_to_the_answer_with_the_longest_name_that_begins_its_own():
    names = ["loss", "loss_two", "other"]
    cells = [code("1", metadata=about(name, solution=True)) for name in names]
    cells += [
        code("1", metadata=about(name, **TEST)) for name in ("loss_two_check", "loss_test", "q7")
    ]
    assert [answer_of(cells, i) for i in (3, 4, 5)] == [1, 0, 2]


@pytest.mark.parametrize(
    "source", sorted((ROOT / "authoring/exercises").glob("[0-9]*.py")), ids=lambda p: p.stem
)
def test_releases_of_the_exercises_are_the_committed_ones(source, tmp_path):
    for folder, make in (("exercises", release.released), ("solutions", release.solved)):
        instructor = release.with_ids(build.instructor(source, folder))
        assert release.lint(instructor) == []
        assert release.as_text(release.with_ids(make(instructor))) == (
            ROOT / folder / f"{source.stem}.ipynb"
        ).read_text("utf-8")
    as_percent = tmp_path / source.name
    build.jupytext.write(build.instructor(source, "exercises"), as_percent, fmt="py:percent")
    written = release.release(as_percent, tmp_path / "out")
    assert written.read_bytes() == (ROOT / "exercises" / f"{source.stem}.ipynb").read_bytes()


PERCENT = """# %% [markdown]
# A title
# %%
{IMPORT}
# %%
{ANSWER}
# %%
check.elbo_terms(elbo_terms)
# %% nbgrader={{"grade": true, "grade_id": "elbo_terms_more", "points": 1}}
assert elbo_terms(1, 2, 3) == 0
# %% [markdown] nbgrader={{"grade": true, "solution": true, "grade_id": "why", "points": 4}}
# Because.
"""


def test_a_text_file_is_released_whole_and_the_same_every_time(tmp_path):
    source = tmp_path / "set.py"
    source.write_text(PERCENT.format(IMPORT=IMPORT, ANSWER=ANSWER), "utf-8")
    written = release.release(source, tmp_path / "out")
    first = written.read_bytes()
    assert release.release(source, tmp_path / "out").read_bytes() == first
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["set.ipynb"]
    cells = nbformat.read(written, as_version=4).cells
    nbformat.validate(nbformat.read(written, as_version=4))
    assert [cell.metadata.get("nbgrader", {}).get("points") for cell in cells] == [
        None,
        None,
        None,
        3,
        1,
        4,
    ]
    assert (
        cells[-1].source == "YOUR ANSWER HERE"
        and b"return 0" not in first
        and b"Because" not in first
    )


@pytest.mark.parametrize("ids", ["own", "missing", "repeated"])
def test_a_notebook_keeps_its_ids_and_gets_those_it_lacks(tmp_path, ids):
    raw = json.loads(release.as_text(good()))
    for number, cell in enumerate(raw["cells"]):
        if ids == "missing":
            del cell["id"]
        else:
            cell["id"] = f"mine-{number}" if ids == "own" else "mine"
    (source := tmp_path / "set.ipynb").write_text(json.dumps(raw), "utf-8")
    texts = [release.release(source, tmp_path / f"out{i}").read_text("utf-8") for i in range(2)]
    got = [cell["id"] for cell in json.loads(texts[0])["cells"]]
    assert texts[0] == texts[1] and len(set(got)) == 4
    assert (got == ["mine-0", "mine-1", "mine-2", "mine-3"]) is (ids == "own")


def test_older_notebooks_stay_what_they_are(tmp_path):
    raw = json.loads(release.as_text(good())) | {"nbformat_minor": 4}
    for cell in raw["cells"]:
        del cell["id"]
    (source := tmp_path / "set.ipynb").write_text(json.dumps(raw), "utf-8")
    made = json.loads(release.release(source, tmp_path / "out").read_text("utf-8"))
    assert made["nbformat_minor"] == 4 and not any("id" in cell for cell in made["cells"])


def test_release_refuses_problems_and_its_own_source_and_writes_nothing(tmp_path):
    source = release.write(good(), tmp_path / "set.ipynb")
    with pytest.raises(InputError, match="release: folder should be another than the notebook's"):
        release.release(source, tmp_path)
    assert source.read_text("utf-8") == release.as_text(good())
    bad = release.write(notebook(code(ONE), code(ONE)), tmp_path / "bad.ipynb")
    with pytest.raises(
        InputError,
        match=r"release: bad.ipynb should have no problems, got 1\. Mend .*\ncell 2 \(f\): grade_id",
    ):
        release.release(bad, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nbformat": 3, "worksheets": []}', '{"nbformat": 4, "nbformat_minor": 5}', "\udcff", '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}'])  # fmt: skip
def test_what_is_no_notebook_is_refused_with_a_sentence(tmp_path, text):
    path = tmp_path / "set.ipynb"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(
        InputError,
        match=r"^read: path should be a notebook, got 'set.ipynb' \(.*\)\. Look at the file\.$",
    ):
        release.read(path)
    with pytest.raises(InputError, match=r"path should end in \.ipynb or \.py, got "):
        release.read(tmp_path / "set.txt")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    target = release.write(good(), tmp_path / "set.ipynb")
    before = target.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        release.write(notebook(code("1")), target)
    assert target.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == [
        "set.ipynb"
    ]


def test_nothing_of_nbgrader_is_needed_to_release():
    code = "import sys; sys.modules['nbgrader'] = sys.modules['jupytext'] = None; from gencourse.grading.handout import release"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
