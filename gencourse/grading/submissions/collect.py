"""Whose notebooks lie in a folder or a zip, as Canvas, Moodle, nbgrader or a person leaves them.

| where a file lies | whose it is |
| --- | --- |
| STUDENT/any/NAME.ipynb, submitted/STUDENT/ASSIGNMENT/NAME.ipynb | STUDENT |
| Full Name_123_assignsubmission_file/NAME.ipynb (Moodle), also without folder | Full Name, 123 |
| lastfirst_123_456_NAME.ipynb, lastfirst_LATE_123_456_NAME.ipynb (Canvas) | lastfirst, 123 |
| NAME.ipynb | what is left of NAME without the assignment's name |

One person is one row, however the name is spelled. What belongs to nobody is named in a sentence.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gencourse.errors import InputError
from gencourse.grading.handout.assignment import Assignment
from gencourse.grading.submissions.choose import Submission, missing, opened, the_work
from gencourse.grading.submissions.course_files import whose
from gencourse.grading.submissions.entries import Entry, entries_of, with_inner_zips
from gencourse.grading.submissions.names import (
    CANVAS,
    CANVAS_FOLDER,
    HIDDEN,
    MOODLE,
    folded,
    is_notebook,
    names_assignment,
    stem_of,
    without_assignment,
)

COURSE_FOLDERS = {
    *("source", "release", "released", "autograded", "feedback", "handout", "handouts"),
    *("exercises", "solutions", "notebooks"),
}
DOWNLOADS = 3  # of one person's file, from which on numbers in brackets tell people apart
Owner = tuple[str, str]


@dataclass(frozen=True)
class Survey:
    """For each assignment a Submission for every student; and sentences on what was not used."""

    found: dict[str, list[Submission]]
    notes: tuple[str, ...] = ()


@dataclass
class Person:
    """Somebody who handed in: how the name is spelled, the number, the entries."""

    spellings: set[str] = field(default_factory=set)
    number: str = ""
    entries: list[Entry] = field(default_factory=list)


def collect(source: Path, assignments: list[Assignment]) -> dict[str, list[Submission]]:
    """For each assignment, by name, one Submission for every student: those without a notebook
    included.
    """
    return survey(source, assignments).found


def survey(source: Path, assignments: list[Assignment], own: Path | None = None) -> Survey:
    """Who handed in what. `own`: the gradebook, which may lie among the submissions."""
    source, names = Path(source), [a.name for a in assignments]
    notes: list[str] = []
    entries = [entry for entry in entries_of(source) if not is_hidden(entry, 1)]
    entries = without_own_output(entries, source, own, notes)
    entries = unwrapped(entries, names, notes)
    entries = with_inner_zips([entry for entry in entries if not is_hidden(entry, 1)])
    people: dict[Owner, Person] = {}
    for entry in entries:
        owner = owner_of(entry, names)
        if owner is None:
            notes.append(f"Not used, since it is no submission: {entry.path}.")
            continue
        person = people.setdefault((folded(owner[0]), owner[1]), Person(number=owner[1]))
        person.spellings.add(owner[0])
        person.entries.append(entry)
    if not people:
        raise InputError(
            "grade: submissions should hold notebooks or a folder for each student, got none in "
            f"{source}. Check the path."
        )
    merged = [p for p in merged_people(people, names) if not is_the_courses(p, assignments, notes)]
    shared = {
        folded(name)
        for name, times in Counter(min(p.spellings, key=spelling) for p in merged).items()
        if times > 1
    }
    found: dict[str, list[Submission]] = {a.name: [] for a in assignments}
    taken: set[str] = set()
    for person in sorted(merged, key=lambda p: (min(p.spellings, key=spelling), p.number)):
        student = min(person.spellings, key=spelling)
        student = f"{student} ({person.number})" if folded(student) in shared else student
        while student in taken:  # somebody whose name ends in another's number
            student += "*"
        taken.add(student)
        files = [opened(student, person.number, entry) for entry in person.entries]
        notebooks = [one for one in files if one is not None]
        for a in assignments:
            work = the_work(a, assignments, notebooks, person.entries)
            found[a.name].append(work or missing(student, person.number, person.entries))
    return Survey(found, tuple(dict.fromkeys(notes)))


def is_the_courses(person: Person, assignments: list[Assignment], notes: list[str]) -> bool:
    """Whether this is no person but a folder in which the course's own notebooks lie."""
    name = min(person.spellings, key=spelling)
    if name.casefold() not in COURSE_FOLDERS:
        return False
    files = [opened(name, "", entry) for entry in person.entries]
    notebooks = [one for one in files if one is not None]
    own = [any(whose(a, one.cells) for a in assignments) for one in notebooks]
    if all(own):
        notes.append(f"Left out, since only the course's own notebooks lie there: {name}.")
    return all(own)


def spelling(name: str) -> tuple[int, str]:
    """The order in which spellings of a name are preferred: with capitals, then by letters."""
    return -sum(letter.isupper() for letter in name.title() if letter in name), name


def is_hidden(entry: Entry, parts: int | None = None) -> bool:
    """Whether the first parts of a path, or any, are hidden or what systems leave behind."""
    return any(HIDDEN.fullmatch(part) for part in entry.path.parts[:parts])


def tops_of(entries: list[Entry]) -> dict[str, list[Entry]]:
    """The entries by the first part of their path."""
    tops: dict[str, list[Entry]] = {}
    for entry in entries:
        tops.setdefault(entry.path.parts[0], []).append(entry)
    return tops


def without_own_output(
    entries: list[Entry], source: Path, own: Path | None, notes: list[str]
) -> list[Entry]:
    """Without folders that are gradebooks: this command's own, or another's."""
    kept = []
    for top, group in tops_of(entries).items():
        inner = {entry.path.parts[1] for entry in group if len(entry.path.parts) > 1}
        is_own = own is not None and (source / top).resolve() == Path(own).resolve()
        if is_own or {"results", "roster"} <= inner:
            notes.append(f"Left out, since it is a gradebook: {top}.")
        else:
            kept += group
    return kept


def unwrapped(entries: list[Entry], assignments: list[str], notes: list[str]) -> list[Entry]:
    """Without a folder around everything, such as nbgrader's submitted/ or the one that a zip
    program adds; what lies beside it is named.
    """
    tops = tops_of(entries)
    if "submitted" in tops and any(entry.path.parts[1:] for entry in tops["submitted"]):
        beside = [top for top in tops if top != "submitted"]
        if beside:
            notes.append(f"Left out, since submitted/ lies beside: {', '.join(beside)[:300]}.")
        return [entry.below(1) for entry in tops["submitted"] if len(entry.path.parts) > 1]
    folders = [
        top
        for top, group in tops.items()
        if any(len(entry.path.parts) > 1 or entry.is_folder for entry in group)
    ]
    kept = [top for top in folders if top.lower() not in COURSE_FOLDERS]
    if len(kept) != 1 or any(owner_of(entry, assignments) for entry in files_at_top(tops)):
        return entries
    (top,) = kept
    beside = [other for other in tops if other != top]
    few = (
        2 if beside else 0
    )  # folders inside, below which a folder with files beside is a student's
    if not is_wrapper(top, tops[top], assignments, few):
        return entries
    if beside:
        said = ", ".join(beside)[:300]
        notes.append(f"Left out, since the students' folders lie in {top}: {said}.")
    inner = [entry.below(1) for entry in tops[top] if len(entry.path.parts) > 1]
    return unwrapped(inner, assignments, notes) if "submitted" in tops_of(inner) else inner


def files_at_top(tops: dict[str, list[Entry]]) -> list[Entry]:
    """The files that lie in no folder."""
    return [
        e for group in tops.values() for e in group if len(e.path.parts) == 1 and not e.is_folder
    ]


def is_wrapper(top: str, group: list[Entry], assignments: list[str], few: int = 0) -> bool:
    """Whether a folder holds the students' folders or files, and is no student's itself."""
    if MOODLE.match(top) or CANVAS_FOLDER.match(top):
        return False
    visible = [entry for entry in group if not is_hidden(entry) and len(entry.path.parts) > 1]
    inner = {entry.path.parts[1] for entry in visible}
    folders = any(len(entry.path.parts) > 2 or entry.is_folder for entry in visible)
    one_student = {folded(name) for name in inner} <= {folded(name) for name in assignments}
    platforms = any(CANVAS.match(name) or MOODLE.match(name) for name in inner)
    many = len({entry.path.parts[1] for entry in visible if len(entry.path.parts) > 2}) >= few
    return ((folders and many) or platforms) and not one_student


def owner_of(entry: Entry, assignments: list[str]) -> Owner | None:
    """(student, id) of an entry; None for what belongs to nobody."""
    top = entry.path.parts[0]
    if moodle := MOODLE.match(top):
        return moodle["name"], moodle["id"]
    if canvas := CANVAS.match(top) or CANVAS_FOLDER.match(top):
        return canvas["name"], canvas["id"]
    packed = len(entry.path.parts) > 1 and PurePosixPath(top).suffix.lower() == ".zip"
    if (len(entry.path.parts) > 1 and not packed) or entry.is_folder:
        return top, ""
    named = any(names_assignment(top, name) for name in assignments)
    if not is_notebook(top) and not named and PurePosixPath(top).suffix.lower() != ".zip":
        return None
    stem = stem_of(top)
    return without_assignment(stem, assignments) or stem, ""


def merged_people(people: dict[Owner, Person], assignments: list[str]) -> list[Person]:
    """One person for each name that only one number goes with. Files that only numbers in brackets
    tell apart are one person's as long as they are few: more come from as many people.
    """
    by_name: dict[str, list[Person]] = {}
    for (name, _), person in people.items():
        by_name.setdefault(name, []).append(person)
    found = []
    for group in by_name.values():
        numbered = [person for person in group if person.number]
        without = [person for person in group if not person.number]
        if len(numbered) == 1 and without:
            numbered[0].spellings |= without[0].spellings
            numbered[0].entries += without[0].entries
            without = []
        found += numbered
        for person in without:
            found += apart(person)
    return found


def apart(person: Person) -> list[Person]:
    """The person; or one for each file at the top, where there are too many for one."""
    tops = {entry.path.parts[0] for entry in person.entries}
    flat = {e.path.parts[0] for e in person.entries if len(e.path.parts) == 1 and not e.is_folder}
    if len(flat) <= DOWNLOADS or flat != tops:
        return [person]
    found: dict[str, Person] = {}
    for entry in person.entries:
        stem = stem_of(entry.path.parts[0])
        found.setdefault(stem, Person({stem})).entries.append(entry)
    return list(found.values())
