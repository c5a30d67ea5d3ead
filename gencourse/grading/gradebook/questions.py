"""Open questions side by side: a page with all answers to one question, and places for points.

The page is the teacher's. It writes `marks.csv` with a script of its own, the only one that its
Content-Security-Policy lets run; `gencourse points --from marks.csv` takes the marks over.
"""

import base64
import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from gencourse.errors import InputError, describe
from gencourse.files import write_whole
from gencourse.grading.gradebook.book import Gradebook, Row, TaskGrade
from gencourse.grading.gradebook.records import file_name
from gencourse.grading.gradebook.report import TEMPLATES, environment
from gencourse.grading.handout.release import WRITTEN_STUB


@dataclass(frozen=True)
class Answered:
    """One student's answer to a question."""

    row: Row
    task: TaskGrade

    @property
    def there(self) -> bool:
        """Whether there is something to read, other than the stub that was handed out."""
        unwritten = ("", "\n".join(WRITTEN_STUB))
        written = (
            cell.attachments or cell.source.strip() not in unwritten for cell in self.task.cells
        )
        return self.row.status == "graded" and any(written)


def questions(rows: list[Row]) -> dict[str, list[Answered]]:
    """The answers to each question that people grade, in the order of the assignment."""
    found: dict[str, list[Answered]] = {}
    for row in rows:
        for task in row.tasks:
            if task.kind == "manual":
                found.setdefault(task.name, []).append(Answered(row, task))
    return found


def write_questions(book: Gradebook, assignment: str, path: Path | None = None) -> Path:
    """Write the page of an assignment's questions, beside the reports if no path is given."""
    rows = book.rows(assignment)
    if not rows:
        known = ", ".join(book.rosters()) or "none"
        raise InputError(
            f"questions: assignment should be a graded one ({known}), got {describe(assignment)}. "
            "Grade it first."
        )
    asked = questions(rows)
    if not asked:
        raise InputError(
            f"questions: {assignment} should have questions that people grade, got none. Points "
            "for other tasks are given with `gencourse points`."
        )
    script = (TEMPLATES / "questions.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment(f"script-src 'sha256-{digest}'").get_template("questions.html")
    target = path or book.folder / "reports" / f"questions-{file_name(assignment)}.html"
    write_whole(target, page.render(assignment=assignment, questions=asked, script=script))
    return target


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table of marks, whichever separator a spreadsheet has given it."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"points: --from should be a table in UTF-8, got {path} ({error}). Look at the file."
        ) from None
    first, _, rest = text.partition("\n")
    text = rest if first.strip('"\r ').lower().startswith("sep=") else text
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    lines = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    known = {(name or "").strip().lower() for name in (lines[0] if lines else {})}
    if lines and not {"student", "task"} <= known:
        raise InputError(
            f"points: --from should have the columns student, task, points and comment, got "
            f"{', '.join(sorted(known)) or 'none'}. Name them so in the first line."
        )
    return [
        {(name or "").strip().lower(): cell or "" for name, cell in line.items() if name}
        for line in lines
    ]
