"""An assignment: the notebook that was handed out, and what is judged in it."""

import ast
import hashlib
import importlib
import json
import re
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from gencourse.checks import Exercise
from gencourse.errors import InputError
from gencourse.grading.handout import release
from gencourse.grading.handout.author_modules import author_modules, make_importable
from gencourse.grading.handout.cell_source import defined, first_line, parsed, python_of, tidy

PACKAGE = Path(__file__).parents[2]
ENGINE = 4  # raised when the grader itself would come to other points
CALL = re.compile(r"\s*(\w+)\.(\w+)\(\s*(\w+)\s*\)\s*(?:;\s*)?$")  # check.NAME(NAME)
WORTH = re.compile(r"#.*?(\d+(?:\.\d+)?)\s*(?:points?|pts?)\b", re.I)


@dataclass(frozen=True)
class Assertion:
    """A statement of a graded cell. `hidden`: the handout does not show it. `points`: where the
    author says what it is worth.
    """

    source: str
    hidden: bool = False
    points: float | None = None


@dataclass(frozen=True)
class Task:
    """One thing that has points.

    `kind`: judged outside the box, by assertions in the kernel, or by hand. `bonus`: points that
    count, and that nobody needs.
    """

    name: str
    kind: str
    points: float
    source: str  # of the graded cell
    module: str = ""  # that defines the Exercise, where kind is "outside"
    assertions: tuple[Assertion, ...] = ()  # where kind is "kernel"
    bonus: bool = False


@dataclass(frozen=True)
class Cell:
    """A code cell of the notebook that was handed out. `role`: answer, check, or given."""

    source: str
    role: str
    grade_id: str
    name: str  # what an answer defines, as far as the cell says


@dataclass(frozen=True)
class Assignment:
    """What was handed out.

    `modules` holds the sources of check modules that are not the course's own, and of `probes`,
    which they import. `solved` and `chapter` are digests of the code cells of the worked answers
    and of the chapter, where they lie beside the handout.
    """

    name: str
    cells: tuple[Cell, ...]
    tasks: tuple[Task, ...]
    checks: tuple[str, ...]  # modules that the box must not hold
    modules: tuple[tuple[str, str], ...]
    probes: tuple[tuple[str, str], ...]  # those modules that the box must hold
    version: str
    solved: frozenset[str] = frozenset()
    chapter: frozenset[str] = frozenset()
    outline: tuple[tuple[str, str], ...] = ()  # (id, source) of each cell, of text too, in order

    @property
    def out_of(self) -> float:
        """The points that can be had without a bonus."""
        return sum(task.points for task in self.tasks if not task.bonus)


def digest(source: str) -> str:
    """What a code cell says, but for white space, in a few digits."""
    return hashlib.sha256(tidy(source).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def handed_out() -> list[Path]:
    """The released notebooks in the folder exercises/, where no assignment is named."""
    found = sorted(Path("exercises").glob("[!.]*.ipynb"))
    if not found:
        raise InputError(
            "grade: --assignment should be the notebook that was handed out, got none, and there "
            "is no folder exercises here. Name it, or give the command in the folder of the clone."
        )
    return found


def load(path: Path) -> Assignment:
    """Read an assignment: the released notebook, or the instructor's source, which also holds the
    hidden tests.

    A module of checks that is not the course's own is looked for beside the notebook.
    """
    path = Path(path)
    source = release.read(path)
    marked = any(
        f"### BEGIN {kind}" in cell.source
        for cell in source.cells
        for kind in ("SOLUTION", "HIDDEN TESTS")
    )
    stubs = release.released(source).cells if marked else release.with_metadata(source).cells
    tests = release.solved(source).cells if marked else stubs
    aliases = imported_checks([cell.source for cell in stubs if cell.cell_type == "code"])
    modules, probes = author_modules(path.parent, aliases.values())
    make_importable(modules)
    cells, tasks = [], []
    for stub, test in zip(stubs, tests, strict=True):
        about = stub.metadata.get("nbgrader", {})
        if about.get("grade"):
            tasks.append(task_of(stub, test, aliases))
        if stub.cell_type == "code":
            cells.append(cell_of(stub))
    if not tasks:
        raise InputError(
            f"load: {path.name} should have graded cells, got none. Was it made by `gencourse "
            "release`?"
        )
    checks = tuple(sorted({"gencourse.checks", *(task.module for task in tasks if task.module)}))
    used = "".join(sorted({source_of(task.module) for task in tasks if task.module}))
    plain = [[vars(cell) for cell in cells], [asdict(task) for task in tasks], modules, used]
    content = json.dumps([ENGINE, *plain])
    code = [cell.source for cell in tests if cell.cell_type == "code"]
    return Assignment(
        unicodedata.normalize("NFC", path.stem),
        tuple(cells),
        tuple(tasks),
        checks,
        modules,
        probes,
        hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        frozenset(map(digest, code)) if marked else beside(path, "solutions"),
        beside(path, "notebooks"),
        tuple(
            (stub.metadata.get("nbgrader", {}).get("grade_id", ""), stub.source) for stub in stubs
        ),
    )


def beside(path: Path, folder: str) -> frozenset[str]:
    """The digests of the code cells of the notebook of this name in a folder of the course."""
    other = path.parent.parent / folder / f"{path.stem}.ipynb"
    if path.parent.name == folder or not other.is_file():
        return frozenset()
    try:
        return frozenset(
            digest(cell.source) for cell in release.read(other).cells if cell.cell_type == "code"
        )
    except InputError:
        return frozenset()


def cell_of(stub: NotebookNode) -> Cell:
    """A code cell of the handout, and what it is there for."""
    about = stub.metadata.get("nbgrader", {})
    graded = about.get("grade") or CALL.match(stub.source)
    role = "answer" if about.get("solution") else "check" if graded else "given"
    name = next(iter(defined(stub.source)), "")
    return Cell(stub.source, role, about.get("grade_id", ""), name)


def task_of(stub: NotebookNode, test: NotebookNode, aliases: dict[str, str]) -> Task:
    """What a graded cell asks for. `test` is the cell with its hidden tests."""
    about = stub.metadata.get("nbgrader", {})
    bonus = bool(stub.metadata.get("gencourse", {}).get("bonus", False))
    points = float(about.get("points") or 0)
    if about.get("solution"):
        return Task(about["grade_id"], "manual", points, test.source, bonus=bonus)
    match = CALL.match(test.source)
    if match and match[2] == match[3] and match[1] in aliases:
        module = aliases[match[1]]
        exercise = exercise_of(module, match[2])
        points = points or exercise.points
        return Task(exercise.name, "outside", points, test.source, module, bonus=bonus)
    assertions = assertions_of(test.source, stub.source)
    return Task(about["grade_id"], "kernel", points, test.source, "", assertions, bonus)


def assertions_of(source: str, shown: str) -> tuple[Assertion, ...]:
    """The statements of a graded cell, those that are not in the text that is shown as hidden.

    An assertion whose last line ends in a comment such as `# 0.5 points` is worth so much. A cell
    that is no plain Python is one statement.
    """
    lines, visible = source.split("\n"), Counter(map(ast.unparse, parsed(shown).body))
    found = []
    for node in parsed(source).body if python_of(source) == source else []:
        said = ast.unparse(node)
        hidden = not visible[said]
        visible[said] -= not hidden
        own = lines[first_line(node) - 1 : node.end_lineno]
        rest = own[-1].encode()[node.end_col_offset :].decode()
        worth = WORTH.search(rest) if isinstance(node, ast.Assert) else None
        found.append(Assertion("\n".join(own), hidden, float(worth[1]) if worth else None))
    return tuple(found) or (Assertion(source, tidy(source) != tidy(shown)),)


def exercise_of(module: str, name: str) -> Exercise:
    """The registered exercise that judges a task."""
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name != module.split(".")[0]:
            raise
        raise InputError(
            f"load: the module of checks {module}.py should lie beside the assignment, got none. "
            "Put it there: grading needs it, also where learners do without."
        ) from error
    if not isinstance(found, Exercise):
        raise InputError(
            f"load: {module}.{name} should be an exercise of the checks, got "
            f"{type(found).__name__}. Is the name right?"
        )
    return found


def imported_checks(sources: list[str]) -> dict[str, str]:
    """The names under which modules are imported anywhere in the cells: alias -> module."""
    found: dict[str, str] = {}
    for source in sources:
        for node in ast.walk(parsed(source)):
            if isinstance(node, ast.Import):
                found |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {
                    alias.asname or alias.name: f"{node.module}.{alias.name}"
                    for alias in node.names
                }
    return found


@cache
def source_of(module: str) -> str:
    """A digest of all that a module of checks rests on: its own files, the engine of the checks,
    the references.
    """
    if not module.startswith("gencourse.checks."):
        return module  # an instructor's own: its text is part of the version already
    topic = module.split(".")[2]
    files = [PACKAGE / f"{name}.py" for name in ("runner", "harm", "stress", "likelihoods")]
    files += [*(PACKAGE / "checks").glob("_*.py"), *(PACKAGE / "probes").glob("[!.]*.py")]
    files += [
        f
        for room in ("checks", "models", "probes")
        for f in (
            *(PACKAGE / room / topic).rglob("[!.]*.py"),
            *(PACKAGE / room).glob(f"{topic}.py"),
        )
    ]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return module + digest.hexdigest()
