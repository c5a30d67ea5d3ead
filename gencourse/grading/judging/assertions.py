"""Graded cells of assertions, which run beside the answer: statement by statement.

What the handout shows is run where the cell stands. What it hides is run last and in a process of
its own, of which nothing comes back but whether it raised: no message can carry a hidden test out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gencourse.grading.gradebook.records import Part
from gencourse.grading.handout.assignment import Assertion, Task
from gencourse.grading.judging.session import GradingSession
from gencourse.runner import Raised

HIDDEN = "A test that the handout does not show failed."
SHOWN = 300  # characters of an assertion in a sentence


@dataclass
class Outcomes:
    """For each statement of a task what came of it: "" if it holds, else a sentence."""

    said: dict[int, str] = field(default_factory=dict)
    unwritten: bool = False  # the first that failed met a stub

    def whole(self, task: Task) -> bool:
        """Whether every statement has been run and holds."""
        return all(self.said.get(i) == "" for i in range(len(task.assertions)))


def has_parts(task: Task) -> bool:
    """Whether the author says what single assertions are worth."""
    return any(one.points is not None for one in task.assertions)


def run_shown(session: GradingSession, task: Task) -> Outcomes:
    """Run the statements that the handout shows. Raises WorkerLost."""
    return run(session, task, lambda one: not one.hidden)


def run_hidden(session: GradingSession, task: Task) -> Outcomes:
    """Run all statements, for what the hidden ones need; said of the hidden ones alone."""
    found = run(session, task, lambda one: True)
    hidden = {i for i, one in enumerate(task.assertions) if one.hidden}
    return Outcomes({i: HIDDEN if said else "" for i, said in found.said.items() if i in hidden})


def run(session: GradingSession, task: Task, asked: Callable[[Assertion], bool]) -> Outcomes:
    """Run those statements that are asked for, until one fails; all, where each has its points."""
    found = Outcomes()
    for i, one in enumerate(task.assertions):
        if not asked(one):
            continue
        error = session.statement(one.source)
        if error is None:
            found.said[i] = ""
            continue
        if not any(found.said.values()):
            found.unwritten = error.kind == "NotImplementedError" or (
                error.kind == "NameError"
                and any(f"'{name}'" in error.message for name in session.unwritten)
            )
        found.said[i] = sentence(one, error)
        if not has_parts(task):
            break
    return found


def sentence(one: Assertion, error: Raised) -> str:
    """What is said of a statement that failed."""
    shown = one.source if len(one.source) <= SHOWN else one.source[:SHOWN] + " …"
    what = "This does not hold" if error.kind == "AssertionError" else f"{error.kind} was raised"
    return f"{what}: `{shown}`" + (f"\n{error.message}" if error.message else "")


def parts(task: Task, outcomes: Outcomes) -> tuple[Part, ...]:
    """The assertions with what each is worth; what has no points of its own shares the rest."""
    if not has_parts(task):
        return ()
    said = sum(one.points or 0 for one in task.assertions)
    share = [i for i, one in enumerate(task.assertions) if is_open(one)]
    rest = max(0.0, task.points - said) / max(len(share), 1)
    found = []
    for i, one in enumerate(task.assertions):
        worth = one.points if one.points is not None else rest if i in share else None
        if worth is None:
            continue
        text = "(not shown)" if one.hidden else one.source[:SHOWN]
        message = outcomes.said.get(i, "It was not reached.")
        found.append(Part(text, 0 if message else worth, worth, message))
    return tuple(found)


def is_open(one: Assertion) -> bool:
    """Whether a statement is an assertion without points of its own."""
    return one.points is None and one.source.lstrip().startswith("assert ")


def message(task: Task, outcomes: Outcomes) -> str:
    """The first thing that failed."""
    return next((said for _, said in sorted(outcomes.said.items()) if said), "")
