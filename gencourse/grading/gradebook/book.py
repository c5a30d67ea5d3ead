"""The gradebook: a folder that holds one file per result, a roster per assignment, and what was
graded by hand.

    results/<key>.json        what the grader found; the key is a hash of the submission and of all that judged it
    roster/<assignment>.json  which result is current for which student
    manual.jsonl              points and comments by hand, one per line, only ever appended: no regrade touches them

A file is written whole or not at all, so a killed grader leaves nothing half done, and a file that
does not hold what it should counts as absent: its submission is graded again.
"""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gencourse.errors import InputError, NotWritten, describe
from gencourse.grading.gradebook.records import (
    FORMAT,
    ROSTER_ROW,
    SAFE,
    TASK_TEXTS,
    from_json,
    has_texts,
    is_mark,
    is_number,
    is_result,
    is_roster,
    read_json,
    to_json,
    write_whole,
)

NOT_YET = "not graded yet"
NO_GRADE = {NOT_YET, "infrastructure_error"}


@dataclass(frozen=True)
class TaskGrade:
    """One task of one submission. Points are None as long as nobody has given any."""

    name: str
    title: str
    kind: str
    status: str
    out_of: float
    points_auto: float | None
    points_manual: float | None
    message: str = ""
    mistake: str = ""
    comment: str = ""
    source: str = ""

    @property
    def points(self) -> float | None:
        return self.points_auto if self.points_manual is None else self.points_manual


@dataclass(frozen=True)
class Row:
    """One student's submission to one assignment: roster, result and grades by hand together."""

    student: str
    student_id: str
    assignment: str
    version: str
    file: str
    key: str
    status: str = NOT_YET
    reason: str = ""
    sandbox: str = ""
    flags: tuple[dict, ...] = ()
    tasks: tuple[TaskGrade, ...] = ()
    comment: str = ""

    @property
    def points(self) -> float | None:
        """The sum of the points given so far, None if there is no grade at all."""
        return (
            None if self.status in NO_GRADE else math.fsum(task.points or 0 for task in self.tasks)
        )

    @property
    def out_of(self) -> float:
        return math.fsum(task.out_of for task in self.tasks)

    @property
    def waiting(self) -> int:
        """How many tasks wait for points by hand."""
        return sum(task.points is None for task in self.tasks)


class Gradebook:
    """A folder of results, rosters and grades by hand. Two gradebooks may be merged by copying the
    files of results.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.manual = self.folder / "manual.jsonl"

    # results

    def load(self, key: str) -> dict | None:
        """The result under this key; None if there is none, or if its file does not hold one."""
        result = read_json(self.folder / "results" / f"{key}.json") if SAFE.fullmatch(key) else None
        return result if is_result(result) else None

    def has(self, key: str) -> bool:
        """Whether this submission is done. A fault of the grader's own surroundings is not: it is
        tried again.
        """
        result = self.load(key)
        return result is not None and result["status"] != "infrastructure_error"

    def save(self, key: str, result: dict) -> None:
        if not SAFE.fullmatch(key):
            raise InputError(
                f"save: key should be letters, digits, '_', '-' and '.', got {describe(key)}. Use a hash in hexadecimal."
            )
        if not is_result(result):
            raise InputError(
                f"save: result should be complete, of format {FORMAT}, got {describe(result)}. Compare it with `is_result`."
            )
        write_whole(self.folder / "results" / f"{key}.json", to_json(result) + "\n")

    # rosters

    def rosters(self) -> dict[str, dict]:
        """The sound rosters by assignment, in alphabetical order."""
        found = {
            path.stem: read_json(path) for path in sorted(self.folder.glob("roster/[!.]*.json"))
        }
        return {
            assignment: roster
            for assignment, roster in found.items()
            if is_roster(assignment, roster)
        }

    def save_roster(self, assignment: str, rows: Iterable[dict], version: str = "") -> None:
        """Say which result is current for which student. Students who are not named keep the row
        they had.
        """
        rows = [{name: row.get(name) for name in ROSTER_ROW} for row in rows]
        if not SAFE.fullmatch(assignment):
            raise InputError(
                f"save_roster: assignment should be a plain file name, got {describe(assignment)}. Rename the assignment."
            )
        if bad := next((row for row in rows if not has_texts(row, *ROSTER_ROW)), None):
            raise InputError(
                f"save_roster: rows should hold {', '.join(ROSTER_ROW)} as text, got {describe(bad)}. Fill them in."
            )
        often = Counter(row["student"] for row in rows).most_common(1)
        if often and often[0][1] > 1:
            raise InputError(
                f"save_roster: rows should name a student once, got {often[0][0]!r} twice. Choose one of the submissions."
            )
        kept = {row["student"]: row for row in self.rosters().get(assignment, {"rows": []})["rows"]}
        merged = kept | {row["student"]: row for row in rows}
        roster = {
            "assignment": assignment,
            "version": version,
            "rows": [merged[name] for name in sorted(merged)],
        }
        write_whole(self.folder / "roster" / f"{assignment}.json", to_json(roster) + "\n")

    # grades by hand

    def grade_by_hand(
        self,
        student: str,
        assignment: str,
        task: str,
        points: float | None = None,
        comment: str = "",
        clear: bool = False,
    ) -> None:
        """Give points, a comment or both; what is not given stays as it was. `clear` first forgets
        both. Task "": a comment on the whole.
        """
        row = next((row for row in self.rows(assignment) if row.student == student), None)
        if row is None:
            raise InputError(
                f"grade_by_hand: student should be on the roster of {assignment}, got {describe(student)}. Grade the folder first."
            )
        known = {known.name: known for known in row.tasks}
        if task and task not in known:
            raise InputError(
                f"grade_by_hand: task should be one of {', '.join(known) or 'none, for nothing is graded yet'}, got {describe(task)}. "
                "Look the name up in the report."
            )
        if points is not None:
            if not task:
                raise InputError(
                    f"grade_by_hand: points should belong to a task, got {points} for the whole. Name the task."
                )
            if not is_number(points) or not 0 <= points <= known[task].out_of:
                raise InputError(
                    f"grade_by_hand: points should be a number from 0 to {known[task].out_of:g}, got {describe(points)}. Give points in that range."
                )
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        mark = {
            "at": at,
            "student": student,
            "assignment": assignment,
            "task": task,
            "points": points,
            "comment": comment,
            "clear": clear,
        }
        self._append([to_json(mark, indent=None)])

    def _append(self, lines: list[str]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.manual.open(
                "a+b", buffering=0
            ) as file:  # one write for all, so that two writers do not mix
                start = file.seek(0, os.SEEK_END)
                file.seek(max(0, start - 1))
                torn = file.read(1) not in (b"", b"\n")  # the line of a writer that was killed
                file.write(("\n" * torn + "".join(f"{line}\n" for line in lines)).encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise NotWritten(
                f"write: {self.manual} should be a file that can be written, got: {error.strerror or error}. "
                "Close it in the program that shows it, then give the command again."
            ) from error

    def _lines(self) -> Iterator[tuple[int, str, dict | None]]:
        """The lines of manual.jsonl: number, text, and what it says, None if it is broken."""
        data = self.manual.read_bytes() if self.manual.is_file() else b""
        for number, line in enumerate(data.split(b"\n"), 1):
            if line.strip():
                mark = from_json(line)
                yield number, line.decode("utf-8", "replace"), mark if is_mark(mark) else None

    def marks(self) -> dict[tuple[str, str, str], tuple[float | None, str]]:
        """Points and comment by hand for (student, assignment, task); of two that contradict, the
        later counts.
        """
        found: dict = {}
        for mark in sorted(
            (mark for *_, mark in self._lines() if mark), key=lambda mark: mark["at"]
        ):
            key = mark["student"], mark["assignment"], mark["task"]
            points, comment = (None, "") if mark["clear"] else found.get(key, (None, ""))
            found[key] = (
                points if mark["points"] is None else mark["points"],
                mark["comment"] or comment,
            )
        return found

    # all together

    def rows(self, assignment: str | None = None) -> list[Row]:
        """One Row for each student and assignment (or those of one assignment)."""
        marks = self.marks()
        rosters = [roster for name, roster in self.rosters().items() if assignment in (None, name)]
        return [self._row(roster, row, marks) for roster in rosters for row in roster["rows"]]

    table = rows

    def _row(self, roster: dict, row: dict, marks: dict) -> Row:
        """Who it is comes from the roster, not from the result: two equal files share one result."""
        who = {
            "assignment": roster["assignment"],
            "version": roster["version"],
            **{name: row[name] for name in ROSTER_ROW},
        }
        result = self.load(row["key"])
        of = (row["student"], roster["assignment"])
        who["comment"] = marks.get((*of, ""), (None, ""))[1]
        if result is None:
            return Row(**who)
        ungraded = result["status"] in NO_GRADE
        tasks = tuple(
            _task_grade(task, ungraded, *marks.get((*of, task["name"]), (None, "")))
            for task in result["tasks"]
        )
        about = {name: result[name] for name in ("version", "status", "reason", "sandbox")}
        return Row(**who | about, flags=tuple(result["flags"]), tasks=tasks)

    def problems(self) -> list[str]:
        """Sentences about what was skipped: broken lines and rosters, and grades by hand that
        belong to nothing.
        """
        broken = [
            f"Line {number} of manual.jsonl cannot be read and was skipped."
            for number, _, mark in self._lines()
            if mark is None
        ]
        files = {path.stem for path in self.folder.glob("roster/[!.]*.json")}
        lost = [
            f"The roster {name}.json cannot be read. Grade {name} again."
            for name in sorted(files - set(self.rosters()))
        ]
        known = {
            (row.student, row.assignment, name): row
            for row in self.rows()
            for name in ("", *(task.name for task in row.tasks))
        }
        stray = [
            f"A grade by hand for {student}, {assignment}, {task or 'the whole'} belongs to no current result and was left out."
            for (student, assignment, task), mark in self.marks().items()
            if (student, assignment, task) not in known and mark != (None, "")
        ]
        return broken + lost + stray

    def merge(self, other: "Gradebook") -> list[str]:
        """Take over what another gradebook has and this one lacks; where both have a result, this
        one's stays, with a sentence.
        """
        for path in sorted(other.folder.glob("results/[!.]*.json")):
            if other.load(path.stem) and not self.has(path.stem):
                write_whole(self.folder / "results" / path.name, path.read_text("utf-8"))
        kept = []
        for assignment, roster in other.rosters().items():
            own = self.rosters().get(assignment, roster | {"rows": []})
            mine = {row["student"]: row for row in own["rows"]}
            clash = {
                row["student"]
                for row in roster["rows"]
                if mine.get(row["student"], row) != row and self.has(mine[row["student"]]["key"])
            }
            kept += [
                f"{student}, {assignment}: both gradebooks have a result; this one's was kept."
                for student in sorted(clash)
            ]
            self.save_roster(
                assignment,
                [row for row in roster["rows"] if row["student"] not in clash],
                own["version"],
            )
        present = {line for _, line, _ in self._lines()}
        if new := [line for _, line, mark in other._lines() if mark and line not in present]:
            self._append(new)
        return kept


def _task_grade(task: dict, ungraded: bool, points_manual: float | None, comment: str) -> TaskGrade:
    """A task of a result with what was said by hand. An answer in words has no automatic points."""
    auto = None if ungraded or task["status"] == "waiting" else task.get("points")
    status = (
        "graded by hand"
        if task["status"] == "waiting" and points_manual is not None
        else task["status"]
    )
    texts = {name: task[name] for name in TASK_TEXTS}
    return TaskGrade(
        **texts,
        status=status,
        out_of=task["out_of"],
        points_auto=auto,
        points_manual=points_manual,
        comment=comment,
    )
