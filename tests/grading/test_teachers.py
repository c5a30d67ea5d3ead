"""What teachers need beside grades: questions side by side, marks from a table, parts of points,
bonus, late work, groups, what is alike.
"""

import csv
import io
import re
import time
from dataclasses import replace

import pytest

from gencourse.errors import InputError
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.gradebook.export import long_csv
from gencourse.grading.gradebook.questions import read_table, write_questions
from gencourse.grading.gradebook.records import WrittenCell
from gencourse.grading.gradebook.report import write_reports
from gencourse.grading.gradebook.similarity import similar
from gencourse.grading.gradebook.written import as_handed_in
from gencourse.grading.handout.assignment import Task, assertions_of
from gencourse.grading.judging.assertions import Outcomes, parts
from gencourse.grading.submissions.choose import Submission
from gencourse.grading.submissions.groups import read_groups, shared
from tests.grading.test_gradebook import enrol, result, task

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def question(source: str = "My answer.", **more) -> dict:
    made = task("why", "waiting", 0, 3, kind="manual", source=source)
    return made | {"cells": [{"kind": "markdown", "source": source, "attachments": more}]}


@pytest.fixture
def book(tmp_path):
    book = Gradebook(tmp_path / "book")
    answers = {"anna": "Because $x^2$.", "ben": "| a | b |\n|---|---|\n| 1 | 2 |", "<b>cem": "?"}
    enrol(book, "ps1", *(result(s, "ps1", tasks=[task(), question(a)]) for s, a in answers.items()))
    return book


# questions side by side


def test_all_answers_to_a_question_stand_on_one_page(book):
    page = write_questions(book, "ps1").read_text("utf-8")
    assert page.count('class="task answer"') == 3 and "<table>" in page and "data:image/svg" in page
    assert "<b>cem" not in page and "&lt;b&gt;cem" in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert (
        "marks.csv" in script and "script-src &#39;sha256-" in page
    ) or "script-src 'sha256-" in page


def test_the_page_counts_answers_and_not_students(book):
    """A stub that was left as it is says nothing, and neither does a file that is not there."""
    others = (
        ("dora", "", "missing"),
        ("emil", "YOUR ANSWER HERE", "graded"),
        ("fay", "\n", "graded"),
    )
    made = (result(who, "ps1", status, [task(), question(said)]) for who, said, status in others)
    enrol(book, "ps1", *made)
    page = write_questions(book, "ps1").read_text("utf-8")
    assert "(3 answers of 6 students)" in page and page.count("No answer.") == 2


def test_a_page_without_questions_is_a_sentence(tmp_path):
    book = Gradebook(tmp_path)
    enrol(book, "ps1", result("anna", "ps1"))
    for name, said in (("ps1", "questions that people grade"), ("ps2", "graded one")):
        with pytest.raises(InputError, match=said):
            write_questions(book, name)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "\ufeff", "sep={}\r\n", "\ufeffsep={}\n"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_marks_come_back_from_a_table(book, tmp_path, separator, first, ends):
    comma = "," if separator != "," else "."
    rows = [
        *(["Student", "task", "Points", "comment"], ["anna", "why", f"2{comma}5", 'well "said"']),
        *(["<b>cem", "why", "", "What do you mean?"], ["ben", "why", "", ""]),
    ]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator, lineterminator=ends).writerows(rows)
    path = tmp_path / "marks.csv"
    path.write_bytes((first.format(separator) + buffer.getvalue()).encode())
    assert book.grade_table("ps1", read_table(path)) == 2
    tasks = {row.student: row.tasks[1] for row in book.rows()}
    assert (tasks["anna"].points, tasks["anna"].comment) == (2.5, 'well "said"')
    assert tasks["<b>cem"].comment == "What do you mean?" and tasks["ben"].points is None


def test_marks_find_a_name_in_other_capitals_and_say_which_names_there_are(book):
    table = [{"student": "ANNA", "task": "why", "points": "2", "comment": ""}]
    assert book.grade_table("ps1", table) == 1
    (anna,) = (row for row in book.rows() if row.student == "anna")
    assert anna.tasks[1].points == 2
    with pytest.raises(InputError, match=r"\(<b>cem, anna, ben\).*'bne'.*Name one as"):
        book.grade_by_hand("bne", "ps1", "why", 1)
    assert [row.student for row in book.rows() if row.tasks[1].points is None] == ["<b>cem", "ben"]


def test_a_table_with_a_mistake_is_not_used_at_all(book, tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("student,task,points\nanna,why,2\nzoe,why,1\nben,why,9\nben,why,x\n", "utf-8")
    with pytest.raises(InputError) as said:
        book.grade_table("ps1", read_table(path))
    assert all(f"line {n}:" in str(said.value) for n in (3, 4, 5)) and not book.manual.exists()
    path.write_text("name,points\nanna,2\n", "utf-8")
    with pytest.raises(InputError, match="columns student, task"):
        read_table(path)


# shown as it was handed in


def shown(text: str, **attachments: str) -> str:
    return str(as_handed_in([WrittenCell("markdown", text, attachments)]))


SHOWN = {
    "formula": ("a $\\frac{1}{2}$ b", 'alt="\\frac{1}{2}"'),
    "displayed": ("$$\\sum_i x_i$$", "data:image/svg+xml;base64,"),
    "table": ("| a | b |\n|---|---|\n| 1 | 2 |", "<td>1</td>"),
    "list": ("- one\n- two", "<li>"),
    "code": ("`$x$`", "<code>$x$</code>"),
    "price": ("5$ and 6$", "5$ and 6$"),
    "what cannot be drawn": ("$\\begin{cases}a\\end{cases}$", "<code>$\\begin{cases}"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_markdown_is_shown_as_it_was_meant(name):
    text, expected = SHOWN[name]
    assert expected in shown(text), shown(text)


def test_pasted_pictures_are_shown_and_no_others():
    assert f'<img src="{PIXEL}" alt="mine">' in shown(
        "![mine](attachment:a.png)", **{"a.png": PIXEL}
    )
    assert PIXEL in shown("no mention", **{"a.png": PIXEL})
    for text in ("![x](https://elsewhere.org/a.png)", "![x](attachment:b.png)"):
        assert "<img" not in shown(text)


LIVE = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))"),
    *('![a"onload="x](attachment:a.png)', "<svg onload=alert(1)>", "$</code><script>x</script>$"),
    *("```\n</pre><script>x</script>\n```", "<a href='https://x.org'>x</a>", "&lt;script&gt;"),
)


@pytest.mark.parametrize("text", LIVE)
def test_nothing_in_an_answer_is_live(text):
    made = shown(text, **{"a.png": PIXEL, '"><script>': PIXEL})
    tags = set(re.findall(r"<\s*(\w+)", made))
    assert not tags & {"script", "svg", "a", "iframe"}, made
    assert not re.search(r"<[^>]*\son\w+\s*=", re.sub(r'"[^"]*"', '""', made)), made


# parts of points, bonus, late work


def test_assertions_with_points_of_their_own():
    visible = "x = 1\nassert f(1) == 1  # 0.5 points\nassert f(2) == 2\n"
    hidden = visible + "assert f(9) == 81  # 1 point\n"
    found = assertions_of(hidden, visible)
    assert [(one.hidden, one.points) for one in found] == [
        *((False, None), (False, 0.5), (False, None), (True, 1.0))
    ]
    made = parts(
        Task("t", "kernel", 3, hidden, "", found), Outcomes({0: "", 1: "", 2: "no", 3: ""})
    )
    assert [(p.points, p.out_of) for p in made] == [(0.5, 0.5), (0, 1.5), (1, 1)]
    assert made[2].text == "(not shown)"
    assert (
        parts(
            Task("t", "kernel", 3, visible, "", assertions_of("assert 1\n", "assert 1\n")),
            Outcomes(),
        )
        == ()
    )


def test_a_bonus_counts_and_is_not_asked_for(tmp_path):
    book = Gradebook(tmp_path)
    extra = task("extra", points=1, out_of=1) | {"bonus": True}
    enrol(book, "ps1", result("anna", "ps1", tasks=[task(), extra]))
    (row,) = book.rows()
    assert (row.points, row.out_of) == (3, 2)


def test_late_work_loses_what_the_rule_says_and_hand_points_win(tmp_path):
    book = Gradebook(tmp_path / "book")
    enrol(book, "ps1", result("anna", "ps1", flags=["late"]), result("ben", "ps1"))
    book.set_late("ps1", 50)
    assert {row.student: row.points for row in book.rows()} == {"anna": 1, "ben": 2}
    book.grade_by_hand("anna", "ps1", "", 1, "excused")
    book.grade_by_hand("ben", "ps1", "", -5)
    assert {row.student: row.points for row in book.rows()} == {"anna": 2, "ben": 0}
    page = write_reports(book, tmp_path / "reports").read_text("utf-8")
    students = [p.read_text("utf-8") for p in (tmp_path / "reports/students").iterdir()]
    assert any("1 points less, since it was handed in late" in text for text in students) and page
    long_csv(book, tmp_path / "grades.csv")
    assert "late_off" in (tmp_path / "grades.csv").read_text("utf-8-sig")
    book.set_late("ps1", 0)
    assert {row.student: row.points for row in book.rows()}["anna"] == 3
    for name, percent in (("ps1", 101), ("ps1", -1), ("ps2", 10)):
        with pytest.raises(InputError, match="set_late"):
            book.set_late(name, percent)


# groups


def handed(student: str, changed: float = 0, problem: str = "") -> Submission:
    return Submission(
        student, f"id-{student}", f"{student}/a.ipynb", problem=problem, changed=changed
    )


def test_one_hands_in_for_the_group(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("\ufeffStudent;Group\nanna;g1\nBen;g1\ncem;g2\ndan;g3\neve;g3\n", "utf-8")
    groups, notes = read_groups(path), []
    assert groups == {"g1": ["anna", "Ben"], "g2": ["cem"], "g3": ["dan", "eve"]}
    those = [handed("anna", 1), handed("ben", 2), handed("g2"), handed("zoe")]
    found = {one.student: students for one, students in shared(those, groups, notes)}
    assert found == {
        "ben": [("anna", "id-anna"), ("Ben", "id-ben")],
        "g2": [("cem", "")],
        "zoe": [],
    }
    assert any("g3" in note for note in notes) and any("not that of anna" in note for note in notes)
    for text in ("a,b\n1,2\n", "student,group\nanna,g1\nanna,g2\n"):
        path.write_text(text, "utf-8")
        with pytest.raises(InputError, match="--groups"):
            read_groups(path)


# what is alike

LONG = '''def f(x, mu, scale):
    """What it does."""
    total = 0
    for i in range(len(x)):
        difference = x[i] - mu[i]
        total = total + difference * difference / scale[i] + scale[i].log()
    if total > 100:
        return -0.5 * total - 3
    return -0.5 * total
'''
RENAMED = LONG.replace("total", "acc").replace("difference", "d").replace("What it does.", "Mine.")
OTHER = LONG.replace("for i in range(len(x)):", "while total < 5:").replace(
    "x[i] - mu[i]", "max(x, mu)"
)


def test_answers_that_are_alike_but_for_names_are_listed(tmp_path):
    book = Gradebook(tmp_path)
    sources = {"anna": LONG, "ben": RENAMED, "cem": OTHER, "dan": "def f(x):\n    return x"}
    enrol(book, "ps1", *(result(s, "ps1", tasks=[task(source=t)]) for s, t in sources.items()))
    found = similar(book.rows())
    assert [(p.first, p.second, p.share) for p in found] == [("anna", "ben", 1.0)]


def test_what_many_have_written_is_the_obvious_way(tmp_path):
    book = Gradebook(tmp_path)
    those = [result(f"s{i}", "ps1", tasks=[task(source=LONG)]) for i in range(6)]
    enrol(book, "ps1", *those)
    assert similar(book.rows()) == []


# a batch, from the outside


def test_a_batch_in_which_nobody_could_be_judged_ends_with_a_status(tmp_path, monkeypatch):
    from gencourse.grading.judging.judge import failed
    from tests.grading import command
    from tests.grading.test_run import AS_ROOT, RIGHT, hand_in

    home = hand_in(tmp_path, {"anna": RIGHT, "ben": RIGHT})
    monkeypatch.setattr("gencourse.grading.sandbox.choose.check_worker", lambda wall: None)
    words = [
        "grade",
        str(home / "in"),
        "--assignment",
        str(home / "tiny.py"),
        "--unsafe-no-sandbox",
    ]
    words += ["--gradebook", str(tmp_path / "book"), *(["--allow-root"] if AS_ROOT else [])]
    monkeypatch.setattr(command, "judge", lambda job: failed(job, "the disk was full"))
    done = command.gencourse(*words)
    assert done.returncode == 1 and "the disk was full" in done.stderr, done.stderr
    monkeypatch.setattr(
        command,
        "judge",
        lambda job: (
            failed(job, "full")
            if job.submission.student == "ben"
            else replace(failed(job, ""), status="graded")
        ),
    )
    assert command.gencourse(*words).returncode == 0


def test_a_dry_run_says_who_handed_in_what_and_writes_nothing(tmp_path):
    from tests.grading.command import gencourse
    from tests.grading.test_run import RIGHT, hand_in

    home = hand_in(tmp_path, {"anna": RIGHT, "ben": None})
    (home / "in" / "README.md").write_text("", "utf-8")
    words = [str(home / "in"), "--assignment", str(home / "tiny.py"), "--dry-run"]
    done = gencourse("grade", *words, "--gradebook", str(tmp_path / "book"))
    assert done.returncode == 0 and not (tmp_path / "book").exists(), done.stderr
    assert all(text in done.stdout for text in ("anna", "ben", "README.md", "Nothing was written"))


def test_a_dry_run_names_the_whole_file_however_narrow_the_terminal_is(tmp_path, monkeypatch):
    from rich.console import Console

    from gencourse import console
    from tests.grading.command import gencourse
    from tests.grading.test_run import RIGHT, hand_in

    student = "Wilhelmine von Humboldt-Dacheroeden_501_assignsubmission_file"
    home = hand_in(tmp_path, {student: RIGHT})
    first = home / "in" / student / "tiny.ipynb"
    first.with_name("another_tiny.ipynb").write_bytes(first.read_bytes())
    narrow = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=narrow, width=80))
    done = gencourse("grade", str(home / "in"), "--assignment", str(home / "tiny.py"), "--dry-run")
    lines = [line.split("│") for line in narrow.getvalue().splitlines() if line.startswith("│")]
    file, said = ("".join(line[i].strip() for line in lines) for i in (4, 5))
    assert done.returncode == 0 and file.endswith(".ipynb"), done.stderr
    assert "another_tiny.ipynb" in said and "…" not in file + said, said


def test_the_wait_before_the_first_submission_says_what_it_is_for(tmp_path, monkeypatch):
    from rich.console import Console

    from gencourse import console
    from gencourse.grading.judging.judge import failed
    from gencourse.teaching import grading
    from tests.grading import command
    from tests.grading.test_run import AS_ROOT, RIGHT, hand_in

    home, said = hand_in(tmp_path, {"anna": RIGHT}), []
    screen = Console(file=io.StringIO(), force_terminal=True, width=120)
    for module in (console, grading):
        monkeypatch.setattr(module, "console", screen)

    def seen(wall):
        until = time.monotonic() + 10  # it is drawn some ten times a second
        while "in the sandbox" not in screen.file.getvalue() and time.monotonic() < until:
            time.sleep(0.05)
        said.append(screen.file.getvalue())

    monkeypatch.setattr("gencourse.grading.sandbox.choose.check_worker", seen)
    monkeypatch.setattr(command, "judge", lambda job: failed(job, "full"))
    words = [str(home / "in"), "--assignment", str(home / "tiny.py"), "--unsafe-no-sandbox"]
    words += ["--gradebook", str(tmp_path / "book"), *(["--allow-root"] if AS_ROOT else [])]
    command.gencourse("grade", *words)
    assert "imported in the sandbox" in said[0]


def test_no_table_cuts_a_name_off(tmp_path, monkeypatch):
    """An assignment is called like its file, which may have no spaces to break at."""
    from rich.console import Console

    from gencourse import console

    book, name = Gradebook(tmp_path / "book"), "problem_set_on_" + "variational_" * 6 + "end"
    enrol(book, name, result("anna", name))
    narrow = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=narrow, width=80))
    console.finish(book)
    lines = [line.split("│") for line in narrow.getvalue().splitlines() if line.startswith("│")]
    assert "".join(line[1].strip() for line in lines) == name


def test_a_log_says_now_and_then_how_many_are_graded(monkeypatch):
    from rich.console import Console

    from gencourse import console

    log = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=log, width=80))
    monkeypatch.setattr(console, "LOG_EVERY_S", 0, raising=False)
    assert len(list(console.shown(iter([(None, None)] * 3), 3))) == 3
    assert "1 of 3 graded" in log.getvalue() and "3 of 3 graded" in log.getvalue()


def test_an_executed_notebook_is_a_page_on_which_nothing_is_live(tmp_path):
    book = Gradebook(tmp_path / "book")
    live = "<script>alert(1)</script>"
    cells = [
        {"kind": "markdown", "source": f"# Title {live} $x^2$"},
        {"kind": "code", "source": live, "text": live, "figures": [PIXEL, "javascript:x"]},
    ]
    enrol(book, "ps1", result("anna", "ps1") | {"shown": cells})
    index = write_reports(book, tmp_path / "reports").read_text("utf-8")
    (page,) = (tmp_path / "reports" / "notebooks").iterdir()
    text = page.read_text("utf-8")
    assert f"notebooks/{page.name}" in index and text.count("<img") == 2 and PIXEL in text
    assert "<script" not in text and "javascript:" not in text and "&lt;script&gt;" in text
