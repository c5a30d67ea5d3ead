"""What is done with a gradebook, as commands. What they need is imported when they are called."""

from pathlib import Path
from typing import Annotated

import typer

from gencourse.console import console, finish, say, table_of
from gencourse.errors import InputError

GradebookFolder = Annotated[Path, typer.Argument(help="The folder that `gencourse grade` filled.")]


def points(
    gradebook: GradebookFolder,
    student: Annotated[str, typer.Argument(help="Whose; leave it out with --from.")] = "",
    assignment: Annotated[str, typer.Argument(help="Of which assignment.")] = "",
    task: Annotated[
        str, typer.Argument(help="The name of the task; '' for the whole submission.")
    ] = "",
    points: Annotated[
        float | None,
        typer.Argument(help="Points by hand. They win over the judge's, now and after a regrade."),
    ] = None,
    comment: Annotated[str, typer.Option(help="Shown in the student's report.")] = "",
    clear: Annotated[
        bool, typer.Option("--clear", help="Forget what was given by hand before.")
    ] = False,
    table: Annotated[
        Path | None,
        typer.Option("--from", help="A table of marks: student, task, points, comment."),
    ] = None,
    of: Annotated[
        str, typer.Option("--assignment", help="The assignment of the table's marks.")
    ] = "",
) -> None:
    """Give points or a comment by hand, or take over a table of them."""
    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.gradebook.questions import read_table

    book = Gradebook(gradebook)
    if table is not None:
        known = list(book.rosters())
        name = of or (known[0] if len(known) == 1 else "")
        if not name:
            raise InputError(
                f"points: --assignment should name one of {', '.join(known) or 'none'}, got none."
            )
        say(f"{book.grade_table(name, read_table(table))} marks taken over from {table}.")
    elif not student or not assignment:
        raise InputError(
            "points: student and assignment should be named, got neither. Say: gencourse points "
            "GRADEBOOK STUDENT ASSIGNMENT TASK POINTS, or: --from marks.csv"
        )
    else:
        book.grade_by_hand(student, assignment, task, points, comment, clear)
    finish(book)


def questions(
    gradebook: GradebookFolder,
    assignment: Annotated[str, typer.Argument(help="Which assignment.")],
    to: Annotated[
        Path | None, typer.Option(help="The page to write; in reports/ if none is given.")
    ] = None,
) -> None:
    """Write a page on which open questions are graded side by side, and that makes marks.csv."""
    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.gradebook.questions import write_questions

    say(str(write_questions(Gradebook(gradebook), assignment, to)))


def late(
    gradebook: GradebookFolder,
    assignment: Annotated[str, typer.Argument(help="Which assignment.")],
    percent: Annotated[float, typer.Argument(help="Of its points, that a late one loses.")],
) -> None:
    """Say what late submissions lose; 0 forgets it. Who is excused gets points on the whole."""
    from gencourse.grading.gradebook.book import Gradebook

    book = Gradebook(gradebook)
    book.set_late(assignment, percent)
    finish(book)


def similar(
    gradebook: GradebookFolder,
    assignment: Annotated[str, typer.Argument(help="Which assignment.")],
) -> None:
    """List answers of different students that are alike, of functions long enough for that."""
    from rich.markup import escape

    from gencourse.grading.gradebook.book import Gradebook
    from gencourse.grading.gradebook.printing import printable
    from gencourse.grading.gradebook.similarity import similar as pairs_of

    table = table_of("task", "student", "and student", "alike", "nodes")
    pairs = pairs_of(Gradebook(gradebook).rows(assignment))
    for pair in pairs:
        names = (escape(printable(text, 60)) for text in (pair.task, pair.first, pair.second))
        table.add_row(*names, f"{pair.share:.0%}", str(pair.length))
    console.print(table)
    say(f"{len(pairs)} pairs. They are a reason to look, and no proof.")


def export(
    gradebook: GradebookFolder,
    to: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    assignment: Annotated[str, typer.Option(help="Which assignment, for Canvas and Moodle.")] = "",
    canvas: Annotated[
        Path | None, typer.Option(help="A gradebook exported from Canvas, to be filled in.")
    ] = None,
    column: Annotated[str, typer.Option(help="The column of the Canvas sheet.")] = "",
    moodle: Annotated[
        Path | None,
        typer.Option(help="A grading worksheet downloaded from Moodle, to be filled in."),
    ] = None,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Also write grades that wait for points by hand.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say who will get what, and who is missing.")
    ] = False,
) -> None:
    """Write the grades as CSV, or fill in the sheet that Canvas or Moodle exported."""
    from gencourse.grading.gradebook import export as exports
    from gencourse.grading.gradebook import platforms
    from gencourse.grading.gradebook.book import Gradebook

    book = Gradebook(gradebook)
    if dry_run and not (canvas or moodle):
        raise InputError("export: --dry-run should come with --canvas or --moodle, got neither.")
    if to is None and not dry_run:
        raise InputError("export: --to should name the file to write, got none. Name one.")
    target = None if dry_run else to
    if canvas and moodle:
        raise InputError(
            "export: the sheet should be Canvas's or Moodle's, got both. Fill in one after the "
            "other."
        )
    said: list[str] = []
    if canvas:
        said = platforms.fill_canvas(book, canvas, column, target, assignment, unfinished)
    elif moodle:
        said = platforms.fill_moodle(book, moodle, target, assignment, unfinished)
    elif to is not None:
        exports.long_csv(book, to)
    for sentence in [*said, "Nothing was written." if dry_run else str(to)]:
        say(sentence)


def report(gradebook: GradebookFolder) -> None:
    """Write the CSV and the HTML reports anew."""
    from gencourse.grading.gradebook.book import Gradebook

    finish(Gradebook(gradebook))
