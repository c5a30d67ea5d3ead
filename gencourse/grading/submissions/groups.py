"""Groups: one member hands in, and all get the points."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gencourse.errors import InputError
from gencourse.grading.submissions.choose import Submission
from gencourse.grading.submissions.names import folded, nfc

Students = list[tuple[str, str]]  # name and number
Groups = dict[str, list[str]]  # the name of a group -> its members


def read_groups(path: Path) -> Groups:
    """The groups in a table with the columns student and group."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"grade: --groups should be a table in UTF-8, got {path} ({error}). Look at the file."
        ) from None
    delimiter = ";" if text.partition("\n")[0].count(";") else ","
    found: Groups = {}
    for line in csv.DictReader(text.splitlines(), delimiter=delimiter):
        cells = {(name or "").strip().lower(): (cell or "") for name, cell in line.items() if name}
        if not {"student", "group"} <= cells.keys():
            raise InputError(
                f"grade: --groups should have the columns student and group, got {path.name} with "
                f"{', '.join(cells) or 'none'}. Name them so in the first line."
            )
        student, group = nfc(cells["student"].strip()), nfc(cells["group"].strip())
        if student and group:
            found.setdefault(group, []).append(student)
    often = [s for s in (m for ms in found.values() for m in ms)]
    if twice := sorted({s for s in often if often.count(s) > 1}):
        raise InputError(
            f"grade: --groups should name a student once, got {', '.join(twice)[:200]} in several "
            "groups. Correct the table."
        )
    return found


def shared(
    submissions: list[Submission], groups: Groups, notes: list[str]
) -> Iterator[tuple[Submission, Students]]:
    """Each submission with the students whom it counts for; [] for the one who handed it in.

    Of several notebooks of a group the newest is taken.
    """
    by_name = {folded(one.student): one for one in submissions}
    used: set[str] = set()
    for group, members in groups.items():
        names = [folded(name) for name in (group, *members)]
        handed = [by_name[name] for name in names if name in by_name]
        used |= {folded(one.student) for one in handed}
        if not handed:
            notes.append(f"Nobody of the group {group} has handed in.")
            continue
        best = min(handed, key=lambda one: (bool(one.problem), -one.changed, one.student))
        others = [one.student for one in handed if one is not best and not one.problem]
        if others:
            notes.append(
                f"Group {group}: the notebook of {best.student} counts, not that of "
                f"{', '.join(others)}."
            )
        numbers = {folded(one.student): one.student_id for one in handed}
        flag = ("group", f"Handed in by {best.student} for the group {group}.")
        made = replace(best, flags=(*best.flags, flag))
        yield made, [(member, numbers.get(folded(member), "")) for member in members]
    for one in submissions:
        if folded(one.student) not in used:
            yield one, []
