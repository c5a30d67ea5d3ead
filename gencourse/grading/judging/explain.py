"""Why something has no points, where that is not the answer itself."""

import re
from dataclasses import replace

from gencourse.grading.gradebook.records import TaskResult
from gencourse.grading.handout.assignment import Task
from gencourse.grading.handout.cell_source import defined
from gencourse.grading.judging.session import GradingSession, missing_package
from gencourse.grading.submissions.rebuild import Rebuilt
from gencourse.runner import Raised


def explained(session: GradingSession, task: Task, row: TaskResult, rebuilt: Rebuilt) -> TaskResult:
    """The row with the reason where something else than the answer decided: another name, another
    Python, a package that is missing here, an error in the cell that should have defined it.
    """
    if row.status == "right":
        return row
    answer = task.name if task.kind == "outside" else task.name.removesuffix("_test")
    if said := rebuilt.unreadable.get(task.name) or absent(session, answer, row.message):
        note = f"It could not be judged here. {said}"
        return replace(row, status="not judged", points=None, message=note)
    if row.status != "not attempted" or row.message:
        return row
    if remark := rebuilt.remarks.get(task.name):
        return replace(row, status="wrong", message=remark)
    for i, error in session.errors.items():
        defines = answer in defined(rebuilt.steps[i].source)
        if defines and error.kind != "NotImplementedError":
            said = f"The cell raised {error.kind}: {error.message}{error.line}"
            return replace(row, status="wrong", message=said)
    return row


def absent(session: GradingSession, answer: str, message: str) -> str:
    """A sentence where an answer failed because the grader lacks a package."""
    for i, error in session.errors.items():
        package, source = missing_package(error), session.steps[i].source
        if not package:
            continue
        names = [name for name in defined(source) if re.search(rf"'{re.escape(name)}'", message)]
        missed = names and ("NameError" in message or "is not defined" in message)
        if answer in defined(source) or missed:
            return f"It needs the package {package}, which is not there where notebooks are graded."
    if found := re.search(r"No module named '([\w.]+)'", message):
        package = missing_package(Raised("ModuleNotFoundError", found[0]))
        if package and "ModuleNotFoundError" in message:
            return f"It needs the package {package}, which is not there where notebooks are graded."
    return ""
