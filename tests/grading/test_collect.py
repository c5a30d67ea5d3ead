"""Whose notebook is whose, in every layout that a teacher has; and what is no notebook gets a reason, never a crash."""

import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from gencourse.errors import InputError
from gencourse.grading.handout import assignment as assignments
from gencourse.grading.submissions import entries as collecting
from gencourse.grading.submissions import reading
from gencourse.grading.submissions.collect import collect
from gencourse.grading.submissions.reading import Unreadable, read_file, read_notebook
from tests.grading.corpus_assignment import SOURCE

ANSWERS = ("gaussian_log_density", "reparameterize", "kl_to_standard_normal", "bits")
OTHER = """# %%
from gencourse.checks import vae as check

# %%
def elbo_terms(log_likelihood, kl):
    ### BEGIN SOLUTION
    return log_likelihood - kl
    ### END SOLUTION

# %%
check.elbo_terms(elbo_terms)
"""


@pytest.fixture(scope="module")
def small():
    return assignments.load(SOURCE)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "other.py"
    path.write_text(OTHER, "utf-8")
    return assignments.load(path)


def notebook(*names: str, **changed) -> bytes:
    """A notebook that defines these names."""
    cells = [
        {
            "cell_type": "code",
            "source": f"def {name}(*args):\n    return 1",
            "metadata": {},
            "outputs": [],
        }
        for name in names
    ]
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells} | changed
    ).encode()


def folder(home: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return home


def archive(home: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = home / "handed-in.zip"
    with zipfile.ZipFile(path, "w", method) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def found(source: Path, *given) -> dict[str, tuple[str, str, str]]:
    """For the first assignment: who -> (number, file, kind of problem)."""
    handed = collect(source, list(given))[given[0].name]
    return {
        one.student: (one.student_id, one.file, one.problem.partition(":")[0]) for one in handed
    }


def reason(source: Path, assignment) -> str:
    """Why the only student's notebook was not read."""
    (one,) = collect(source, [assignment])["small"]
    assert one.problem and not one.cells
    return one.problem


def seconds(work) -> float:
    """CPU seconds of this process; compared with others, never with a number."""
    began = time.process_time()
    work()
    return time.process_time() - began


NB = notebook(*ANSWERS)
LAYOUTS = {
    "a folder for each student": (
        {"anna/small.ipynb": NB, "ben/week 1/small.ipynb": NB},
        {"anna": ("", "anna/small.ipynb", ""), "ben": ("", "ben/week 1/small.ipynb", "")},
    ),
    "a folder around the students'": (
        {"course/anna/small.ipynb": NB, "course/ben/small.ipynb": NB},
        {"anna": ("", "anna/small.ipynb", ""), "ben": ("", "ben/small.ipynb", "")},
    ),
    "nbgrader": (
        {"submitted/anna/small/small.ipynb": NB, "submitted/ben/small/small.ipynb": NB},
        {"anna": ("", "anna/small/small.ipynb", ""), "ben": ("", "ben/small/small.ipynb", "")},
    ),
    "nbgrader, one student": (
        {"submitted/anna/small/small.ipynb": NB},
        {"anna": ("", "anna/small/small.ipynb", "")},
    ),
    "Moodle": (
        {
            "Anna Lee_12_assignsubmission_file/small.ipynb": NB,
            "Ben O'Hara_34_assignsubmission_file_/mine.ipynb": NB,
        },
        {
            "Anna Lee": ("12", "Anna Lee_12_assignsubmission_file/small.ipynb", ""),
            "Ben O'Hara": ("34", "Ben O'Hara_34_assignsubmission_file_/mine.ipynb", ""),
        },
    ),
    "Moodle, one student": (
        {"Anna Lee_12_assignsubmission_file/small.ipynb": NB},
        {"Anna Lee": ("12", "Anna Lee_12_assignsubmission_file/small.ipynb", "")},
    ),
    "Moodle, a text beside the file": (
        {
            "Anna_12_assignsubmission_file/small.ipynb": NB,
            "Anna_12_assignsubmission_onlinetext/onlinetext.html": b"<p>Hello",
        },
        {"Anna": ("12", "Anna_12_assignsubmission_file/small.ipynb", "")},
    ),
    "two of one name": (
        {
            "Anna Lee_12_assignsubmission_file/small.ipynb": NB,
            "Anna Lee_34_assignsubmission_file/small.ipynb": NB,
        },
        {
            "Anna Lee (12)": ("12", "Anna Lee_12_assignsubmission_file/small.ipynb", ""),
            "Anna Lee (34)": ("34", "Anna Lee_34_assignsubmission_file/small.ipynb", ""),
        },
    ),
    "Canvas": (
        {"leeanna_12_900_small.ipynb": NB, "oharaben_LATE_34_901_small-1.ipynb": NB},
        {
            "leeanna": ("12", "leeanna_12_900_small.ipynb", ""),
            "oharaben": ("34", "oharaben_LATE_34_901_small-1.ipynb", ""),
        },
    ),
    "Canvas, a folder around": (
        {
            "submissions/leeanna_12_900_small.ipynb": NB,
            "submissions/oharaben_34_901_essay.pdf": b"%PDF",
        },
        {"leeanna": ("12", "leeanna_12_900_small.ipynb", ""), "oharaben": ("34", "", "missing")},
    ),
    "Canvas, two of one name": (
        {"leeanna_12_900_small.ipynb": NB, "leeanna_34_901_small.ipynb": NB},
        {
            "leeanna (12)": ("12", "leeanna_12_900_small.ipynb", ""),
            "leeanna (34)": ("34", "leeanna_34_901_small.ipynb", ""),
        },
    ),
    "flat files": (
        {"small_anna.ipynb": NB, "ben-small.ipynb": NB, "Çağla Öz small.ipynb": NB},
        {
            "anna": ("", "small_anna.ipynb", ""),
            "ben": ("", "ben-small.ipynb", ""),
            "Çağla Öz": ("", "Çağla Öz small.ipynb", ""),
        },
    ),
    "who handed in nothing, or something else": (
        {
            "anna/small.ipynb": NB,
            "ben/essay.docx": b"PK",
            "cem/small.py": b"",
            "dan/small.zip": b"PK",
        },
        {
            "anna": ("", "anna/small.ipynb", ""),
            **{name: ("", "", "missing") for name in ("ben", "cem", "dan")},
        },
    ),
    "junk": (
        {
            "anna/small.ipynb": NB,
            "anna/.ipynb_checkpoints/small-checkpoint.ipynb": NB,
            "__MACOSX/anna/._small.ipynb": b"\0\5\26\7",
            ".DS_Store": b"\0",
            ".git/config": b"",
            "grades.csv": b"",
        },
        {"anna": ("", "anna/small.ipynb", "")},
    ),
}


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, small, layout, packed):
    files, who = LAYOUTS[layout]
    assert (
        found(archive(tmp_path, files) if packed else folder(tmp_path / "in", files), small) == who
    )


def test_one_student_with_a_folder_for_the_assignment(tmp_path, small):
    """nbgrader's folder of a class of one: the folder of the assignment is no student."""
    assert set(found(folder(tmp_path, {"anna/small/small.ipynb": NB}), small)) == {"anna"}


def test_canvas_marks_what_is_late(tmp_path, small):
    late, in_time = "leeanna_LATE_12_900_small.ipynb", "oharaben_34_901_small.ipynb"
    handed = collect(folder(tmp_path, {late: NB, in_time: NB}), [small])["small"]
    assert [[flag for flag, _ in one.flags] for one in handed] == [["late"], []]


def test_who_hands_in_something_else_is_told_what(tmp_path, small):
    assert ".docx" in reason(
        folder(tmp_path, {"ben/essay.docx": b"PK", "ben/notes.txt": b""}), small
    )


def test_an_empty_folder_is_a_student_without_a_notebook(tmp_path, small):
    (tmp_path / "anna").mkdir()
    (tmp_path / "ben").mkdir()
    assert found(tmp_path, small) == {"anna": ("", "", "missing"), "ben": ("", "", "missing")}


# several notebooks, several assignments


def test_of_several_notebooks_the_best_is_graded_and_it_is_said(tmp_path, small):
    files = {
        "anna/small-Copy1.ipynb": NB,
        "anna/small.ipynb": NB,
        "anna/lecture.ipynb": notebook("unrelated"),
    }
    (one,) = collect(folder(tmp_path, files), [small])["small"]
    assert one.file == "anna/small.ipynb"
    assert [flag for flag, _ in one.flags] == [
        "several-notebooks"
    ] and "2 notebooks fit" in one.flags[0][1]


def test_the_fuller_of_two_renamed_notebooks_is_graded(tmp_path, small):
    files = {"anna/a.ipynb": notebook(ANSWERS[0]), "anna/b.ipynb": NB}
    (one,) = collect(folder(tmp_path, files), [small])["small"]
    assert one.file == "anna/b.ipynb"


def test_a_broken_copy_beside_a_good_one_does_no_harm(tmp_path, small):
    (one,) = collect(
        folder(tmp_path, {"anna/copy of small.ipynb": b"{", "anna/small (1).ipynb": NB}), [small]
    )["small"]
    assert one.file == "anna/small (1).ipynb" and not one.problem


def test_each_notebook_goes_to_the_assignment_that_it_fits(tmp_path, small, other):
    files = {
        "anna/small.ipynb": NB,
        "anna/other.ipynb": notebook("elbo_terms"),
        "ben/first.ipynb": notebook("elbo_terms"),
        "ben/second.ipynb": NB,
    }
    files |= {"cem/other.ipynb": notebook("elbo_terms")}
    handed = collect(folder(tmp_path, files), [small, other])
    named = {
        name: [one.file or one.problem.partition(":")[0] for one in those]
        for name, those in handed.items()
    }
    assert named == {
        "small": ["anna/small.ipynb", "ben/second.ipynb", "missing"],
        "other": ["anna/other.ipynb", "ben/first.ipynb", "cem/other.ipynb"],
    }
    assert not [one.flags for those in handed.values() for one in those if one.flags]


# what lies there and is no file of the student's


@pytest.mark.posix
@pytest.mark.timeout(60)  # nobody waits for a pipe
def test_links_pipes_and_folders_are_refused(tmp_path, small):
    home = folder(tmp_path / "in", {"zoe/small.ipynb": NB})
    secret = folder(tmp_path / "elsewhere", {"small.ipynb": NB})
    for name in ("link", "pipe", "folder", "linked-folder"):
        (home / name).mkdir()
    (home / "link" / "small.ipynb").symlink_to(secret / "small.ipynb")
    os.mkfifo(home / "pipe" / "small.ipynb")
    (home / "folder" / "small.ipynb").mkdir()
    (home / "linked-folder" / "inner").symlink_to(secret)
    handed = {one.student: one for one in collect(home, [small])["small"]}
    assert (
        handed["link"].problem
        == "unreadable: The notebook cannot be read: it is a link to another file."
    )
    assert (
        "no regular file" in handed["pipe"].problem
        and "no regular file" in handed["folder"].problem
    )
    assert handed["linked-folder"].problem.startswith("missing") and handed["zoe"].cells


@pytest.mark.posix
def test_a_link_in_the_place_of_a_students_folder_is_said(tmp_path, small):
    home = folder(tmp_path / "in", {"zoe/small.ipynb": NB})
    (home / "anna").symlink_to(folder(tmp_path / "elsewhere", {"small.ipynb": NB}))
    assert set(found(home, small)) == {"anna", "zoe"}, "no student is left out in silence"
    assert not [
        one for one in collect(home, [small])["small"] if one.student == "anna" and one.cells
    ]


@pytest.mark.parametrize(
    "content",
    [None, {}, {"readme.txt": b"hello"}, {".hidden/small.ipynb": NB}],
    ids=["absent", "empty", "text", "hidden"],
)
def test_nothing_found_is_one_sentence(tmp_path, small, content):
    place = tmp_path / "in"
    if content is not None:
        place.mkdir()
        folder(place, content)
    with pytest.raises(InputError, match="grade: submissions should") as said:
        collect(place, [small])
    assert "\n" not in str(said.value) and "Check the path" in str(said.value)


def test_a_file_that_is_no_zip_is_one_sentence(tmp_path, small):
    (tmp_path / "in.zip").write_bytes(b"Rar!")
    with pytest.raises(InputError, match="another kind of file"):
        collect(tmp_path / "in.zip", [small])


# zips


def test_member_names_lead_nowhere(tmp_path, small, monkeypatch):
    names = [
        "../../../etc/anna/small.ipynb",
        "/etc/ben/small.ipynb",
        "C:\\Users\\cem\\small.ipynb",
        "dan/../../small.ipynb",
        "..",
        "/",
    ]
    path = archive(tmp_path, dict.fromkeys(names, NB))
    before = sorted(tmp_path.parent.rglob("*"))
    opened = []
    monkeypatch.setattr(collecting, "read_file", opened.append)
    students = {one.student: one.file for one in collect(path, [small])["small"]}
    assert set(students) == {"etc", "C:", "dan"} and not [
        file for file in students.values() if ".." in file or file.startswith("/")
    ]
    assert sorted(tmp_path.parent.rglob("*")) == before and not opened, (
        "nothing is unpacked, no file is opened"
    )


def test_a_bomb_is_not_unpacked(tmp_path, small):
    path = archive(tmp_path, {"anna/small.ipynb": bytes(300 << 20)})
    assert path.stat().st_size < 1 << 20

    def unpack():
        with zipfile.ZipFile(path) as packed, packed.open("anna/small.ipynb") as file:
            while file.read(1 << 20):
                pass

    refused = seconds(lambda: reason(path, small))
    assert "300 MiB" in reason(path, small)
    assert refused < seconds(unpack) / 2


def test_a_bomb_that_lies_about_its_size_is_cut(tmp_path, small):
    path = archive(tmp_path, {"anna/small.ipynb": b" " * (100 << 20)})
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + place
        data[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    assert "cannot be unpacked" in reason(path, small)


def patched(path: Path, local: int, central: int, value: bytes) -> Path:
    """A zip with other bytes in the headers of its only member."""
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        at = data.index(signature) + place
        data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def test_an_encrypted_member_gets_a_reason(tmp_path, small):
    assert "encrypted" in reason(
        patched(archive(tmp_path, {"anna/small.ipynb": NB}), 6, 8, b"\1\0"), small
    )


def test_an_unknown_compression_gets_a_reason(tmp_path, small):
    assert "cannot be unpacked" in reason(
        patched(archive(tmp_path, {"anna/small.ipynb": NB}), 8, 10, b"\x63\0"), small
    )


def test_a_linked_member_gets_a_reason(tmp_path, small):
    path = tmp_path / "links.zip"
    with zipfile.ZipFile(path, "w") as made:
        link = zipfile.ZipInfo("anna/small.ipynb")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        made.writestr(link, "/etc/passwd")
    assert "link" in reason(path, small)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_damaged_member_gets_a_reason_and_spares_the_others(tmp_path, small, method):
    whole = archive(
        tmp_path, {"anna/small.ipynb": NB * 50, "ben/small.ipynb": NB}, method
    ).read_bytes()
    start, end = (
        whole.index(b"small.ipynb") + 11,
        whole.index(b"ben/") - 30,
    )  # the bytes between the headers
    for place in range(start, end, max(1, (end - start) // 40)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "damaged.zip").write_bytes(damaged)
        anna, ben = collect(tmp_path / "damaged.zip", [small])["small"]
        assert anna.problem.startswith("unreadable") and ben.cells, f"byte {place}"


def test_a_zip_whose_table_is_damaged_is_one_sentence(tmp_path, small):
    path = archive(tmp_path, {"anna/small.ipynb": NB, "ben/small.ipynb": NB})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02")] = 0
    path.write_bytes(data)
    with pytest.raises(InputError, match="grade: submissions should"):
        collect(path, [small])


@pytest.mark.slow
def test_the_time_for_a_zip_grows_with_the_class_and_not_with_its_square(tmp_path, small):
    def read(students):
        path = archive(
            tmp_path,
            {f"student{i}_{i}_{i}_small.ipynb": notebook("bits") for i in range(students)},
            zipfile.ZIP_STORED,
        )
        quickest = min(seconds(lambda: collect(path, [small])) for _ in range(3))
        return quickest, len(collect(path, [small])["small"])

    (few, small_class), (many, large_class) = read(300), read(1800)
    assert (small_class, large_class) == (300, 1800)
    assert many / few < 15, "6 if it grows with the class, 36 with its square"


# reading one notebook


def said(data: bytes) -> str:
    with pytest.raises(Unreadable) as reason:
        read_notebook(data)
    return str(reason.value)


def deep(levels: int) -> bytes:
    return b'{"nbformat": 4, "cells": ' + b"[" * levels + b"]" * levels + b"}"


UNREADABLE = {
    "empty": (b"", "it is empty"),
    "white": (b" \n\t", "it is empty"),
    "latin-1": (notebook(metadata={"name": "x"}).replace(b'"x"', b'"M\xfcller"'), "not UTF-8"),
    "cut off": (NB[:-20], "cut off"),
    "zeros": (bytes(100), "not JSON"),
    "html": (b"<!doctype html>", "not JSON"),
    "zip": (b"PK\x03\x04rest", "zip archive"),
    "deep": (deep(200_000), "nested too deep"),
    "many values": (b'{"nbformat": 4, "cells": [' + b"0," * 1_600_000 + b"0]}", "too many values"),
    "long number": (b'{"nbformat": 4, "cells": [' + b"9" * 10_000 + b"]}", "not JSON"),
    "a list": (b"[]", "no notebook"),
    "a number": (b"3", "no notebook"),
    "no cells": (b"{}", "no notebook"),
    "nbformat 3": (b'{"nbformat": 3, "worksheets": [{"cells": []}]}', "nbformat 3, not 4"),
    "nbformat 5": (notebook(*ANSWERS, nbformat=5), "nbformat 5, not 4"),
    "nbformat as text": (notebook(*ANSWERS, nbformat="4" * 1000), "not 4"),
    "no nbformat": (b'{"cells": []}', "nbformat None, not 4"),
    "cells a dict": (notebook(cells={}), "no notebook"),
    "source of numbers": (
        notebook(cells=[{"cell_type": "code", "source": [1]}]),
        "its cell 1 is no cell",
    ),
    "kind of cell a list": (
        notebook(cells=[{"cell_type": [], "source": ""}]),
        "its cell 1 is no cell",
    ),
    "much code": (
        notebook(cells=[{"cell_type": "code", "source": "x = 1\n" * 60_000}]),
        "300,000 characters of code",
    ),
    "too large": (b" " * (reading.SIZE_LIMIT + 1) + b"x", "64 MiB, more than 64"),
}


@pytest.fixture(scope="module")
def honest_seconds():
    """What the largest honest notebook costs: as many bytes as are read at all, in a million values at most."""
    cells = json.dumps(["x" * 100] * (reading.SIZE_LIMIT // 104)).encode()
    return seconds(lambda: json.loads(cells))


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_notebook_gets_a_reason(name, honest_seconds):
    data, part = UNREADABLE[name]
    text = said(data)
    assert part in text and len(text) < 200 and "\n" not in text
    assert seconds(lambda: said(data)) < 20 * honest_seconds


@pytest.mark.parametrize("levels", [10, 500, 900, 1100, 20_000])
def test_no_depth_of_lists_crashes_the_reader(levels):
    assert said(deep(levels))


LENIENT = {
    "byte-order mark": b"\xef\xbb\xbf" + NB,
    "source in lines": notebook(cells=[{"cell_type": "code", "source": ["x = 1\n", "y = 2"]}]),
    "line ends of Windows": notebook(cells=[{"cell_type": "code", "source": "x = 1\r\ny = 2"}]),
    "line ends of an old Macintosh": notebook(
        cells=[{"cell_type": "code", "source": "x = 1\ry = 2"}]
    ),
    "metadata of another kind": notebook(
        cells=[{"cell_type": "code", "source": "x = 1\ny = 2", "metadata": {"nbgrader": [1]}}]
    ),
    "metadata missing": notebook(
        cells=[{"cell_type": "code", "source": "x = 1\ny = 2", "metadata": None}]
    ),
    "an id that is no text": notebook(
        cells=[
            {
                "cell_type": "code",
                "source": "x = 1\ny = 2",
                "metadata": {"nbgrader": {"grade_id": {"a": 1}}},
            }
        ]
    ),
    "not a number": notebook(
        cells=[{"cell_type": "code", "source": "x = 1\ny = 2", "execution_count": float("nan")}]
    ),
    "no minor version": json.dumps(
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": "x = 1\ny = 2"}]}
    ).encode(),
    "outputs of any kind": notebook(
        cells=[{"cell_type": "code", "source": "x = 1\ny = 2", "outputs": "<script>"}]
    ),
}


@pytest.mark.parametrize("name", LENIENT)
def test_what_is_plain_is_read(name):
    cells = read_notebook(LENIENT[name])
    assert all(cell.kind == "code" and cell.grade_id == "" for cell in cells)
    if name != "byte-order mark":
        assert [cell.source for cell in cells] == ["x = 1\ny = 2"]


def test_texts_are_cut_and_half_characters_replaced():
    cells = [
        {"cell_type": "markdown", "source": "x" * (1 << 20)},
        {"cell_type": "code", "source": "'\ud800'"},
    ]
    text, code = read_notebook(notebook(cells=cells))
    assert len(text.source) == reading.TEXT_LIMIT and code.source == "'?'"


def test_a_large_or_unreachable_file_is_not_read(tmp_path):
    big = tmp_path / "big.ipynb"
    with big.open("wb") as file:
        file.truncate(10 << 30)
    for path, part in (
        (big, "10240 MiB, more than 64"),
        (tmp_path / "gone.ipynb", "cannot be opened"),
        (tmp_path, "no regular file"),
    ):
        with pytest.raises(Unreadable, match=part):
            read_file(path)


def test_a_zip_and_a_folder_give_the_same(tmp_path, small):
    """The digests come from the bytes of the notebook, whatever it was packed in."""
    files = {
        f"{name}/small.ipynb": notebook(*ANSWERS[:i])
        for i, name in enumerate(("anna", "ben", "cem"))
    }
    packed, plain = (
        collect(archive(tmp_path, files), [small]),
        collect(folder(tmp_path / "in", files), [small]),
    )
    assert packed == plain, "the same students, files, digests, cells"
