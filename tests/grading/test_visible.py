"""The box sees the packages that the grader imports, wherever they lie, and nothing of other kinds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gencourse.errors import InputError
from gencourse.grading.sandbox import backends, choose, visible
from gencourse.grading.sandbox.backends import Sandbox, SandboxUnavailable, bubblewrap, extras

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.posix


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder on the grader's path, made by `place(name, *files)`."""

    def made(name: str, *files: str) -> Path:
        home = tmp_path / name
        for file in (*files, "x.txt"):
            path = home / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", "utf-8")
        monkeypatch.setattr(sys, "path", [*sys.path, str(home)])
        return home

    return made


def bound(command: list[str]) -> dict[str, str]:
    """What a command of bubblewrap's shows: place inside -> place outside."""
    return {command[i + 2]: command[i + 1] for i, word in enumerate(command) if word == "--ro-bind"}


PACKAGES = {
    "a user's own": ("home/.local/lib/python3.11/site-packages", ()),
    "Debian's": ("usr/lib/python3/dist-packages", ()),
    "pip --target": ("packages", ("einops-1.0.dist-info/METADATA",)),
    "conda's": ("conda/envs/x/lib/python3.11/site-packages", ()),
}


@pytest.mark.parametrize("name", PACKAGES)
def test_folders_of_packages_are_seen_and_on_the_path(place, name):
    where, files = PACKAGES[name]
    home = place(where, *files)
    command = bubblewrap(16)
    assert bound(command)[str(home)] == str(home)
    path = command[command.index("PYTHONPATH") + 1].split(":")
    assert str(home) in path and path[0] == "/course"


OTHERS = {
    "a folder of projects": ("projects", ("notes.py",)),
    "a clone of the course": ("clone", ("gencourse/checks/vae.py", "x-1.dist-info/METADATA")),
}


@pytest.mark.parametrize("name", OTHERS)
def test_folders_of_other_kinds_are_not(place, name):
    where, files = OTHERS[name]
    assert str(place(where, *files)) not in bound(bubblewrap(16))


def test_a_course_that_is_installed_among_packages_is_covered(place):
    home = place("site-packages", "gencourse/checks/vae.py")
    command = bubblewrap(16)
    at = command.index(str(home / "gencourse"))
    assert command[at - 1] == "--tmpfs" and str(home) in bound(command)


def test_neither_homes_nor_the_root_are_shown(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path.home()), "/", str(Path.home().parent)])
    inside = bound(bubblewrap(16))
    assert not {"/", str(Path.home()), str(Path.home().parent)} & set(inside)
    with pytest.raises(InputError, match="home"):
        extras([Path.home()])
    with pytest.raises(InputError, match="nothing at"):
        extras([Path("/no/such/folder")])


def test_every_name_that_leads_to_python_is_seen(tmp_path, bubblewrap):
    """A linked folder of versions, and an environment that is reached over a link."""
    base = Path(sys.base_prefix).resolve()
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "alias").symlink_to(base)
    real = tmp_path / "disk" / "env"
    (real / "bin").mkdir(parents=True)
    program = versions / "alias" / "bin" / Path(os.path.realpath(sys.executable)).name
    (real / "bin" / "python").symlink_to(program)
    (real / "pyvenv.cfg").write_text(f"home = {program.parent}\nversion = 3\n", "utf-8")
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    packages = next(Path(p) for p in sys.path if p.endswith("site-packages"))
    code = "from gencourse.grading.sandbox.choose import refusal; print(refusal('bubblewrap'))"
    done = subprocess.run(
        [str(tmp_path / "home" / "env" / "bin" / "python"), "-c", code],
        env={
            "PYTHONPATH": f"{ROOT}:{packages}",
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "x"),
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
    )
    assert done.stdout.strip() == "", done.stdout + done.stderr


ADVICE = {
    "bwrap: execvp /x/bin/python: No such file or directory": "not visible",
    "bwrap: Unknown option --disable-userns": "0.8 or newer",
    "bwrap: setting up uid map: Permission denied": "sysctl",
}


@pytest.mark.parametrize("said", ADVICE)
def test_the_advice_follows_the_error(monkeypatch, said):
    monkeypatch.setattr(choose, "output", lambda *_, **__: said)
    monkeypatch.setattr(choose.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(choose.sys, "platform", "linux")
    assert ADVICE[said] in choose.refusal("bubblewrap")


def test_what_the_worker_says_is_shown_before_the_first_submission(monkeypatch):
    said = "Traceback\nModuleNotFoundError: No module named 'IPython'"
    monkeypatch.setattr(choose, "output", lambda *_, **__: said)
    with pytest.raises(SandboxUnavailable, match="No module named 'IPython'"):
        choose.check_worker(Sandbox("none", files_mib=17))


def test_what_a_teacher_gives_along_lies_beside_the_notebook(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("1", "utf-8")
    given = extras([tmp_path / "data"])
    assert bound(bubblewrap(16, extras=given))["/box/data"] == str(tmp_path / "data")
    assert "/given/data" in " ".join(backends.container("podman", "x", 16, 100, given))
    (tmp_path / "data" / "a.csv").write_text("12", "utf-8")
    assert extras([tmp_path / "data"]) != given, "other data, other results"
    assert visible.folders()
