"""Reports as HTML: a page for every student, and for the teacher a page about the class.

Submissions are hostile until shown otherwise, and so is every name, message and line of code from
them. Jinja escapes all of it, and a Content-Security-Policy forbids scripts, forms and anything
from elsewhere, should something slip through. A page depends on the gradebook only: the same grades
give the same bytes.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gencourse.checks import MARKS, as_html
from gencourse.files import write_whole
from gencourse.grading.gradebook.book import NO_GRADE, Gradebook, Row
from gencourse.grading.gradebook.class_statistics import STYLE, bars, histogram, summarise
from gencourse.grading.gradebook.printing import KINDS, NO_SANDBOX, number, printable
from gencourse.grading.gradebook.records import WrittenCell, file_name
from gencourse.grading.gradebook.written import as_handed_in

TEMPLATES = Path(__file__).parent / "templates"
ALL_MARKS = MARKS | {
    "partly right": "◐",
    "not judged": "–",
    "waiting": "…",
    "graded by hand": "✎",
}
FOR_STUDENTS = {  # what stands in the place of a grade
    "unreadable": "The file could not be read, so nothing in it was graded.",
    "missing": "No notebook was handed in.",
    "infrastructure_error": "Not graded yet: grading failed through no fault of yours and will be "
    "repeated.",
    "not graded yet": "Not graded yet.",
}
NAME, MESSAGE, CODE = 80, 4000, 40_000  # characters shown at most


def page_name(student: str) -> str:
    """A file name that is safe everywhere, and differs for students whose names look alike."""
    ascii_only = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only[:200]).strip("-")[:40].strip("-") or "student"
    return (
        f"{slug}-{hashlib.sha256(student.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}.html"
    )


def environment(*more: str) -> Environment:
    """What makes pages of templates. `more`: what a page may do beside showing itself."""
    style = (TEMPLATES / "style.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = ["default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:"]
    policy += ["base-uri 'none'", "form-action 'none'"]
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "style": Markup(style),
        "policy": "; ".join([*policy, *more]),
        "marks": ALL_MARKS,
        "kinds": KINDS,
        "no_sandbox": NO_SANDBOX,
        "no_grade": NO_GRADE,
        "for_students": FOR_STUDENTS,
    }
    made.filters |= {
        "number": number,
        "name": lambda text: printable(text, NAME),
        "line": lambda text: printable(text, MESSAGE),
        "prose": lambda text: Markup(as_html(printable(text, MESSAGE))),
        "code": lambda text: printable(text, CODE),
        "slug": lambda status: status.replace(" ", "-").replace("_", "-"),
        "page": page_name,
        "file": file_name,
        "anchor": lambda text: re.sub(r"[^\w.-]+", "-", text),
        "written": as_handed_in,
        "markdown": lambda source: as_handed_in([WrittenCell("markdown", source)]),
    }
    return made


def _by(rows: Iterable[Row], of: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(getattr(row, of), []).append(row)
    return dict(sorted(groups.items()))


def _total(rows: Iterable[Row]) -> tuple[float | None, float]:
    """Points and possible points of the submissions that have a grade."""
    graded = [(row.points, row.out_of) for row in rows if row.points is not None]
    points = sum(earned for earned, _ in graded) if graded else None
    return points, sum(out_of for _, out_of in graded)


def write_reports(gradebook: Gradebook, folder: str | Path) -> Path:
    """Write students/<name>.html for every student and index.html for the teacher; return the path
    of the latter.

    A student's page says nothing about anybody else and does not show flags, which are for the
    teacher to look into.
    """
    folder, rows, pages = Path(folder), gradebook.table(), environment()
    students = _by(rows, "student")
    page = pages.get_template("student.html")
    for student, theirs in students.items():
        write_whole(
            folder / "students" / page_name(student),
            page.render(student=student, rows=theirs, total=_total(theirs)),
        )
        for row in theirs:
            if row.shown:
                name = f"{file_name(row.assignment)}-{page_name(student)}"
                made = pages.get_template("notebook.html").render(row=row)
                write_whole(folder / "notebooks" / name, made)
    summaries = [
        summarise(assignment, group) for assignment, group in _by(rows, "assignment").items()
    ]
    pictures = {
        summary.assignment: (
            histogram(summary) if summary.scores else None,
            bars(summary) if summary.tasks else None,
        )
        for summary in summaries
    }
    index = pages.get_template("index.html").render(
        students={
            student: ({row.assignment: row for row in theirs}, _total(theirs))
            for student, theirs in students.items()
        },
        summaries=summaries,
        pictures=pictures,
        statuses=[
            status
            for status in STYLE
            if any(counter[status] for summary in summaries for counter in summary.tasks.values())
        ],
        remarks=[row for row in rows if row.flags or row.reason],
        unboxed=[row for row in rows if row.sandbox == "none"],
        problems=gradebook.problems(),
    )
    write_whole(folder / "index.html", index)
    return folder / "index.html"
