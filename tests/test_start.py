"""The first ten minutes: README.md, its two commands, and machines that cannot run the course."""

import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import types
import urllib.request
from pathlib import Path

import pytest
from packaging.tags import mac_platforms

from tests import quick

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^```\n(.*?)\n```$", README, re.M | re.S)


def test_front_page_is_short_and_its_pictures_are_small():
    assert len(README.splitlines()) <= 120
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert {"docs/lab.png", "docs/check.png"} <= set(pictures)
    assert all((ROOT / picture).stat().st_size < 150_000 for picture in pictures)


def test_two_commands_are_the_same_in_every_shell():
    lab, tests = COMMANDS
    assert lab.startswith("uv run jupyter lab ") and tests == "uv run pytest"
    for command in COMMANDS:
        assert not re.search(r"[\\'\"$%&|;<>^`~*?()\[\]{}#!]", command), (
            "a shell may read it otherwise"
        )


def get(url: str):
    """What a server answers, as JSON."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@contextlib.contextmanager
def serving(command: str, home: Path):
    """The command, without a browser and on a free port; gives a function that asks the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, *words = shlex.split(command.removeprefix("uv run "))
    program = shutil.which(program, path=str(Path(sys.executable).parent))
    own = {name: str(home) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    silent = [
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=t",
    ]
    with open(home / "log", "w", encoding="utf-8") as log:
        server = subprocess.Popen(
            [program, *words, *silent], cwd=ROOT, env=os.environ | own, stdout=log, stderr=log
        )
        try:
            ask = lambda path: get(f"http://127.0.0.1:{port}/api/{path}?token=t&content=0")  # noqa: E731
            for _ in range(600):
                assert server.poll() is None, (home / "log").read_text("utf-8")
                with contextlib.suppress(OSError):
                    ask("status")
                    break
                time.sleep(0.2)
            yield ask
        finally:
            server.terminate()
            server.wait(30)


def test_the_first_command_serves_chapter_exercise_and_solution(tmp_path):
    """A server whose root is notebooks/ answers 404 for the others."""
    opened = COMMANDS[0].split()[-1]
    assert opened == "notebooks/01_vae.ipynb"
    with serving(COMMANDS[0], tmp_path) as ask:
        for folder in ("notebooks", "exercises", "solutions"):
            assert ask(f"contents/{folder}/01_vae.ipynb")["type"] == "notebook"


# machines that PyTorch is not made for


@pytest.fixture
def hook(monkeypatch):
    """hatch_build.py, without hatchling, which only the build has."""
    module = types.ModuleType("hatchling.metadata.plugin.interface")
    module.MetadataHookInterface = object
    monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


MUSL = ["musllinux_1_2_x86_64", "linux_x86_64"]
OLD_GLIBC = ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"]


@pytest.mark.parametrize(
    ("tags", "system", "machine"),
    [
        (["manylinux_2_36_x86_64", "manylinux_2_28_x86_64", "linux_x86_64"], "Linux", "x86_64"),
        (["manylinux_2_28_aarch64", "linux_aarch64"], "Linux", "aarch64"),
        (mac_platforms((14, 5), "arm64"), "Darwin", "arm64"),
        (mac_platforms((26, 0), "arm64"), "Darwin", "arm64"),
        (["win_amd64"], "Windows", "AMD64"),
        (["win_amd64"], "Windows", "ARM64"),  # a Python for x86-64 on Windows on ARM
    ],
)
def test_machines_that_pytorch_is_made_for_are_let_in(hook, tags, system, machine):
    assert hook.refusal(tags, system, machine, "14.5") == ""


@pytest.mark.parametrize(
    ("tags", "system", "machine", "said"),
    [
        (mac_platforms((15, 0), "x86_64"), "Darwin", "x86_64", r"Intel Mac.*Colab"),
        (mac_platforms((13, 6), "arm64"), "Darwin", "arm64", r"macOS 13.*14 or newer, or"),
        (["win_arm64"], "Windows", "ARM64", r"Windows on ARM.*uv python pin .*x86_64"),
        (["win32"], "Windows", "x86", r"32-bit Python.*64-bit"),
        (MUSL, "Linux", "x86_64", r"without glibc 2.28.*Colab"),
        (OLD_GLIBC, "Linux", "x86_64", r"without glibc 2.28.*Colab"),
        (["linux_riscv64"], "Linux", "riscv64", r"Linux on riscv64.*Colab"),
    ],
)
def test_other_machines_are_told_the_way_out(hook, tags, system, machine, said):
    assert re.search(
        rf"^gencourse: this machine should .*, got .*{said}",
        hook.refusal(tags, system, machine, "13.6"),
    )


def test_the_build_stops_there_unless_it_is_told_otherwise(hook, monkeypatch):
    course = hook.CourseHook()
    course.root = str(ROOT)
    monkeypatch.setattr(hook, "platform_tags", lambda: iter(MUSL))
    monkeypatch.delenv("GENCOURSE_PLATFORM", raising=False)
    with pytest.raises(SystemExit, match="glibc"):
        course.update({})
    monkeypatch.setenv("GENCOURSE_PLATFORM", "any")
    metadata: dict = {}
    course.update(metadata)
    assert "urls" in metadata


def test_addresses_are_never_made_up(hook):
    assert hook.urls("https://github.com/OWNER_TO_BE_NAMED/gencourse") == {}
    assert hook.urls("https://github.com/ada/course") == {
        "Repository": "https://github.com/ada/course"
    }


def test_quick_set_holds_the_package_and_leaves_the_repository_out():
    names = quick.selected()
    assert all((ROOT / name).exists() for name in names)
    assert {"tests/test_vae.py", "tests/test_start.py", "exercises/01_vae.ipynb"} <= set(names)
    assert "tests/test_checks.py" not in names
