"""Which sandbox works on this machine, and what helps where none does."""

# POSIX: folders of Linux, as a box sees them

import functools
import shutil
import sys

from gencourse.grading.sandbox.backends import (
    IMAGE,
    MODULE,
    Sandbox,
    SandboxUnavailable,
    bare,
    bubblewrap,
    container,
    output,
)
from gencourse.grading.sandbox.visible import python


def wrong_system() -> str:
    """Why submissions cannot be held on this operating system at all; empty if they can."""
    if sys.platform != "win32":
        return ""
    return (
        "grade: submissions should be graded on Linux or macOS, got Windows, which cannot hold "
        "them. "
        "Work in WSL, the Linux inside Windows: say `wsl --install` in PowerShell, open its Linux, "
        "and follow docs/teaching.md there."
    )


def refusal(kind: str) -> str:
    """Why this kind of sandbox does not work here, and the command that mends it; empty if it
    works.
    """
    program = "bwrap" if kind == "bubblewrap" else kind
    mac = sys.platform == "darwin"
    if mac and kind == "bubblewrap":
        return (
            "bubblewrap holds processes of Linux alone. On macOS take podman or docker: see "
            "docs/teaching.md, Where bubblewrap is missing"
        )
    if shutil.which(program) is None:
        mend = {
            "bubblewrap": "sudo apt install bubblewrap (Debian, Ubuntu), sudo dnf install "
            "bubblewrap (Fedora)",
            "podman": "brew install podman && podman machine init && podman machine start"
            if mac
            else "sudo apt install podman (Debian, Ubuntu)",
            "docker": "see https://docs.docker.com/engine/install",
        }[kind]
        return f"{program} is not installed. {mend}"
    if kind == "bubblewrap":
        said = output([*bubblewrap(16), python(), "-c", "print('works')"])
        works = said.endswith("works")
        return "" if works else f"bwrap does not start here ({said[-200:]}). {remedy(said)}"
    said = output([kind, "image", "inspect", IMAGE, "--format", "{{.Id}}"])
    if "sha256" in said or (len(said) == 64 and said.isalnum()):
        return ""
    build = f"{kind} build --tag {IMAGE} --file gencourse/grading/sandbox/Containerfile ."
    return f"the image {IMAGE} is not there or {kind} does not run ({said[-200:]}). {build}"


BLOCKED = (
    *("uid map", "Operation not permitted", "Permission denied", "RTM_NEWADDR"),
    "No permissions",
)


def remedy(said: str) -> str:
    """What helps against an error of bubblewrap's."""
    if "execvp" in said or "No such file" in said:
        return (
            f"This Python, {sys.executable}, is not visible inside of the box: its links lead to a "
            "place that was not found. Make the environment anew with a Python of its own (uv sync)"
        )
    if "unknown option" in said.lower() or "disable-userns" in said:
        return "Update bubblewrap to 0.8 or newer"
    if any(text in said for text in BLOCKED):
        return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu) or use podman"
    return "Look the message up in docs/teaching.md, Where bubblewrap is missing"


@functools.cache
def worker_starts(sandbox: Sandbox) -> str:
    """Why the worker cannot be imported in the box, in its own words; empty if it can."""
    if sandbox.kind == "bubblewrap":
        walls, program = bubblewrap(128, extras=sandbox.packages), python()
    elif sandbox.kind == "none":
        walls, program = bare(sandbox.packages), sys.executable
    else:
        name = "gencourse-check"
        walls, program = container(sandbox.kind, name, 128, 2048, sandbox.packages), "python"
    said = output([*walls, program, "-P", "-c", f"import {MODULE}; print('works')"], seconds=300)
    return "" if said.endswith("works") else said[-1500:]


def check_worker(sandbox: Sandbox) -> None:
    """Raise SandboxUnavailable where the worker cannot be imported in the box: before a class is
    graded, and not once for each submission.
    """
    if said := worker_starts(sandbox):
        lines = [line for line in said.splitlines() if line.strip()]
        missing = "ModuleNotFoundError" in said or "ImportError" in said
        helps = (
            "The packages that this Python imports should be visible inside of the box too. "
            "Install "
            'the course into an environment of its own: python -m pip install -e ".[grading]"'
            if missing
            else remedy(said)
        )
        raise SandboxUnavailable(
            f"grade: the box ({sandbox.kind}) should start the course, and does not:\n"
            + "\n".join(f"  {line}" for line in lines[-6:])
            + f"\n{helps}"
        )


def choose(kind: str | None) -> Sandbox:
    """The sandbox of this kind, or the first that works. Raises SandboxUnavailable with the reason
    and the remedy.
    """
    if wrong := wrong_system():
        raise SandboxUnavailable(wrong)
    reasons = []
    found = ("podman", "docker") if sys.platform == "darwin" else ("bubblewrap", "podman", "docker")
    for candidate in (kind,) if kind else found:
        if candidate == "none" or not (reason := refusal(candidate)):
            return Sandbox(candidate)
        reasons.append(f"{candidate}: {reason}")
    raise SandboxUnavailable(
        "grade: a submission should be held by a sandbox, and none works here.\n"
        + "\n".join(reasons)
    )
