"""Points and comments by hand: a file of lines that is only ever appended to."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gencourse.errors import InputError, NotWritten, describe
from gencourse.grading.gradebook.printing import printable
from gencourse.grading.gradebook.records import Mark, decoded, from_json, is_number, to_json
from gencourse.grading.gradebook.rows import Row
from gencourse.grading.submissions.names import folded

LISTED = 5  # names in a sentence
Whose = tuple[str, str, str]  # student, assignment, task


class Marks:
    """The marks of a gradebook."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> Iterator[tuple[int, str, Mark | None]]:
        """The lines of the file: number, text, and what it says, None if it is broken."""
        data = self.path.read_bytes() if self.path.is_file() else b""
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                yield number, line.decode("utf-8", "replace"), decoded(Mark, from_json(line))

    def current(self) -> dict[Whose, tuple[float | None, str]]:
        """Points and comment for (student, assignment, task); of two, the later one counts."""
        found: dict[Whose, tuple[float | None, str]] = {}
        whole = [mark for *_, mark in self.lines() if mark]
        for mark in sorted(whole, key=lambda mark: mark.at):
            key = mark.student, mark.assignment, mark.task
            points, comment = (None, "") if mark.clear else found.get(key, (None, ""))
            points = points if mark.points is None else mark.points
            found[key] = (points, mark.comment or comment)
        return found

    def append(self, lines: Iterable[str]) -> None:
        """Add lines, in one write, so that two writers do not mix."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b", buffering=0) as file:
                start = file.seek(0, os.SEEK_END)
                file.seek(max(0, start - 1))
                torn = file.read(1) not in (b"", b"\n")  # the line of a writer that was killed
                file.write(("\n" * torn + "".join(f"{line}\n" for line in lines)).encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise NotWritten(
                f"write: {self.path} should be a file that can be written, got: "
                f"{error.strerror or error}. Close it in the program that shows it, then give the "
                "command again."
            ) from error


def as_line(mark: Mark) -> str:
    """A mark as a line of the file."""
    return to_json(mark, indent=None)


def fitting(rows: list[Row], mark: Mark) -> Mark:
    """The mark as of now, with the name that these rows have for the student. Raises InputError for
    one that does not fit them.
    """
    student, task, points = mark.student, mark.task, mark.points
    alike = [row for row in rows if folded(row.student) == folded(student)]
    exact = [row for row in alike if row.student == student]
    row = next(iter(exact or (alike if len(alike) == 1 else [])), None)
    if row is None:
        names = ", ".join(printable(row.student, 60) for row in rows[:LISTED])
        names += " …" * (len(rows) > LISTED)
        raise InputError(
            f"grade_by_hand: student should be on the roster of {mark.assignment} "
            f"({names or 'empty'}), got {describe(student)}. "
            + ("Name one as the report does." if rows else "Grade the folder first.")
        )
    known = {known.name: known for known in row.tasks}
    if task and task not in known:
        raise InputError(
            "grade_by_hand: task should be one of "
            f"{', '.join(known) or 'none, for nothing is graded yet'}, got {describe(task)}. "
            "Look the name up in the report."
        )
    most = known[task].out_of if task else row.out_of
    least = 0 if task else -most
    if points is not None and (not is_number(points) or not least <= points <= most):
        raise InputError(
            f"grade_by_hand: points should be a number from {least:g} to {most:g}, got "
            f"{describe(points)}. Give points in that range."
        )
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return replace(mark, at=now, student=row.student)


def of_table(rows: list[Row], assignment: str, table: Iterable[dict[str, str]]) -> list[Mark]:
    """The marks in the rows of a table: all of them, or none if one of them is wrong.

    Columns: student, task, points and comment; rows without points and comment are skipped.
    """
    marks, wrong = [], []
    for number, line in enumerate(table, 2):
        cells = {name: (line.get(name) or "").strip() for name in ("points", "comment", "task")}
        if not cells["points"] and not cells["comment"]:
            continue
        student = line.get("student") or ""
        try:
            points = float(cells["points"].replace(",", ".")) if cells["points"] else None
            wanted = Mark("", student, assignment, cells["task"], cells["comment"], False, points)
            marks.append(fitting(rows, wanted))
        except InputError as error:
            wrong.append(f"line {number}: {error}")
        except ValueError:
            wrong.append(f"line {number}: points should be a number, got {cells['points']!r}.")
    if wrong:
        raise InputError(
            "\n".join(["points: the table should have no mistakes, and was not used.", *wrong])
        )
    return marks
