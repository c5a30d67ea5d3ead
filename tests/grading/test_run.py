"""A class is graded the same twice, and through every interruption; nothing is left behind, nothing is judged twice."""

# POSIX: boxes, and commands that are killed

import contextlib
import csv
import dataclasses
import json
import multiprocessing
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from gencourse.errors import InputError
from gencourse.grading.gradebook import records
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.judging import batch as run
from gencourse.grading.judging.judge import judge
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.worker_process import RESERVED_MIB
from tests.grading.command import gencourse
from tests.lanes import mostly_slow

ROOT = Path(__file__).parents[2]
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
SOURCE = """# %%
from gencourse.checks import vae as check


# %%
def reparameterize(mu, logvar, eps):
    ### BEGIN SOLUTION
    return mu + (0.5 * logvar).exp() * eps
    ### END SOLUTION


# %%
check.reparameterize(reparameterize)
"""
HEAD = "def reparameterize(mu, logvar, eps):\n"
RIGHT = HEAD + "    return mu + (0.5 * logvar).exp() * eps"
MISTAKEN = HEAD + "    return mu + logvar.exp() * eps"
DEADLY = "import os\n\n\n" + HEAD + "    os._exit(0)"
CLASS = {"anna": RIGHT, "ben": MISTAKEN, "cem": DEADLY, "dan": None}  # dan's file is cut off
KILLS = 4 if os.environ.get("GENCOURSE_TESTS") == "sampled" else 10
SURVIVAL = 0.2  # of the time that the class takes: what is left after a kill is gone before a judge could import torch
MEMORY = 1.8  # times what Python holds once torch is imported


def hand_in(home: Path, answers: dict[str, str | None]) -> Path:
    """An assignment, tiny.py, and a class of submissions to it beside it."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "tiny.py").write_text(SOURCE, "utf-8")
    for student, answer in answers.items():
        path = home / "in" / student / "tiny.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [
            {
                "cell_type": "code",
                "source": answer,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
        ]
        text = json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells})
        path.write_text(text if answer is not None else text[:50], "utf-8")
    return home


def command(home: Path, book: Path, *options: str, root: bool = AS_ROOT) -> list[str]:
    place = [str(home / "in"), "--assignment", str(home / "tiny.py"), "--gradebook", str(book)]
    return [
        sys.executable,
        "-m",
        "gencourse",
        "grade",
        *place,
        *(["--allow-root"] if root else []),
        *options,
    ]


def grade(
    home: Path, book: Path, *options: str, env: dict | None = None, root: bool = AS_ROOT
) -> subprocess.CompletedProcess:
    """Grade in this process, where nothing has to be imported."""
    _, _, _, *words = command(home, book, *options, root=root)
    return gencourse(*words, env=env)


def table(book: Path) -> list:
    """All that a gradebook says of a class, but for seconds and memory, and the key, which holds the limits."""
    return [dataclasses.replace(row, key="") for row in Gradebook(book).rows()]


def results(book: Path) -> dict[str, int]:
    """The files of results and when they were written."""
    return {path.name: path.stat().st_mtime_ns for path in (book / "results").glob("*.json")}


def path_of(book: Path, student: str) -> Path:
    return (
        book
        / "results"
        / f"{next(row.key for row in Gradebook(book).rows() if row.student == student)}.json"
    )


@pytest.fixture(scope="module")
def graded(tmp_path_factory, bubblewrap):
    """(home, gradebook, seconds) of a class that was graded without disturbance, as a user does it: by a command of its own."""
    home = hand_in(tmp_path_factory.mktemp("class"), CLASS)
    began = time.monotonic()
    done = subprocess.run(
        command(home, home / "book", "--jobs", "2"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home, home / "book", time.monotonic() - began


@pytest.fixture
def jobs(tmp_path):
    """Three jobs that no box has been asked for yet."""
    home = hand_in(tmp_path / "class", dict.fromkeys(("anna", "ben", "cem"), RIGHT))
    return planned(home)


def planned(
    home: Path, kind: str = "bubblewrap", limits: Limits | None = None, book: Path | None = None
) -> list:
    book = Gradebook(book or home / "planned")
    return run.enrolled(
        home / "in", sorted(home.glob("*.py")), Sandbox(kind), limits or Limits(), book
    )


# the same again


def test_the_class_is_graded(graded):
    rows = {
        row.student: (row.status, row.points, [task.mistake for task in row.tasks])
        for row in table(graded[1])
    }
    assert rows["anna"] == ("graded", 2, [""]) and rows["ben"] == ("graded", 0, ["variance_as_std"])
    assert rows["cem"][:2] == ("graded", 0) and rows["dan"][:2] == ("unreadable", 0)


@pytest.mark.slow
def test_the_same_batch_twice_gives_the_same_scores(graded, tmp_path):
    home, first, _ = graded
    assert grade(home, tmp_path / "book", "--jobs", "1").returncode == 0
    assert table(tmp_path / "book") == table(first)
    for made in (
        "grades.csv",
        *(path.relative_to(first) for path in (first / "reports").rglob("*.html")),
    ):
        assert (tmp_path / "book" / made).read_bytes() == (first / made).read_bytes(), made


def test_a_second_run_judges_nothing(graded, tmp_path):
    home, first, _ = graded
    book = shutil.copytree(first, tmp_path / "book")
    before = results(book)
    done = grade(home, book)
    assert done.returncode == 0 and "4 submissions, 4 of them judged before" in done.stdout
    assert results(book) == before and table(book) == table(first)


@pytest.mark.slow
def test_only_what_is_missing_is_judged(graded, tmp_path):
    """Another submission, a result that is cut off, one that is a fault of the surroundings: these three, and not the fourth."""
    home, first, _ = graded
    home, book = (
        shutil.copytree(home, tmp_path / "class", ignore=shutil.ignore_patterns("book")),
        shutil.copytree(first, tmp_path / "book"),
    )
    before = results(book)
    kept, damaged, unlucky = (path_of(book, name) for name in ("anna", "cem", "dan"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    fault = json.loads(unlucky.read_text("utf-8")) | {
        "status": "infrastructure_error",
        "reason": "the disk was full",
    }
    unlucky.write_text(json.dumps(fault), "utf-8")
    hand_in(home, {"ben": RIGHT})
    done = grade(home, book, "--jobs", "2")
    assert done.returncode == 0 and "4 submissions, 1 of them judged before" in done.stdout
    after = results(book)
    assert len(after) == 5 and after[kept.name] == before[kept.name]
    expected = {row.student: row for row in table(first)}
    rows = {row.student: row for row in table(book)}
    assert {name: rows[name] for name in ("anna", "cem", "dan")} == {
        name: expected[name] for name in ("anna", "cem", "dan")
    }
    assert rows["ben"].points == 2


def keys(work: list) -> dict[tuple[str, str], str]:
    return {(job.assignment.name, job.submission.student): job.key for job in work}


def test_what_a_result_depends_on(tmp_path):
    """Each change makes the keys of those new that it concerns, and no others."""
    home = hand_in(tmp_path, {"anna": RIGHT, "ben": MISTAKEN})
    (home / "other.py").write_text(
        SOURCE.replace("reparameterize(", "kl_to_standard_normal(").replace(
            "(reparameterize)", "(kl_to_standard_normal)"
        ),
        "utf-8",
    )
    shutil.copy(home / "in/anna/tiny.ipynb", home / "in/anna/other.ipynb")
    first = keys(planned(home))
    assert len(first) == len(set(first.values())) == 4 and keys(planned(home)) == first

    def changed(**options) -> set:
        return {who for who, key in keys(planned(home, **options)).items() if first[who] != key}

    assert changed(limits=Limits(memory_mib=1024)) == changed(kind="none") == set(first)
    assert changed(kind="podman") == set(), "what held it is told, and changes no points"
    (home / "tiny.py").write_text(
        SOURCE.replace("# %%\ncheck", "# %% [markdown]\n# Well.\n\n# %%\ncheck"), "utf-8"
    )
    assert changed() == set(), "prose is not judged"
    (home / "tiny.py").write_text("# %%\nimport math\n\n" + SOURCE, "utf-8")
    assert changed() == {("tiny", "anna"), ("tiny", "ben")}
    (home / "tiny.py").write_text(SOURCE, "utf-8")
    assert changed() == set()
    hand_in(home, {"ben": RIGHT})
    assert changed() == {("tiny", "ben")}


def test_every_student_gets_a_row_whatever_was_handed_in(tmp_path):
    """Also with several assignments, when the only notebook of one of them cannot be read."""
    home = hand_in(tmp_path, {"anna": None})
    (home / "other.py").write_text(
        SOURCE.replace("reparameterize(", "kl_to_standard_normal(").replace(
            "(reparameterize)", "(kl_to_standard_normal)"
        ),
        "utf-8",
    )
    assert ("tiny", "anna") in keys(planned(home, book=home / "book"))
    assert [row.student for row in Gradebook(home / "book").rows()] == ["anna"]


@pytest.mark.posix
@pytest.mark.parametrize(
    "argv",
    mostly_slow([["/bin/false"], ["/nonexistent/program"], ["/bin/cat", "/dev/zero"]]),
    ids=["ends", "absent", "babbles"],
)
def test_a_box_that_does_not_start_is_no_grade_and_is_tried_again(tmp_path, argv, jobs):
    class Broken(Sandbox):
        def command(self, *_):
            return argv

    result = judge(dataclasses.replace(jobs[0], sandbox=Broken("bubblewrap")))
    assert (
        result.status == "infrastructure_error"
        and result.reason
        and records.decoded(records.Result, dataclasses.asdict(result))
    )
    book = Gradebook(tmp_path / "book")
    book.save(jobs[0].key, result)
    assert book.load(jobs[0].key) and not book.has(jobs[0].key)


# judges that are lost


def fragile(job) -> dict:
    """In the place of `judge`: a fatal submission takes its process with it, one that is fatal later does so after its result."""
    if job.submission.student == "fatal":
        time.sleep(0.3)
        os._exit(1)
    if job.submission.student == "fatal-later":
        threading.Timer(0.2, os._exit, (1,)).start()
    else:
        time.sleep(1)
    return dataclasses.replace(run.failed(job, "was here"), status="graded")


@pytest.fixture
def forked(monkeypatch):
    """A pool of processes that start at once, and judge in no box: copies of one that has imported, and never computed."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("needs processes that are forked")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gencourse.grading.judging.judge", __name__])
    monkeypatch.setattr(run, "get_context", lambda kind: context)
    monkeypatch.setattr(run, "judge", fragile)


def renamed(jobs: list, *names: str) -> list:
    return [
        dataclasses.replace(job, submission=dataclasses.replace(job.submission, student=name))
        for job, name in zip(jobs, names, strict=True)
    ]


@pytest.mark.slow
def test_a_judge_that_is_lost_takes_no_neighbour_with_it(jobs, forked):
    done = {
        job.submission.student: result.status
        for job, result in run.locally(renamed(jobs[:2], "anna", "fatal"), 2)
    }
    assert done == {"anna": "graded", "fatal": "infrastructure_error"}


@pytest.mark.slow
def test_a_judge_that_is_lost_between_two_submissions_loses_none(jobs, forked):
    done = []
    for job, result in run.locally(renamed(jobs, "fatal-later", "ben", "cem"), 1):
        done.append((job.submission.student, result.status))
        time.sleep(1)  # as a slow disk would
    assert sorted(done) == [("ben", "graded"), ("cem", "graded"), ("fatal-later", "graded")]


# killed at any moment


def alive(token: str, memory: int) -> list[str]:
    """The processes of one grading: judges inherit a token in their environment, boxes are started with an unusual limit."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        for name, mark in (
            ("environ", token),
            ("cmdline", f'"data_bytes": {memory + RESERVED_MIB << 20}'),
        ):
            with contextlib.suppress(OSError):
                if mark.encode() in (place / name).read_bytes():
                    found.append(f"{place.name} {(place / 'cmdline').read_bytes()[-300:]!r}")
    return found


def killed_after(seconds: float, line: list[str], token: str) -> bool:
    """Run a command and kill it, it alone, after so many seconds; whether it was still running."""
    env = {**os.environ, "GENCOURSE_TEST_TOKEN": token}
    process = subprocess.Popen(
        line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        process.wait(seconds)
        assert process.returncode == 0, process.stderr.read()
        return False
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        return True
    finally:
        process.wait()
        process.stderr.close()


def gone(token: str, memory: int, seconds: float) -> list[str]:
    """What is alive after the time in which everything should be gone, where a class takes so many seconds."""
    until = time.monotonic() + max(3, SURVIVAL * seconds)
    while (left := alive(token, memory)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc"
)
def test_killed_at_any_moment_it_ends_in_the_same_table(graded, tmp_path):
    home, first, seconds = graded
    draw, token = random.Random(20), secrets.token_hex()
    memory = 2048 - secrets.randbelow(200)  # tells our boxes from those of others
    books = [tmp_path / "0"]
    kills = 0
    while kills < KILLS:
        book = books[-1]
        before = results(book)
        killed = killed_after(
            draw.uniform(0, seconds),
            command(home, book, "--jobs", "2", "--memory", str(memory)),
            token,
        )
        assert not gone(token, memory, seconds), f"after kill {kills}"
        after = results(book)
        assert {name: after[name] for name in before} == before, "a result was judged twice"
        assert all(Gradebook(book).load(Path(name).stem) for name in after), "a half file"
        for path in book.glob("roster/*.json"):
            assert json.loads(path.read_text("utf-8"))["rows"]
        for path in [*book.rglob("*.html"), *book.glob("*.csv")]:
            assert path.stat().st_size
        kills += killed
        if not killed:
            books.append(tmp_path / str(len(books)))
    before = results(books[-1])
    assert grade(home, books[-1], "--jobs", "2", "--memory", str(memory)).returncode == 0
    assert before.items() <= results(books[-1]).items(), "a result was judged twice"
    for book in books:
        assert table(book) == table(first)
        assert (book / "grades.csv").read_bytes() == (first / "grades.csv").read_bytes()
        assert len(results(book)) == len(CLASS)


def judges_of(pid: int) -> list[int]:
    """The judges that a command has started, from their first moment."""
    with contextlib.suppress(psutil.Error):
        return [
            child.pid
            for child in psutil.Process(pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]
    return []


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc"
)
def test_killed_while_its_judges_start_it_leaves_none(graded, tmp_path):
    """A judge takes seconds to import torch, and is to notice before that it is alone."""
    token, line = secrets.token_hex(), command(graded[0], tmp_path / "book", "--jobs", "2")
    env = {**os.environ, "GENCOURSE_TEST_TOKEN": token}
    process = subprocess.Popen(
        line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not judges_of(process.pid):
            assert process.poll() is None, "it ended before a judge was seen"
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert not gone(token, 0, graded[2])


@pytest.mark.slow
def test_shards_together_are_the_whole_each_once(graded, tmp_path):
    home, first, _ = graded
    assert grade(home, tmp_path / "book", "--shard", "1/2").returncode == 0
    half = results(tmp_path / "book")
    assert grade(home, tmp_path / "book", "--shard", "2/2").returncode == 0
    whole = results(tmp_path / "book")
    assert table(tmp_path / "book") == table(first)
    assert half.items() <= whole.items() and len(whole) == len(CLASS)


def test_every_job_is_in_one_shard(tmp_path):
    work = planned(hand_in(tmp_path, {f"student{i}": RIGHT for i in range(40)}))
    parts = [run.shard(work, f"{i}/3") for i in (1, 2, 3)]
    assert sorted(job.key for part in parts for job in part) == sorted(
        job.key for job in work
    ) and all(parts)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "", "1/2/3"])
def test_a_shard_that_is_none_is_one_sentence(text):
    with pytest.raises(InputError, match="i/n"):
        run.shard([], text)


# memory

ON_ALL_DESCRIPTORS = (
    "import os\n\n\n"
    + HEAD
    + "    for fd in range(3, 1000):\n        try:\n            os.write(fd, {0})\n"
)
ON_ALL_DESCRIPTORS += "        except OSError:\n            pass\n    return mu"
MANY_VALUES = 'b"gencour1" + (4 << 20).to_bytes(8, "big") + (0).to_bytes(8, "big") + b"[" + b"{}," * ((4 << 20) // 3 - 1) + b"{}]  "'
HIDING = """for _ in range(24):
    part = mmap.mmap(-1, 1 << 27)
    part.write(bytes(1 << 27))
    part.madvise(mmap.MADV_DONTNEED)  # no longer resident, and in memory all the same
    kept.append(part)
"""
REFUSED = """    system = ctypes.CDLL(None)
    if system.shmget(0, 1 << 20, 0o1600) != -1 or system.msgget(0, 0o1600) != -1:
        return mu
    try:
        os.memfd_create("hidden")
    except OSError:
        return mu + (0.5 * logvar).exp() * eps
"""
GREEDY = {
    "prints": HEAD
    + "    for _ in range(200):\n        print('x' * (1 << 20))\n    return mu + (0.5 * logvar).exp() * eps",
    "prints-in-cell": "for _ in range(200):\n    print('x' * (1 << 20))\n\n\n" + RIGHT,
    "tensor": "import torch\n\n\n" + HEAD + "    return torch.ones(1 << 28)",
    "half-a-tensor": "import torch\n\n\n" + HEAD + "    return torch.ones(1 << 26)",
    "text": HEAD + "    return 'x' * (100 << 20)",
    "list": HEAD + "    return [[] for _ in range(1 << 20)]",
    "error": HEAD + "    raise ValueError('x' * (100 << 20))",
    "garbage": ON_ALL_DESCRIPTORS.format("b'x' * 10_000_000"),
    "values": ON_ALL_DESCRIPTORS.format(MANY_VALUES),
    "shared": "import mmap\n\n\nkept = []\n" + HIDING + "\n\n" + RIGHT,
    "refused": "import ctypes\nimport os\n\n\n" + HEAD + REFUSED,
    "nested": ON_ALL_DESCRIPTORS.format(MANY_VALUES.replace("{},", "[],").replace("{}]", "[]]")),
}


def peak_mib(pid: int) -> float:
    """The most memory that a process has held so far."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


@pytest.fixture(scope="module")
def torch_mib() -> float:
    """What Python holds once torch and the checks are imported."""
    code = "import torch, gencourse.checks.vae\nprint(open('/proc/self/status').read())"
    text = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    ).stdout
    return next(
        int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS")
    )


def peaks(line: list[str]) -> tuple[dict[str, float], int]:
    """The most memory of the main process, and of the judges, while a command runs; and its exit status."""
    most = {"main": 0.0, "judge": 0.0}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(line, stdout=said, stderr=said) as process,
    ):
        while process.poll() is None:
            most["main"] = max(most["main"], peak_mib(process.pid))
            with contextlib.suppress(psutil.Error):
                judges = [
                    child.pid
                    for child in psutil.Process(process.pid).children()
                    if "multiprocessing" in " ".join(child.cmdline())
                ]
                most["judge"] = max([most["judge"], *map(peak_mib, judges)])
            time.sleep(0.02)
    return most, process.returncode


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is looked up in /proc")
def test_memory_of_the_grader_stays_small_whatever_is_handed_in(bubblewrap, torch_mib, tmp_path):
    home = hand_in(tmp_path, GREEDY)
    fat = home / "in" / "fat" / "tiny.ipynb"
    fat.parent.mkdir()
    cells = [{"cell_type": "code", "source": RIGHT, "metadata": {}}] + 160 * [
        {"cell_type": "markdown", "source": "x" * 99_000 + "😀"}
    ]
    fat.write_text(json.dumps({"nbformat": 4, "cells": cells}, ensure_ascii=False), "utf-8")
    most, status = peaks(command(home, home / "book", "--jobs", "1"))
    rows = {row.student: row for row in table(home / "book")}
    assert status == 0 and rows.keys() == {*GREEDY, "fat"}
    assert {name for name, row in rows.items() if row.points == 2} == {
        "prints",
        "prints-in-cell",
        "shared",
        "refused",
        "fat",
    }
    assert "memory-limit" in {flag.flag for flag in rows["shared"].flags}, (
        "its answer is right, but it was stopped on the way"
    )
    assert {row.status for row in rows.values()} == {"graded"}
    assert all(0 < mib < MEMORY * torch_mib for mib in most.values()), (
        f"{most}, torch alone {torch_mib:.0f} MiB"
    )
    assert max(path.stat().st_size for path in (home / "book" / "results").iterdir()) < 100_000


# refusals, and the sandbox that is none


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_root_is_refused_in_one_sentence(tmp_path):
    done = grade(hand_in(tmp_path, {"anna": RIGHT}), tmp_path / "book", root=False)
    assert done.returncode == 1 and done.stdout == "" and not (tmp_path / "book").exists()
    assert (
        done.stderr.strip()
        == "grade: the user should be an ordinary one, got root. Change to another user, or say --allow-root."
    )


@pytest.mark.posix
def test_without_a_sandbox_it_refuses_with_reason_and_remedy(tmp_path):
    (tmp_path / "bin").mkdir()
    marker = tmp_path / "ran"
    home = hand_in(tmp_path, {"anna": f"open({str(marker)!r}, 'w').close()\n{RIGHT}"})
    done = grade(home, tmp_path / "book", env={"PATH": str(tmp_path / "bin")})
    assert (
        done.returncode == 1
        and done.stdout == ""
        and not (tmp_path / "book").exists()
        and not marker.exists()
    )
    first, *reasons = done.stderr.strip().split("\n")
    assert first.startswith("grade: a submission should be held by a sandbox, and none works here.")
    linux = sys.platform == "linux"
    assert [reason.split(":")[0] for reason in reasons] == ["bubblewrap"] * linux + [
        "podman",
        "docker",
    ]
    assert (
        all("is not installed" in reason for reason in reasons)
        and ("sudo apt install bubblewrap" in reasons[0]) is linux
    )


@pytest.mark.posix
@pytest.mark.slow
def test_without_a_sandbox_by_name_everything_says_so(tmp_path):
    home, book = hand_in(tmp_path, {"anna": RIGHT, "ben": MISTAKEN, "dan": None}), tmp_path / "book"
    done = grade(home, book, "--unsafe-no-sandbox", env={"PATH": "/nonexistent"})
    assert done.returncode == 0 and "Without a sandbox" in done.stdout, done.stdout + done.stderr
    assert [(row.sandbox, row.points) for row in table(book)] == [
        ("none", 2),
        ("none", 0),
        ("none", 0),
    ]
    with (book / "grades.csv").open(encoding="utf-8-sig", newline="") as sheet:
        lines = list(csv.DictReader(sheet))
    assert len(lines) == 3 and all(
        line["sandbox"] == "none: graded without a sandbox" for line in lines
    )
    pages = list((book / "reports").rglob("*.html"))
    assert len(pages) == 4 and all("without a sandbox" in page.read_text("utf-8") for page in pages)


def test_what_was_graded_without_a_sandbox_is_judged_again_with_one(tmp_path):
    home = hand_in(tmp_path, {"anna": RIGHT})
    (none,), (held,) = planned(home, kind="none"), planned(home)
    assert none.key != held.key


# an ordinary user

STAND_IN = """set -e
umask 022
blocked=$1 stand_in=$2 uid=$3
shift 3
while [ "$1" != -- ]; do
    mkdir -p "$stand_in/${1#$blocked/}"
    mount --bind "$1" "$stand_in/${1#$blocked/}"
    shift
done
shift
mount --rbind "$stand_in" "$blocked"
exec setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
"""
UID = 61234


def as_user(line: list[str], env: dict, stand_in: Path) -> subprocess.CompletedProcess:
    """Run a command under another uid; where a home folder hides Python from it, behind a stand-in that holds only Python and the course."""
    ours = [Path(p).resolve() for p in (sys.base_prefix, sys.prefix, ROOT)]
    hidden = next(
        (
            parent
            for path in ours
            for parent in reversed(path.parents)
            if not parent.stat().st_mode & 0o001
        ),
        None,
    )
    if hidden is None:
        line = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *line]
    else:
        inside = [str(path) for path in ours if path.is_relative_to(hidden)]
        line = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            STAND_IN,
            "sh",
            str(hidden),
            str(stand_in),
            str(UID),
            *inside,
            "--",
            *line,
        ]
    return subprocess.run(
        line, env=env, cwd="/", capture_output=True, text=True, encoding="utf-8", timeout=600
    )


@pytest.fixture
def readable():
    """A folder that everybody may read, and write to."""
    with tempfile.TemporaryDirectory(prefix="gencourse-user-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not AS_ROOT or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_an_ordinary_user_grades(graded, readable):
    home, first, _ = graded
    shutil.copytree(home / "in", readable / "in")
    shutil.copy(home / "tiny.py", readable)
    (readable / "stand-in").mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(readable),
        "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
    }
    works = as_user(
        [sys.executable, "-c", "import os, torch\nprint(os.getuid())"], env, readable / "stand-in"
    )
    if works.stdout.strip() != str(UID):
        (pytest.fail if os.environ.get("GENCOURSE_CI") else pytest.skip)(
            f"no other user can be had: {works.stderr[-300:]}"
        )
    book = readable / "book"
    done = as_user(command(readable, book, "--jobs", "2", root=False), env, readable / "stand-in")
    assert done.returncode == 0, done.stdout + done.stderr
    assert table(book) == table(first) and (book / "grades.csv").stat().st_uid == UID
