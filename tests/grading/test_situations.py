"""What people really hand in: places, names, endings and encodings are combined, not listed.

Each kind of situation has the right value: which file is the work, who handed in, what is read. What
has to be run stands in `test_situations_run.py`.
"""

import copy
import io
import itertools
import json
import sys
import unicodedata
import zipfile
from pathlib import Path

import pytest

from gencourse.editions.carry import digest as course_digest
from gencourse.errors import InputError
from gencourse.grading.handout import assignment as assignments
from gencourse.grading.handout import release
from gencourse.grading.submissions.choose import exported_cells
from gencourse.grading.submissions.collect import collect, survey
from gencourse.grading.submissions.reading import LONG, VALUES_LIMIT, Unreadable, read
from gencourse.grading.submissions.rebuild import rebuild
from tests.grading.corpus_assignment import SOURCE, WRITTEN, notebooks

ROOT = Path(__file__).parents[2]
RELEASED, SOLVED = (json.loads(release.as_text(made)) for made in notebooks())


@pytest.fixture(scope="module")
def small():
    return assignments.load(SOURCE)


def as_file(cells: dict, **changed) -> bytes:
    return json.dumps(cells | changed, ensure_ascii=False).encode()


def worked(extra: str = "") -> dict:
    """The handout with an answer of somebody's own in it."""
    made = copy.deepcopy(RELEASED)
    cell = next(c for c in made["cells"] if "def bits" in source(c))
    cell["source"] = f"def bits(nats):\n    return nats / math.log(2)  # mine{extra}"
    return made


def source(cell: dict) -> str:
    return "".join(cell["source"])


HANDOUT, MINE, OLDER = as_file(RELEASED), as_file(worked()), as_file(worked(", and older"))
SOLUTIONS = as_file(SOLVED)
BROKEN = MINE[:200]


def folder(home: Path, files: dict[str, bytes], age: dict[str, float] | None = None) -> Path:
    import os

    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        when = 1_700_000_000 + (age or {}).get(name, 0)
        os.utime(path, (when, when))
    return home


def zipped(files: dict[str, bytes], flagged: bool = True) -> bytes:
    """A zip as a program makes it that says that names are UTF-8, or one that does not."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            made.writestr(info, content)
    data = buffer.getvalue()
    if not flagged:
        for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = data.find(signature)
            while at >= 0:
                data = data[: at + place] + b"\0\0" + data[at + place + 2 :]
                at = data.find(signature, at + 1)
    return data


# which of several files is the work

HIDDEN_PLACES = (
    *(".Trash-1000/files", ".local/share/Trash/files", ".ipynb_checkpoints", ".history"),
    *(".vscode", "__MACOSX", "Trash", "week 1/.ipynb_checkpoints", "$RECYCLE.BIN", "lost+found"),
)
BACKUP_PLACES = ("old", "backup", "-old", "my backup", "archive", "earlier", "versions", "0-old")
DEEPER_PLACES = ("0", "a", "-", "week 1", "zz/deep/er")
COPIES = (
    "small.ipynb",
    "small (1).ipynb",
    "small-Copy1.ipynb",
    "Copy of small.ipynb",
    "SMALL.ipynb",
)


@pytest.mark.parametrize("place", [*HIDDEN_PLACES, *BACKUP_PLACES, *DEEPER_PLACES])
def test_a_copy_elsewhere_never_wins_over_the_visible_notebook(tmp_path, small, place):
    """Whatever the copy holds, however it is called, and although it is newer."""
    for number, (content, name) in enumerate(itertools.product((HANDOUT, OLDER), COPIES[:3])):
        home = tmp_path / str(number)
        other = f"ada/{place}/{name}"
        files = {"ada/small.ipynb": MINE, other: content, "zoe/small.ipynb": MINE}
        folder(home, files, {other: 3600})
        ada, _ = collect(home, [small])["small"]
        assert ada.file == "ada/small.ipynb" and not ada.problem
        assert any(flag == "several-notebooks" and name in said for flag, said in ada.flags)


@pytest.mark.parametrize("place", HIDDEN_PLACES)
def test_what_was_deleted_is_no_submission(tmp_path, small, place):
    files = {f"ada/{place}/small.ipynb": MINE, "zoe/small.ipynb": MINE}
    ada, _ = collect(folder(tmp_path, files), [small])["small"]
    assert ada.problem.startswith("missing") and "hidden" in ada.problem


@pytest.mark.parametrize("place", BACKUP_PLACES)
def test_a_backup_counts_where_there_is_nothing_else_and_it_is_said(tmp_path, small, place):
    files = {f"ada/{place}/small.ipynb": MINE, "zoe/small.ipynb": MINE}
    ada, _ = collect(folder(tmp_path, files), [small])["small"]
    assert not ada.problem and "from-a-backup" in dict(ada.flags)


@pytest.mark.parametrize("own", [HANDOUT, SOLUTIONS], ids=["handout", "solutions"])
@pytest.mark.parametrize(("mine", "theirs"), list(itertools.permutations(COPIES, 2)))
def test_the_courses_own_file_never_wins(tmp_path, small, own, mine, theirs):
    files = {f"ada/deep/{mine}": MINE, f"ada/{theirs}": own}
    files = (
        files if mine.lower() != theirs.lower() else {f"ada/deep/{mine}": MINE, "ada/a.ipynb": own}
    )
    folder(tmp_path, files | {"zoe/small.ipynb": MINE}, {f"ada/{theirs}": 3600})
    ada, _ = collect(tmp_path, [small])["small"]
    assert ada.file == f"ada/deep/{mine}"


@pytest.mark.parametrize(("newer", "older"), list(itertools.permutations(COPIES[:4], 2)))
def test_of_two_in_one_place_the_newest_is_the_work(tmp_path, small, newer, older):
    files = {f"ada/{newer}": MINE, f"ada/{older}": OLDER, "zoe/small.ipynb": MINE}
    ada, _ = collect(folder(tmp_path, files, {f"ada/{newer}": 60}), [small])["small"]
    assert ada.file == f"ada/{newer}"


def test_one_that_can_be_read_wins_over_a_newer_one_that_cannot(tmp_path, small):
    files = {"ada/small.ipynb": BROKEN, "ada/small (1).ipynb": MINE, "zoe/small.ipynb": MINE}
    ada, _ = collect(folder(tmp_path, files, {"ada/small.ipynb": 60}), [small])["small"]
    assert ada.file == "ada/small (1).ipynb"


def test_a_broken_work_wins_over_a_notebook_of_something_else(tmp_path, small):
    other = as_file({"nbformat": 4, "cells": [{"cell_type": "code", "source": "x = 1"}]})
    files = {"ada/small.ipynb": BROKEN, "ada/lecture.ipynb": other, "zoe/small.ipynb": MINE}
    ada, _ = collect(folder(tmp_path, files), [small])["small"]
    assert ada.file == "ada/small.ipynb" and ada.problem.startswith("unreadable")


def chapter(name: str) -> bytes:
    return (ROOT / "notebooks" / f"{name}.ipynb").read_bytes()


@pytest.fixture(scope="module")
def vae():
    return assignments.load(ROOT / "exercises" / "01_vae.ipynb")


def without_ids(data: bytes) -> bytes:
    """As Colab saves it."""
    made = json.loads(data)
    for number, cell in enumerate(made["cells"]):
        cell["id"] = f"aB3xY{number}"
        cell["metadata"] = {}
    return as_file(made)


@pytest.mark.parametrize("saved", [lambda data: data, without_ids], ids=["as it is", "by Colab"])
def test_the_chapter_in_the_place_of_its_exercises_is_said_and_nobody_suspected(
    tmp_path, vae, saved
):
    files = {"ada/01_vae.ipynb": saved(chapter("01_vae")), "zoe/x.txt": b""}
    ada, _ = collect(folder(tmp_path, files), [vae])["01_vae"]
    assert ada.problem.startswith("missing: The chapter was handed in") and not ada.flags


def test_the_chapter_beside_the_exercises_does_not_win(tmp_path, vae):
    mine = json.loads((ROOT / "exercises/01_vae.ipynb").read_bytes())
    cell = next(c for c in mine["cells"] if "def split_heads" in source(c))
    cell["source"] = "def split_heads(h):\n    return h.chunk(2, dim=1)  # mine"
    files = {"ada/01_vae.ipynb": chapter("01_vae"), "ada/week/01_vae.ipynb": as_file(mine)}
    ada, _ = collect(folder(tmp_path, files | {"zoe/x.txt": b""}), [vae])["01_vae"]
    assert ada.file == "ada/week/01_vae.ipynb" and not ada.problem


def test_the_solutions_as_they_are_get_a_flag(tmp_path, vae):
    files = {"ada/01_vae.ipynb": (ROOT / "solutions/01_vae.ipynb").read_bytes(), "zoe/x.txt": b""}
    ada, _ = collect(folder(tmp_path, files), [vae])["01_vae"]
    assert "course-solutions" in dict(ada.flags) and not ada.problem


def test_a_cell_of_the_course_is_known_by_its_id():
    text = "x = 1"
    cell = {"cell_type": "code", "source": text, "id": course_digest("code", text)}
    (found,) = read(as_file({"nbformat": 4, "cells": [cell]})).cells
    assert found.made_of == course_digest("code", text)


# other languages of file

READ_AS_NOTEBOOKS = (
    ".ipynb",
    ".IPYNB",
    ".Ipynb",
    ".ipynb.txt",
    ".ipynb.json",
    ".json",
    ".IPYNB.TXT",
)
NOT_READ = (".html", ".pdf", ".docx", ".ipynb.html", ".md")
SCRIPT = "# %% [markdown]\n# # Text\n\n# %%\nimport math\n\n# %%\ndef bits(nats):\n    return nats / math.log(2)\n"
NBCONVERT = "#!/usr/bin/env python\n# coding: utf-8\n\n# In[1]:\n\n\nimport math\n\n\n# In[ ]:\n\n\ndef bits(nats):\n    return nats / math.log(2)\n"


@pytest.mark.parametrize("ending", READ_AS_NOTEBOOKS)
@pytest.mark.parametrize("flat", [False, True])
def test_notebooks_under_other_endings_are_read(tmp_path, small, ending, flat):
    place = f"ada_small{ending}" if flat else f"ada/small{ending}"
    found = collect(folder(tmp_path, {place: MINE, "zoe_small.ipynb": MINE}), [small])["small"]
    ada = next(one for one in found if one.student == "ada")
    assert not ada.problem and len(ada.cells) == len(RELEASED["cells"])


@pytest.mark.parametrize("ending", NOT_READ)
@pytest.mark.parametrize("flat", [False, True])
def test_files_that_are_no_notebooks_give_a_row_that_says_what_there_is(
    tmp_path, small, ending, flat
):
    place = f"ada_small{ending}" if flat else f"ada/small{ending}"
    found = collect(folder(tmp_path, {place: b"<html>", "zoe_small.ipynb": MINE}), [small])["small"]
    ada = next(one for one in found if one.student == "ada")
    assert ada.problem.startswith("missing") and ending.rpartition(".")[2] in ada.problem


@pytest.mark.parametrize("text", [SCRIPT, NBCONVERT], ids=["jupytext", "nbconvert"])
@pytest.mark.parametrize("flat", [False, True])
def test_an_exported_script_is_read_where_there_is_no_notebook(tmp_path, small, text, flat):
    place = "ada_small.py" if flat else "ada/small.py"
    files = {place: text.encode(), "zoe_small.ipynb": MINE}
    found = collect(folder(tmp_path, files), [small])["small"]
    ada = next(one for one in found if one.student == "ada")
    assert not ada.problem and "other-file" in dict(ada.flags)
    assert any("def bits" in cell.source for cell in ada.cells if cell.kind == "code")
    if not flat:
        again = folder(
            tmp_path / "both",
            {"ada/small.py": text.encode(), "ada/small.ipynb": MINE, "zoe/small.ipynb": MINE},
        )
        assert collect(again, [small])["small"][0].file == "ada/small.ipynb"


# who handed in

PEOPLE = ("Ada Lovelace", "Ñuñez", "Ångström Žofie", "Zoë", "o'hara")
LAYOUTS = {
    "folders": "{name}/small.ipynb",
    "flat, name first": "{name}_small.ipynb",
    "flat, name last": "small_{name}.ipynb",
    "nbgrader": "submitted/{name}/small/small.ipynb",
    "nbgrader, with other things beside": "submitted/{name}/small/small.ipynb",
    "Moodle": "{name}_{id}_assignsubmission_file/small.ipynb",
    "Moodle, older": "{name}_{id}_assignsubmission_file_/small.ipynb",
    "Moodle without folders": "{name}_{id}_assignsubmission_file_small.ipynb",
    "Canvas": "{name}_{id}_{id}9_small.ipynb",
    "Canvas, late": "{name}_LATE_{id}_{id}9_small-1.ipynb",
    "Canvas in folders": "{name}_{id}_{id}9/small.ipynb",
    "a folder around": "class/{name}/small.ipynb",
}
SPELLINGS = {"as it is": str, "NFD": lambda text: unicodedata.normalize("NFD", text)}


def class_in(layout: str, spell) -> dict[str, bytes]:
    files = {
        spell(LAYOUTS[layout].format(name=name, id=501 + i)): as_file(worked(str(i)))
        for i, name in enumerate(PEOPLE)
    }
    if "beside" in layout:
        files |= {"README.md": b"#", "source/small/small.ipynb": HANDOUT, "gradebook.db": b"x"}
    return files


@pytest.mark.parametrize("packed", ["folder", "zip", "unflagged zip"])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_everybody_is_one_row_under_the_own_name(tmp_path, small, layout, spelling, packed):
    files = class_in(layout, SPELLINGS[spelling])
    if packed == "folder":
        place = folder(tmp_path / "in", files)
    else:
        place = tmp_path / "in.zip"
        place.write_bytes(zipped(files, flagged=packed == "zip"))
    found = collect(place, [small])["small"]
    assert {one.student for one in found} == set(PEOPLE), [one.student for one in found]
    assert not [one.problem for one in found if one.problem]
    numbers = {one.student_id for one in found}
    assert numbers == (
        {str(501 + i) for i in range(len(PEOPLE))} if "{id}" in LAYOUTS[layout] else {""}
    )


VARIANTS = ("{}", "{} (1)", "{}-Copy1", "Copy of {}", "{} - Copy", "{}-2")


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(VARIANTS, 2)))
def test_a_person_is_one_row_however_a_browser_numbers_and_capitalises(
    tmp_path, small, first, second
):
    files = {
        f"ada_{first.format('small')}.ipynb": MINE,
        f"Ada_{second.format('SMALL')}.ipynb": OLDER,
        "zoe_small.ipynb": MINE,
    }
    found = collect(folder(tmp_path, files), [small])["small"]
    assert [one.student for one in found] == ["Ada", "zoe"]


def test_files_that_only_numbers_tell_apart_are_people_where_they_are_many(tmp_path, small):
    """A teacher's downloads from mails, each called like the assignment."""
    names = ["small.ipynb", *(f"small ({i}).ipynb" for i in range(1, 9))]
    found = collect(folder(tmp_path, dict.fromkeys(names, MINE)), [small])["small"]
    assert len(found) == len(names) and not [one for one in found if one.problem]
    anonymous = [f"student ({i})_small.ipynb" for i in range(1, 9)]
    found = collect(folder(tmp_path / "b", dict.fromkeys(anonymous, MINE)), [small])["small"]
    assert len(found) == len(anonymous)


@pytest.mark.parametrize(
    "beside",
    ["README.md", "LICENSE", "notes.pdf", "roster.csv", "gradebook.db", "nbgrader_config.py"],
)
def test_a_file_at_the_top_is_a_row_or_a_sentence(tmp_path, small, beside):
    home = folder(tmp_path, {"ada/small.ipynb": MINE, "ben/small.ipynb": MINE, beside: b"x"})
    found = survey(home, [small])
    assert [one.student for one in found.found["small"]] == ["ada", "ben"]
    assert any(beside in note for note in found.notes)


@pytest.mark.parametrize("name", ["release", "Handout", "source", "exercises"])
def test_the_courses_own_folder_is_no_student(tmp_path, small, name):
    home = folder(
        tmp_path, {"ada/small.ipynb": MINE, "ben/small.ipynb": MINE, f"{name}/small.ipynb": HANDOUT}
    )
    found = survey(home, [small])
    assert [one.student for one in found.found["small"]] == ["ada", "ben"]
    assert any(name in note for note in found.notes)
    folder(tmp_path, {f"{name}/small.ipynb": MINE})
    assert name in {one.student for one in collect(home, [small])["small"]}, "a person of that name"


@pytest.mark.parametrize("wrapped", ["", "submitted/"])
def test_the_gradebook_among_the_submissions_is_no_student(tmp_path, small, wrapped):
    files = {f"{wrapped}{name}/small.ipynb": MINE for name in ("ada", "ben")}
    home = folder(
        tmp_path, files | {"gradebook/results/x.json": b"{}", "gradebook/roster/small.json": b"{}"}
    )
    for own in (None, home / "gradebook"):
        found = survey(home, [small], own)
        assert [one.student for one in found.found["small"]] == ["ada", "ben"]


def test_a_folder_beside_things_of_the_course_is_unwrapped(tmp_path, small):
    files = {f"abgaben/{name}/small.ipynb": MINE for name in ("ada", "ben")}
    home = folder(tmp_path, files | {"README.md": b"", "release/small.ipynb": HANDOUT})
    found = survey(home, [small])
    assert [one.student for one in found.found["small"]] == ["ada", "ben"]
    assert any("release" in note for note in found.notes)


@pytest.mark.parametrize("place", ["ben/work.zip", "ben_small.zip", "ben.zip"])
def test_a_zip_that_a_student_has_packed_is_opened(tmp_path, small, place):
    files = {place: zipped({"small.ipynb": MINE}), "zoe/small.ipynb": MINE}
    found = {one.student: one for one in collect(folder(tmp_path, files), [small])["small"]}
    assert not found["ben"].problem and found["ben"].file.endswith("small.ipynb")


# files beside the notebook


def with_code(text: str) -> bytes:
    made = worked()
    made["cells"].insert(1, {"cell_type": "code", "source": text, "metadata": {}, "outputs": []})
    return as_file(made)


@pytest.mark.parametrize(
    ("code", "name", "used"),
    [
        ("from my_formulas import f", "my_formulas.py", True),
        ("import tools.maths", "tools/maths.py", True),
        ("open('data.csv').read()", "data.csv", True),
        ('np.load("weights/w.npy")', "weights/w.npy", True),
        ("x = 1", "other.py", False),
        ("import math", "maths.py", False),
        ("# see notes.txt or not", "report.pdf", False),
    ],
)
def test_files_beside_the_notebook_go_with_it_where_its_code_uses_them(
    tmp_path, small, code, name, used
):
    files = {"ada/small.ipynb": with_code(code), f"ada/{name}": b"content", "zoe/small.ipynb": MINE}
    ada, _ = collect(folder(tmp_path, files), [small])["small"]
    assert [inside for inside, _ in ada.beside] == [name] * used
    assert ("file-beside" in dict(ada.flags)) == used
    before = ada.digest
    (tmp_path / f"ada/{name}").write_bytes(b"other content")
    assert (collect(tmp_path, [small])["small"][0].digest != before) == used


def test_other_peoples_files_go_with_nobody(tmp_path, small):
    files = {"ada_small.ipynb": with_code("from secrets_of_zoe import f"), "zoe_small.ipynb": MINE}
    files |= {"secrets_of_zoe.py": b"def f(): ..."}
    ada, _ = collect(folder(tmp_path, files), [small])["small"]
    assert ada.beside == ()


# an honest file is never lost whole


def notebook(**changed) -> dict:
    cell = {"cell_type": "code", "source": "x = 1\ny = 2", "metadata": {}, "outputs": []}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]} | changed


def output_of(value) -> dict:
    made = notebook()
    made["cells"][0]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": value}]
    return made


GOOD = {"cell_type": "code", "source": "x = 1\ny = 2"}
REPAIRED = {
    "numbers in text": (output_of({"text/plain": "0.0, " * 400_000}), False),
    "a text longer than anyone writes": (output_of({"image/png": "A" * (LONG + 10)}), False),
    "more numbers than are read": (
        output_of({"application/json": [0] * (VALUES_LIMIT + 10)}),
        False,
    ),
    "a cell that is none": (notebook(cells=[GOOD, 7]), True),
    "an empty cell": (
        notebook(cells=[GOOD, {"cell_type": "code", "metadata": {}, "outputs": []}]),
        False,
    ),
    "source that is null": (notebook(cells=[GOOD, {"cell_type": "code", "source": None}]), False),
    "no type of cell": (notebook(cells=[{"source": "x = 1\ny = 2", "outputs": []}]), True),
    "lines without ends": (notebook(cells=[GOOD | {"source": ["x = 1", "y = 2"]}]), True),
    "4.0": (notebook(nbformat=4.0), False),
    "4 as text": (notebook(nbformat="4"), True),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_what_no_answer_needs_costs_nothing(name):
    made, said = REPAIRED[name]
    found = read(json.dumps(made).encode())
    assert found.cells[0].source == "x = 1\ny = 2" and found.cells[0].kind == "code"
    assert bool(found.repairs) == said, found.repairs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_that_say_so_are_read(encoding):
    data = json.dumps(notebook(), ensure_ascii=False).encode(encoding)
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    assert read(mark + data).cells[0].source == "x = 1\ny = 2"


def test_deep_outputs_cost_nothing_and_deep_files_say_the_way_out():
    deep = json.dumps(output_of({"a": 1})).replace('{"a": 1}', "[" * 50_000 + "]" * 50_000)
    assert read(deep.encode()).cells[0].source == "x = 1\ny = 2"
    for broken in (
        b'{"nbformat": 4, "cells": ' + b"[" * 50_000,
        json.dumps(notebook(metadata=[0] * (VALUES_LIMIT + 9))).encode(),
    ):
        with pytest.raises(Unreadable) as reason:
            read(broken)
        assert (
            "nested" in str(reason.value)
            or "clear the outputs" in str(reason.value)
            or "JSON" in str(reason.value)
        )


def test_a_text_without_an_end_takes_linear_time():
    import time

    def seconds(count: int) -> float:
        began = time.process_time()
        with pytest.raises(Unreadable):
            read(b'{"cells": "' + b'\\"' * count)
        return time.process_time() - began

    little, much = min(seconds(300_000) for _ in range(2)), seconds(1_200_000)
    assert much < 0.2 or much < 10 * little


# release and grade accept the same things

NAMES = (
    "ps 1",
    "Problem set 1 (Übung)",
    "übung",
    "a-b_c.d",
    "[draft] 2",
    "тест",
    "ps1 " + "x" * 60,
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_what_is_released_can_be_graded_whatever_its_name(tmp_path, name, form):
    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.judging.batch import enrol, planned
    from gencourse.grading.sandbox.backends import Sandbox
    from gencourse.grading.sandbox.limits import Limits

    path = tmp_path / f"{unicodedata.normalize(form, name)}.py"
    path.write_text(SOURCE.read_text("utf-8"), "utf-8")
    made = release.release(path, tmp_path / "handout")
    home = folder(tmp_path / "in", {f"ada/{name}.ipynb": MINE, f"ben_{name}.ipynb": MINE})
    book = Gradebook(tmp_path / "book")
    for given in (path, made):
        work = planned(home, [given], Sandbox("none"), Limits(), book)
        enrol(work, book)
        assert [job.submission.problem for job in work.jobs] == ["", ""]
    assert list(book.rosters()) == [name] and {row.student for row in book.rows()} == {"ada", "ben"}
    assert not book.problems()


def resaved(how: str) -> bytes:
    """The handout as another tool saves it."""
    made = copy.deepcopy(RELEASED)
    if how == "VS Code, ids in 4.4":
        made["nbformat_minor"] = 4
    elif how == "outputs in text cells":
        for cell in made["cells"]:
            cell |= {"outputs": [], "execution_count": None}
    elif how == "no metadata":
        del made["metadata"]
        for cell in made["cells"]:
            if not cell["metadata"].get("nbgrader"):
                del cell["metadata"]
    elif how == "execution_count *":
        for cell in made["cells"]:
            if cell["cell_type"] == "code":
                cell["execution_count"] = "*"
    elif how == "4.0":
        made["nbformat"] = 4.0
    elif how == "no ids":
        for cell in made["cells"]:
            cell.pop("id", None)
    elif how == "sources as lines without ends":
        for cell in made["cells"]:
            cell["source"] = source(cell).split("\n")
    elif how == "Colab":
        made["metadata"] = {
            "colab": {"provenance": []},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
        }
        made["nbformat_minor"] = 0
        for number, cell in enumerate(made["cells"]):
            cell["metadata"] |= {"id": f"x{number}", "outputId": "1"}
            cell.pop("id", None)
    elif how == "a mark before the text":
        return b"\xef\xbb\xbf" + as_file(made)
    return as_file(made)


EDITORS = (
    *("VS Code, ids in 4.4", "outputs in text cells", "no metadata", "execution_count *", "4.0"),
    *("no ids", "sources as lines without ends", "Colab", "a mark before the text"),
)


@pytest.mark.parametrize("how", EDITORS)
def test_a_handout_that_another_editor_saved_is_the_same_assignment(tmp_path, how):
    for name, content in (("a", HANDOUT), ("b", resaved(how))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "small.ipynb").write_bytes(content)
    first, second = (assignments.load(tmp_path / name / "small.ipynb") for name in "ab")
    assert first == second
    found = collect(
        folder(tmp_path / "in", {"ada/small.ipynb": resaved(how), "zoe/x.txt": b""}), [first]
    )
    assert not found["small"][0].problem


def test_marks_before_texts_are_no_part_of_a_source(tmp_path):
    for name, text in (("ps1.py", SOURCE.read_text("utf-8")),):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    made = release.read(tmp_path / "ps1.py")
    assert made.cells[0].cell_type == "markdown" and "\ufeff" not in release.as_text(made)
    (tmp_path / "own_checks.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    from gencourse.grading.handout.author_modules import beside

    assert beside(tmp_path, ["own_checks"]) == (("own_checks", "x = 1\n"),)


def test_a_light_script_of_jupytext_is_read(tmp_path):
    text = '# # A title\n\nimport math\n\n# + nbgrader={"grade_id": "t", "grade": true, "points": 1}\nassert 1 == 1\n'
    (tmp_path / "ps1.py").write_text(text, "utf-8")
    assert len(assignments.load(tmp_path / "ps1.py").tasks) == 1


@pytest.mark.parametrize("missing", ["nothing.ipynb", "folder/none.py"])
def test_an_assignment_that_is_not_there_is_a_sentence(tmp_path, missing):
    with pytest.raises(InputError, match="can be read"):
        assignments.load(tmp_path / missing)


def test_a_handout_without_its_module_of_checks_is_a_sentence(tmp_path):
    (tmp_path / "ps1.py").write_text(
        "# %%\nimport no_such_checks as check\n\n# %%\ncheck.f(f)\n", "utf-8"
    )
    with pytest.raises(InputError, match="no_such_checks"):
        assignments.load(tmp_path / "ps1.py")


# right in the notebook: what the program of a submission is made of


def rebuilt(small, change, python: str = ""):
    made = json.loads(SOLUTIONS)
    change(made["cells"])
    notebook = read(as_file(made))
    return rebuild(small, notebook.cells, python)


WORDS = "So that the draw can be repeated."


def question_of(cells: list) -> int:
    """Where the question that people grade stands."""
    about = (cell["metadata"].get("nbgrader", {}) for cell in cells)
    return next(i for i, one in enumerate(about) if one.get("grade_id") == WRITTEN)


def lose_ids(cells: list) -> None:
    cells[question_of(cells)]["source"] = WORDS
    for cell in cells:
        cell["metadata"] = {}


def write_below(cells: list) -> None:
    at = question_of(cells)
    cells[at]["source"] = "YOUR ANSWER HERE"
    mine = {"cell_type": "markdown", "metadata": {}, "source": WORDS}
    cells[at + 1 : at + 1] = [mine]


@pytest.mark.parametrize("change", [lose_ids, write_below])
def test_an_answer_in_words_is_found_without_its_id_and_below_the_stub(small, change):
    written = rebuilt(small, change).written[WRITTEN]
    assert [cell.source for cell in written] == [WORDS]


def test_an_exported_script_keeps_answers_in_words_and_its_checks(small):
    cells = json.loads(SOLUTIONS)["cells"]
    cells[question_of(cells)]["source"] = WORDS + "\n\nIt is an argument."
    text = "#!/usr/bin/env python\n# coding: utf-8\n\n"
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            text += f"# In[1]:\n\n\n{source}\n\n\n"
        else:
            text += "\n".join("# " + line for line in source.split("\n")) + "\n\n"
    made = rebuild(small, exported_cells(text.encode()).cells)
    (written,) = made.written[WRITTEN]
    assert written.source == WORDS + "\n\nIt is an argument."
    assert made.flags == rebuilt(small, lose_ids).flags  # and no check is said to be gone


def answer(cells: list, name: str) -> dict:
    return next(cell for cell in cells if f"def {name}(" in source(cell))


@pytest.mark.parametrize("kind", ["markdown", "raw"])
@pytest.mark.parametrize("fenced", [False, True])
@pytest.mark.parametrize("ids", [True, False])
def test_an_answer_that_was_turned_into_text_is_run_as_code(small, kind, fenced, ids):
    def change(cells):
        cell = answer(cells, "bits")
        cell["cell_type"] = kind
        cell["source"] = f"```python\n{source(cell)}\n```" if fenced else source(cell)
        if not ids:
            for one in cells:
                one["metadata"] = {}

    made = rebuilt(small, change)
    assert any("def bits" in step.source for step in made.steps)
    assert "cell-type-changed" in dict(made.flags) and "def bits" in made.answers["bits_test"]


def test_prose_about_code_is_not_run(small):
    def change(cells):
        cells.insert(2, {"cell_type": "markdown", "source": "raise SystemExit", "metadata": {}})

    made = rebuilt(small, change)
    assert not any("SystemExit" in step.source for step in made.steps)
    assert "cell-type-changed" not in dict(made.flags)


def test_a_renamed_answer_is_named(small):
    def change(cells):
        cell = answer(cells, "reparameterize")
        cell["source"] = source(cell).replace("def reparameterize(", "def draw_z(")
        check = next(c for c in cells if source(c).startswith("check.reparameterize("))
        check["source"] = "check.reparameterize(draw_z)"

    made = rebuilt(small, change)
    assert "renamed-answer" in dict(made.flags) and "`draw_z`" in made.remarks["reparameterize"]


def test_a_newer_python_is_noticed_and_an_older_one_is_not(small):
    def change(cells):
        cell = answer(cells, "reparameterize")
        cell["source"] = "def reparameterize(mu, logvar, eps):\n    x: $ = 1\n    return mu"

    newer = f"{sys.version_info[0]}.{sys.version_info[1] + 1}.2"
    made = rebuilt(small, change, newer)
    assert "newer-python" in dict(made.flags) and newer in made.unreadable["reparameterize"]
    same = ".".join(map(str, sys.version_info[:2]))
    for python in ("", same, "3.2.1"):
        made = rebuilt(small, change, python)
        assert "newer-python" not in dict(made.flags) and not made.unreadable


@pytest.mark.parametrize(
    ("magic", "is_code"),
    [("%%time", True), ("%%capture out", True), ("%%writefile bits.py", False), ("%%bash", False)],
)
def test_the_body_of_a_magic_is_an_answer_where_it_is_run_here(small, magic, is_code):
    from gencourse.grading.handout.cell_source import defined

    assert ("bits" in defined(f"{magic}\ndef bits(nats):\n    return nats")) == is_code


INNOCENT = (
    "%pip install -q einops",
    "# let me inspect the shapes\nx = 1",
    "path = 'data/proc/train.csv'",
    "class Log:\n    mistakes = 3\n\nlog = Log()\nprint(log.mistakes)",
    "'''the reference of importlib'''\nx = 1",
    "solutions = [1, 2]\nfor s in solutions:\n    print(s)",
    "model.reference = 3",
    "torch.backends.cudnn.deterministic = True",
    "torch.manual_seed(0)\nx = torch.randn(3)",
    "import numpy as np\nnp.random.seed(0)",
    "inspected = [1]\nprocess = 3",
    "self_supervised = 1  # /proc/self",
)
GUILTY = (
    ("import inspect\ninspect.getsource(print)", "looks-around"),
    ("open('/proc/self/maps').read()", "looks-around"),
    ("check.reparameterize.reference", "asks-for-answers"),
    ("e = check.bits\nprint(e.mistakes)", "asks-for-answers"),
    ("open('../solutions/01_vae.ipynb')", "asks-for-answers"),
    ("import subprocess", "starts-processes"),
    ("import torch\ntorch.allclose = lambda *a, **k: True", "pretends"),
    ("class A:\n    def __instancecheck__(self, other):\n        return True", "pretends"),
    ("setattr(torch, 'equal', print)", "pretends"),
)


def with_cell(text: str):
    def change(cells):
        cells.insert(2, {"cell_type": "code", "source": text, "metadata": {}, "outputs": []})

    return change


@pytest.mark.parametrize("code", INNOCENT)
def test_innocent_code_is_not_suspected(small, code):
    assert rebuilt(small, with_cell(code)).flags == rebuilt(small, lambda cells: None).flags == ()


@pytest.mark.parametrize(("code", "flag"), GUILTY)
def test_what_no_answer_needs_is_flagged(small, code, flag):
    assert flag in dict(rebuilt(small, with_cell(code)).flags)


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "exercises").glob("[0-9]*.ipynb")))
def test_our_own_notebooks_collect_no_flag(name):
    """Handout and solutions, as they are and as Colab saves them, of all chapters."""
    given = assignments.load(ROOT / "exercises" / f"{name}.ipynb")
    for place in ("exercises", "solutions"):
        data = (ROOT / place / f"{name}.ipynb").read_bytes()
        assert rebuild(given, read(data).cells).flags == ()
        colab = {flag for flag, _ in rebuild(given, read(without_ids(data)).cells).flags}
        assert colab <= {"ids-lost"}
