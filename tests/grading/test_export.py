"""Exports: nothing in them runs as a formula, nobody is left out, and a sheet comes back as it was but for the grades."""

import csv
import io
import re

import pytest

from gencourse.errors import InputError
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.gradebook.export import COLUMNS, long_csv
from gencourse.grading.gradebook.platforms import fill_canvas, fill_moodle
from gencourse.grading.gradebook.printing import guarded, number, printable
from gencourse.grading.gradebook.sheets import Sheet, _split, folded
from tests.grading.test_gradebook import HOSTILE_NAMES, enrol, result, task

CANVAS = (
    '\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Notes,"Essay, part 1 (11)",VAE (4711),Assignments Current Score,Final Score\r\n'
    ",,,,,,,Manual Posting,,\r\n"
    "    Points Possible,,,,,,10,5,(read only),(read only)\r\n"
    '"Lovelace, Ada",101,s-101,ada@uni.edu,"A and ""B""",=1+1,7.5,,88.10,88.10\r\n'
    '"Grace, Hopper",102,s-102,grace,A,"two\nlines",,3,,\r\n'
    '"Curie, Marie",103,s-103,marie,A,,,EX,,\r\n'
    '"Noether, Emmy",104,s-104,emmy,A,,,,,\r\n'
    '"Turing, Alan",105,s-105,alan,A,,,1.25,,\r\n'
    '"Student, Test",999,,0a1b2c,A,,,,,\r\n'
)
MOODLE = (
    'Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (submission)",'
    '"Last modified (grade)","Feedback comments"\n'
    'Participant 501,"Ada Lovelace",ada@uni.edu,"Submitted for grading - ",-,"5,00",Yes,"Monday, 2 March 2026, 10:00 AM",-,\n'
    'Participant 502,"Grace Hopper",grace@uni.edu,"No submission",,"5,00",Yes,-,-,"<p>old</p>"\n'
    'Participant 503,"Marie Curie",marie@uni.edu,"Submitted",4,"5,00",No,-,-,\n'
)


@pytest.fixture
def book(tmp_path):
    return Gradebook(tmp_path / "book")


@pytest.fixture
def write(tmp_path):
    def write(text, name="sheet.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def read(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def lines_of(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


# texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0, "0"),
        (-0.0, "0"),
        (10, "10"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333"),
        (2.5, "2.5"),
        (1200.0, "1200"),
    ],
)
def test_points_are_written_plainly(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "  =1",
        "\u00a0=1",
        "＝1",
        "-anna",
        "\n=1",
        "+49 30",
    ],
)
def test_formulas_get_an_apostrophe(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "anna", "-1", "+2.5", "3", "a=b", "a@b.c"])
def test_plain_text_and_numbers_do_not(text):
    assert guarded(text) == text


def test_printable_text_is_short_and_hides_nothing():
    assert printable("a\u202eb\x00c\udcffd\r\n") == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+DCFF⟩d\n"
    assert printable("é👩\u200d💻 مریم\u200cی") == "é👩\u200d💻 مریم\u200cی"
    for text in ("x" * 10**6, "\x00" * 10**6):
        assert len(printable(text, 50)) == 50 and printable(text, 50).endswith("…")
    assert printable("x" * 50, 50) == "x" * 50


# the long table


def test_the_long_table_has_a_line_for_every_task_and_no_student_is_left_out(book, tmp_path):
    tasks = [
        task(kind="kernel"),
        task("elbo", "wrong", 0.5, 3, mistake="sign"),
        task("why", "waiting", 0, 4, kind="manual"),
    ]
    enrol(
        book,
        "01_vae",
        result("anna", tasks=tasks, flags=["check-cell-edited"], sandbox="none", student_id="7"),
    )
    book.save_roster("01_vae", [{"student": "ben", "student_id": "", "file": "", "key": ""}])
    book.grade_by_hand("anna", "01_vae", "elbo", 2, "Half right.")
    book.grade_by_hand("anna", "01_vae", "", comment="Well done.")
    long_csv(book, tmp_path / "out/grades.csv")
    assert (tmp_path / "out/grades.csv").read_bytes().startswith(b"\xef\xbb\xbfstudent,")
    whole, kl, elbo, why, ben = lines_of(tmp_path / "out/grades.csv")
    assert list(kl) == COLUMNS
    assert (kl["kind"], kl["sandbox"], kl["flags"]) == (
        "in-kernel (spoofable)",
        "none: graded without a sandbox",
        "check-cell-edited: About check-cell-edited.",
    )
    assert (
        elbo["points_auto"],
        elbo["points_manual"],
        elbo["points"],
        elbo["out_of"],
        elbo["comment"],
    ) == (
        "0.5",
        "2",
        "2",
        "3",
        "Half right.",
    )
    assert (why["status"], why["points"], why["points_auto"]) == ("waiting", "", "")
    assert (whole["task"], whole["comment"]) == ("", "Well done.")
    assert (ben["student"], ben["submission_status"], ben["points"]) == (
        "ben",
        "not graded yet",
        "",
    )


def test_hostile_texts_open_as_text(book, tmp_path):
    enrol(
        book,
        "01_vae",
        *(result(name, reason=name, tasks=[task(mistake=name)]) for name in HOSTILE_NAMES),
    )
    long_csv(book, tmp_path / "grades.csv")
    lines = lines_of(tmp_path / "grades.csv")
    assert len(lines) == len(HOSTILE_NAMES)
    for line in lines:
        for cell in line.values():
            assert not re.match(r"\s*[=+\-@\t\r]", cell), cell
            assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", cell), cell


# sheets


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a\n",
        "a,b\r\n\r\nc",
        '"a""b",c\n',
        '"a\r\nb";c\n',
        '"torn,b\nc',
        '"a"b,c\n',
        ",,\n,",
        '""\n""',
        "a\rb",
    ],
)
def test_any_text_is_split_and_joined_without_loss(text, delimiter):
    rows, ends = _split(text, delimiter)
    assert "".join(delimiter.join(row) + end for row, end in zip(rows, ends, strict=True)) == text


def test_a_proper_sheet_is_split_as_the_csv_module_does(write):
    sheet = Sheet("test", write(CANVAS), ("ID",), "")
    ours = [[sheet.value(i, j) for j in range(len(row))] for i, row in enumerate(sheet.cells)]
    assert ours[:-1] == list(csv.reader(io.StringIO(CANVAS[1:], newline=""))) and ours[-1] == [""]


def test_names_are_compared_family_name_last():
    assert (
        folded("Müller,  Anna")
        == folded("anna MU\u0308LLER")
        == folded("Anna_Müller")
        == "anna müller"
    )
    assert folded("Anna Maria") != folded("Maria Anna")


def class_of_canvas(book):
    """Known by ID, by login, by SIS id, by name; one not in the sheet."""
    enrol(
        book,
        "01_vae",
        result("lovelaceada", student_id="101"),
        result("grace", tasks=[task(points=2.5)]),
        result("x", student_id="s-103"),
        result(
            "Emmy Noether",
            status="unreadable",
            reason="Not JSON.",
            tasks=[task(status="not judged", points=0)],
        ),
        result("nobody"),
    )


def test_canvas_gets_one_column_and_keeps_the_rest_byte_for_byte(book, tmp_path, write):
    class_of_canvas(book)
    sheet, out = write(CANVAS), tmp_path / "filled.csv"
    said = fill_canvas(book, sheet, "VAE (4711)", out, "01_vae")
    expected = (
        CANVAS.replace("7.5,,88.10", "7.5,2,88.10")
        .replace('lines",,3', 'lines",,2.5')
        .replace("emmy,A,,,,,", "emmy,A,,,0,,")
    )
    assert out.read_bytes() == expected.encode() and sheet.read_bytes() == CANVAS.encode()
    assert "Graded here, but not found in the sheet, or not without doubt: nobody." in said
    assert "In the sheet, but not graded here: Turing, Alan." in said
    assert "Excused in Canvas or not assigned, so left as it was: x." in said
    assert "Recognised by name only, so have a look: Emmy Noether." in said
    assert not any("Test" in sentence or "points possible" in sentence for sentence in said)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_no_byte_order_mark(book, tmp_path, write, delimiter):
    enrol(book, "01_vae", result("a", student_id="101"))
    text = "Student|ID|SIS Login ID|Section|VAE, part 2 (5)\nLovelace|101|ada|A|\n".replace(
        "|", delimiter
    )
    fill_canvas(book, write(text), "VAE, part 2", tmp_path / "out.csv", "01_vae")
    assert (tmp_path / "out.csv").read_text("utf-8") == text.replace(
        f"A{delimiter}\n", f"A{delimiter}2\n"
    )


def test_first_and_last_names_in_columns_of_their_own(book, tmp_path, write):
    enrol(book, "01_vae", result("Ada Lovelace"))
    text = "LastName,FirstName,ID,SIS Login ID,Section,VAE (1)\nPoints Possible,,,,,7\nLovelace,Ada,1,al,A,\nStudent,Test,2,t,A,\n"
    said = fill_canvas(book, write(text), "VAE", tmp_path / "out.csv", "01_vae")
    assert read(tmp_path / "out.csv")[2][-1] == "2" and read(tmp_path / "out.csv")[3][-1] == ""
    assert said[0] == "Canvas has 7 points possible, the gradebook 5."
    assert len(said) == 2


def test_who_has_no_grade_keeps_the_cell(book, tmp_path, write):
    waiting = [task(points=1), task("why", "waiting", 0, 3, kind="manual")]
    enrol(
        book,
        "01_vae",
        result("a", student_id="101", tasks=waiting),
        result("b", student_id="102", status="infrastructure_error", tasks=[task(points=None)]),
        result("e", student_id="105", status="infrastructure_error", tasks=[]),
    )
    book.save_roster(
        "01_vae", [{"student": "d", "student_id": "104", "file": "", "key": "nothing"}]
    )
    said = fill_canvas(book, write(CANVAS), "VAE (4711)", tmp_path / "out.csv", "01_vae")
    assert (tmp_path / "out.csv").read_bytes() == CANVAS.encode()
    assert "Waiting for points by hand, so left as it was: a." in said
    assert "Not graded yet, so left as it was: b; d; e." in said
    fill_canvas(book, write(CANVAS), "VAE (4711)", tmp_path / "out.csv", "01_vae", unfinished=True)
    assert read(tmp_path / "out.csv")[3][7] == "1"


@pytest.mark.parametrize("status", ["missing", "unreadable"])
def test_nothing_handed_in_waits_for_nobody_and_gets_0(book, tmp_path, write, status):
    """Also where the assignment asks a question that people grade; points by hand still win."""
    tasks = [task("kl", "not judged", 0, 2), task("why", "waiting", 0, 3, kind="manual")]
    enrol(book, "01_vae", result("a", student_id="101", status=status, tasks=tasks))
    (row,) = book.rows()
    assert (row.points, row.waiting, row.tasks[1].status) == (0, 0, "not judged")
    said = fill_canvas(book, write(CANVAS), "VAE (4711)", tmp_path / "out.csv", "01_vae")
    assert read(tmp_path / "out.csv")[3][7] == "0" and "Waiting" not in " ".join(said)
    book.grade_by_hand("a", "01_vae", "why", 2.5)
    (row,) = book.rows()
    assert (row.points, row.tasks[1].status) == (2.5, "graded by hand")


def test_doubt_is_left_to_the_teacher(book, tmp_path, write):
    """Two of one name, two folders that claim one line: nothing is written, both are named."""
    enrol(book, "01_vae", result("Ada Lovelace"), result("ada  lovelace"), result("Emmy Noether"))
    text = 'Student,ID,Section,VAE (1)\n"Lovelace, Ada",1,A,\n"Noether, Emmy",2,A,\n"Noether, Emmy",3,A,\n'
    said = fill_canvas(book, write(text), "VAE (1)", tmp_path / "out.csv", "01_vae")
    assert (tmp_path / "out.csv").read_text("utf-8") == text
    assert said[0].endswith("not without doubt: Ada Lovelace; Emmy Noether; ada  lovelace.")
    assert said[1:] == [
        "In the sheet, but not graded here: Lovelace, Ada; Noether, Emmy; Noether, Emmy."
    ]


def test_the_surer_key_wins(book, tmp_path, write):
    enrol(
        book,
        "01_vae",
        result("Ada Lovelace", student_id="2", tasks=[task(points=1)]),
        result("zoe", student_id="1", tasks=[task(points=2)]),
    )
    text = 'Student,ID,Section,VAE (1)\n"Lovelace, Ada",1,A,\n"Other, One",2,A,\n'
    fill_canvas(book, write(text), "VAE (1)", tmp_path / "out.csv", "01_vae")
    assert [row[-1] for row in read(tmp_path / "out.csv")] == ["VAE (1)", "2", "1"]


@pytest.mark.parametrize(
    "column", ["Student", "ID", "Section", "Final Score", "Assignments Current Score", "GAN", ""]
)
def test_columns_that_take_no_grades_are_refused(book, tmp_path, write, column):
    class_of_canvas(book)
    with pytest.raises(InputError, match="column should name one column"):
        fill_canvas(book, write(CANVAS), column, tmp_path / "out.csv", "01_vae")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.posix
def test_the_sheet_itself_is_never_overwritten(book, tmp_path, write):
    class_of_canvas(book)
    sheet = write(CANVAS)
    (tmp_path / "link.csv").symlink_to(sheet)
    (tmp_path / "hard.csv").hardlink_to(sheet)
    for path in (
        sheet,
        tmp_path / "book/../sheet.csv",
        tmp_path / "link.csv",
        tmp_path / "hard.csv",
    ):
        with pytest.raises(InputError, match="another file"):
            fill_canvas(book, sheet, "VAE", path, "01_vae")
    assert sheet.read_bytes() == CANVAS.encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Jürgen;ID\n".encode("latin-1"), "UTF-8"),
        ("Student,ID\n".encode("utf-16"), "UTF-8"),
        (b"", "row that has ID"),
        (b"Name,Grade\nx,1\n", "row that has ID"),
        (b"PK\x03\x04", "row that has ID"),
        (None, "can be read"),
    ],
)
def test_other_files_are_refused_in_a_sentence(book, tmp_path, content, said):
    class_of_canvas(book)
    if content is not None:
        (tmp_path / "sheet.csv").write_bytes(content)
    with pytest.raises(InputError, match=said):
        fill_canvas(book, tmp_path / "sheet.csv", "VAE", tmp_path / "out.csv", "01_vae")


def test_an_unknown_assignment_is_named(book, tmp_path, write):
    class_of_canvas(book)
    with pytest.raises(InputError, match=r"graded one \(01_vae\), got str '02_gan'"):
        fill_canvas(book, write(CANVAS), "VAE", tmp_path / "out.csv", "02_gan")


def test_filling_twice_gives_the_same(book, tmp_path, write):
    class_of_canvas(book)
    fill_canvas(book, write(CANVAS), "VAE", tmp_path / "one.csv", "01_vae")
    fill_canvas(book, tmp_path / "one.csv", "VAE", tmp_path / "two.csv", "01_vae")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


# Moodle


def test_moodle_gets_grade_and_feedback_together(book, tmp_path, write):
    tasks = [
        task(kind="kernel"),
        task("elbo", "wrong", 0, 3, message="Look at `exp` & <b>.\nTwice."),
    ]
    enrol(
        book,
        "01_vae",
        result("Ada Lovelace_501", student_id="501", tasks=tasks, sandbox="none"),
        result(
            "grace@uni.edu",
            status="missing",
            reason="No notebook.",
            tasks=[task(status="not judged", points=0, out_of=5)],
        ),
        result("marie curie"),
    )
    book.grade_by_hand("Ada Lovelace_501", "01_vae", "", comment="=Well done.")
    said = fill_moodle(book, write(MOODLE), tmp_path / "out.csv", "01_vae")
    ada, grace, marie = lines_of(tmp_path / "out.csv")
    assert ada["Grade"] == "2" and grace["Grade"] == "0" and marie["Grade"] == "4"
    assert ada["Feedback comments"] == (
        "2 of 5 points, graded without a sandbox<br>=Well done.<br>kl: right, 2 of 2<br>"
        "elbo: wrong, 0 of 3. Look at <code>exp</code> &amp; &lt;b&gt;.<br>Twice."
    )
    assert grace["Feedback comments"].startswith("0 of 5 points<br>No notebook.")
    before, after = MOODLE.splitlines(), (tmp_path / "out.csv").read_text("utf-8").splitlines()
    assert (
        before[0] == after[0]
        and before[3] == after[3]
        and before[1].split(",-,")[0] + ',2,"5,00"' in after[1]
    )
    assert "Locked in Moodle, so left as it was: marie curie." in said
    assert "Graded without a sandbox: Ada Lovelace_501." in said
    assert any(
        sentence.startswith("No notebook that could be read") and "grace" in sentence
        for sentence in said
    )


def test_moodle_who_is_not_graded_keeps_grade_and_feedback(book, tmp_path, write):
    enrol(book, "01_vae", result("502", status="infrastructure_error", tasks=[]))
    said = fill_moodle(book, write(MOODLE), tmp_path / "out.csv", "01_vae")
    assert (tmp_path / "out.csv").read_text("utf-8") == MOODLE
    assert "Not graded yet, so left as it was: 502." in said
    assert "In the sheet, but not graded here: Ada Lovelace; Marie Curie." in said


def test_moodle_says_what_it_would_pass_over(book, tmp_path, write):
    enrol(book, "01_vae", result("501", tasks=[task(points=7, out_of=8)]))
    text = MOODLE.replace(',"Feedback comments"', "").replace(",-,\n", ",-\n")
    said = fill_moodle(book, write(text), tmp_path / "out.csv", "01_vae")
    assert said[0] == "Moodle's maximum grade is 5, the gradebook's 8."
    assert said[1].startswith("The sheet has no column Feedback comments")
    assert said[2] == "More points than Moodle's maximum, so Moodle will pass them over: 501."


def test_moodle_in_another_language_is_explained(book, tmp_path, write):
    enrol(book, "01_vae", result("501"))
    with pytest.raises(InputError, match="language set to English"):
        fill_moodle(
            book, write(MOODLE.replace("Identifier", "Teilnehmer")), tmp_path / "out.csv", "01_vae"
        )


def test_hostile_students_in_hostile_sheets(book, tmp_path, write):
    names = [name for name in HOSTILE_NAMES if name]
    enrol(book, "01_vae", *(result(name, tasks=[task(message=name * 1000)]) for name in names))
    rows = io.StringIO()
    csv.writer(rows).writerows(
        [
            ["Student", "ID", "Section", "VAE (1)"],
            *([name.replace("\udcff", "?"), i, "A", ""] for i, name in enumerate(names)),
        ]
    )
    fill_canvas(book, write(rows.getvalue()), "VAE (1)", tmp_path / "out.csv", "01_vae")
    before, after = rows.getvalue(), (tmp_path / "out.csv").read_bytes().decode()
    assert len(before) < len(after) and re.sub(r",A,2\r", ",A,\r", after) == before
