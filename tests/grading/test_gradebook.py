"""The gradebook: what it keeps through crashes, regrades and merges, and what it takes for absent."""

import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, fields

import pytest

from gencourse import files
from gencourse.errors import InputError
from gencourse.grading.gradebook import records
from gencourse.grading.gradebook.book import Gradebook, Row, TaskGrade

HOSTILE_NAMES = [
    "../../etc/passwd",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://example.org";"click")',
    "gr\u202eade",
    "🦊 Füchsin",
    "مریم\u200cی",
    "x" * 300,
    "a b",
    "a-b",
    "A_B",
    "nul\x00l",
    "undecodable \udcff",
    "",
    "{{ 7 * 7 }}",
    "tab\tand\nline",
]


def task(
    name="kl",
    status="right",
    points=2,
    out_of=2,
    kind="outside",
    message="",
    mistake="",
    source="def kl(): ...",
    title="",
):
    return {
        "name": name,
        "title": title,
        "kind": kind,
        "status": status,
        "points": points,
        "out_of": out_of,
    } | {
        "message": message,
        "mistake": mistake,
        "source": source,
    }


def result(
    student="anna",
    assignment="01_vae",
    status="graded",
    tasks=None,
    reason="",
    sandbox="bubblewrap",
    flags=(),
    student_id="",
):
    if tasks is None:
        tasks = [task(), task("elbo", "wrong", 0, 3, message="Look at the sign.", mistake="sign")]
    who = {
        "format": 1,
        "student": student,
        "student_id": student_id,
        "assignment": assignment,
        "version": "c0ffee",
    }
    return who | {
        "file": f"{student}/{assignment}.ipynb",
        "status": status,
        "reason": reason,
        "flags": [{"flag": flag, "detail": f"About {flag}."} for flag in flags],
        "tasks": tasks,
        "sandbox": sandbox,
        "seconds": {"wall": 3.2, "cpu": 3.0},
        "memory_mib": 251,
    }


def enrol(book, assignment, *results):
    """Save the results and a roster that points to them."""
    rows = []
    for i, one in enumerate(results):
        key = f"{assignment}-{len(book.table(assignment)) + i}"
        book.save(key, one)
        rows.append(
            {
                "student": one["student"],
                "student_id": one["student_id"],
                "file": one["file"],
                "key": key,
            }
        )
    book.save_roster(assignment, rows, "c0ffee")


@pytest.fixture
def book(tmp_path):
    return Gradebook(tmp_path / "book")


def test_a_saved_result_comes_back_and_is_readable_utf8(book):
    saved = result("Jürgen", flags=["check-cell-edited"])
    assert not book.has("k1") and book.load("k1") is None
    book.save("k1", saved)
    assert book.has("k1") and asdict(book.load("k1")) == asdict(
        records.decoded(records.Result, saved)
    )
    text = (book.folder / "results/k1.json").read_text("utf-8")
    assert (
        "Jürgen" in text
        and text.index('"assignment"') < text.index('"student"')
        and text.endswith("}\n")
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_and_sources_come_back_unchanged(book, name):
    saved = result(name, tasks=[task(source=name, message=name * 50)], reason=name)
    enrol(book, "01_vae", saved)
    (row,) = book.table()
    assert (row.student, row.reason, row.tasks[0].source) == (name, name, name)
    assert sorted(path.name for path in book.folder.rglob("*.json")) == [
        "01_vae-0.json",
        "01_vae.json",
    ]


@pytest.mark.parametrize("status", ["graded", "unreadable", "missing", "infrastructure_error"])
def test_only_a_fault_of_the_surroundings_is_tried_again(book, status):
    book.save("k", result(status=status))
    assert book.has("k") == (status != "infrastructure_error")
    assert book.load("k").status == status


def test_whatever_is_not_a_result_counts_as_absent(book):
    book.save("k", result())
    path, whole = book.folder / "results/k.json", (book.folder / "results/k.json").read_bytes()
    other = json.loads(whole)
    broken = [whole[:n] for n in range(0, len(whole) - 2, 7)] + [
        b"\xff\xfe" + whole,
        b"[" * 200_000,
        b"null",
        b"[]",
        b'"text"',
        b"\x00" * 100,
    ]
    broken += [
        json.dumps(other | change).encode()
        for change in ({"format": 2}, {"tasks": None}, {"tasks": [1]}, {"flags": ["x"]})
    ]
    broken += [
        json.dumps(other | change).encode()
        for change in ({"status": "hacked"}, {"student": 5}, {"memory_mib": float("nan")})
    ]
    for value in ("2", True, float("inf"), 10**400):
        broken.append(
            json.dumps(other | {"tasks": [task(points=value)]})
            .replace("Infinity", "1e999")
            .encode()
        )
    broken.append(b'{"format": ' + b"1" * 5000 + b"}")
    for content in broken:
        path.write_bytes(content)
        assert book.load("k") is None and not book.has("k"), content[:60]
    path.unlink()
    path.mkdir()
    assert not book.has("k")


@pytest.mark.parametrize("key", ["../roster/x", "a/b", "", ".hidden", "k" * 200, "ключ", "a\nb"])
def test_a_key_cannot_leave_the_folder(book, key):
    assert not book.has(key)
    with pytest.raises(InputError, match="key should be"):
        book.save(key, result())


def test_saving_refuses_what_could_not_be_read_back(book):
    with pytest.raises(InputError, match="result should be complete"):
        book.save("k", {"student": "anna"})


def test_a_killed_writer_leaves_the_old_file_or_the_new(tmp_path):
    """A child rewrites one result without end and is killed at random moments."""
    code = """
import sys
from gencourse.grading.gradebook.records import to_json
from gencourse.files import write_whole
from pathlib import Path
i = 0
print("ready", flush=True)
while True:
    i += 1
    write_whole(Path(sys.argv[1]), to_json({"i": i, "same": [i] * 20000}))
"""
    path = tmp_path / "results.json"
    random.seed(0)
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
        ) as child:
            child.stdout.readline()
            time.sleep(0.05 + random.random() / 20)
            child.kill()
        if path.exists():
            held = json.loads(path.read_bytes())
            assert set(held["same"]) == {held["i"]}


def test_a_failed_write_leaves_no_draft_behind(book, monkeypatch):
    book.save("k", result())

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        book.save("k", result("ben"))
    assert [path.name for path in (book.folder / "results").iterdir()] == ["k.json"]
    assert book.load("k").student == "anna"


def test_the_roster_says_which_result_is_current(book):
    enrol(book, "01_vae", result("anna", tasks=[task(points=0, status="wrong")]), result("ben"))
    book.save("newer", result("anna", tasks=[task()]))
    book.save_roster(
        "01_vae", [{"student": "anna", "student_id": "", "file": "f", "key": "newer"}], "v2"
    )
    assert {row.student: row.points for row in book.table()} == {"anna": 2, "ben": 2}
    assert (
        book.rosters()["01_vae"].version == "v2"
        and len(list(book.folder.glob("results/*.json"))) == 3
    )


def test_who_it_is_comes_from_the_roster(book):
    """Two equal files have one key, and so one result, which names only one of the two."""
    book.save("same", result("anna", student_id="1"))
    rows = [
        {"student": name, "student_id": name, "file": name, "key": "same"}
        for name in ("anna", "ben")
    ]
    book.save_roster("01_vae", rows)
    assert [(row.student, row.student_id, row.points) for row in book.table()] == [
        ("anna", "anna", 2),
        ("ben", "ben", 2),
    ]


def test_every_student_on_the_roster_has_a_row(book):
    enrol(
        book,
        "01_vae",
        result("anna"),
        result(
            "ben", status="infrastructure_error", tasks=[task(points=None)], reason="Disk full."
        ),
    )
    book.save_roster("01_vae", [{"student": "cleo", "student_id": "", "file": "", "key": "gone"}])
    anna, ben, cleo = book.table()
    assert (cleo.status, cleo.points, cleo.tasks) == ("not graded yet", None, ())
    assert (ben.status, ben.points, ben.reason) == ("infrastructure_error", None, "Disk full.")
    assert (anna.points, anna.out_of, anna.waiting) == (2, 5, 0)


@pytest.mark.parametrize(
    ("assignment", "rows", "said"),
    [
        ("../x", [], "assignment should be"),
        ("x", [{"student": "anna"}], "rows should hold"),
        ("x", [{"student": "anna", "student_id": "", "file": "", "key": ""}] * 2, "'anna' twice"),
    ],
)
def test_a_roster_that_makes_no_sense_is_refused(book, assignment, rows, said):
    with pytest.raises(InputError, match=said):
        book.save_roster(assignment, rows)


def test_grades_by_hand_survive_a_regrade_and_stay_apart(book):
    enrol(
        book, "01_vae", result("anna", tasks=[task(), task("why", "waiting", 0, 5, kind="manual")])
    )
    (row,) = book.table()
    assert (row.points, row.out_of, row.waiting, row.tasks[1].points) == (2, 7, 1, None)
    book.grade_by_hand("anna", "01_vae", "why", 4.5, "Good, but say why.")
    book.grade_by_hand("anna", "01_vae", "kl", points=1)
    book.grade_by_hand("anna", "01_vae", "", comment="Well done.")
    enrol(
        book, "01_vae", result("anna", tasks=[task(), task("why", "waiting", 0, 5, kind="manual")])
    )
    (row,) = book.table()
    kl, why = row.tasks
    assert (kl.points_auto, kl.points_manual, kl.points, kl.status) == (2, 1, 1, "right")
    assert (why.points_auto, why.points, why.status, why.comment) == (
        None,
        4.5,
        "graded by hand",
        "Good, but say why.",
    )
    assert (row.points, row.waiting, row.comment) == (5.5, 0, "Well done.")


def test_the_later_grade_by_hand_counts_and_can_be_cleared(book):
    enrol(book, "01_vae", result("anna"))

    def now():
        return book.table()[0].tasks[1].points_manual, book.table()[0].tasks[1].comment

    book.grade_by_hand("anna", "01_vae", "elbo", 1)
    book.grade_by_hand("anna", "01_vae", "elbo", comment="Nearly.")
    assert now() == (1, "Nearly.")
    book.grade_by_hand("anna", "01_vae", "elbo", 0)
    assert now() == (0, "Nearly.") and book.table()[0].tasks[1].points == 0
    book.grade_by_hand("anna", "01_vae", "elbo", clear=True)
    assert now() == (None, "")
    assert len(book.manual.read_text("utf-8").splitlines()) == 4 and book.problems() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "01_vae", "kl", 1), "on the roster"),
        (("anna", "02_gan", "kl", 1), "on the roster"),
        (("anna", "01_vae", "lk", 1), "one of kl, elbo"),
        (("anna", "01_vae", "kl", 3), "from 0 to 2"),
        (("anna", "01_vae", "kl", -1), "from 0 to 2"),
        (("anna", "01_vae", "kl", float("nan")), "from 0 to 2"),
        (("anna", "01_vae", "kl", "2"), "from 0 to 2"),
        (("anna", "01_vae", "kl", True), "from 0 to 2"),
        (("anna", "01_vae", "", 6), "from -5 to 5"),
    ],
)
def test_a_grade_by_hand_that_makes_no_sense_is_refused_in_a_sentence(book, arguments, said):
    enrol(book, "01_vae", result("anna"))
    with pytest.raises(InputError, match=said):
        book.grade_by_hand(*arguments)
    assert not book.manual.exists()


def test_a_torn_last_line_is_skipped_reported_and_not_glued_to_the_next(book):
    enrol(book, "01_vae", result("anna"))
    book.grade_by_hand("anna", "01_vae", "kl", 1)
    whole = book.manual.read_bytes()
    for cut in range(1, len(whole) - 1, 5):
        book.manual.write_bytes(whole + whole[:cut])
        assert book.table()[0].tasks[0].points == 1
        assert any("Line 2" in problem for problem in book.problems())
        book.grade_by_hand("anna", "01_vae", "kl", 2)
        assert book.table()[0].tasks[0].points == 2 and len(book.problems()) == 1


def test_lines_of_others_in_the_manual_file_are_skipped(book):
    enrol(book, "01_vae", result("anna"))
    sound = {
        "at": "2026",
        "student": "anna",
        "assignment": "01_vae",
        "task": "kl",
        "points": 1,
        "comment": "",
        "clear": False,
    }
    lines = [
        b"\xff\xfe",
        b"null",
        b"[1]",
        b"{}",
        *(json.dumps(sound | {"points": bad}).encode() for bad in ("2", True, float("nan"))),
    ]
    book.manual.write_bytes(b"\n".join([*lines, json.dumps(sound).encode(), b"\r"]))
    assert book.table()[0].tasks[0].points == 1 and len(book.problems()) == len(lines)


def test_a_grade_by_hand_whose_task_is_gone_is_reported(book):
    enrol(book, "01_vae", result("anna"))
    book.grade_by_hand("anna", "01_vae", "elbo", 1)
    enrol(book, "01_vae", result("anna", tasks=[task()]))
    assert book.table()[0].points == 2
    assert book.problems() == [
        "A grade by hand for anna, 01_vae, elbo belongs to no current result and was left out."
    ]


def test_a_broken_roster_is_reported(book):
    enrol(book, "01_vae", result("anna"))
    (book.folder / "roster/02_gan.json").write_text("{", "utf-8")
    (book.folder / "roster/03_x.json").write_text(
        (book.folder / "roster/01_vae.json").read_text("utf-8"), "utf-8"
    )
    assert len(book.table()) == 1
    assert [problem.split(".json")[0] for problem in book.problems()] == [
        "The roster 02_gan",
        "The roster 03_x",
    ]


def test_merging_takes_what_is_lacking_and_reports_what_clashes(book, tmp_path):
    other = Gradebook(tmp_path / "other")
    enrol(book, "01_vae", result("anna"), result("ben", status="infrastructure_error"))
    book.grade_by_hand("anna", "01_vae", "kl", 1)
    enrol(other, "02_gan", result("anna", assignment="02_gan"))
    rows = []
    for name in ("anna", "ben", "cleo"):
        other.save(f"other-{name}", result(name))
        rows.append({"student": name, "student_id": "", "file": "", "key": f"other-{name}"})
    other.save_roster("01_vae", rows)
    other.grade_by_hand("cleo", "01_vae", "kl", 0.5)
    for _ in range(2):  # merging again changes nothing
        assert book.merge(other) == [
            "anna, 01_vae: both gradebooks have a result; this one's was kept."
        ]
        assert {(row.student, row.assignment): row.points for row in book.table()} == {
            ("anna", "01_vae"): 1,
            ("ben", "01_vae"): 2,
            ("cleo", "01_vae"): 0.5,
            ("anna", "02_gan"): 2,
        }
        assert len(book.manual.read_text("utf-8").splitlines()) == 2


def test_an_empty_gradebook_is_an_empty_table(book):
    assert book.table() == [] and book.rosters() == {} and book.problems() == []


def test_rows_and_tasks_have_the_fields_of_the_records():
    assert {"student", "student_id", "file", "key"} <= {field.name for field in fields(Row)}
    assert set(records.TASK_TEXTS) <= {field.name for field in fields(TaskGrade)}


def test_the_secret_is_made_once_whoever_asks_first(book):
    from concurrent.futures import ThreadPoolExecutor

    from gencourse.grading.judging.batch import seeds_of

    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: Gradebook(book.folder).secret(), range(16)))
    assert len(secrets) == 1 and len(secrets.pop()) == 32
    other = Gradebook(book.folder.with_name("other")).secret()
    mine = [seeds_of(book.secret(), name) for name in ("01_vae", "02_gan", "01_vae")]
    assert mine[0] == mine[2] != mine[1] and seeds_of(other, "01_vae") != mine[0]
    assert len(set(mine[0])) == 3 and min(mine[0]) >= 1_000
    (book.folder / "seeds.json").write_bytes(b"torn")
    assert len(book.secret()) == 32
