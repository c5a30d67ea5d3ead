"""Grades filled into the sheets that Canvas and Moodle export.

A learning platform reads back only what it wrote itself, so a sheet is never made up: one that was
exported is read, its cells are kept as they are, quotes and line ends included, and only the cells
that take a grade are replaced.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from gencourse.checks import as_html
from gencourse.errors import InputError, describe
from gencourse.grading.gradebook.book import Gradebook, Row
from gencourse.grading.gradebook.printing import CELL, NO_SANDBOX, guarded, number, printable
from gencourse.grading.gradebook.sheets import NAME, Pairs, Sheet, pair_up

CANVAS_OWN = re.compile(
    r"^(Student|LastName|FirstName|ID|SIS User ID|SIS Login ID|Integration ID|Root Account"
    r"|Section)$"
    r"|(Current|Final|Override) (Score|Points|Grade|Status)"
)


def _rows(gradebook: Gradebook, where: str, assignment: str) -> list[Row]:
    if rows := gradebook.table(assignment):
        return rows
    known = ", ".join(gradebook.rosters()) or "none"
    raise InputError(
        f"{where}: assignment should be a graded one ({known}), got {describe(assignment)}. Grade "
        "it first."
    )


def _say(sentence: str, names: Iterable[str]) -> list[str]:
    """The sentence with its names, or nothing if there are none."""
    listed = "; ".join(printable(name, 60) for name in names)
    return [f"{sentence}: {listed}."] if listed else []


def _grade(row: Row, unfinished: bool) -> float | None:
    """The points to be written, None where there are none yet."""
    return row.points if unfinished or not row.waiting else None


def _sentences(rows: list[Row], pairs: Pairs, left: Iterable[str], unfinished: bool) -> list[str]:
    """What a teacher should know about a filled sheet. `left` names the students of the sheet that
    found no partner.
    """
    found = [row for row, _ in pairs.values()]
    written = [row for row in found if _grade(row, unfinished) is not None]
    partners = {row.student for row in found}
    return [
        *_say(
            "Graded here, but not found in the sheet, or not without doubt",
            (row.student for row in rows if row.student not in partners),
        ),
        *_say("In the sheet, but not graded here", left),
        *_say(
            "Recognised by name only, so have a look",
            (row.student for row, key in pairs.values() if key == NAME),
        ),
        *_say(
            "Not graded yet, so left as it was",
            (row.student for row in found if row.points is None),
        ),
        *_say(
            "Waiting for points by hand, so left as it was",
            (r.student for r in found if r.points is not None and _grade(r, unfinished) is None),
        ),
        *_say(
            "No notebook that could be read, so with the points given by hand or none",
            (r.student for r in written if r.status != "graded"),
        ),
        *_say(NO_SANDBOX.capitalize(), (row.student for row in written if row.sandbox == "none")),
    ]


def _decimal(text: str) -> float | None:
    return float(text.replace(",", ".")) if re.fullmatch(r"\s*\d+([.,]\d+)?\s*", text) else None


def _decimals(texts: Iterable[str]) -> set[float]:
    return {value for value in map(_decimal, texts) if value is not None}


def _target(table: Sheet, column: str) -> int:
    """The column of an assignment in Canvas, "Essay (123)", for which "Essay" will do if there is
    only one.
    """
    places = [i for i, heading in enumerate(table.heading) if heading == column.strip()]
    places = places or [
        i
        for i, heading in enumerate(table.heading)
        if re.sub(r" \(\d+\)$", "", heading) == column.strip()
    ]
    wanted = f"{table.where}: column should name one column of the sheet"
    if len(places) != 1:
        some = (
            ", ".join(heading for heading in table.heading if not CANVAS_OWN.search(heading))
            or "none"
        )
        raise InputError(
            f"{wanted}, got {describe(column)}, which {len(places)} have. Choose one of: "
            f"{printable(some, 400)}."
        )
    (place,) = places
    read_only = any(
        "read only" in table.value(line, place) for line in range(1, min(4, len(table.cells)))
    )
    if read_only or CANVAS_OWN.search(table.heading[place]):
        raise InputError(
            f"{wanted} that takes grades, got {describe(column)}, which Canvas keeps itself. "
            "Name an "
            "assignment."
        )
    return place


def fill_canvas(
    gradebook: Gradebook,
    sheet: str | Path,
    column: str,
    path: str | Path | None,
    assignment: str,
    unfinished: bool = False,
) -> list[str]:
    """Write the points of an assignment into one column of a gradebook exported from Canvas, to a
    new file; say what to look at.

    Who has no grade, or (unless `unfinished`) waits for points by hand, keeps the cell as it was,
    and so do the excused. Without a path nothing is written, and it is said who will get what.
    """
    rows = _rows(gradebook, "fill_canvas", assignment)
    table = Sheet(
        "fill_canvas", sheet, ("ID",), "Export the gradebook in Canvas and pass that file."
    )
    target = _target(table, column)
    student, last, first = (table.column(name) for name in ("Student", "LastName", "FirstName"))

    def name(line: int) -> str:
        return (
            table.value(line, student)
            if last is None
            else f"{table.value(line, last)}, {table.value(line, first)}"
        )

    keys = [(key, table.reader(key)) for key in ("ID", "SIS Login ID", "SIS User ID")] + [
        (NAME, name)
    ]
    possible = [
        line
        for line in range(1, len(table.cells))
        if table.value(line, 0).strip() == "Points Possible"
    ]
    people = [
        line
        for line in range(1, len(table.cells))
        if line not in possible and name(line).strip(" ,") not in ("", "Student, Test")
    ]
    pairs = pair_up(rows, people, keys)
    excused, preview = [], []
    for line, (row, _) in sorted(pairs.items()):
        if table.value(line, target).strip() in ("EX", "N/A"):
            excused.append(row.student)
        elif _grade(row, unfinished) is not None:
            preview.append(_change(name(line), table.value(line, target), row))
            table.set(line, target, number(row.points))
    if path is not None:
        table.save(path)
    most = _decimals(table.value(line, target) for line in possible)
    out_of = max(row.out_of for row in rows)
    other = (
        [f"Canvas has {number(max(most))} points possible, the gradebook {number(out_of)}."]
        if most and most != {out_of}
        else []
    )
    left = (name(line) for line in people if line not in pairs)
    return (
        (preview if path is None else [])
        + other
        + _say("Excused in Canvas or not assigned, so left as it was", excused)
        + _sentences(rows, pairs, left, unfinished)
    )


def fill_moodle(
    gradebook: Gradebook,
    sheet: str | Path,
    path: str | Path | None,
    assignment: str,
    unfinished: bool = False,
) -> list[str]:
    """Write points and feedback of an assignment into Moodle's offline grading worksheet, to a new
    file; say what to look at.

    Points and feedback go together, since Moodle takes feedback without a grade for a grade that
    was taken back. Without a path nothing is written, and it is said who will get what.
    """
    rows = _rows(gradebook, "fill_moodle", assignment)
    advice = (
        "Download the grading worksheet in Moodle, with the language set to English, and pass that "
        "file."
    )
    table = Sheet("fill_moodle", sheet, ("Identifier", "Grade"), advice)
    grade, feedback = table.heading.index("Grade"), table.column("Feedback comments")
    most, open_ = table.reader("Maximum grade"), table.reader("Grade can be changed")
    identifier, name = table.reader("Identifier"), table.reader("Full name")
    keys = [("Identifier", lambda line: "".join(re.findall(r"\d+$", identifier(line))))]
    keys += [(key, table.reader(key)) for key in ("Email address", "ID number")] + [(NAME, name)]
    people = [line for line in range(1, len(table.cells)) if identifier(line).strip()]
    pairs = pair_up(rows, people, keys)
    locked, beyond, preview = [], [], []
    for line, (row, _) in sorted(pairs.items()):
        points = _grade(row, unfinished)
        if points is None:
            continue
        if open_(line).strip() == "No":
            locked.append(row.student)
            continue
        if points > (_decimal(most(line)) or points):
            beyond.append(row.student)
        preview.append(_change(name(line), table.value(line, grade), row))
        table.set(line, grade, number(points))
        if feedback is not None:
            table.set(line, feedback, guarded(_feedback(row)))
    if path is not None:
        table.save(path)
    limits = _decimals(most(line) for line in people)
    out_of = max(row.out_of for row in rows)
    other = (
        [f"Moodle's maximum grade is {number(max(limits))}, the gradebook's {number(out_of)}."]
        if limits and limits != {out_of}
        else []
    )
    if feedback is None:
        other += [
            "The sheet has no column Feedback comments, so only grades were written. Switch that "
            "feedback type on in Moodle."
        ]
    other += _say("More points than Moodle's maximum, so Moodle will pass them over", beyond)
    other += _say("Locked in Moodle, so left as it was", locked)
    left = (name(line) or identifier(line) for line in people if line not in pairs)
    first = preview if path is None else []
    return first + other + _sentences(rows, pairs, left, unfinished)


def _change(name: str, before: str, row: Row) -> str:
    """A line of the preview: who will get what, and what stands there now."""
    known = before.strip() not in ("", "-")
    said = f"{printable(name, 60)}: {number(row.points)}"
    return said + (f" (now {before.strip()})" if known else "")


def _feedback(row: Row) -> str:
    """What a student reads in Moodle, which takes it for HTML."""
    lines = [
        f"{number(row.points)} of {number(row.out_of)} points"
        + (f", {NO_SANDBOX}" if row.sandbox == "none" else "")
    ]
    if row.off:
        lines.append(f"{number(row.off)} points less, since it was late")
    lines += [row.comment, "" if row.status == "graded" else row.reason]
    for task in row.tasks:
        points = f"{number(task.points) or 'no points yet'} of {number(task.out_of)}"
        line = f"{task.name}: {task.status}, {points}"
        lines.append(". ".join(filter(None, (line, printable(task.message, 500), task.comment))))
    return as_html(printable("\n".join(filter(None, lines)), CELL // 2))
