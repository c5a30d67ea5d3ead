"""The corpus through the command line: the honest score or a stated flag, nothing leaks, nothing hangs, nobody suffers.

One kind of each group in the fast lane, but honest and broken ones, of which the class of test_run.py has some; all kinds
in the slow one, or every eighth with GENCOURSE_TESTS=sampled.
"""

import contextlib
import csv
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gencourse.grading.gradebook.book import Gradebook
from tests.grading.corpus import kinds, on_paper, write
from tests.grading.corpus_assignment import SOURCE, notebooks
from tests.grading.corpus_kind import GROUPS

SECRET_NAME = "GENCOURSE_TEST_TOKEN"
FILE = Path(__file__)
HANDFUL = (  # none that has to be waited for
    *("ids_swapped", "truncated"),
    *("forges_replies", "reads_own_environment", "connects_to_loopback"),
)
IN_THE_CLASS = {"honest", "broken"}
EVERY = 8 if os.environ.get("GENCOURSE_TESTS") == "sampled" else 1
ONCE_MISJUDGED = (
    "a_function_of_python_replaced",
    "returns_million_lists",
    "asks_for_gpu",
    "utf_16",
)
ASKED = dict.fromkeys(
    [*HANDFUL, *ONCE_MISJUDGED, *[kind.name for kind in on_paper()][::EVERY]],
)
NAMES = [pytest.param(name, marks=() if name in HANDFUL else pytest.mark.slow) for name in ASKED]
BATCH_SECONDS = 3000
pytestmark = pytest.mark.timeout(BATCH_SECONDS + 300)


def names_asked_for(session: pytest.Session) -> set[str]:
    """The kinds of submissions that the tests of this run are about."""
    mine = [
        item.callspec.params
        for item in session.items
        if item.path == FILE and hasattr(item, "callspec")
    ]
    return {params["name"] for params in mine} or set(HANDFUL)


@pytest.fixture(scope="session")
def batch(tmp_path_factory, bubblewrap, request):
    """The corpus, graded once by `gencourse grade` with a secret in its environment and a listener beside it."""
    home = tmp_path_factory.mktemp("hostile")
    leak, submissions, book = home / "leak", home / "submissions", home / "gradebook"
    leak.mkdir()
    heard: list[bytes] = []
    with (
        socket.socket() as listener,
        socket.socket(type=socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        abstract.bind(f"\0gencourse-canary-{port}")
        for server in (listener, abstract):
            server.listen(200)
            threading.Thread(target=listen, args=(server, heard), daemon=True).start()
        threading.Thread(target=lambda: heard.append(datagrams.recv(10_000)), daemon=True).start()
        names = names_asked_for(request.session)
        corpus = [
            kind for kind in kinds(*notebooks(), leak, port, SECRET_NAME) if kind.name in names
        ]
        write(corpus, submissions)
        (submissions / "expected.json").unlink()
        token = secrets.token_hex()
        command = [
            sys.executable,
            "-m",
            "gencourse",
            "grade",
            str(submissions),
            "--assignment",
            str(SOURCE),
            "--gradebook",
            str(book),
        ]
        command += [
            "--jobs",
            "2",
            "--cell-seconds",
            "15",
            "--total-seconds",
            "90",
            *(["--allow-root"] if os.geteuid() == 0 else []),
        ]
        began = time.monotonic()
        done = subprocess.run(
            command,
            env={**os.environ, SECRET_NAME: token},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=BATCH_SECONDS,
        )
        seconds = time.monotonic() - began
        time.sleep(2)
        processes = command_lines()
    return {
        "kinds": {kind.name: kind for kind in corpus},
        "rows": {row.student: row for row in Gradebook(book).rows()},
        "done": done,
        "token": token,
        "heard": b"".join(heard).decode("utf-8", "replace"),
        "leak": leak,
        "book": book,
        "seconds": seconds,
        "processes": processes,
    }


def listen(listener: socket.socket, heard: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        heard.append(b"CONNECTED ")
        with connection:
            connection.settimeout(1)
            with contextlib.suppress(OSError):
                heard.append(connection.recv(10_000))


def command_lines() -> str:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(lines)


def everything_shown(batch) -> str:
    """All texts that a teacher or a student may come to see."""
    files = [p for p in batch["book"].rglob("*") if p.is_file()]
    return "\n".join(
        [
            batch["done"].stdout,
            batch["done"].stderr,
            *(p.read_text("utf-8", "replace") for p in files),
        ]
    )


def test_a_handful_has_one_of_each_group():
    groups = sorted(kind.group for kind in on_paper() if kind.name in HANDFUL)
    assert groups == sorted(set(GROUPS) - IN_THE_CLASS)


def test_batch_ends_well(batch):
    assert batch["done"].returncode == 0, batch["done"].stderr[-2000:]
    assert "Traceback" not in batch["done"].stdout + batch["done"].stderr
    assert batch["rows"].keys() == batch["kinds"].keys(), "every student has a row"


@pytest.mark.parametrize("name", NAMES)
def test_score_is_honest_or_flagged(batch, name):
    kind, row = batch["kinds"][name], batch["rows"][name]
    said = f"{kind.why}\n{row.status} {row.reason} {row.flags} " + str(
        [(t.name, t.status, t.points_auto, t.message[:150]) for t in row.tasks]
    )
    assert row.status in (kind.status, *kind.also_status), said
    auto = {
        task.name.removesuffix("_test"): task.points_auto
        for task in row.tasks
        if task.kind != "manual"
    }
    if sum(auto.values()) not in (kind.accept or ()):
        assert auto == kind.honest, said
    if kind.expect_flag:
        assert row.flags or row.status != "graded", said


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaks(batch, name):
    canary = batch["kinds"][name].canary
    assert not [path for path in canary.paths if os.path.lexists(path)]
    if canary.mark:
        assert canary.mark not in batch["heard"]
        assert not [
            p
            for p in batch["leak"].rglob("*")
            if p.is_file() and canary.mark in p.read_text("utf-8", "replace")
        ]
    if canary.process:
        assert canary.process not in batch["processes"]
    pages = "\n".join(p.read_text("utf-8") for p in (batch["book"] / "reports").rglob("*.html"))
    assert not [text for text in canary.html if text in pages]
    for text in canary.shown:
        assert text not in everything_shown(batch)
    with (batch["book"] / "grades.csv").open(encoding="utf-8-sig", newline="") as sheet:
        cells = [cell for line in csv.reader(sheet) for cell in line]
    assert not [cell for cell in cells if canary.csv and cell.startswith(tuple(canary.csv))]


def test_nobody_connected_and_the_secret_stayed(batch):
    assert batch["heard"] == ""
    assert batch["token"] not in everything_shown(batch)
    assert list(batch["leak"].iterdir()) == []


def test_results_are_files_of_bounded_size(batch):
    sizes = {p.name: p.stat().st_size for p in (batch["book"] / "results").iterdir()}
    assert max(sizes.values()) < 200_000
    for path in (batch["book"] / "results").iterdir():
        json.loads(path.read_text("utf-8"))
