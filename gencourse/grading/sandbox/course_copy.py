"""The course as submissions see it: a copy of the package without the checks, which hold the
answers.
"""

# POSIX: whose folder it is, once a box is to be started

import atexit
import compileall
import functools
import os
import shutil
import tempfile
from pathlib import Path

import psutil

PACKAGE = Path(__file__).parents[2]
PREFIX = "gencourse-stage-"


@functools.cache
def course_copy() -> Path:
    """A folder that holds `gencourse` for the box. Made once in a process, removed at its end."""
    remove_stale()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)  # a container's user is another one
    for part in sorted(PACKAGE.glob("[!.]*")):
        if part.name == "grading":
            for name in ("__init__.py", "sandbox/__init__.py", "sandbox/inside"):
                copy(part / name, folder / "gencourse" / "grading" / name)
        elif part.name not in ("checks", "__pycache__"):
            copy(part, folder / "gencourse" / part.name)
    compileall.compile_dir(
        folder, quiet=2
    )  # the box cannot write there, and would compile at every start
    return folder


def remove_stale() -> None:
    """Remove what processes that were killed have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        number = folder.name.removeprefix(PREFIX).split("-")[0]
        if (
            number.isdigit()
            and not psutil.pid_exists(int(number))
            and folder.lstat().st_uid == os.getuid()
        ):
            shutil.rmtree(folder, ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without what caches have left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copy2(source, target)
