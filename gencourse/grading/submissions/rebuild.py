"""From what was handed in to what is run: the learner's cells in the order of the hand-out, the
checks left out.

Honest learners move, copy, split and merge cells, and tools strip what they do not know. A cell is
recognised by its id in the hand-out, then by its exact source, then by the name that it defines;
what is not recognised is run all the same, after the cell that it followed. Checks are never taken
from a submission.
"""

import ast
import re
from collections import Counter
from dataclasses import dataclass, replace

from gencourse.grading.handout.assignment import CALL, Assignment, Cell, Task, defined, parsed
from gencourse.grading.submissions.reading import SubmittedCell

TRICKS = "|".join(
    (
        r"__closure__|cell_contents|sys\.modules|from sys import|__code__|__globals__|__name__\s*=(?!=)|__builtins__|_transformers|gc\.get_",
        # a computation written down instead of thought of
        r"jit\.trace|make_fx|symbolic_trace|torch\.export",
        # other people's variables
        r"f_back|f_locals|f_globals|gi_frame|cr_frame|tb_frame|_current_frames|walk_stack|setprofile",
        # files
        r"__spec__|__loader__|__file__|__path__|get_source|get_code|exec_module|runpy|pydoc|linecache|marshal|/course\b|/proc/",
    )
)
INSIDES = (
    r"gencourse[./](checks[./]|grading|runner)|\.(reference|right_forms|mistakes)\b|\bsolutions/"
)
PROCESSES = (
    r"\b(subprocess|multiprocessing|ProcessPoolExecutor)\b|os\.(fork|system|popen|spawn|exec)"
)


@dataclass(frozen=True)
class Step:
    """A cell to be run. `number` is its place in the submission, 0 for a cell of the hand-out."""

    source: str
    number: int = 0

    @property
    def definitions(self) -> "Step":
        """What is left of a cell that did not end: imports, functions, classes and constants."""
        kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
        kept = [
            node for node in parsed(self.source).body if isinstance(node, kinds) or constant(node)
        ]
        try:
            return replace(self, source=ast.unparse(ast.Module(kept, [])))
        except (RecursionError, ValueError):
            return replace(self, source="")

    def parts(self, after: int) -> list[str]:
        """The statements of a cell that define something, one by one, as far as they stand below a
        line.
        """
        kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign
        found = [
            node
            for node in parsed(self.source).body
            if isinstance(node, kinds) and first_line(node) > after
        ]
        lines = self.source.split("\n")
        return ["\n".join(lines[first_line(node) - 1 : node.end_lineno]) for node in found]


@dataclass(frozen=True)
class Rebuilt:
    """What will be run, how much of it before each task's check, what each task's answer looks
    like, and what was odd.
    """

    steps: tuple[Step, ...]
    places: dict[str, int]
    answers: dict[str, str]
    flags: tuple[tuple[str, str], ...]


def first_line(node: ast.stmt) -> int:
    """The line on which a statement begins, its decorators included."""
    return min(
        [node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))]
    )


def constant(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign) and (
        node.value is None or isinstance(node.value, ast.Constant)
    )


def same(a: str, b: str) -> bool:
    """Whether two cells say the same, but for white space at the ends of lines and around the cell."""
    return tidy(a) == tidy(b)


def tidy(source: str) -> str:
    return "\n".join(line.rstrip() for line in source.strip().split("\n"))


def rebuild(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> Rebuilt:
    """The program of a submission."""
    places = recognised(assignment, cells)
    flags = list(oddities(assignment, cells, places))
    after: dict[
        int, list[Step]
    ] = {}  # place in the hand-out -> the learner's cells that belong there
    place = (
        next((i for i, cell in enumerate(assignment.cells) if cell.role != "given"), 1) - 1
    )  # behind the imports
    for number, (cell, known) in enumerate(zip(cells, places, strict=True), 1):
        place = place if known is None else known
        if (
            cell.kind == "code"
            and cell.source.strip()
            and not (known is not None and same(cell.source, assignment.cells[known].source))
        ):
            after.setdefault(place, []).append(
                Step(cell.source, number)
            )  # the hand-out's own text we have, stubs are not run
    needed = needed_given(assignment, [step.source for steps in after.values() for step in steps])
    steps, checked = after.get(-1, []), {}
    for number, given in enumerate(assignment.cells):
        if given.role == "check":
            checked |= {
                task.name: len(steps) for task in assignment.tasks if is_check_of(given, task)
            }
        steps = [
            *steps,
            *([Step(given.source)] if number in needed else []),
            *after.get(number, []),
        ]
    return Rebuilt(tuple(steps), checked, written_answers(assignment, cells, places), tuple(flags))


def is_check_of(cell: Cell, task: Task) -> bool:
    """Whether a cell of the hand-out is the check of this task."""
    call = CALL.match(cell.source)
    return cell.grade_id == task.name or (
        call is not None and task.kind == "outside" and call[2] == task.name
    )


def recognised(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> list[int | None]:
    """For each handed-in cell its place in the hand-out, where it has one."""
    by_id = {cell.grade_id: i for i, cell in enumerate(assignment.cells) if cell.grade_id}
    by_source = {tidy(cell.source): i for i, cell in enumerate(assignment.cells)}
    by_name = {
        cell.name: i
        for i, cell in enumerate(assignment.cells)
        if cell.role == "answer" and cell.name
    }
    answered = {
        by_id[cell.grade_id]
        for cell in cells
        if cell.grade_id in by_id and tidy(cell.source) not in by_source
    }
    found: list[int | None] = []
    for cell in cells:
        place = None
        if cell.kind == "code":
            names = [name for name in defined(cell.source) if name in by_name]
            place = by_source.get(tidy(cell.source), by_id.get(cell.grade_id))
            if place is not None and assignment.cells[place].role != "answer" and names:
                place = None  # an answer under the id of a check
            if (
                place is None and names and by_name[names[0]] not in answered
            ):  # a name that is used again stays where it is
                place = by_name[names[0]]
        found.append(place)
    return found


def needed_given(assignment: Assignment, sources: list[str]) -> set[int]:
    """The cells of the hand-out that bind a name which the learner's cells, or cells needed by
    these, or tests read.
    """
    tests = [task.source for task in assignment.tasks if task.kind == "kernel"]
    wanted = set().union(*map(read_names, [*sources, *tests]))
    needed: set[int] = set()
    for i in reversed(range(len(assignment.cells))):
        cell = assignment.cells[i]
        if cell.role == "given" and (wanted & set(defined(cell.source)) or imports(cell)):
            needed.add(i)
            wanted |= read_names(cell.source)
    return needed


def imports(cell: Cell) -> bool:
    return any(isinstance(node, ast.Import | ast.ImportFrom) for node in parsed(cell.source).body)


def read_names(source: str) -> set[str]:
    """The names that a cell mentions; every word of it where it is no Python."""
    tree = parsed(source)
    return (
        {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        if tree.body
        else set(re.findall(r"\w+", source))
    )


def written_answers(
    assignment: Assignment, cells: tuple[SubmittedCell, ...], places: list[int | None]
) -> dict[str, str]:
    """What the learner wrote for each task, to be shown beside the verdict."""
    found: dict[str, str] = {}
    for task in assignment.tasks:
        ids = {task.name, task.name.removesuffix("_check"), task.name.removesuffix("_test")}
        mine = [
            cell.source
            for cell, place in zip(cells, places, strict=True)
            if (
                cell.kind == "code" and task.kind == "outside" and task.name in defined(cell.source)
            )
            or (
                place is not None
                and assignment.cells[place].role == "answer"
                and assignment.cells[place].grade_id in ids
            )
            or (task.kind == "manual" and cell.grade_id == task.name)
        ]
        found[task.name] = "\n\n".join(dict.fromkeys(mine))
    return found


def oddities(assignment: Assignment, cells: tuple[SubmittedCell, ...], places: list[int | None]):
    """What a teacher should know: (flag, sentence)."""
    ids = [cell.grade_id for cell in cells if cell.grade_id]
    known = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id} | {
        t.name: None for t in assignment.tasks if t.kind == "manual"
    }
    twice = sorted(g for g, times in Counter(ids).items() if times > 1 and g in known)
    if twice:
        yield (
            "cell-twice",
            f"These cells occur more than once: {', '.join(twice)}. All were run, in their order.",
        )
    if unknown := sorted({g for g in ids if g not in known}):
        yield (
            "unknown-cell-id",
            f"Ids that were not handed out: {', '.join(g[:40] for g in unknown[:5])}.",
        )
    if not set(ids) & set(known):
        yield (
            "ids-lost",
            "The cells carry none of the ids that they were handed out with; answers were found by what they define.",
        )
    handed = ((cell, known.get(cell.grade_id)) for cell in cells)
    for name in dict.fromkeys(
        c.grade_id
        for c, mine in handed
        if mine and mine.role == "check" and not same(c.source, mine.source)
    ):
        yield "check-changed", f"The check {name} was changed. The original was used."
    sources = {tidy(cell.source) for cell in cells}
    if missing := [
        c.grade_id
        for c in assignment.cells
        if c.role == "check" and c.grade_id not in ids and tidy(c.source) not in sources
    ]:
        yield (
            "check-missing",
            f"Checks that were removed: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}. The originals were used.",
        )
    if not any(place is not None for place in places):
        yield "other-assignment", "Nothing in it belongs to this assignment."
    text = "\n".join(cell.source for cell in own_cells(assignment, cells))
    if re.search(
        r"\b(inspect|getsource|__import__|importlib|_getframe|settrace|ctypes|builtins)\b", text
    ) or re.search(TRICKS, text):
        yield "looks-around", "It inspects code or loads modules by name, which no answer needs."
    if re.search(PROCESSES, text):
        yield "starts-processes", "It starts processes of its own, which no answer needs."
    imported = (
        line.partition("gencourse import ")[2] for line in text.split("\n")
    )  # one pattern for both would take quadratic time
    if re.search(INSIDES, text) or any(
        re.search(r"\b(grading|runner)\b", names) for names in imported
    ):
        yield (
            "asks-for-answers",
            "It mentions the insides of the checks, the grader or the solutions.",
        )


def own_cells(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> list[SubmittedCell]:
    """The code that was not handed out."""
    given = {tidy(cell.source) for cell in assignment.cells}
    return [cell for cell in cells if cell.kind == "code" and tidy(cell.source) not in given]
