"""Reports as HTML: a page for every student, and for the teacher a page about the class.

Submissions are hostile until shown otherwise, and so is every name, message and line of code from
them. Jinja escapes all of it, and a Content-Security-Policy forbids scripts, forms and anything
from elsewhere, should something slip through. A page depends on the gradebook only: the same grades
give the same bytes.
"""

import base64
import hashlib
import io
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gencourse.checks._verdict import BADGES, MARKS, as_html
from gencourse.figures import PALETTE
from gencourse.grading.gradebook.book import NO_GRADE, Gradebook, Row
from gencourse.grading.gradebook.export import KINDS, NO_SANDBOX, number, printable
from gencourse.grading.gradebook.records import write_whole

TEMPLATES = Path(__file__).parent / "templates"
ALL_MARKS = MARKS | {"not judged": "–", "waiting": "…", "graded by hand": "✎"}
STYLE = {  # of the bars: colour and hatching, so that they can be told apart in grey as well
    "right": (BADGES["right"], ""),
    "graded by hand": (PALETTE[5], ".."),
    "wrong": (BADGES["wrong"], "///"),
    "not attempted": ("#c9cdd3", ""),
    "not judged": ("white", ""),
    "waiting": ("white", "xx"),
}
FOR_STUDENTS = {  # what stands in the place of a grade
    "unreadable": "The file could not be read, so nothing in it was graded.",
    "missing": "No notebook was handed in.",
    "infrastructure_error": "Not graded yet: grading failed through no fault of yours and will be repeated.",
    "not graded yet": "Not graded yet.",
}
NAME, MESSAGE, CODE = 80, 4000, 40_000  # characters shown at most


@dataclass(frozen=True)
class Mistake:
    """A recognised mistake in one task: how many made it, and of how many attempts."""

    task: str
    name: str
    hint: str
    count: int
    share: float


@dataclass(frozen=True)
class Summary:
    """One assignment in the class."""

    assignment: str
    rows: list[Row]
    statuses: Counter
    scores: list[float]
    out_of: float
    tasks: dict[str, Counter]
    mistakes: list[Mistake]

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def median(self) -> float | None:
        return statistics.median(self.scores) if self.scores else None

    @property
    def waiting(self) -> int:
        return sum(row.waiting > 0 for row in self.rows)


def summarise(assignment: str, rows: list[Row]) -> Summary:
    """Counts, scores and mistakes. Scores are those of graded submissions; what nobody could read
    says nothing about a task.
    """
    graded = [row for row in rows if row.status == "graded"]
    tasks: dict[str, Counter] = {}
    for row in graded:
        for task in row.tasks:
            tasks.setdefault(task.name, Counter())[task.status] += 1
    found = [
        task for row in graded for task in row.tasks if task.mistake and task.status == "wrong"
    ]
    hints = {(task.name, task.mistake): task.message for task in reversed(found)}
    mistakes = [
        Mistake(*of, hints[of], count, count / (tasks[of[0]]["right"] + tasks[of[0]]["wrong"]))
        for of, count in Counter((task.name, task.mistake) for task in found).items()
    ]
    order = list(tasks)
    mistakes.sort(key=lambda mistake: (order.index(mistake.task), -mistake.count, mistake.name))
    out_of = max((row.out_of for row in rows), default=0)
    return Summary(
        assignment,
        rows,
        Counter(row.status for row in rows),
        [row.points for row in graded],
        out_of,
        tasks,
        mistakes,
    )


# figures


def _svg(figure: Figure) -> Markup:
    """The figure as the address of an image. As an image, unlike inline, an SVG can neither run a
    script nor load a thing.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context(
        {"svg.hashsalt": "gencourse", "text.parse_math": False, "hatch.linewidth": 0.6}
    ):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return Markup(
        "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    )


def _axes(width: float, height: float, **labels: str):
    with matplotlib.rc_context({"text.parse_math": False, "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.set(**labels)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def histogram(summary: Summary) -> Markup:
    """How many submissions have how many points."""
    figure, axes = _axes(
        5.2,
        2.9,
        xlabel=f"score (points out of {number(summary.out_of)})",
        ylabel="submissions (count)",
        title="Scores of the graded submissions",
    )
    bins = min(20, max(1, round(summary.out_of)))
    axes.hist(
        summary.scores,
        bins=bins,
        range=(0, max(summary.out_of, *summary.scores)),
        color=PALETTE[0],
        edgecolor="white",
    )
    axes.axvline(
        summary.median,
        color="black",
        linestyle="--",
        linewidth=1,
        label=f"median {number(round(summary.median, 2))}",
    )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    return _svg(figure)


def bars(summary: Summary) -> Markup:
    """For each task the number of submissions with each verdict, one bar on top of another."""
    names = [printable(name, 32) for name in summary.tasks]
    figure, axes = _axes(
        5.2,
        1.3 + 0.28 * len(names),
        xlabel="submissions (count)",
        ylabel="task",
        title="Verdicts per task",
    )
    left = [0] * len(names)
    for status, (colour, hatch) in STYLE.items():
        counts = [counter[status] for counter in summary.tasks.values()]
        if any(counts):
            drawn = axes.barh(
                range(len(names)),
                counts,
                0.7,
                left,
                color=colour,
                hatch=hatch,
                edgecolor="#4b5563",
                linewidth=0.5,
                label=status,
            )
            box = {
                "boxstyle": "round,pad=0.15",
                "facecolor": "white",
                "edgecolor": "none",
                "alpha": 0.9,
            }
            axes.bar_label(
                drawn,
                [str(count or "") for count in counts],
                label_type="center",
                fontsize=7.5,
                bbox=box,
            )
            left = [start + count for start, count in zip(left, counts, strict=True)]
    with matplotlib.rc_context({"text.parse_math": False}):
        axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize="small")
    return _svg(figure)


# pages


def page_name(student: str) -> str:
    """A file name that is safe everywhere, and differs for students whose names look alike."""
    ascii_only = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only[:200]).strip("-")[:40].strip("-") or "student"
    return (
        f"{slug}-{hashlib.sha256(student.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}.html"
    )


def _environment() -> Environment:
    style = (TEMPLATES / "style.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "style": Markup(style),
        "policy": f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
        "marks": ALL_MARKS,
        "kinds": KINDS,
        "no_sandbox": NO_SANDBOX,
        "no_grade": NO_GRADE,
        "for_students": FOR_STUDENTS,
    }
    environment.filters |= {
        "number": number,
        "name": lambda text: printable(text, NAME),
        "line": lambda text: printable(text, MESSAGE),
        "prose": lambda text: Markup(as_html(printable(text, MESSAGE))),
        "code": lambda text: printable(text, CODE),
        "slug": lambda status: status.replace(" ", "-").replace("_", "-"),
        "page": page_name,
    }
    return environment


def _by(rows: Iterable[Row], of: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(getattr(row, of), []).append(row)
    return dict(sorted(groups.items()))


def _total(rows: Iterable[Row]) -> tuple[float | None, float]:
    """Points and possible points of the submissions that have a grade."""
    graded = [row for row in rows if row.points is not None]
    return (sum(row.points for row in graded) if graded else None), sum(
        row.out_of for row in graded
    )


def write_reports(gradebook: Gradebook, folder: str | Path) -> Path:
    """Write students/<name>.html for every student and index.html for the teacher; return the path
    of the latter.

    A student's page says nothing about anybody else and does not show flags, which are for the
    teacher to look into.
    """
    folder, rows, environment = Path(folder), gradebook.table(), _environment()
    students = _by(rows, "student")
    page = environment.get_template("student.html")
    for student, theirs in students.items():
        write_whole(
            folder / "students" / page_name(student),
            page.render(student=student, rows=theirs, total=_total(theirs)),
        )
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
    index = environment.get_template("index.html").render(
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
