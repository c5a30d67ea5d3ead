"""One submission, from cells to a result: rebuilt, run in a box, judged outside of it."""

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import torch

from gencourse.checks import Exercise, Verdict
from gencourse.errors import CourseError
from gencourse.grading.gradebook.records import Flag, Result, ShownCell, TaskResult, WrittenCell
from gencourse.grading.handout import assignment as assignments
from gencourse.grading.handout.assignment import Task
from gencourse.grading.handout.author_modules import make_importable
from gencourse.grading.judging import assertions
from gencourse.grading.judging.deadline import TookTooLong, at_most
from gencourse.grading.judging.explain import explained
from gencourse.grading.judging.remote import RemoteRunner
from gencourse.grading.judging.session import GradingSession, Job
from gencourse.grading.sandbox.inside.wire import Malformed
from gencourse.grading.sandbox.processes import InfrastructureError, WorkerLost
from gencourse.grading.submissions.choose import Submission
from gencourse.grading.submissions.reading import SubmittedCell
from gencourse.grading.submissions.rebuild import Rebuilt, rebuild
from gencourse.grading.submissions.suspicions import suspicions

MESSAGE_LIMIT = 1500  # characters
SOURCE_LIMIT = 20_000
JUDGE_S = 60  # that the judge may take beside the seconds of the box
FLAGS = 200  # of one submission
one_at_a_time = threading.Lock()  # trials set torch's global seed and dtype


@dataclass
class Judged:
    """What has been found of the tasks so far, by their names."""

    rows: dict[str, TaskResult] = field(default_factory=dict)
    outcomes: dict[str, assertions.Outcomes] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)  # tasks that took the box with them


def judge(job: Job) -> Result:
    """The result of a job. A fault of ours is one submission's, not the batch's."""
    try:
        return judged(job)
    except Exception as error:
        return failed(job, f"The grader failed: {type(error).__name__}: {str(error)[:300]}")


def judged(job: Job) -> Result:
    """The result of a job whose grading meets no fault of ours."""
    began = time.monotonic()
    make_importable(job.assignment.modules)
    handed = job.submission
    if handed.problem:
        status, _, reason = handed.problem.partition(": ")
        return unjudged(job, status, reason)
    session = None
    try:
        with at_most(job.limits.total_s + JUDGE_S):
            rebuilt = rebuild(job.assignment, handed.cells, handed.python)
            beside = list(suspicions(job.assignment, modules_beside(handed)))
            session = GradingSession(job, rebuilt.steps)
            with one_at_a_time:
                tasks = judged_tasks(session, job.assignment.tasks, rebuilt)
    except InfrastructureError as error:
        return failed(job, str(error))
    except TookTooLong:
        sentence = (
            f"Judging it took the grader more than {JUDGE_S} s of its own, which no honest "
            "notebook does."
        )
        flags = [*handed.flags, ("judge-limit", f"{sentence}")]
        return replace(unjudged(job, "unreadable", sentence), flags=listed(flags))
    finally:
        if session is not None:
            session.close()
    return replace(
        unjudged(job, "graded", ""),
        flags=listed(list(dict.fromkeys([*handed.flags, *rebuilt.flags, *beside, *session.flags]))),
        tasks=tasks,
        seconds={"wall": round(time.monotonic() - began, 2), "cpu": round(session.cpu_s, 2)},
        memory_mib=round(session.peak_mib),
        shown=executed(session, handed.cells) if job.shows else (),
    )


def modules_beside(handed: Submission) -> list[SubmittedCell]:
    """The Python files that were handed in beside the notebook, as cells."""
    return [
        SubmittedCell("code", data.decode("utf-8", "replace"), "")
        for name, data in handed.beside
        if name.endswith(".py")
    ]


def executed(session: GradingSession, cells: tuple[SubmittedCell, ...]) -> tuple[ShownCell, ...]:
    """The cells of the notebook in its order, with what they showed when they ran."""
    texts = (ShownCell(cell.kind, cell.source[:SOURCE_LIMIT]) for cell in cells)
    return tuple(session.shown.get(n, cell) for n, cell in enumerate(texts, 1) if cell.source)


def listed(flags: list[tuple[str, str]]) -> tuple[Flag, ...]:
    """Flags as a result holds them.

    Of more than FLAGS the first of each name come first, and one sentence counts what is left out.
    """
    if len(flags) > FLAGS:
        first = {flag[0]: flag for flag in reversed(flags)}
        flags = list(dict.fromkeys([*first.values(), *flags]))
        left = f"{len(flags) - FLAGS + 1:,} further flags were left out."
        flags = [*flags[: FLAGS - 1], ("more-flags", left)]
    return tuple(Flag(flag, text) for flag, text in flags)


def unjudged(job: Job, status: Any, reason: str) -> Result:
    """A result in which nothing is judged, and why."""
    handed = job.submission
    tasks = (
        task_row(task, "waiting" if task.kind == "manual" else "not judged", 0, "")
        for task in job.assignment.tasks
    )
    return Result(
        1,
        handed.student,
        handed.student_id,
        job.assignment.name,
        job.assignment.version,
        handed.file,
        status,
        reason,
        job.sandbox.kind,
        listed(list(handed.flags)),
        tuple(tasks),
        {"wall": 0.0, "cpu": 0.0},
        0,
        {"torch": torch.__version__, "gencourse": version("gencourse")},
    )


def failed(job: Job, reason: str) -> Result:
    """The result of a job that could not be done here: never a grade, and tried again."""
    return unjudged(job, "infrastructure_error", reason)


def judged_tasks(
    session: GradingSession, tasks: tuple[Task, ...], rebuilt: Rebuilt
) -> tuple[TaskResult, ...]:
    """The rows of a result.

    Each answer is judged where its check stands, as the learner saw it; what is not right there, at
    the end again. Tests that are hidden come last of all, in a process of their own.
    """
    end, found = len(session.steps), Judged()
    ordered = sorted(tasks, key=lambda task: rebuilt.places.get(task.name, end))
    for task in ordered:
        session.upto = max(session.upto, rebuilt.places.get(task.name, end))
        found.rows[task.name] = judged_task(session, task, rebuilt, found)
    session.upto = end
    for task in tasks:
        if not settled(task, found) and task.name not in found.lost:
            found.rows[task.name] = judged_task(session, task, rebuilt, found)
    hidden = [task for task in ordered if has_hidden(task) and reached(task, found)]
    if hidden:
        session.begin_again()
        for upto in (None, end):  # where the checks stand, and at the end again
            for task in hidden:
                if not found.outcomes[task.name].whole(task) and task.name not in found.lost:
                    session.upto = max(session.upto, rebuilt.places.get(task.name, end))
                    session.upto = upto or session.upto
                    judge_hidden(session, task, rebuilt, found)
    return tuple(found.rows[task.name] for task in tasks)


def settled(task: Task, found: Judged) -> bool:
    """Whether a look at the end could only spoil what was found: what is shown of it holds."""
    outcomes = found.outcomes.get(task.name)
    holds = outcomes is not None and outcomes.said and not any(outcomes.said.values())
    return bool(holds) or found.rows[task.name].status in ("right", "waiting")


def has_hidden(task: Task) -> bool:
    """Whether a task has tests that the handout does not show."""
    return any(one.hidden for one in task.assertions)


def reached(task: Task, found: Judged) -> bool:
    """Whether hidden tests can still change anything: what is shown holds, or parts have points."""
    outcomes = found.outcomes.get(task.name)
    if outcomes is None or outcomes.unwritten or task.name in found.lost:
        return False
    return assertions.has_parts(task) or not any(outcomes.said.values())


def judge_hidden(session: GradingSession, task: Task, rebuilt: Rebuilt, found: Judged) -> None:
    """Add what came of a task's hidden tests to its row."""
    outcomes = found.outcomes[task.name]
    try:
        outcomes.said |= assertions.run_hidden(session, task).said
    except WorkerLost:
        found.lost.add(task.name)
        outcomes.said |= {
            i: assertions.HIDDEN for i, one in enumerate(task.assertions) if one.hidden
        }
    found.rows[task.name] = of_assertions(session, task, outcomes, rebuilt)


def judged_task(session: GradingSession, task: Task, rebuilt: Rebuilt, found: Judged) -> TaskResult:
    """One row of a result."""
    source = rebuilt.answers.get(task.name, "")
    if task.kind == "manual":
        cells = (
            WrittenCell(cell.kind, cell.source[:SOURCE_LIMIT], dict(cell.attachments))
            for cell in rebuilt.written.get(task.name, ())
        )
        return replace(task_row(task, "waiting", 0, source), cells=tuple(cells))
    try:
        if task.kind == "kernel":
            outcomes = found.outcomes[task.name] = assertions.run_shown(session, task)
            return of_assertions(session, task, outcomes, rebuilt)
        verdict = outside(session, task)
    except WorkerLost as error:
        found.lost.add(task.name)
        said = f"It could not be judged to the end. {error}"
        return task_row(task, "wrong", 0, source, said)
    points = task.points * verdict.points / verdict.out_of if verdict.out_of else 0
    row = task_row(task, verdict.status, points, source, verdict.message, verdict.mistake)
    return explained(session, task, row, rebuilt)


def of_assertions(
    session: GradingSession, task: Task, outcomes: assertions.Outcomes, rebuilt: Rebuilt
) -> TaskResult:
    """The row of a task of assertions. As long as hidden ones are to come it is not right."""
    source = rebuilt.answers.get(task.name, "")
    if outcomes.unwritten:
        return explained(session, task, task_row(task, "not attempted", 0, source), rebuilt)
    parts = assertions.parts(task, outcomes)
    whole = outcomes.whole(task)
    points = task.points if whole else min(task.points, sum(part.points for part in parts))
    status = "right" if whole else "partly right" if points else "wrong"
    said = "" if whole else assertions.message(task, outcomes)
    row = replace(task_row(task, status, points, source, said), parts=parts)
    return row if session.hidden else explained(session, task, row, rebuilt)


def task_row(
    task: Task, status: Any, points: float | None, source: str, message: str = "", mistake: str = ""
) -> TaskResult:
    """One row of a result, with texts of bounded length."""
    long = len(message) > MESSAGE_LIMIT
    return TaskResult(
        task.name,
        task.name.replace("_", " "),
        task.kind,  # type: ignore[arg-type]
        status,
        None if points is None else min(max(points, 0), task.points),
        task.points,
        message[:MESSAGE_LIMIT] + " …" if long else message,
        mistake,
        source[:SOURCE_LIMIT],
        task.bonus,
    )


def outside(session: GradingSession, task: Task) -> Verdict:
    """The verdict of a registered exercise, on values that the box returns."""
    exercise = assignments.exercise_of(task.module, task.name)
    looked = session.request({"do": "look", "name": task.name}, session.limits.ask_s)
    if looked.get("is") == "callable":
        connect = functools.partial(RemoteRunner, session, task.name)
        return guarded(lambda: exercise.judge(stand_in, session.job.seeds, connect), exercise)
    value = looked.get("value") if looked.get("is") == "value" else None
    return guarded(lambda: exercise.judge(value), exercise)


def stand_in(*args: object, **kwargs: object) -> None:
    """Something callable in the place of the answer, which is in the box."""
    raise NotImplementedError


def guarded(verdict: Callable[[], Verdict], exercise: Exercise) -> Verdict:
    """A verdict whatever comes back: values of a kind that the trial cannot work with are a wrong
    answer.
    """
    try:
        return verdict()
    except (WorkerLost, InfrastructureError, CourseError):
        raise
    except Malformed as error:
        said = f"It returned {error}."
    except Exception as error:
        said = f"What it returned is of another kind than asked for ({type(error).__name__})."
    return Verdict(exercise.name, "wrong", 0, exercise.points, said)
