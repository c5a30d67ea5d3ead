"""How a notebook says what is an answer, what is a check and what is hidden: nbgrader's markers and
cell metadata, schema 3.
"""

import ast
import copy
import hashlib
import importlib
import re
from pathlib import Path

from nbformat import NotebookNode

from gencourse.checks import Exercise
from gencourse.errors import InputError
from gencourse.grading.handout.author_modules import author_modules, make_importable

FLAGS = ("grade", "solution", "locked", "task")
HOMES = {
    "SOLUTION": "solution",
    "HIDDEN TESTS": "grade",
    "MARK SCHEME": "task",
}  # the flag of the cells that may hold a region
MENTION = re.compile(rf"(BEGIN|END) ({'|'.join(HOMES)})")
MARKER = {
    "code": re.compile(rf"[ \t]*#\W*{MENTION.pattern}\W*"),
    "prose": re.compile(rf"\W*{MENTION.pattern}\W*"),
}
IMPORTED_CHECKS = re.compile(
    r"^(?:from gencourse\.checks import (?:.*, )?|import gencourse\.checks\.)(\w+) as check\b", re.M
)
OWN_CHECKS = re.compile(r"^import (\w+) as check\b", re.M)
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.M)


def flag(cell: NotebookNode, name: str) -> bool:
    """A flag of nbgrader's metadata: grade, solution, locked or task. False if there are none."""
    return cell.metadata.get("nbgrader", {}).get(name, False)


def is_check(cell: NotebookNode) -> bool:
    """Whether a cell is graded by running it: graded, and nothing that learners write."""
    return flag(cell, "grade") and not flag(cell, "solution")


def is_locked(cell: NotebookNode) -> bool:
    """Whether a grader puts the instructor's text back: checks always, answers never, other cells
    if they say so.
    """
    return not flag(cell, "solution") and (flag(cell, "grade") or flag(cell, "locked"))


def marker(cell: NotebookNode, line: str) -> re.Match | None:
    """A line that is nothing but a marker: group 1 is BEGIN or END, group 2 the kind of region. In
    code it is a comment.
    """
    return MARKER["code" if cell.cell_type == "code" else "prose"].fullmatch(line)


def place(number: int, cell: NotebookNode) -> str:
    """A cell's name in a message: its number from 1, and its grade_id or its first line."""
    return (
        f"cell {number} ({cell.metadata.get('nbgrader', {}).get('grade_id') or first_line(cell)})"
    )


def first_line(cell: NotebookNode) -> str:
    """The first line of a cell that is not empty, shortened."""
    line = next((line.strip() for line in cell.source.split("\n") if line.strip()), "empty")
    return line if len(line) <= 40 else line[:37] + "..."


def checksum(cell: NotebookNode) -> str:
    """nbgrader's checksum: MD5 of source, type, flags, id, and points if there are any."""
    about = cell.metadata["nbgrader"]
    parts = [
        cell.source,
        cell.cell_type,
        *map(str, (flag(cell, "grade"), flag(cell, "solution"), is_locked(cell))),
        about["grade_id"],
    ]
    if flag(cell, "grade"):
        parts.append(str(float(about["points"])))
    return hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()


def answer_of(cells: list[NotebookNode], check: int) -> int | None:
    """The place of the answer that the check at place `check` is about, or None.

    It is the answer whose id begins the check's, `loss` for `loss_check`; if there is none, the
    last one before it.
    """
    name = str(cells[check].metadata["nbgrader"].get("grade_id"))
    answers = {
        i: str(cell.metadata["nbgrader"].get("grade_id"))
        for i, cell in enumerate(cells)
        if flag(cell, "solution")
    }
    named = [i for i, answer in answers.items() if name.startswith(f"{answer}_")]
    return (
        max(named, key=lambda i: len(answers[i]))
        if named
        else max((i for i in answers if i < check), default=None)
    )


def with_metadata(notebook: NotebookNode) -> NotebookNode:
    """A copy that has nbgrader's metadata also where the author left them out; what an author gave
    is kept.

    A cell with BEGIN SOLUTION that defines a name is the answer NAME. A cell `check.NAME(NAME)` is
    its check NAME_check, with the points of the exercise. Of other metadata without a
    schema_version the missing flags are filled in.
    """
    made = copy.deepcopy(notebook)
    checks = imported_checks(notebook)
    for number, cell in enumerate(made.cells, 1):
        cell.metadata.update(nbgrader_metadata(cell, checks, place(number, cell)))
    return made


def nbgrader_metadata(cell: NotebookNode, checks: str | None, where: str) -> dict:
    """The metadata that a cell lacks, {} if it lacks none. `checks` is what the notebook imports as
    `check`.
    """
    given = cell.metadata.get("nbgrader")
    if given is not None:
        flags = dict.fromkeys(FLAGS, False) | {
            "locked": bool(given.get("grade")) and not given.get("solution")
        }
        return (
            {}
            if "schema_version" in given
            else {"nbgrader": {"schema_version": 3, **flags, **given}}
        )
    if cell.cell_type != "code":
        return {}
    if begin := re.search(r"^[ \t]*#[^\w\n]*BEGIN SOLUTION", cell.source, re.M):
        line = cell.source.count("\n", 0, begin.start()) + 1
        kind = {"grade_id": _defined_name(cell.source, line, where), "solution": True}
    elif called := re.match(r"check\.(\w+)\(", cell.source):
        if not re.match(rf"check\.{called[1]}\({called[1]}\)", cell.source):
            raise InputError(
                f"{where}: a check should be check.{called[1]}({called[1]}), got "
                f"{first_line(cell)}. Correct the call."
            )
        kind = {
            "grade_id": f"{called[1]}_check",
            "grade": True,
            "locked": True,
            "points": _exercise(called[1], checks, where).points,
        }
    else:
        return {}
    closed = {"editable": False, "deletable": False} if "locked" in kind else {}
    return {"nbgrader": {"schema_version": 3, **dict.fromkeys(FLAGS, False), **kind}, **closed}


def imported_checks(notebook: NotebookNode) -> str | None:
    """The module that the notebook imports as `check`: "gencourse.checks.vae", or a module of the
    author's own.
    """
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for prefix, pattern in (("gencourse.checks.", IMPORTED_CHECKS), ("", OWN_CHECKS)):
        if found := next((match[1] for match in map(pattern.search, sources) if match), None):
            return prefix + found
    return None


def import_own_checks(notebook: NotebookNode, folder: Path) -> None:
    """Import the author's own module of checks from the notebook's folder, if the notebook names
    one.
    """
    name = imported_checks(notebook)
    make_importable(author_modules(folder, [name] if name else [])[0])


def _defined_name(source: str, line: int, where: str) -> str:
    """The name that the statement around or after a line defines: a function, a class or a
    variable.
    """
    try:
        statements = ast.parse(MAGIC.sub("", source)).body
    except SyntaxError as error:
        raise InputError(
            f"{where}: an answer should be valid Python, got {error.msg} in line "
            f"{error.lineno}. Mend it."
        ) from error
    for node in statements:
        if (node.end_lineno or node.lineno) >= line:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                return node.name
            targets = (
                [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            )
            if targets and isinstance(targets[0], ast.Name):
                return targets[0].id
    raise InputError(
        f"{where}: an answer should define a name, got none. Define one, or give the cell "
        "metadata with a grade_id."
    )


def _exercise(name: str, checks: str | None, where: str) -> Exercise:
    if checks is None:
        raise InputError(
            f"{where}: its exercise should be known, got no `from gencourse.checks import ... "
            "as check`. Add this line."
        )
    try:
        found = getattr(importlib.import_module(checks), name, None)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{where}: its exercise should be in {checks}, got no such module. Correct the "
            "import, or put the module beside the notebook."
        ) from error
    if not isinstance(found, Exercise):
        raise InputError(
            f"{where}: {name} should be an exercise of {checks}, got none. Correct the name."
        )
    return found
