"""What the command line shows: progress, a table of the class, the escapes that were tried."""

from collections.abc import Iterable, Iterator
from time import monotonic, strftime
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from gencourse.errors import NotWritten

if TYPE_CHECKING:
    from rich.table import Table

    from gencourse.doctor import Finding
    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.gradebook.records import Result
    from gencourse.grading.judging.batch import Work
    from gencourse.grading.judging.session import Job
    from gencourse.grading.sandbox.backends import Sandbox

LOG_EVERY_S = 20  # between two lines on the progress in a log
console = Console()


def say(sentence: str, style: str = "") -> None:
    """A sentence, as it is, whatever it holds."""
    console.print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)


def table_of(*headings: str, title: str | None = None) -> "Table":
    """A table that breaks what is too long for a column, and cuts nothing off: the end of a path
    says which of two files it is.
    """
    from rich.table import Table

    made = Table(title=title)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def show_plan(work: "Work") -> None:
    """Who handed in what: a table, and nothing written."""
    from gencourse.grading.gradebook.printing import printable

    table = table_of("assignment", "student", "id", "file", "what it says")
    for job in work.jobs:
        one = job.submission
        said = one.problem.partition(": ")[2] or "; ".join(f"{f}: {text}" for f, text in one.flags)
        cells = (job.assignment.name, one.student, one.student_id, one.file, said)
        table.add_row(*(escape(printable(cell, 300)) for cell in cells))
    console.print(table)
    console.print("Nothing was written.")


def shown(results: "Iterable[tuple[Job, Result]]", count: int) -> "Iterator[tuple[Job, Result]]":
    """The results as they come, behind a bar with an estimate of the time that is left; in a log,
    which shows no bar, a line now and then says how many are done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("graded"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("about"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("graded", total=count)
        said = monotonic()
        for done, (job, result) in enumerate(results, 1):
            yield job, result
            progress.advance(bar)
            if not console.is_terminal and monotonic() - said >= LOG_EVERY_S:
                said = monotonic()
                say(f"{done} of {count} graded, at {strftime('%H:%M:%S')}.")


def finish(book: "Gradebook") -> None:
    """The CSV, the reports, and a few lines on the class."""
    from gencourse.grading.gradebook import export as exports
    from gencourse.grading.gradebook import report as reports
    from gencourse.grading.gradebook.printing import printable

    table = table_of("assignment", "status", "submissions", "mean points")
    rows = book.rows()
    for name in sorted({row.assignment for row in rows}):
        for status in sorted({row.status for row in rows if row.assignment == name}):
            those = [row for row in rows if row.assignment == name and row.status == status]
            points = [row.points for row in those if row.points is not None]
            mean = (
                f"{sum(points) / len(points):.1f} of {max(row.out_of for row in those):g}"
                if points
                else ""
            )
            table.add_row(name, status, str(len(those)), mean)
    console.print(table)
    for problem in book.problems():
        console.print(printable(problem), style="yellow", highlight=False, markup=False)
    sheet, failed = book.folder / "grades.csv", []
    # the pages first: the sheet is what a teacher may have open in another program
    for write in (
        lambda: reports.write_reports(book, book.folder / "reports"),
        lambda: exports.long_csv(book, sheet),
    ):
        try:
            console.print(f"{write()}", highlight=False, soft_wrap=True)
        except NotWritten as error:
            failed.append(str(error))
    if failed:
        raise NotWritten("\n".join(failed))


def show_findings(findings: "Iterable[Finding]") -> None:
    """A line for each thing that was looked at, with a command below what is off; exit status 1 if
    anything is.
    """
    style = {"ok": "green", "note": "yellow", "off": "bold red"}
    wrong = 0
    for found in findings:
        wrong += found.state == "off"
        console.print(f"[{style[found.state]}]{found.state:4}[/] {found.about:11} ", end="")
        console.print(found.said, highlight=False, markup=False, soft_wrap=True)
        if found.command:
            console.print(
                f"     {'run':11} {found.command}", style="bold", markup=False, soft_wrap=True
            )
    console.print(
        f"{wrong} of these should be put right." if wrong else "All is well.", highlight=False
    )
    if wrong:
        raise typer.Exit(1)


def show_escapes(wall: "Sandbox") -> None:
    """A table of escapes; exit status 1 if one succeeded."""
    from gencourse.grading.sandbox import selftest as escapes

    table = table_of("attempt", "outcome", "what it met", title=f"sandbox: {wall.kind}")
    free = 0
    with console.status("trying to get out"):
        for finding in escapes.probe(wall):
            free += not finding.contained
            table.add_row(
                finding.name,
                "[green]held[/]" if finding.contained else "[bold red]ESCAPED[/]",
                finding.said[:80],
            )
    console.print(table)
    if free:
        raise typer.Exit(1)
