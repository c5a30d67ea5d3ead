"""From what was handed in to what is run: the learner's cells in the order of the handout, the
checks left out.

Honest learners move, copy, split and merge cells, and tools strip what they do not know. A cell is
recognised by its id in the handout, then by its exact source, then by the name that it defines;
what is not recognised is run all the same, after the cell that it followed. Checks are never taken
from a submission.

This is what nbgrader's OverwriteCells, DeduplicateIds and ClearSolutions do by ids alone: those are
for notebooks that kept their ids and their order, and refuse others, so they are not used here.
"""

import ast
from dataclasses import dataclass, replace

from gencourse.grading.handout.assignment import CALL, Assignment, Cell, Task
from gencourse.grading.handout.cell_source import (
    defined,
    first_line,
    functions,
    is_python,
    parsed,
    python_of,
    read_names,
    same,
    tidy,
    unfenced,
)
from gencourse.grading.submissions.oddities import newer_python, oddities, renamed_answers
from gencourse.grading.submissions.reading import SubmittedCell
from gencourse.grading.submissions.suspicions import suspicions


@dataclass(frozen=True)
class Step:
    """A cell to be run.

    `number` is its place in the submission, 0 for a cell of the handout; `own` says that it is
    neither an answer nor the handout's.
    """

    source: str
    number: int = 0
    own: bool = False

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
        lines = python_of(self.source).split("\n")
        return ["\n".join(lines[first_line(node) - 1 : node.end_lineno]) for node in found]


@dataclass(frozen=True)
class Rebuilt:
    """What will be run, how much of it before each task's check, what each task's answer looks
    like, what was odd; and a sentence for tasks of which one is known before anything has run.
    """

    steps: tuple[Step, ...]
    places: dict[str, int]
    answers: dict[str, str]
    written: dict[str, tuple[SubmittedCell, ...]]
    flags: tuple[tuple[str, str], ...]
    remarks: dict[str, str]
    unreadable: dict[str, str]  # tasks whose answer only a newer Python can read, and why


def constant(node: ast.stmt) -> bool:
    """Whether a statement only gives a name to a constant."""
    return isinstance(node, ast.Assign | ast.AnnAssign) and (
        node.value is None or isinstance(node.value, ast.Constant)
    )


def rebuild(assignment: Assignment, cells: tuple[SubmittedCell, ...], python: str = "") -> Rebuilt:
    """The program of a submission. `python` is the version that it was written with."""
    changed, cells = as_code(assignment, cells)
    places = recognised(assignment, cells)
    flags = [*changed, *oddities(assignment, cells, places), *suspicions(assignment, cells)]
    renamed = renamed_answers(assignment, cells)
    flags += [("renamed-answer", f"{task} was called {other}.") for task, other in renamed.items()]
    newer = newer_python(cells, python)
    if newer:
        flags.append(("newer-python", newer))
    remarks = {
        task: f"There is no `{task}`; the check was called with `{other}`. Give your answer the "
        f"name `{task}`, by which it is looked for."
        for task, other in renamed.items()
    }
    after: dict[int, list[Step]] = {}  # place in the handout -> the learner's cells there
    # behind the imports
    place = next((i for i, cell in enumerate(assignment.cells) if cell.role != "given"), 1) - 1
    for number, (cell, known) in enumerate(zip(cells, places, strict=True), 1):
        place = place if known is None else known
        theirs = known is not None and same(cell.source, assignment.cells[known].source)
        # the handout's own text we have, and stubs are not run
        if cell.kind == "code" and cell.source.strip() and not theirs:
            own = known is None or assignment.cells[known].role != "answer"
            after.setdefault(place, []).append(Step(cell.source, number, own))
    needed = needed_given(assignment, [s.source for steps in after.values() for s in steps])
    steps = after.get(-1, [])
    checked: dict[str, int] = {}
    for number, given in enumerate(assignment.cells):
        if given.role == "check":
            checked |= {t.name: len(steps) for t in assignment.tasks if is_check_of(given, t)}
        own_text = [Step(given.source)] if number in needed else []
        steps = [*steps, *own_text, *after.get(number, [])]
    answers, written = answers_of(assignment, cells, places)
    unread = {
        name: newer
        for name, source in answers.items()
        if newer and source.strip() and not is_python(source)
    }
    return Rebuilt(tuple(steps), checked, answers, written, tuple(flags), remarks, unread)


def as_code(
    assignment: Assignment, cells: tuple[SubmittedCell, ...]
) -> tuple[list[tuple[str, str]], tuple[SubmittedCell, ...]]:
    """The cells with those answers made code again that were turned into text, and flags."""
    by_id = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id}
    wanted = {cell.name for cell in assignment.cells if cell.role == "answer" and cell.name}
    there = {n for cell in cells if cell.kind == "code" for n in functions(cell.source)}
    found, turned = [], []
    for cell in cells:
        source = unfenced(cell.source) if cell.kind != "code" else ""
        mine = by_id.get(cell.grade_id) if cell.grade_id else None
        named = wanted & set(functions(source)) if source else set()
        asked = mine is not None and mine.role == "answer"
        if source and is_python(source) and (named - there or (asked and named)):
            turned.append(f"{sorted(named)[0]} ({cell.kind})")
            found.append(replace(cell, kind="code", source=source))
        else:
            found.append(cell)
    sentence = (
        f"Answers whose cells are no longer code: {', '.join(turned)}. They were run as code."
    )
    return ([("cell-type-changed", sentence)] if turned else []), tuple(found)


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
    """Whether a cell imports anything."""
    return any(isinstance(node, ast.Import | ast.ImportFrom) for node in parsed(cell.source).body)


def answers_of(
    assignment: Assignment, cells: tuple[SubmittedCell, ...], places: list[int | None]
) -> tuple[dict[str, str], dict[str, tuple[SubmittedCell, ...]]]:
    """What the learner wrote for each task, to be shown beside the verdict; and for those that
    people grade, the cells as they were handed in.
    """
    found: dict[str, str] = {}
    written: dict[str, tuple[SubmittedCell, ...]] = {}
    for task in assignment.tasks:
        ids = {task.name, task.name.removesuffix("_check"), task.name.removesuffix("_test")}
        mine = [
            cell
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
        if task.kind == "manual":
            mine = in_words(assignment, task.name, cells, mine)
        found[task.name] = "\n\n".join(dict.fromkeys(cell.source for cell in mine))
        if task.kind == "manual":
            written[task.name] = tuple(mine)
    return found, written


def in_words(
    assignment: Assignment,
    name: str,
    cells: tuple[SubmittedCell, ...],
    mine: list[SubmittedCell],
) -> list[SubmittedCell]:
    """The cells that answer a question in words: those with its id, or, where the id was lost or
    its cell left as it was, the text that the learner wrote between the question and what follows.
    """
    outline = [tidy(source) for _, source in assignment.outline]
    ids = {grade_id: i for i, (grade_id, _) in enumerate(assignment.outline) if grade_id}
    at = ids.get(name, -1)
    if at < 0 or any(cell.attachments or tidy(cell.source) != outline[at] for cell in mine):
        return mine
    stub = outline[at]
    by_source = {source: i for i, source in enumerate(outline) if source and source != stub}
    by_name = {cell.name: ids.get(cell.grade_id) for cell in assignment.cells if cell.name}

    def place(cell: SubmittedCell) -> int | None:
        if cell.grade_id in ids or tidy(cell.source) in by_source:
            return ids.get(cell.grade_id, by_source.get(tidy(cell.source)))
        names = defined(cell.source) if cell.kind == "code" else []
        return next((by_name[one] for one in names if by_name.get(one) is not None), None)

    places = [place(cell) for cell in cells]
    before = max((i for i in places if i is not None and i < at), default=at)
    last, found = -1, []
    for cell, known in zip(cells, places, strict=True):
        last = last if known is None else known
        words = cell.source.strip() and tidy(cell.source) != stub
        if known is None and cell.kind != "code" and words and before <= last <= at:
            found.append(cell)
    return found or mine
