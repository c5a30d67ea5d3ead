"""Whose notebooks lie in a folder or a zip, as Canvas, Moodle, nbgrader or a person leaves them.

| where a file lies | whose it is |
| --- | --- |
| STUDENT/any/NAME.ipynb, submitted/STUDENT/ASSIGNMENT/NAME.ipynb | STUDENT |
| Full Name_123_assignsubmission_file/NAME.ipynb (Moodle) | Full Name, 123 |
| lastfirst_123_456_NAME.ipynb, lastfirst_LATE_123_456_NAME.ipynb (Canvas) | lastfirst, 123 |
| NAME.ipynb | what is left of NAME without the assignment's name |
"""

import hashlib
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from gencourse.errors import InputError
from gencourse.grading.handout.assignment import Assignment, defined
from gencourse.grading.submissions.reading import (
    SIZE_LIMIT,
    SubmittedCell,
    Unreadable,
    read_file,
    read_notebook,
    too_large,
)

MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(file|onlinetext)_?$")
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<submission>\d+)_(?P<file>.+)$")
JUNK = ("__MACOSX", ".ipynb_checkpoints")
FILES_LIMIT = 200_000


@dataclass(frozen=True)
class Entry:
    """A file or folder, by its path inside what was handed in."""

    path: PurePosixPath
    is_folder: bool
    read: Callable[[], bytes]  # raises Unreadable


@dataclass(frozen=True)
class Submission:
    """One student's notebook for one assignment: its cells, or the reason why there are none."""

    student: str
    student_id: str
    file: str = ""
    digest: str = ""  # of the file's bytes
    cells: tuple[SubmittedCell, ...] = ()
    problem: str = ""  # "missing: SENTENCE" or "unreadable: SENTENCE"
    flags: tuple[tuple[str, str], ...] = ()


def collect(source: Path, assignments: list[Assignment]) -> dict[str, list[Submission]]:
    """For each assignment, by name, one Submission for every student: those without a notebook
    included.
    """
    source = Path(source)
    if source.is_dir():
        entries = list(of_folder(source))
    elif zipfile.is_zipfile(source):
        entries = list(of_zip(source))
    else:
        what = "another kind of file" if source.exists() else "nothing"
        raise InputError(
            f"grade: submissions should be a folder or a zip, got {what} at {source}. Check the path."
        )
    names = [a.name for a in assignments]
    entries = unwrapped(
        [entry for entry in entries if not set(entry.path.parts) & set(JUNK)], names
    )
    students: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        owner = owner_of(entry, names)
        if owner is not None:
            students.setdefault(owner, []).append(entry)
    if not students:
        raise InputError(
            f"grade: submissions should hold notebooks or a folder for each student, got none in {source}. Check the path."
        )
    shared = {name for name, times in Counter(name for name, _ in students).items() if times > 1}
    found: dict[str, list[Submission]] = {a.name: [] for a in assignments}
    taken: set[str] = set()
    for (name, number), files in sorted(students.items()):
        student = f"{name} ({number})" if name in shared else name
        while student in taken:  # somebody whose name ends in another's number
            student += "*"
        taken.add(student)
        notebooks = [
            opened(student, number, entry)
            for entry in files
            if not entry.is_folder and entry.path.suffix.lower() == ".ipynb"
        ]
        others = sorted(
            {
                entry.path.suffix or entry.path.name
                for entry in files
                if not entry.is_folder and not notebooks
            }
        )
        for a in assignments:
            found[a.name].append(
                chosen(a, assignments, notebooks) or missing(student, number, others)
            )
    return found


def of_folder(folder: Path):
    """All entries below a folder; links are not followed."""
    count = 0
    for place, folders, files in os.walk(folder, followlinks=False):
        inside = PurePosixPath(Path(place).relative_to(folder).as_posix())
        for name in sorted(folders):
            path = Path(place) / name
            yield Entry(inside / name, path.suffix != ".ipynb", lambda path=path: read_file(path))
        for name in sorted(files):
            yield Entry(inside / name, False, lambda path=Path(place) / name: read_file(path))
        folders.sort()
        count += len(files) + len(folders)
        if count > FILES_LIMIT:
            raise InputError(
                f"grade: submissions should hold at most {FILES_LIMIT:,} files, got more in {folder}. Is it the right folder?"
            )


def of_zip(archive: Path):
    """All entries of a zip. Nothing is unpacked to the disk."""
    try:
        opened = zipfile.ZipFile(archive)  # stays open as long as its entries are read
        infos = opened.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"grade: submissions should be a whole zip, got a damaged one ({error}). Download it again."
        ) from error
    if len(infos) > FILES_LIMIT:
        raise InputError(
            f"grade: submissions should hold at most {FILES_LIMIT:,} files, got {len(infos):,}. Is it the right zip?"
        )
    for info in infos:
        path = PurePosixPath(
            *(
                part
                for part in PurePosixPath(info.filename.replace("\\", "/")).parts
                if part not in ("/", "..")
            )
        )
        if path.parts:
            yield Entry(path, info.is_dir(), lambda info=info: read_member(opened, info))


def read_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of one file in a zip. Raises Unreadable."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise Unreadable("it is a link to another file")
    if info.file_size > SIZE_LIMIT:
        raise Unreadable(too_large(info.file_size))
    if info.flag_bits & 1:
        raise Unreadable("it is encrypted")
    try:
        with opened.open(info) as stream:
            return stream.read(SIZE_LIMIT + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
    ) as error:
        raise Unreadable(f"it cannot be unpacked ({str(error)[:80]})") from None


def unwrapped(entries: list[Entry], assignments: list[str]) -> list[Entry]:
    """Without a folder around everything, such as nbgrader's submitted/ or the one that a zip
    program adds.
    """
    tops = {entry.path.parts[0] for entry in entries}
    inner = {entry.path.parts[1] for entry in entries if len(entry.path.parts) > 1}
    holds_students = any(
        entry.is_folder and len(entry.path.parts) == 2 for entry in entries
    ) or any(len(e.path.parts) > 2 for e in entries)
    wrapped = len(tops) == 1 and (
        tops == {"submitted"} or holds_students or any(CANVAS.match(name) for name in inner)
    )
    one_student = inner <= set(assignments) and tops != {"submitted"}
    if not wrapped or one_student or MOODLE.match(next(iter(tops))):
        return entries
    return [
        Entry(PurePosixPath(*e.path.parts[1:]), e.is_folder, e.read)
        for e in entries
        if len(e.path.parts) > 1
    ]


def owner_of(entry: Entry, assignments: list[str]) -> tuple[str, str] | None:
    """(student, id) of an entry; None for what belongs to nobody."""
    top = entry.path.parts[0]
    if top.startswith("."):
        return None
    if len(entry.path.parts) > 1 or entry.is_folder:
        moodle = MOODLE.match(top)
        return (moodle["name"], moodle["id"]) if moodle else (top, "")
    canvas = CANVAS.match(top)
    if canvas:
        return canvas["name"], canvas["id"]
    if entry.path.suffix != ".ipynb":
        return None
    stem = entry.path.stem[:255]
    for name in assignments:
        stem = re.sub(rf"[-_ ]*{re.escape(name)}[-_ ]*", "", stem) or stem
    return stem, ""


def opened(student: str, student_id: str, entry: Entry) -> Submission:
    """A file as a student's notebook."""
    late = (
        (("late", "Canvas marks it as late."),)
        if CANVAS.match(entry.path.name) and "_LATE_" in entry.path.name
        else ()
    )
    handed = Submission(student, student_id, entry.path.as_posix(), flags=late)
    try:
        data = entry.read()
        return replace(handed, digest=hashlib.sha256(data).hexdigest(), cells=read_notebook(data))
    except Unreadable as reason:
        return replace(handed, problem=f"unreadable: The notebook cannot be read: {reason}.")


def missing(student: str, student_id: str, others: list[str]) -> Submission:
    said = f", only {', '.join(others)[:60]} files" if others else ""
    return Submission(
        student, student_id, problem=f"missing: No notebook of this assignment was handed in{said}."
    )


def chosen(
    assignment: Assignment, assignments: list[Assignment], notebooks: list[Submission]
) -> Submission | None:
    """Among a student's notebooks the one that fits this assignment best, and no other assignment
    better.
    """
    ranked = []
    for handed in notebooks:
        fits = {a.name: fit(a, handed) for a in assignments}
        if len(assignments) == 1 or fits[assignment.name] == max(fits.values()) > 0:
            ranked.append(
                (bool(handed.problem), -fits[assignment.name], handed.file, handed)
            )  # one that can be read comes first
    if not ranked:
        return None
    ranked.sort(key=lambda entry: entry[:3])
    best = ranked[0][3]
    fitting = sum(score < 0 for _, score, _, _ in ranked)
    if fitting > 1:
        return replace(
            best,
            flags=(
                *best.flags,
                ("several-notebooks", f"{fitting} notebooks fit; {best.file[-100:]} was graded."),
            ),
        )
    return best


def fit(assignment: Assignment, handed: Submission) -> float:
    """How well a notebook fits an assignment: by its name, and by the share of the answers that it
    defines. 0: not at all.
    """
    file = PurePosixPath(handed.file).name
    canvas = CANVAS.match(file)
    name = PurePosixPath(canvas["file"] if canvas else file).stem
    plain = re.sub(r"(-Copy\d+| ?\(\d+\)|-\d+)+$", "", name[-255:])
    by_name = (
        2.0
        if name == assignment.name
        else 1.5
        if plain == assignment.name
        else 1.0
        if assignment.name in name
        else 0.0
    )
    wanted = {cell.name for cell in assignment.cells if cell.role == "answer" and cell.name}
    there = {name for cell in handed.cells if cell.kind == "code" for name in defined(cell.source)}
    return by_name + len(wanted & there) / max(len(wanted), 1)
