"""An assignment: the notebook that was handed out, and what is judged in it."""

import ast
import hashlib
import importlib
import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from gencourse.checks import Exercise
from gencourse.errors import InputError
from gencourse.grading.handout import release
from gencourse.grading.handout.author_modules import author_modules, make_importable

PACKAGE = Path(__file__).parents[2]
ENGINE = 3  # raised when the grader itself would come to other points
CALL = re.compile(r"\s*(\w+)\.(\w+)\(\s*(\w+)\s*\)\s*(?:;\s*)?$")  # check.NAME(NAME)


@dataclass(frozen=True)
class Task:
    """One thing that has points. `kind`: judged outside the box, by assertions in the kernel, or by
    hand.
    """

    name: str
    kind: str
    points: float
    source: str  # of the graded cell
    module: str = ""  # that defines the Exercise, where kind is "outside"


@dataclass(frozen=True)
class Cell:
    """A code cell of the notebook that was handed out. `role`: answer, check, or given."""

    source: str
    role: str
    grade_id: str
    name: str  # what an answer defines, as far as the cell says


@dataclass(frozen=True)
class Assignment:
    """What was handed out. `modules` holds the sources of check modules that are not the course's
    own, and of `probes`, which they import.
    """

    name: str
    cells: tuple[Cell, ...]
    tasks: tuple[Task, ...]
    checks: tuple[str, ...]  # modules that the box must not hold
    modules: tuple[tuple[str, str], ...]
    probes: tuple[tuple[str, str], ...]  # those modules that the box must hold
    version: str

    @property
    def out_of(self) -> float:
        return sum(task.points for task in self.tasks)


def handed_out() -> list[Path]:
    """The released notebooks in the folder exercises/, where no assignment is named."""
    found = sorted(Path("exercises").glob("[!.]*.ipynb"))
    if not found:
        raise InputError(
            "grade: --assignment should be the notebook that was handed out, got none, and there is no folder exercises here."
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
            tasks.append(task_of(test, about, aliases))
        if stub.cell_type == "code":
            role = (
                "answer"
                if about.get("solution")
                else "check"
                if about.get("grade") or CALL.match(stub.source)
                else "given"
            )
            cells.append(
                Cell(
                    stub.source,
                    role,
                    about.get("grade_id", ""),
                    next(iter(defined(stub.source)), ""),
                )
            )
    if not tasks:
        raise InputError(
            f"load: {path.name} should have graded cells, got none. Was it made by `gencourse release`?"
        )
    checks = tuple(sorted({"gencourse.checks", *(task.module for task in tasks if task.module)}))
    used = "".join(sorted({source_of(task.module) for task in tasks if task.module}))
    content = json.dumps(
        [ENGINE, [vars(c) for c in cells], [vars(t) for t in tasks], modules, used]
    )
    return Assignment(
        path.stem,
        tuple(cells),
        tuple(tasks),
        checks,
        modules,
        probes,
        hashlib.sha256(content.encode()).hexdigest()[:16],
    )


def task_of(cell, about: dict, aliases: dict[str, str]) -> Task:
    """What a graded cell asks for."""
    points = float(about.get("points") or 0)
    if about.get("solution"):
        return Task(about["grade_id"], "manual", points, cell.source)
    match = CALL.match(cell.source)
    if match and match[2] == match[3] and match[1] in aliases:
        exercise = exercise_of(aliases[match[1]], match[2])
        return Task(
            exercise.name, "outside", points or exercise.points, cell.source, aliases[match[1]]
        )
    return Task(about["grade_id"], "kernel", points, cell.source)


def exercise_of(module: str, name: str) -> Exercise:
    """The registered exercise that judges a task."""
    found = getattr(importlib.import_module(module), name, None)
    if not isinstance(found, Exercise):
        raise InputError(
            f"load: {module}.{name} should be an exercise of the checks, got {type(found).__name__}. Is the name right?"
        )
    return found


def imported_checks(sources: list[str]) -> dict[str, str]:
    """The names under which modules are imported anywhere in the cells: alias -> module."""
    found = {}
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


def parsed(source: str) -> ast.Module:
    """The syntax tree of a cell, its magics and shell lines left out; empty where it is no Python."""
    text = re.sub(r"^([ \t]*)[%!?].*$", r"\1pass", source, flags=re.M)
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


@lru_cache(maxsize=10_000)
def defined(source: str) -> tuple[str, ...]:
    """The names that a cell binds at its top level, functions and classes first."""
    functions, others = [], []
    for node in parsed(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            functions.append(node.name)
        else:
            others += [
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            ]
            if isinstance(node, ast.If | ast.Try | ast.With | ast.For):
                functions += [
                    n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.ClassDef)
                ]
            if isinstance(node, ast.Import | ast.ImportFrom):
                others += [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    return tuple(dict.fromkeys(functions + others)) or tuple(
        re.findall(r"^(?:def|class)\s+(\w+)", source, re.M)
    )
