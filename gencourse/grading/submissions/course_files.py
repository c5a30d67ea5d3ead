"""What of the things that lie there is the course's own, and nobody's work."""

from gencourse.editions.carry import digest as course_digest
from gencourse.grading.handout.assignment import Assignment, digest
from gencourse.grading.handout.cell_source import defined
from gencourse.grading.submissions.reading import SubmittedCell

FEW_CELLS = 5  # of a chapter, below which a notebook is not one
FEW = 3  # answers, below which anyone may have written what the solutions say


def answers_in(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> set[str]:
    """The names of the answers that a notebook's code defines."""
    wanted = {cell.name for cell in assignment.cells if cell.role == "answer" and cell.name}
    there = {name for cell in cells if cell.kind == "code" for name in defined(cell.source)}
    return wanted & there


def worked_on(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> int:
    """How many answers of a notebook are not as they were handed out."""
    given = {digest(cell.source) for cell in assignment.cells}
    own = tuple(cell for cell in cells if cell.kind == "code" and digest(cell.source) not in given)
    return len(answers_in(assignment, own))


def belongs(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> bool:
    """Whether anything in a notebook is this assignment's."""
    ids = {cell.grade_id for cell in assignment.cells if cell.grade_id}
    ids |= {task.name for task in assignment.tasks if task.kind == "manual"}
    return any(cell.grade_id in ids for cell in cells) or bool(answers_in(assignment, cells))


def whose(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> str:
    """Whether a notebook is the course's, as it is: handout, solutions or chapter; "" if not."""
    code = [cell for cell in cells if cell.kind == "code" and cell.source.strip()]
    made = [digest(cell.source) for cell in code]
    given = {digest(cell.source) for cell in assignment.cells}
    written = {t.name for t in assignment.tasks if t.kind == "manual"}
    in_words = any(
        cell.grade_id in written and cell.source.strip() not in ("", "YOUR ANSWER HERE")
        for cell in cells
    )
    if code and set(made) <= given and not in_words:
        return "handout"
    answers = assignment.solved - given
    if len(answers) >= FEW and answers <= set(made) <= assignment.solved | given:
        return "solutions"
    if not code:
        return ""
    theirs = chapter_cells(assignment, cells)
    own = tuple(
        cell
        for cell, one in zip(code, made, strict=True)
        if cell not in theirs and one not in given
    )
    mostly = len(theirs) >= max(FEW_CELLS, len(code) / 2)
    return "chapter" if mostly and not answers_in(assignment, own) else ""


def chapter_cells(
    assignment: Assignment, cells: tuple[SubmittedCell, ...]
) -> tuple[SubmittedCell, ...]:
    """The code cells that are the course's, as they were, and not this handout's."""
    given = {digest(cell.source) for cell in assignment.cells} | assignment.solved
    code = [cell for cell in cells if cell.kind == "code" and cell.source.strip()]
    return tuple(
        cell
        for cell in code
        if (made := digest(cell.source)) not in given
        and (made in assignment.chapter or cell.made_of == course_digest("code", cell.source))
    )


def is_mostly_the_chapter(assignment: Assignment, cells: tuple[SubmittedCell, ...]) -> bool:
    """Whether most of a notebook's code is of another notebook of the course."""
    code = [cell for cell in cells if cell.kind == "code" and cell.source.strip()]
    return len(chapter_cells(assignment, cells)) >= max(FEW_CELLS, len(code) / 2)
