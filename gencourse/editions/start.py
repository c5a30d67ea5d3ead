"""A folder of the learner's own with the notebooks of the course, and the next edition into it.

The course's own folder stays as it was cloned, so `git pull` never meets a file that a learner has
changed. Nothing is lost: before a notebook is written anew, the one that was there is copied to
earlier/DATE/, and answers are carried over (gencourse/editions/carry.py).
"""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import gencourse
from gencourse.editions.carry import (
    Carried,
    Json,
    Unreadable,
    carried,
    digests,
    handed_out,
    is_untouched,
    notebook_of,
)
from gencourse.errors import InputError
from gencourse.files import write_whole

FOLDERS = ("notebooks", "exercises", "solutions")
DEFAULT = "my-course"
EARLIER = "earlier"


def start(folder: Path | None = None, course: Path | None = None) -> Iterator[str]:
    """Copy the notebooks of the course into a folder, or bring those that are there up to date.

    `folder` is my-course in the course's folder if none is given, `course` the clone that holds
    this package or that one is in. Yields a sentence for each thing done.
    """
    course = course or course_folder()
    folder = (course / DEFAULT if folder is None else folder.expanduser()).absolute()
    if folder.resolve() in {place.resolve() for place in (course, *map(course.joinpath, FOLDERS))}:
        raise InputError(
            f"start: folder should be one of your own, got the course's, {folder}. Choose another."
        )
    earlier = unused(folder / EARLIER / date.today().isoformat())
    try:
        yield from told(folder, [one(path, course, folder, earlier) for path in notebooks(course)])
    except OSError as error:
        raise InputError(
            f"start: folder should be one that you can write to, got {folder} ({error.strerror}: "
            f"{error.filename}). Choose another, or mend it."
        ) from error


def told(folder: Path, said: list[str | None]) -> Iterator[str]:
    """What was done with each notebook (`one`), and where to go on."""
    made = [sentence for sentence in said if sentence is not None]
    yield from filter(None, made)
    if not made:
        yield f"{folder}: everything in it is of edition {gencourse.__version__} already."
    yield f"Your notebooks are in {folder}. Work there, and the course's own folder stays clean."


def course_folder() -> Path:
    """The clone that holds this package, else the one that the current folder is in."""
    here = Path.cwd()
    for place in (Path(gencourse.__file__).parents[1], here, *here.parents):
        if (place / "gencourse" / "__init__.py").is_file() and any(notebooks(place)):
            return place
    raise InputError(
        f"start: the course's notebooks should lie in the clone of its repository, got none beside "
        f"the package or in {here}. Clone the repository, and run this in the cloned folder."
    )


def notebooks(course: Path) -> list[Path]:
    """The notebooks of the course."""
    return [path for name in FOLDERS for path in sorted((course / name).glob("[0-9]*.ipynb"))]


def one(path: Path, course: Path, folder: Path, earlier: Path) -> str | None:
    """Bring one notebook up to date; a sentence on it, "" if none is needed, None if it was so."""
    name = path.relative_to(course)
    new, target = of_course(path), folder / name
    theirs = "" if all(map(is_untouched, new["cells"])) else came_along(name)
    if not target.exists():
        write(new, target)
        return theirs
    data = target.read_bytes()
    try:
        old = notebook_of(data)
    except Unreadable as error:
        made, what = Carried(new), f"could not be read ({error}), and is new now"
    else:
        if handed_out(old) == handed_out(new):
            return None
        made, what = (done := carried(old, new)), summary(done)
    kept = earlier / name
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(target, kept)
    write(made.notebook, target)
    return f"{name.as_posix()}: {what}. The one before is {kept.relative_to(folder).as_posix()}."


def summary(made: Carried) -> str:
    """What was taken over into a notebook, in words."""
    numbers = [
        (len(made.answers), "answer", "answers"),
        (made.own, "cell of your own", "cells of your own"),
    ]
    parts = [f"{count} {one if count == 1 else many}" for count, one, many in numbers if count]
    said = f"edition {gencourse.__version__}, with {' and '.join(parts) or 'nothing to carry over'}"
    if made.reworded:
        said += (
            f"; the text of {', '.join(made.reworded)} has changed, and your answer was kept: "
            "compare it with the exercise in the course's folder"
        )
    return said


def came_along(name: Path) -> str:
    """What to say of a notebook of the course's own folder that somebody has written in."""
    return (
        f"{name.as_posix()} in the course's folder was changed, and your copy has what was written "
        f"there. `git checkout -- {name.parts[0]}` there gives the course's own back."
    )


def of_course(path: Path) -> Json:
    """A notebook of the course, which says of itself what was handed out."""
    try:
        notebook = notebook_of(path.read_bytes())
    except Unreadable as error:
        raise InputError(
            f"start: {path} should be a notebook of the course, got a file that is none: {error}. "
            f"Copy it elsewhere if you wrote in it, then: git checkout -- {path.parent.name}"
        ) from None
    about = {"edition": gencourse.__version__, "cells": digests(notebook)}
    return notebook | {"metadata": notebook.get("metadata", {}) | {"gencourse": about}}


def write(notebook: Json, target: Path) -> None:
    """Write a notebook's file, which is never half written."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_whole(target, text.encode("utf-8", "backslashreplace"))  # half a character, in JSON's way


def unused(folder: Path) -> Path:
    """A folder that does not exist yet: this one, or the same with -2, -3 and so on."""
    number, free = 2, folder
    while free.exists():
        number, free = number + 1, folder.with_name(f"{folder.name}-{number}")
    return free
