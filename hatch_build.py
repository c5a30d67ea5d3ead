"""What is asked before anything is installed: whether there is a PyTorch for this machine.

pip, uv and conda run this when they read what the course is, since its version stands in
gencourse/__init__.py and not in pyproject.toml. On a machine that PyTorch's wheels are not made for
they print one sentence and stop, before the first download. GENCOURSE_PLATFORM=any goes on, for
whoever has a PyTorch from elsewhere.
"""

import os
import platform
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface
from packaging.tags import platform_tags

# one of these tags has every machine that PyTorch 2.9 and newer is made for
WHEELS = {"manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_14_0_arm64", "win_amd64"}
COLAB = "Open the course in Google Colab: each notebook begins with a badge for it."


def refusal(tags: Iterable[str], system: str, machine: str, release: str) -> str:
    """Why the course cannot run here, and the way out; empty where it can.

    `tags` are those of the wheels that this Python takes, the rest is what `platform` says.
    """
    known = set(tags)
    if known & WHEELS:
        return ""
    if system == "Darwin" and machine == "x86_64":
        got, way = "an Intel Mac, for which the last one was 2.2", COLAB
    elif system == "Darwin":
        got = f"macOS {release}"
        way = (
            "Update to macOS 14 or newer, or take the last PyTorch for yours: in this folder run "
            '`uv venv`, then `GENCOURSE_PLATFORM=any uv pip install --no-config -e ".[lab,test]"`, '
            "and put `--no-sync` after each `uv run`."
        )
    elif "win_arm64" in known:
        got = "Windows on ARM with a Python for ARM"
        way = (
            "A Python for x86-64 runs there too: `uv python pin cpython-3.13-windows-x86_64-none`, "
            "then the same command again."
        )
    elif "win32" in known:
        got, way = "a 32-bit Python", "Install a 64-bit one: `uv python pin 3.13`."
    elif system == "Linux" and machine in ("x86_64", "aarch64", "arm64"):
        got, way = "a Linux without glibc 2.28 or newer (musl, or older than 2018)", COLAB
    else:
        got, way = f"{system} on {machine}", COLAB
    return (
        f"gencourse: this machine should be one that PyTorch is made for (Windows x86-64, macOS 14 "
        f"on Apple silicon, Linux with glibc 2.28), got {got}. {way}"
    )


def urls(repository: str) -> dict[str, str]:
    """The addresses in the package's metadata; none before the course has one."""
    return {} if "OWNER_TO_BE_NAMED" in repository else {"Repository": repository}


class CourseHook(MetadataHookInterface):
    """Stops with a sentence where the course cannot run, and adds its address."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling with the [project] table."""
        release = platform.mac_ver()[0] or platform.release()
        said = refusal(platform_tags(), platform.system(), platform.machine(), release)
        if said and os.environ.get("GENCOURSE_PLATFORM") != "any":
            sys.exit(said)
        settings = tomllib.loads(Path(self.root, "pyproject.toml").read_text("utf-8"))["tool"]
        metadata["urls"] = urls(settings["gencourse"]["repository"])
