"""The gradebook: a folder that holds one file per result, a roster per assignment, and marks.

    results/<key>.json        what the grader found; the key is a hash of the submission and of all
                              that judged it
    roster/<assignment>.json  which result is current for which student
    manual.jsonl              points and comments by hand, one per line, only ever appended: no
                              regrade touches them
    seeds.json                the secret from which the judge's seeds are drawn
    rules.json                what late submissions lose

A file is written whole or not at all, so a killed grader leaves nothing half done, and a file that
does not hold what it should counts as absent: its submission is graded again.
"""

import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from gencourse.errors import InputError, NotWritten, describe
from gencourse.files import write_once, write_whole
from gencourse.grading.gradebook.marks import Marks, as_line, fitting, of_table
from gencourse.grading.gradebook.records import (
    FORMAT,
    SAFE,
    TASK_TEXTS,
    Mark,
    Result,
    Roster,
    RosterRow,
    Rules,
    TaskResult,
    decoded,
    file_name,
    from_json,
    is_number,
    read_record,
    to_json,
)
from gencourse.grading.gradebook.rows import NO_GRADE, NOT_YET, Row, TaskGrade

__all__ = ["NOT_YET", "NO_GRADE", "Gradebook", "Row", "TaskGrade"]


class Gradebook:
    """A folder of results, rosters and marks. Two may be merged by copying the files of results."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manual = self.folder / "manual.jsonl"
        self.marks = Marks(self.manual)

    # results

    def load(self, key: str) -> Result | None:
        """The result under this key; None if there is none, or if its file does not hold one."""
        path = self.folder / "results" / f"{key}.json"
        return read_record(Result, path) if SAFE.fullmatch(key) else None

    def has(self, key: str) -> bool:
        """Whether this submission is done.

        A fault of the grader's own surroundings is not: it is tried again.
        """
        result = self.load(key)
        return result is not None and result.status != "infrastructure_error"

    def save(self, key: str, result: Result | dict) -> None:
        """Keep a result under its key."""
        if not SAFE.fullmatch(key):
            raise InputError(
                "save: key should be letters, digits, '_', '-' and '.', got "
                f"{describe(key)}. Use a hash in hexadecimal."
            )
        plain = result if isinstance(result, dict) else asdict(result)
        if decoded(Result, plain) is None:
            raise InputError(
                f"save: result should be complete, of format {FORMAT}, got {describe(result)}. "
                "Compare it with `records.Result`."
            )
        write_whole(self.folder / "results" / f"{key}.json", to_json(plain) + "\n")

    # rosters

    def rosters(self) -> dict[str, Roster]:
        """The sound rosters by assignment, in alphabetical order."""
        found = {}
        for path in sorted(self.folder.glob("roster/[!.]*.json")):
            roster = read_record(Roster, path)
            if roster is not None and file_name(roster.assignment) == path.stem:
                found[roster.assignment] = roster
        return dict(sorted(found.items()))

    def save_roster(
        self, assignment: str, rows: Iterable[RosterRow | dict], version: str = ""
    ) -> None:
        """Say which result is current for which student.

        Students who are not named keep the row they had.
        """
        given = [row if isinstance(row, RosterRow) else decoded(RosterRow, row) for row in rows]
        whole = [row for row in given if row is not None]
        if not assignment.strip(".") or set(assignment) & set("/\\\0\n"):
            raise InputError(
                f"save_roster: assignment should be a plain file name, got {describe(assignment)}. "
                "Rename the assignment."
            )
        if len(whole) < len(given):
            raise InputError(
                "save_roster: rows should hold student, student_id, file, key as text, got others. "
                "Fill them in."
            )
        often = Counter(row.student for row in whole).most_common(1)
        if often and often[0][1] > 1:
            raise InputError(
                f"save_roster: rows should name a student once, got {often[0][0]!r} twice. Choose "
                "one of the submissions."
            )
        before = self.rosters().get(assignment)
        merged = {row.student: row for row in [*(before.rows if before else ()), *whole]}
        roster = Roster(assignment, version, tuple(merged[name] for name in sorted(merged)))
        write_whole(
            self.folder / "roster" / f"{file_name(assignment)}.json", to_json(roster) + "\n"
        )

    # secrets and rules

    def secret(self) -> str:
        """What the judge's seeds are drawn from: made once, before the first result."""
        path = self.folder / "seeds.json"
        made = to_json({"secret": secrets.token_hex(16)}) + "\n"
        for _ in range(2):  # tasks of an array may begin at once
            kept = from_json(write_once(path, made).encode("utf-8", "replace"))
            if isinstance(kept, dict) and isinstance(kept.get("secret"), str) and kept["secret"]:
                return kept["secret"]
            path.unlink(missing_ok=True)
        raise NotWritten(f"write: {path} should hold the secret of the seeds. Look at the folder.")

    def rules(self) -> Rules:
        """How points count; as they are, where nothing was said."""
        return read_record(Rules, self.folder / "rules.json") or Rules()

    def set_late(self, assignment: str, percent: float) -> None:
        """Let late submissions to an assignment lose so many percent of their points."""
        if assignment not in self.rosters():
            known = ", ".join(self.rosters()) or "none"
            raise InputError(
                f"set_late: assignment should be a graded one ({known}), got "
                f"{describe(assignment)}. Grade it first."
            )
        if not is_number(percent) or not 0 <= percent <= 100:
            raise InputError(
                f"set_late: percent should be a number from 0 to 100, got {describe(percent)}. "
                "Say how much of its points a late submission loses."
            )
        rules = self.rules()
        changed = replace(rules, late_percent=rules.late_percent | {assignment: percent})
        write_whole(self.folder / "rules.json", to_json(changed) + "\n")

    # marks

    def grade_by_hand(
        self,
        student: str,
        assignment: str,
        task: str,
        points: float | None = None,
        comment: str = "",
        clear: bool = False,
    ) -> None:
        """Give points, a comment or both; what is not given stays as it was.

        `clear` first forgets both. Task "": on the whole, where points may also be taken away.
        """
        rows = self.rows(assignment)
        mark = fitting(rows, Mark("", student, assignment, task, comment, clear, points))
        self.marks.append([as_line(mark)])

    def grade_table(self, assignment: str, table: Iterable[dict[str, str]]) -> int:
        """Take over the marks of a table, and say how many: all, or none if one is wrong."""
        marks = of_table(self.rows(assignment), assignment, table)
        self.marks.append(map(as_line, marks))
        return len(marks)

    # all together

    def rows(self, assignment: str | None = None) -> list[Row]:
        """One Row for each student and assignment (or those of one assignment)."""
        marks, late = self.marks.current(), self.rules().late_percent
        rosters = [one for name, one in self.rosters().items() if assignment in (None, name)]
        return [
            self._row(roster, row, marks, late.get(roster.assignment, 0))
            for roster in rosters
            for row in roster.rows
        ]

    table = rows

    def _row(self, roster: Roster, row: RosterRow, marks: dict, late_percent: float) -> Row:
        """Who it is comes from the roster, not from the result: two equal files share a result."""
        of = (row.student, roster.assignment)
        points, comment = marks.get((*of, ""), (None, ""))
        about = {"assignment": roster.assignment, "version": roster.version, "comment": comment}
        made = Row(**asdict(row), **about, points_whole=points, late_percent=late_percent)
        result = self.load(row.key)
        if result is None:
            return made
        tasks = tuple(
            _task_grade(task, result.status, *marks.get((*of, task.name), (None, "")))
            for task in result.tasks
        )
        names = ("version", "status", "reason", "sandbox", "flags", "shown")
        return replace(made, tasks=tasks, **{name: getattr(result, name) for name in names})

    def problems(self) -> list[str]:
        """Sentences about what was skipped: broken lines and rosters, marks that fit nothing."""
        broken = [
            f"Line {number} of manual.jsonl cannot be read and was skipped."
            for number, _, mark in self.marks.lines()
            if mark is None
        ]
        sound = {file_name(name) for name in self.rosters()}
        files = {path.stem for path in self.folder.glob("roster/[!.]*.json")}
        lost = [
            f"The roster {name}.json cannot be read. Grade {name} again."
            for name in sorted(files - sound)
        ]
        known = {
            (row.student, row.assignment, name)
            for row in self.rows()
            for name in ("", *(task.name for task in row.tasks))
        }
        stray = [
            f"A grade by hand for {student}, {assignment}, {task or 'the whole'} belongs to no "
            "current result and was left out."
            for (student, assignment, task), mark in self.marks.current().items()
            if (student, assignment, task) not in known and mark != (None, "")
        ]
        return broken + lost + stray

    def merge(self, other: "Gradebook") -> list[str]:
        """Take over what another gradebook has and this one lacks.

        Where both have a result, this one's stays, with a sentence.
        """
        for path in sorted(other.folder.glob("results/[!.]*.json")):
            if other.load(path.stem) and not self.has(path.stem):
                write_whole(self.folder / "results" / path.name, path.read_text("utf-8"))
        kept = []
        for assignment, roster in other.rosters().items():
            own = self.rosters().get(assignment, replace(roster, rows=()))
            mine = {row.student: row for row in own.rows}
            clash = {
                row.student
                for row in roster.rows
                if mine.get(row.student, row) != row and self.has(mine[row.student].key)
            }
            kept += [
                f"{student}, {assignment}: both gradebooks have a result; this one's was kept."
                for student in sorted(clash)
            ]
            taken = [row for row in roster.rows if row.student not in clash]
            self.save_roster(assignment, taken, own.version)
        present = {line for _, line, _ in self.marks.lines()}
        if new := [line for _, line, mark in other.marks.lines() if mark and line not in present]:
            self.marks.append(new)
        return kept


def _task_grade(
    task: TaskResult, submission: str, points_manual: float | None, comment: str
) -> TaskGrade:
    """A task of a result with what was said by hand. An answer in words has no points by itself,
    but where nothing was handed in, or nothing that could be read, there are no words to wait for.
    """
    nothing = submission in ("missing", "unreadable")
    status = "not judged" if nothing and task.status == "waiting" else task.status
    auto = None if submission in NO_GRADE or status == "waiting" else task.points
    unsettled = status in ("waiting", "not attempted", "not judged")
    by_hand = unsettled and points_manual is not None
    return TaskGrade(
        **{name: getattr(task, name) for name in TASK_TEXTS},
        status="graded by hand" if by_hand else status,
        out_of=task.out_of,
        points_auto=auto,
        points_manual=points_manual,
        comment=comment,
        bonus=task.bonus,
        parts=task.parts,
        cells=task.cells,
    )
