"""Which folders of this machine a box has to see: those from which this Python imports.

Wherever packages lie, be it a virtual environment, conda, the system's Python, a user's own folder
or one that PYTHONPATH names, the box finds the same ones. Names that lead over links are kept.
Folders of other kinds are not shown, for they may hold anything.
"""

# POSIX: folders of Linux, as a box sees them

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/ld.so.cache", "/etc/fonts", "/etc/localtime", "/etc/alternatives"),
)


def python() -> str:
    """The Python that runs here, by a path that is seen in the box."""
    path = Path(sys.executable)
    return str(path.parent.resolve() / path.name)


def chain(path: Path) -> Iterator[Path]:
    """A path and where its links lead, one after the other."""
    for _ in range(40):
        yield path
        if not path.is_symlink():
            return
        path = Path(os.path.normpath(path.parent / os.readlink(path)))


def homes() -> Iterator[Path]:
    """The folders of Python and its environment, under all the names that lead to them."""
    yield from (Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix))
    for program in {sys.executable, getattr(sys, "_base_executable", sys.executable)}:
        for step in chain(Path(program)):
            yield step.parent.parent
    settings = Path(sys.prefix) / "pyvenv.cfg"
    if settings.is_file():
        found = re.search(r"^home\s*=\s*(.+?)\s*$", settings.read_text("utf-8"), re.M)
        if found:
            yield Path(found[1]).parent


def folders() -> list[Path]:
    """Python's folders as they are called, then the same without links; each once."""
    named = [path for path in homes() if is_home(path) and not is_broad(path)]
    return list(dict.fromkeys([*named, *(path.resolve() for path in named)]))


def is_home(path: Path) -> bool:
    """Whether a folder is an environment or a Python, and not one that only has a link to it."""
    return (path / "pyvenv.cfg").is_file() or any(path.glob("lib*/python3*"))


def is_broad(path: Path) -> bool:
    """Whether a folder holds far more than Python: the root, a home, what is bound already."""
    resolved = path.resolve()
    inside = any(resolved.is_relative_to(system) for system in SYSTEM[:6])
    return inside or resolved == Path("/") or Path.home().resolve().is_relative_to(resolved)


def package_folders() -> list[Path]:
    """The folders of packages on this Python's path that lie outside of its own folders."""
    inside = [path.resolve() for path in folders()]
    found = []
    for entry in sys.path:
        path = Path(entry)
        if not entry or not path.is_absolute() or not path.is_dir() or is_broad(path):
            continue
        if any(path.resolve().is_relative_to(home) for home in inside):
            continue
        if holds_packages(path) and not (path / "gencourse" / "checks").is_dir():
            found.append(path)
        elif holds_packages(path) and path.name.endswith("-packages"):
            found.append(path)  # a course that is installed there is covered
    return list(dict.fromkeys(found))


def holds_packages(path: Path) -> bool:
    """Whether a folder is one of installed packages, by its name or by what installers leave."""
    return path.name in ("site-packages", "dist-packages") or any(path.glob("*.dist-info"))


def site_packages() -> list[Path]:
    """Where installed packages lie, an installed copy of the course perhaps among them."""
    roots = dict.fromkeys(folders())
    found = [folder for root in roots for folder in root.glob("lib*/python*/*-packages")]
    return list(dict.fromkeys([*found, *package_folders(), *system_packages()]))


def system_packages() -> list[Path]:
    """The folders of the system's own packages."""
    return [
        path
        for root in ("/usr", "/usr/local")
        for path in Path(root).glob("lib/python*/*-packages")
    ]


def copies_of_the_course() -> list[Path]:
    """Installed copies of the course, which the box must not see: they hold the checks."""
    return [path for folder in site_packages() if (path := folder / "gencourse").is_dir()]
