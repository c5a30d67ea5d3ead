"""From sources to notebooks: numbers, answers, ids, metadata, and what the build refuses."""

import json
import re
from pathlib import Path

import pytest

from authoring import address, build, front_page
from gencourse import claims
from gencourse.claims import Stated

ROOT = Path(__file__).parents[1]

CHAPTER = """# %% [markdown]
# # A chapter
# %%
from gencourse.claims import claim
claim("the_bound", -98.4)
# %% [markdown]
# The bound is {{the_bound}} nats.
"""


@pytest.fixture(autouse=True)
def stated(monkeypatch):
    """What the chapter of these tests, which is no chapter of the course, states."""
    entries, true = {"the_bound": Stated(about=-98, within=3, unit="nats")}, claims.stated
    monkeypatch.setattr(
        claims, "stated", lambda chapter: entries if chapter == "09_test" else true(chapter)
    )
    return entries


def source(tmp_path, text, folder="chapters"):
    path = tmp_path / folder / "09_test.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_claimed_numbers_reach_the_prose_with_a_true_minus_sign(tmp_path):
    notebook = build.chapter(source(tmp_path, CHAPTER))
    assert notebook.cells[-1].source == "The bound is −98 nats."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("{{the_bound}}", "{{another}}"), "claimed numbers only, got {{another}}"),
        (("{{the_bound}}", "about right"), "stated in the prose, got none for the_bound"),
        (
            ('"the_bound"', '"a_bound"'),
            "in gencourse/claims/09_test.toml, got none for a_bound",
        ),
        (("claim(", "print("), "should be claimed in the chapter, got none for the_bound"),
        (("claim(", 'claim("the_bound", 1)\nclaim('), "got the_bound twice"),
        (("# %%\nfrom", '# %% tags=["chek"]\nfrom'), r"got ['chek']"),
    ],
)
def test_build_refuses(tmp_path, change, words):
    with pytest.raises(SystemExit) as refused:
        build.chapter(source(tmp_path, CHAPTER.replace(*change)))
    assert words in str(refused.value)


def test_every_notebook_begins_with_badge_and_the_same_bootstrap():
    cells = {}
    for path in ROOT.glob("*/[0-9]*.ipynb"):
        notebook = json.loads(path.read_text("utf-8"))
        title, code = ("".join(cell["source"]) for cell in notebook["cells"][:2])
        assert title.startswith(address.badge(path.parent.name, path.stem) + "\n\n# ")
        cells[path] = code
    assert set(cells.values()) == {build.first_cell()}
    place = f"{address.repository()}@{address.ref()}"
    assert f'\nEDITION, ADDRESS = "{address.version()}", "{place}"\n' in code
    assert all(len(line) <= 100 for line in code.splitlines())


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*/[0-9]*.ipynb")), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_notebooks_are_valid(path):
    build.nbformat.validate(build.nbformat.read(path, as_version=4))


def test_answers_become_stubs_and_nothing_else_changes():
    path = ROOT / "authoring/exercises/01_vae.py"
    exercises, solutions = (
        build.exercise_set(path, solved=False),
        build.exercise_set(path, solved=True),
    )
    different = 0
    for released, solved in zip(exercises.cells, solutions.cells, strict=True):
        if released.source != solved.source and "Colab" not in released.source:
            different += 1
            assert re.search(r"# YOUR CODE HERE\n +raise NotImplementedError\(\)$", released.source)
            kept = re.split(r" +# YOUR CODE HERE", released.source)[0]
            assert solved.source.startswith(kept)
    assert different == len(front_page.exercises(path))


def test_build_is_repeatable_and_ids_are_unique():
    path = ROOT / "authoring/exercises/01_vae.py"
    first, second = (build.as_text(build.exercise_set(path, solved=False)) for _ in range(2))
    assert first == second
    ids = [cell["id"] for cell in json.loads(first)["cells"]]
    assert len(ids) == len(set(ids))


def test_cells_carry_nbgraders_metadata():
    cells = build.exercise_set(ROOT / "authoring/exercises/01_vae.py", solved=False).cells
    graded = {c.metadata.nbgrader.grade_id: c for c in cells if "nbgrader" in c.metadata}
    answer, check = graded["reparameterize"], graded["reparameterize_check"]
    flags = dict(
        schema_version=3,
        grade_id="reparameterize",
        grade=False,
        solution=True,
        locked=False,
        task=False,
    )
    assert answer.metadata.nbgrader == flags | dict(
        cell_type="code", checksum=build.release.checksum(answer)
    )
    assert (
        check.metadata.nbgrader.points == 2
        and check.metadata.nbgrader.locked
        and check.metadata.editable is False
    )


def test_damaged_generated_files_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "ROOT", tmp_path)
    target = tmp_path / "notebooks" / "09_test.ipynb"
    monkeypatch.setattr(
        build, "read", lambda path, folder: build.jupytext.read(path, fmt="py:percent")
    )
    notebook = build.chapter(source(tmp_path, CHAPTER))
    assert build.problems(notebook, target) == ["notebooks/09_test.ipynb is missing"]
    target.parent.mkdir()
    target.write_text(build.as_text(notebook).replace("−98", "−97"), "utf-8")
    assert build.problems(notebook, target) == ["notebooks/09_test.ipynb is out of date"]
    target.write_text(build.as_text(notebook), "utf-8")
    assert build.problems(notebook, target) == [
        "notebooks/09_test.ipynb was not executed from top to bottom"
    ]


def test_another_first_cell_costs_no_execution(tmp_path, monkeypatch):
    """The outputs of a chapter stay when the address or the edition changes; those of the first
    cell are what it says now.
    """
    old = build.chapter(source(tmp_path, CHAPTER))
    old.cells[1].source = "import gencourse\nprint(gencourse.__version__)"  # of an older edition
    for number, cell in enumerate(c for c in old.cells if c.cell_type == "code"):
        cell.execution_count = number + 1
        cell.outputs = [build.nbformat.v4.new_output("stream", text=f"old {number}\n")]
    target = tmp_path / "01_vae.ipynb"
    target.write_text(build.as_text(old), "utf-8")
    made = build.keep_outputs(build.chapter(source(tmp_path, CHAPTER)), target)
    assert [c.execution_count for c in made.cells if c.cell_type == "code"] == [1, 2]
    assert [c.outputs[0].text for c in made.cells if c.cell_type == "code"] == [
        f"gencourse {address.version()}\n",
        "old 1\n",
    ]
    other = build.chapter(source(tmp_path, CHAPTER.replace("-98.4", "-98.5")))
    assert not any(
        c.outputs for c in build.keep_outputs(other, target).cells if "claim" in c.source
    )
