"""nbgrader itself as the judge: our releases are its releases, it grades our exercises, its formgrader opens the results.

Needs `uv sync --group interop`. Without nbgrader the tests are skipped; with GENCOURSE_CI set they fail instead.
"""

import importlib.util
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gencourse.grading.handout import release

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "authoring"))
import build  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SOURCES = sorted((ROOT / "authoring/exercises").glob("[0-9]*.py"))
STEMS = [source.stem for source in SOURCES]

if importlib.util.find_spec("nbgrader") is None and not os.environ.get("GENCOURSE_CI"):
    pytest.skip("nbgrader is not installed: uv sync --group interop", allow_module_level=True)


def every_kind() -> nbformat.NotebookNode:
    """One cell of each kind that nbgrader knows, as an instructor's notebook with outputs."""
    flags = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}

    def about(grade_id, **values):
        return {"nbgrader": {**flags, "grade_id": grade_id, **values}}

    code, prose = new_code_cell, new_markdown_cell
    two = "def two(x):\n    y = x\n    ### BEGIN SOLUTION\n    y += x\n    ### END SOLUTION\n\t# BEGIN SOLUTION\n\tz = 1\n\t# END SOLUTION\n    return y\n"
    return new_notebook(
        metadata={"kernelspec": build.METADATA["kernelspec"], "celltoolbar": "Create Assignment"},
        cells=[
            prose("Prose — with dashes.", metadata={"tags": ["intro"]}),
            code("import math\u2028", metadata=about("setup", locked=True)),
            code(two, metadata=about("two", solution=True) | {"scrolled": True, "collapsed": False}),
            code("assert two(1) == 2\n### BEGIN HIDDEN TESTS\nassert two(3) == 6\n### END HIDDEN TESTS", metadata=about("two_test", grade=True, locked=True, points=1.5)),
            code("whole = 'an answer without markers'", metadata=about("whole", solution=True)),
            code("### BEGIN HIDDEN TESTS\nassert whole\n### END HIDDEN TESTS", metadata=about("whole_test", grade=True, locked=True, points=2)),
            prose("The answer, in prose.", metadata=about("written", grade=True, solution=True, points=5)),
            prose("Because\n### BEGIN SOLUTION\nof this.\n### END SOLUTION\nTwo lines.", metadata=about("partly", grade=True, solution=True, points=1)),
            code("print('graded by hand')", metadata=about("by-hand", grade=True, solution=True, points=3)),
            prose("Draw.\n=== BEGIN MARK SCHEME ===\n2 for a curve\n=== END MARK SCHEME ===", metadata=about("task", locked=True, task=True, points=2)),
            code("1 + 1", outputs=[nbformat.v4.new_output("stream", text="2")], execution_count=3, metadata={"gencourse": {"judge": "kernel"}}),
        ],
    )  # fmt: skip


def instructor(source: Path) -> nbformat.NotebookNode:
    return release.with_metadata(release.with_ids(build.instructor(source, "exercises")))


def nbgrader(course: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *words],
        cwd=course,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of nbgrader's in a folder of its own: what its authors wrote, and what it released."""
    folder = tmp_path_factory.mktemp("course")
    for assignment, notebooks in {
        "exercises": {source.stem: instructor(source) for source in SOURCES},
        "kinds": {"every_kind": release.with_ids(every_kind())},
    }.items():
        for name, notebook in notebooks.items():
            release.write(notebook, folder / "source" / assignment / f"{name}.ipynb")
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'gencourse'\nc.Execute.timeout = 300\n",
        "utf-8",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "PATH", str(Path(sys.executable).parent), prepend=os.pathsep
        )  # nbgrader calls the program alembic
        for kind in ("DATA", "CONFIG", "RUNTIME"):
            patch.setenv(f"JUPYTER_{kind}_DIR", str(folder / ".jupyter" / kind.lower()))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # kernels of this interpreter
        patch.setenv("IPYTHONDIR", str(folder / ".ipython"))
        patch.setenv("GENCOURSE_SCALE", "smoke")
        patch.delenv(
            "GENCOURSE_STRICT", raising=False
        )  # that nbgrader grades is enough to be strict
        for assignment in ("exercises", "kinds"):
            nbgrader(folder, "generate_assignment", assignment, "--create")
        yield folder


@pytest.fixture(scope="module")
def graded(course):
    """The course after nbgrader has graded a student who solved everything and one who solved nothing."""
    for student, folder in (("solved", "solutions"), ("unsolved", "exercises")):
        for stem in STEMS:
            target = course / "submitted" / student / "exercises" / f"{stem}.ipynb"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / folder / f"{stem}.ipynb", target)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GENCOURSE_STRICT", raising=False)  # conftest.py sets it for every test
        nbgrader(course, "autograde", "exercises", "--create")
    return course


def gradebook(course: Path):
    from nbgrader.api import Gradebook

    return Gradebook(f"sqlite:///{course / 'gradebook.db'}")


def different(
    ours: nbformat.NotebookNode, theirs: nbformat.NotebookNode, apart_from: tuple[str, ...] = ()
) -> list:
    """The cells in which two notebooks differ, with the two cells."""
    pairs = [
        ({k: v for k, v in cell.items() if k not in apart_from} for cell in pair)
        for pair in zip(ours.cells, theirs.cells, strict=True)
    ]
    return [(one, other) for one, other in pairs if one != other]


@pytest.mark.parametrize("stem", STEMS)
def test_nbgrader_releases_what_we_release(course, stem):
    """All but the ids of answers: ours come from the released cell, nbgrader keeps those of its source."""
    ours = nbformat.read(ROOT / "exercises" / f"{stem}.ipynb", as_version=4)
    theirs = nbformat.read(course / "release/exercises" / f"{stem}.ipynb", as_version=4)
    assert different(ours, theirs, apart_from=("id",)) == []
    assert all(
        release.flag(one, "solution")
        for one, other in zip(ours.cells, theirs.cells, strict=True)
        if one.id != other.id
    )
    assert ours.metadata == theirs.metadata and ours.nbformat_minor == theirs.nbformat_minor


def test_nbgrader_releases_every_kind_of_cell_as_we_do(course):
    source = course / "source/kinds/every_kind.ipynb"
    ours = release.release(source, course / "ours")
    theirs = course / "release/kinds/every_kind.ipynb"
    assert different(*(nbformat.read(path, as_version=4) for path in (ours, theirs))) == []
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("stem", STEMS)
def test_nbgrader_gives_full_marks_to_answers_and_none_to_stubs(graded, stem):
    points = {
        exercise.name: exercise.points
        for exercise in build.front_page.exercises(ROOT / f"{stem}.py")
    }
    with gradebook(graded) as book:
        for student, share in (("solved", 1), ("unsolved", 0)):
            notebook = book.find_submission_notebook(stem, "exercises", student)
            marks = {
                grade.name.removesuffix("_check"): grade.auto_score for grade in notebook.grades
            }
            assert marks == {name: share * worth for name, worth in points.items()}
            assert notebook.max_score == sum(points.values())
            assert not notebook.needs_manual_grade


@pytest.fixture(scope="module")
def formgrader(graded):
    """A Jupyter server with nbgrader's formgrader: a function that fetches a page from it."""
    config = graded / ".jupyter/config"
    config.mkdir(parents=True, exist_ok=True)
    extensions = {
        "nbgrader.server_extensions.formgrader": True,
        "jupyterlab": False,
        "notebook": False,
        "jupyter_lsp": False,
    }
    (config / "jupyter_server_config.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": extensions}}), "utf-8"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    log = (graded / "server.log").open("w+", encoding="utf-8")
    command = [
        "jupyter_server",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
    ]
    server = subprocess.Popen(
        [sys.executable, "-m", *command, f"--IdentityProvider.token={token}"],
        cwd=graded,
        stdout=log,
        stderr=log,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(address: str) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/{address}", headers={"Authorization": f"token {token}"}
        )
        with opener.open(request, timeout=60) as page:
            return page.status, page.read().decode()

    try:
        for _ in range(120):
            assert server.poll() is None, (graded / "server.log").read_text("utf-8")
            try:
                fetch("api")
                break
            except urllib.error.URLError:
                time.sleep(0.5)
        yield fetch
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def test_formgrader_lists_the_assignment_and_its_marks(formgrader):
    status, page = formgrader("formgrader")
    assert status == 200 and "nbgrader formgrade" in page
    _, listed = formgrader("formgrader/api/submissions/exercises")
    total = sum(
        exercise.points for source in SOURCES for exercise in build.front_page.exercises(source)
    )
    assert {s["student"]: (s["score"], s["max_score"]) for s in json.loads(listed)} == {
        "solved": (total, total),
        "unsolved": (0, total),
    }


@pytest.mark.parametrize("stem", STEMS)
def test_formgrader_opens_a_graded_notebook(graded, formgrader, stem):
    with gradebook(graded) as book:
        ids = {
            student: book.find_submission_notebook(stem, "exercises", student).id
            for student in ("solved", "unsolved")
        }
    for student, identity in ids.items():
        status, page = formgrader(f"formgrader/submissions/{identity}/")
        assert status == 200 and student in page
        for exercise in build.front_page.exercises(ROOT / f"{stem}.py"):
            assert f"{exercise.name}_check" in page
