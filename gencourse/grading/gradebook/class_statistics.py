"""What the grades of a class say: scores, verdicts, known mistakes; and the figures of them."""

import base64
import io
import statistics
from collections import Counter
from dataclasses import dataclass

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gencourse.checks import BADGES
from gencourse.figures import PALETTE
from gencourse.grading.gradebook.book import Row
from gencourse.grading.gradebook.printing import number, printable

STYLE = {  # of the bars: colour and hatching, so that they can be told apart in grey as well
    "right": (BADGES["right"], ""),
    "graded by hand": (PALETTE[5], ".."),
    "partly right": (PALETTE[1], "\\\\"),
    "wrong": (BADGES["wrong"], "///"),
    "not attempted": ("#c9cdd3", ""),
    "not judged": ("white", ""),
    "waiting": ("white", "xx"),
}


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
        """The mean score, None if nothing is graded."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def median(self) -> float | None:
        """The median score, None if nothing is graded."""
        return statistics.median(self.scores) if self.scores else None

    @property
    def waiting(self) -> int:
        """How many submissions wait for points by hand."""
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
        [row.points for row in graded if row.points is not None],
        out_of,
        tasks,
        mistakes,
    )


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


def _axes(width: float, height: float, **labels: str) -> tuple[Figure, Axes]:
    with matplotlib.rc_context({"text.parse_math": False, "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.set(**labels)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def histogram(summary: Summary) -> Markup:
    """How many submissions have how many points. There have to be some."""
    median = statistics.median(summary.scores)
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
        median,
        color="black",
        linestyle="--",
        linewidth=1,
        label=f"median {number(round(median, 2))}",
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
