"""Grading where it is not Linux, and files that other programs hold open: sentences, and nothing left running."""

import os
import subprocess
import sys
import types
from pathlib import Path

import psutil
import pytest

from gencourse import __main__, files
from gencourse.errors import NotWritten
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.gradebook.sheets import Sheet
from gencourse.grading.handout import assignment
from gencourse.grading.sandbox import choose as choosing
from gencourse.grading.sandbox import memory
from gencourse.grading.sandbox import worker_process as box
from gencourse.grading.sandbox.backends import Sandbox, SandboxUnavailable
from gencourse.grading.sandbox.choose import choose
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.worker_process import WorkerProcess
from tests.grading.command import gencourse
from tests.grading.test_gradebook import enrol, result

SOURCE = Path(__file__).parent / "assignment" / "small.py"


@pytest.fixture
def book(tmp_path):
    book = Gradebook(tmp_path / "book")
    enrol(book, "01_vae", result("anna"), result("李"))
    return book


# the system


def on(monkeypatch, platform):
    """Let the sandbox see another system, on which no program is found."""
    system = types.SimpleNamespace(**vars(sys) | {"platform": platform})
    monkeypatch.setattr(choosing, "sys", system)
    monkeypatch.setattr(choosing.shutil, "which", lambda program: None)


@pytest.mark.parametrize(
    "words", [["--probe"], ["."], [".", "--unsafe-no-sandbox"], [".", "--sandbox", "docker"]]
)
def test_on_windows_a_teacher_is_sent_to_wsl_before_anything_starts(words, monkeypatch):
    on(monkeypatch, "win32")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("something was started"))
    done = gencourse("grade", *words, "--allow-root")
    assert (
        done.returncode == 1
        and "wsl --install" in done.stderr
        and "docs/teaching.md" in done.stderr
    )
    assert "apt" not in done.stdout + done.stderr and "\n" not in done.stderr.strip()


def test_on_macos_only_what_works_there_is_named(monkeypatch):
    on(monkeypatch, "darwin")
    with pytest.raises(SandboxUnavailable, match="brew install podman") as told:
        choose(None)
    assert not any(word in str(told.value) for word in ("apt", "dnf", "bubblewrap", "WSL"))
    with pytest.raises(SandboxUnavailable, match="On macOS take podman or docker"):
        choose("bubblewrap")


def test_on_linux_the_programs_of_linux_are_named(monkeypatch):
    on(monkeypatch, "linux")
    with pytest.raises(SandboxUnavailable, match="sudo apt install bubblewrap") as told:
        choose(None)
    assert "brew" not in str(told.value) and "WSL" not in str(told.value)


# a box that cannot start


@pytest.mark.posix
@pytest.mark.parametrize("fault", [(box.os, "set_blocking"), (box.threading, "Thread")])
def test_a_box_that_cannot_start_ends_its_process(fault, monkeypatch):
    removed = []

    class Waits(Sandbox):
        def command(self, *_):
            return [sys.executable, "-c", "import time; time.sleep(60)"]

        def remove(self, name):
            removed.append(name)

    def absent(*_, **__):
        raise AttributeError(fault[1])

    before = set(psutil.Process().children())
    monkeypatch.setattr(*fault, absent)
    with pytest.raises(AttributeError, match=fault[1]):
        WorkerProcess(Waits("docker"), Limits(), 0)
    assert set(psutil.Process().children()) <= before and len(removed) == 1


# memory without /proc


class FakeProcess:
    """What psutil tells of a process on macOS: no pss."""

    def __init__(self, pid):
        if pid == 3:
            raise psutil.NoSuchProcess(pid)
        self.pid = pid

    def memory_info(self):
        if self.pid == 2:
            raise psutil.AccessDenied(self.pid)
        return types.SimpleNamespace(rss=300 << 20, vms=400 << 20, pfaults=1, pageins=1)


def test_memory_is_counted_without_proc_and_processes_that_end_do_not_end_the_watch(monkeypatch):
    monkeypatch.setattr(memory.os.path, "exists", lambda path: False)
    monkeypatch.setattr(memory.psutil, "Process", FakeProcess)
    for enough in (100, 10_000):
        assert memory.Meter(1).mib([1, 2, 3, 4], enough) == 600


# files that another program holds open


def held(monkeypatch, *names):
    """Path.replace refuses, as on Windows where a program shows a file of such a name; of any if none is given."""
    real = Path.replace

    def replace(self, target):
        if not names or Path(target).name in names:
            raise PermissionError(13, "Access is denied", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files, "PAUSE_S", 0)


def drafts(folder):
    return [path.name for path in Path(folder).rglob(".*") if path.is_file()]


@pytest.mark.parametrize("words", [["report"], ["points", "anna", "01_vae", "kl", "1"]])
def test_a_sheet_open_in_excel_is_a_sentence_and_the_pages_are_written(words, book, monkeypatch):
    (book.folder / "grades.csv").write_text("old", "utf-8")
    held(monkeypatch, "grades.csv")
    done = gencourse(words[0], str(book.folder), *words[1:])
    assert (
        done.returncode == 1
        and "grades.csv should be a file that can be written, got: Access is denied" in done.stderr
    )
    assert "Close it in the program that shows it" in done.stderr and "Traceback" not in done.stderr
    assert (
        "index.html" in done.stdout
        and len(list((book.folder / "reports/students").glob("[!.]*"))) == 2
    )
    assert (book.folder / "grades.csv").read_text("utf-8") == "old" and not drafts(book.folder)


@pytest.mark.parametrize(
    "words",
    [
        ["release", str(SOURCE), "--to", "{home}/out"],
        ["report", "{home}/book"],
        ["points", "{home}/book", "anna", "01_vae", "kl", "1"],
        ["export", "{home}/book", "--to", "{home}/all.csv"],
        [
            "export",
            "{home}/book",
            "--to",
            "{home}/filled.csv",
            "--canvas",
            "{home}/canvas.csv",
            "--column",
            "VAE",
            "--assignment",
            "01_vae",
        ],
        [
            "grade",
            "{home}/in",
            "--assignment",
            "{home}/small.py",
            "--gradebook",
            "{home}/book",
            "--unsafe-no-sandbox",
            "--allow-root",
        ],
    ],
    ids=lambda words: words[0],
)
def test_a_file_that_cannot_be_replaced_is_a_sentence_for_every_command(
    words, book, tmp_path, monkeypatch
):
    (tmp_path / "canvas.csv").write_text("Student,ID,VAE\nanna,1,\n", "utf-8")
    (tmp_path / "small.py").write_bytes(SOURCE.read_bytes())
    (tmp_path / "in" / "ben").mkdir(parents=True)
    held(monkeypatch)
    done = gencourse(*(word.format(home=tmp_path) for word in words))
    assert (
        done.returncode == 1
        and "should be a file that can be written, got: Access is denied" in done.stderr
    )
    assert not drafts(tmp_path)


@pytest.mark.parametrize("refusals", [1, files.TRIES - 1])
def test_a_file_that_is_free_a_moment_later_is_replaced(refusals, tmp_path, monkeypatch):
    left, real = [None] * refusals, Path.replace

    def replace(self, target):
        if left:
            left.pop()
            raise PermissionError(13, "Access is denied")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(files, "PAUSE_S", 0)
    files.write_whole(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text("utf-8") == "new" and not left


def test_grades_by_hand_in_a_file_that_is_held_are_a_sentence(book, monkeypatch):
    real = Path.open

    def opened(self, mode="r", *more, **options):
        if self.name == "manual.jsonl" and mode != "r":
            raise PermissionError(13, "Access is denied")
        return real(self, mode, *more, **options)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(NotWritten, match=r"manual\.jsonl should be a file that can be written"):
        book.grade_by_hand("anna", "01_vae", "kl", 1)


def test_a_place_that_takes_no_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(NotWritten, match="Look at the folder"):
        files.write_whole(tmp_path / "file" / "below.txt", "text")


# names that a system adds to folders, and lines that Excel adds to sheets


def test_files_that_a_mac_leaves_beside_others_are_no_files_of_ours(book, tmp_path, monkeypatch):
    """On disks of other systems macOS keeps ._NAME beside NAME."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exercises").mkdir()
    for name in ("01_vae.ipynb", "._01_vae.ipynb", ".DS_Store"):
        (tmp_path / "exercises" / name).write_bytes(b"\0\5\26\7")
    assert [path.name for path in assignment.handed_out()] == ["01_vae.ipynb"]
    for folder in ("results", "roster"):
        (book.folder / folder / "._01_vae.json").write_bytes(b"\0\5\26\7")
        (book.folder / folder / ".DS_Store").write_bytes(b"\0")
    assert not book.problems() and len(book.rows()) == 2
    assert Gradebook(tmp_path / "other").merge(book) == []


@pytest.mark.parametrize(
    "first",
    ["sep=;\r\n", '"sep=;"\n', "SEP=;\n", "\ufeffsep=;\r\n", "sep=|\n", "sep=\t\n", "sep=,\r\n"],
)
def test_the_line_that_tells_excel_the_separator_is_kept(first, tmp_path):
    delimiter = first.strip('\ufeff"\r\n')[-1] if "\t" not in first else "\t"
    text = (
        first
        + f'Student{delimiter}ID{delimiter}VAE\r\n"Lovelace{delimiter} Ada"{delimiter}101{delimiter}\r\n'
    )
    (tmp_path / "sheet.csv").write_bytes(text.encode())
    sheet = Sheet("fill_canvas", tmp_path / "sheet.csv", ("ID",), "Export it.")
    assert sheet.heading == ["Student", "ID", "VAE"] and sheet.value(1, 1) == "101"
    sheet.set(1, 2, f"1{delimiter}5")
    sheet.save(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().decode() == text[:-2] + f'"1{delimiter}5"\r\n'


# commands that every shell takes


def test_what_is_missing_is_installed_by_a_command_of_every_shell(monkeypatch, capsys):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'nbformat'", name="nbformat")

    monkeypatch.setattr("gencourse.cli.app", missing)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert (
        'python -m pip install -e ".[grading]"' in ended.value.code and "'" not in ended.value.code
    )


@pytest.mark.slow
def test_names_beyond_the_consoles_letters_are_shown(book):
    """Standard output in cp1252, as a pipe of Windows has it."""
    code = """
import sys
from gencourse import console
from gencourse.grading.gradebook.book import Gradebook
book = Gradebook(sys.argv[1])
console.console.print("李 ✗", [row.student for row in book.rows()])
console.finish(book)
"""
    line = [sys.executable, "-c", code, str(book.folder)]
    done = subprocess.run(
        line, env=os.environ | {"PYTHONIOENCODING": "cp1252"}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert b"? ?" in done.stdout and b"index.html" in done.stdout
