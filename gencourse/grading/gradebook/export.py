"""Grades as CSV, in a long table of our own."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from gencourse.files import write_whole
from gencourse.grading.gradebook.book import Gradebook, Row
from gencourse.grading.gradebook.printing import KINDS, NO_SANDBOX, guarded, number

COLUMNS = [
    "student",
    "student_id",
    "assignment",
    "task",
    "kind",
    "status",
    "points_auto",
    "points_manual",
    "points",
    "out_of",
    "bonus",
    "mistake",
    "comment",
    "flags",
    "sandbox",
    "late_off",
    "points_in_all",
    "submission_status",
    "submission_reason",
]


def long_csv(gradebook: Gradebook, path: str | Path) -> Path:
    """Write one line for each student, assignment and task; return the path. UTF-8 with a
    byte-order mark, which Excel needs to read names right.
    """
    lines = [line for row in gradebook.table() for line in _lines(row)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: guarded(text) for name, text in line.items()} for line in lines)
    path = Path(path)
    write_whole(path, buffer.getvalue(), "utf-8-sig")
    return path


def _lines(row: Row) -> Iterable[dict[str, str]]:
    about = {
        "student": row.student,
        "student_id": row.student_id,
        "assignment": row.assignment,
        "submission_status": row.status,
    }
    about["submission_reason"] = row.reason
    about["flags"] = "; ".join(f"{flag.flag}: {flag.detail}" for flag in row.flags)
    about["sandbox"] = f"none: {NO_SANDBOX}" if row.sandbox == "none" else row.sandbox
    about["late_off"] = number(row.off) if row.off else ""
    about["points_in_all"] = number(row.points)
    # a line without a task speaks of the whole submission; no student is left out
    if row.comment or not row.tasks or row.points_whole is not None:
        yield about | {"comment": row.comment, "points_manual": number(row.points_whole)}
    for task in row.tasks:
        points = {
            name: number(getattr(task, name))
            for name in ("points_auto", "points_manual", "points", "out_of")
        }
        said = {
            "task": task.name,
            "kind": KINDS[task.kind],
            "status": task.status,
            "mistake": task.mistake,
            "comment": task.comment,
            "bonus": "yes" if task.bonus else "",
        }
        yield about | said | points
