"""The installation: Python, the course, the packages, the data, the sandbox."""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

import gencourse
from gencourse.doctor.finding import CLONE, Finding, assign, note, off, ok, repair
from gencourse.editions.first_cell import numbers, other_edition
from gencourse.errors import CourseError


def python(
    version: tuple[int, ...] = sys.version_info[:3],
    system: str = sys.platform,
    place: str = sys.prefix,
) -> Finding:
    """The version of Python, and whether it copes with the letters of the path on Windows."""
    said = f"Python {'.'.join(map(str, version))} in {place}"
    if version < (3, 11):
        return off("python", f"{said}; the course needs 3.11 or newer.", "uv python pin 3.13")
    # these read the path of the clone, which is written as UTF-8, in the encoding of the system
    if system == "win32" and version < (3, 12, 4) and not place.isascii():
        return off(
            "python",
            f"{said}. Before 3.12.4 Python on Windows fails in folders with letters beyond a to z.",
            "uv python pin 3.13",
        )
    return ok("python", f"{said}.")


def where(loaded_from: Path = CLONE, here: Path | None = None) -> Finding:
    """Whether the course that Python imports is the one in whose folder the reader stands."""
    here = here or Path.cwd()
    clones = [folder for folder in (here, *here.parents) if (folder / "gencourse").is_dir()]
    mine = next((folder for folder in clones if (folder / "exercises").is_dir()), None)
    if mine is not None and mine.resolve() != loaded_from.resolve():
        said = f"the one in {mine} is not in use, but a copy in {loaded_from}."
        return off("course", said, "uv run gencourse doctor")
    return ok("course", f"it is loaded from {loaded_from}.")


def edition(here: Path | None = None) -> Finding:
    """The edition of the package, and whether the notebooks in this folder are of the same."""
    for notebook in sorted((here or Path.cwd()).glob("*/[0-9]*.ipynb")):
        theirs, ours = edition_of(notebook), gencourse.__version__
        for said in other_edition(theirs, ours):
            older = numbers(ours) < numbers(theirs)
            command = repair() if older else "uv run gencourse start"
            return off("edition", f"{notebook.parent.name}/{notebook.name}: {said}", command)
    return ok("edition", f"gencourse {gencourse.__version__}.")


def edition_of(notebook: Path) -> str:
    """The edition that a notebook's first cell names; empty where there is none."""
    try:
        found = re.search(r'EDITION, ADDRESS = \\?"([^"\\]+)', notebook.read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


def requirements(extra: str = "lab") -> list[str]:
    """What the course and JupyterLab need, "numpy>=1.26" say; empty if the course is not installed.

    From the metadata of the installed course, which are those of pyproject.toml.
    """
    from packaging.requirements import Requirement  # matplotlib brings it

    try:
        found = [Requirement(text) for text in metadata.requires("gencourse") or ()]
    except metadata.PackageNotFoundError:
        return []
    wanted = [one for one in found if not one.marker or one.marker.evaluate({"extra": extra})]
    return [f"{one.name}{one.specifier}" for one in wanted]


def installed(name: str) -> str | None:
    """The version of a package; None if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions(wanted: Iterable[str], has: Callable[[str], str | None]) -> Iterator[Finding]:
    """What is installed, against what pyproject.toml asks for: a line for each that is off."""
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in wanted]
    if not asked:
        yield off("packages", "the course is not installed in this Python.", repair())
        return
    fine = {}
    for one in asked:
        version = has(one.name)
        if version is None:
            yield off("packages", f"{one.name} is not installed.", repair())
        elif not one.specifier.contains(version, prereleases=True):
            said = f"{one.name} should be {one.specifier}, got {version}."
            yield off("packages", said, repair())
        else:
            fine[one.name] = version
    listed = ", ".join(f"{name} {version}" for name, version in fine.items())
    yield ok("packages", f"as pyproject.toml asks: {listed or 'none'}.")


def data(folder: Path = CLONE / "gencourse" / "data" / "files") -> Finding:
    """Whether the data that ship with the course are there: each beside its datasheet."""
    sheets = sorted(folder.glob("[!.]*.md"))
    lost = [
        sheet.stem
        for sheet in sheets
        if not any(file.suffix != ".md" and file.stat().st_size for file in beside(sheet))
    ]
    if lost or not sheets:
        said = f"{', '.join(lost) or 'all files'} should be in {folder}, got nothing there."
        return off("data", said, "git restore gencourse/data/files")
    return ok("data", f"{', '.join(sheet.stem for sheet in sheets)} ship with the course.")


def beside(sheet: Path) -> Iterable[Path]:
    """The files whose name begins as that of a datasheet: mnist.md and mnist.npz."""
    return sheet.parent.glob(f"{sheet.stem}.*")


def folder_for_data(folder: Path | None = None) -> Finding:
    """Whether data sets that are downloaded can be kept where they are to be."""
    from gencourse.runtime import data_folder

    folder = folder or data_folder()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        said = f"whole data sets should be kept in {folder}, where nothing can be written."
        elsewhere = str(Path(tempfile.gettempdir()) / "gencourse")
        way = assign("GENCOURSE_DATA", elsewhere)
        return off("data", f"{said} Set GENCOURSE_DATA to another folder.", way)
    kept = sorted(path.name for path in folder.glob("[!.]*")) if folder.is_dir() else []
    return ok("data", f"whole sets are kept in {folder}: {', '.join(kept) or 'none so far'}.")


def sandbox() -> Finding:
    """Whether submissions can be graded here; learners need none."""
    try:
        from gencourse.grading.sandbox.choose import choose

        return ok("sandbox", f"submissions can be graded, in {choose(None).kind}.")
    except ModuleNotFoundError as error:
        said = f"grading needs {error.name}, learning does not."
        return note("sandbox", said, 'python -m pip install -e ".[grading]"')
    except CourseError as error:
        said = "only teachers need one, and none works here; docs/teaching.md says more."
        return note("sandbox", f"{said}\n{error}")
