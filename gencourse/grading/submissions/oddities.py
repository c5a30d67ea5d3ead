"""What is unusual in how a notebook was handed in: (flag, sentence). Most of it is innocent."""

import sys
from collections import Counter
from collections.abc import Iterator

from gencourse.grading.handout.assignment import CALL, Assignment
from gencourse.grading.handout.cell_source import defined, is_python, tidy
from gencourse.grading.submissions.course_files import is_mostly_the_chapter
from gencourse.grading.submissions.reading import SubmittedCell

LISTED = 5  # things in a sentence
Cells = tuple[SubmittedCell, ...]
Flagged = tuple[str, str]


def listed(things: list) -> str:
    """The first of some things."""
    shown = ", ".join(str(thing)[:40] for thing in things[:LISTED])
    return shown + " …" * (len(things) > LISTED)


def oddities(assignment: Assignment, cells: Cells, places: list[int | None]) -> Iterator[Flagged]:
    """What a teacher should know of the cells and their ids."""
    ids = [cell.grade_id for cell in cells if cell.grade_id]
    known = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id}
    all_ids = {*known, *(task.name for task in assignment.tasks if task.kind == "manual")}
    if twice := sorted(g for g, times in Counter(ids).items() if times > 1 and g in all_ids):
        sentence = f"These cells occur more than once: {', '.join(twice)}. All were run, in order."
        yield "cell-twice", sentence
    if unknown := sorted({g for g in ids if g not in all_ids}):
        yield "unknown-cell-id", f"Ids that were not handed out: {listed(unknown)}."
    if not set(ids) & all_ids:
        yield (
            "ids-lost",
            "The cells carry none of the ids that they were handed out with; answers were found by "
            "what they define.",
        )
    for name in changed_checks(assignment, cells):
        yield "check-changed", f"The check {name} was changed. The original was used."
    sources = {tidy(cell.source) for cell in cells}
    missing = [
        cell.grade_id
        for cell in assignment.cells
        if cell.role == "check" and cell.grade_id not in ids and tidy(cell.source) not in sources
    ]
    if missing:
        sentence = f"Checks that were removed: {listed(missing)}. The originals were used."
        yield "check-missing", sentence
    if not any(place is not None for place in places):
        yield "other-assignment", "Nothing in it belongs to this assignment."
    elif is_mostly_the_chapter(assignment, cells):
        yield "other-assignment", "Most of it is the chapter, not its exercises."


def changed_checks(assignment: Assignment, cells: Cells) -> list[str]:
    """The ids of checks of which a line is gone; what was only added to a check does no harm."""
    checks = {cell.grade_id: cell for cell in assignment.cells if cell.role == "check"}
    found = []
    for cell in cells:
        mine = checks.get(cell.grade_id) if cell.grade_id else None
        if mine and not set(lines(mine.source)) <= set(lines(cell.source)):
            found.append(cell.grade_id)
    return list(dict.fromkeys(found))


def lines(source: str) -> list[str]:
    """The lines of a cell that are not empty, without white space at their ends."""
    return [line.rstrip() for line in source.split("\n") if line.strip()]


def renamed_answers(assignment: Assignment, cells: Cells) -> dict[str, str]:
    """For each task that nothing is called like, the name with which its check was called."""
    tasks = {task.name for task in assignment.tasks if task.kind == "outside"}
    there = {name for cell in cells if cell.kind == "code" for name in defined(cell.source)}
    found = {}
    for cell in cells:
        call = CALL.match(cell.source) if cell.kind == "code" else None
        if call and call[2] in tasks - there and call[3] != call[2]:
            found[call[2]] = call[3]
    return found


def newer_python(cells: tuple[SubmittedCell, ...], python: str) -> str:
    """A sentence where a notebook of a newer Python has cells that this one cannot read."""
    version = tuple(map(int, python.split(".")[:2])) if python else ()
    if version <= sys.version_info[:2]:
        return ""
    odd = [n for n, c in enumerate(cells, 1) if c.kind == "code" and not is_python(c.source)]
    here = ".".join(map(str, sys.version_info[:2]))
    listed = ", ".join(map(str, odd[:LISTED]))
    return (
        f"It was written with Python {python}, the grader has {here} and cannot read cell {listed}."
        if odd
        else ""
    )
