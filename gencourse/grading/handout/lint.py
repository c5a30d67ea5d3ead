"""What should be mended in an instructor's notebook before it is released, in sentences. Stricter
than nbgrader.
"""

import copy
import math
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from gencourse.errors import InputError
from gencourse.grading.handout.nbgrader_format import (
    FLAGS,
    HOMES,
    MENTION,
    answer_of,
    flag,
    imported_checks,
    is_check,
    marker,
    nbgrader_metadata,
    place,
)

KEYS = {"schema_version", "grade_id", "points", "checksum", "cell_type", *FLAGS}
AUTOTEST = (
    "a test should be written out, got AUTOTEST, which only nbgrader can expand. Write the test, "
    "or word it otherwise."
)


def lint(notebook: NotebookNode) -> list[str]:
    """The problems of a notebook, one sentence each: the cell, what it should be, what it was, what
    to do.
    """
    found = [
        f"notebook: {problem}"
        for problem in (*language_problems(notebook), *_state_problems(notebook))
    ]
    cells, checks = copy.deepcopy(notebook.cells), imported_checks(notebook)
    ids: dict[str, int] = {}
    for number, cell in enumerate(cells, 1):
        try:
            cell.metadata.update(nbgrader_metadata(cell, checks, place(number, cell)))
        except InputError as error:
            found.append(str(error))
    for i, cell in enumerate(cells):
        problems = [*_marker_problems(cell), *_source_problems(cell)]
        if any(flag(cell, name) for name in FLAGS):
            problems += _metadata_problems(cell)
            name = str(cell.metadata["nbgrader"].get("grade_id"))
            if (first := ids.setdefault(name, i)) != i:
                problems.append(
                    f"grade_id should be unique, got {name!r}, which cell {first + 1} has too. "
                    "Rename one."
                )
        elif _asserts(cell) and any(flag(before, "solution") for before in cells[:i]):
            problems.append(
                "a test should say what it is worth, got a cell without nbgrader metadata. Add "
                "grade_id, grade and points."
            )
        if is_check(cell) and ((answer := answer_of(cells, i)) is None or answer > i):
            got = "no answer before it" if answer is None else f"its answer in cell {answer + 1}"
            problems.append(f"a check should follow its answer, got {got}. Move one of the two.")
        found += [f"{place(i + 1, cell)}: {problem}" for problem in problems]
    return found


def nested(kind: str, outer: str) -> str:
    """The sentence on a region that begins inside another."""
    return (
        f"a region {outer} should end before the next one, got BEGIN {kind} inside it. Add END "
        f"{outer} before."
    )


def unclosed(kind: str) -> str:
    """The sentence on a region that does not end."""
    return (
        f"BEGIN {kind} should be followed by END {kind}, got the end of the cell. Add the marker."
    )


def homeless(kind: str) -> str:
    """The sentence on a region in a cell that may not hold it."""
    home = {"SOLUTION": "an answer", "HIDDEN TESTS": "a graded cell", "MARK SCHEME": "a task"}[kind]
    return (
        f"BEGIN {kind} should stand in {home}, got a cell without the flag {HOMES[kind]}. Add "
        "nbgrader metadata, or word it otherwise."
    )


def language_problems(notebook: NotebookNode) -> Iterator[str]:
    """Stubs are Python."""
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        yield f"its language should be python, got {language!r}. Choose a Python kernel."


def _state_problems(notebook: NotebookNode) -> Iterator[str]:
    if "widgets" in notebook.metadata:
        yield (
            "its metadata should hold no state of widgets, got some, and it may show answers. "
            "Clear all outputs and save it."
        )


def _asserts(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(
        re.match(r"(?:[ \t]*(?:#.*)?\n)*assert\b", cell.source)
    )


def _marker_problems(cell: NotebookNode) -> Iterator[str]:
    opened = None
    for line in cell.source.split("\n"):
        found = marker(cell, line)
        if not found:
            if mention := MENTION.search(line):
                yield (
                    f"{mention[0]} should stand on a line of its own, as a comment, got "
                    f"{line.strip()!r}. Graders cut here: word it otherwise."
                )
            continue
        edge, kind = found.groups()
        if edge == "BEGIN":
            if opened:
                yield nested(kind, opened)
            if not flag(cell, HOMES[kind]):
                yield homeless(kind)
            opened = kind
        elif opened == kind:
            opened = None
        else:
            yield (
                f"END {kind} should follow BEGIN {kind}, got it "
                f"{'inside ' + opened if opened else 'alone'}. "
                "Add or remove a marker."
            )
    if opened:
        yield unclosed(opened)


def _source_problems(cell: NotebookNode) -> Iterator[str]:
    if cell.cell_type == "code" and "AUTOTEST" in cell.source:
        yield AUTOTEST
    if (
        flag(cell, "solution")
        and "BEGIN SOLUTION" not in cell.source
        and re.search("YOUR (CODE|ANSWER) HERE", cell.source)
    ):
        yield (
            "an answer should be the instructor's, got a stub, of which a release would keep no "
            "more. Choose the notebook with the answers."
        )
    if cell.get("attachments") and flag(cell, "solution"):
        yield (
            "an answer should hold no attached files, got some, and they would be released with "
            "it. Remove them."
        )


def _metadata_problems(cell: NotebookNode) -> Iterator[str]:
    about = cell.metadata["nbgrader"]
    name, points = about.get("grade_id"), about.get("points")
    if about.get("schema_version") != 3:
        yield (
            f"schema_version should be 3, got {about.get('schema_version')!r}. Run nbgrader update."
        )
    if missing := [key for key in FLAGS[:3] if key not in about]:
        yield (
            f"nbgrader metadata should have the flag {missing[0]}, got none. Add it, true or false."
        )
    if unknown := sorted(set(about) - KEYS):
        yield (
            f"nbgrader metadata should have no other keys, got {', '.join(unknown)}. Put them "
            "beside nbgrader, not into it."
        )
    if wrong := [key for key in FLAGS if not isinstance(about.get(key, False), bool)]:
        yield f"{wrong[0]} should be true or false, got {about[wrong[0]]!r}. Correct it."
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        yield f"grade_id should be made of letters, digits, _ and -, got {name!r}. Rename it."
    if flag(cell, "grade") or flag(cell, "task"):
        number = isinstance(points, int | float) and not isinstance(points, bool)
        if not number or not math.isfinite(points) or points <= 0:
            yield f"points should be a number above 0, got {points!r}. Say what the cell is worth."
    if is_check(cell) and not flag(cell, "locked"):
        yield "a check should be locked, got locked: false. Set it to true."
    if flag(cell, "task") and cell.cell_type != "markdown":
        yield f"a task should be a markdown cell, got {cell.cell_type}. Change the type."
    if cell.cell_type != "code" and flag(cell, "grade") != flag(cell, "solution"):
        yield (
            "a written answer should have both flags, grade and solution, got one of them. Set "
            "the other."
        )
