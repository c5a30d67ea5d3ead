"""One submission, from cells to a result: rebuilt, run in a box, judged outside of it."""

# POSIX: the judge's alarm, where there are alarms

import contextlib
import faulthandler
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version

import torch

from gencourse.checks import Verdict
from gencourse.errors import CourseError, InputError
from gencourse.grading.handout import assignment as assignments
from gencourse.grading.handout.assignment import Task
from gencourse.grading.handout.author_modules import make_importable
from gencourse.grading.judging.session import GradingSession, Job
from gencourse.grading.sandbox.inside.wire import Malformed
from gencourse.grading.sandbox.worker_process import InfrastructureError, WorkerLost
from gencourse.grading.submissions.rebuild import Rebuilt, rebuild
from gencourse.harm import HARMS
from gencourse.runner import NotAttempted, Outcome, Raised

SEEDS = (101, 102, 103)  # other numbers than those that the learner saw
MESSAGE_LIMIT = 1500  # characters
JUDGE_S = 60  # that the judge may take beside the seconds of the box
FLAGS = 200  # of one submission
one_at_a_time = threading.Lock()  # trials set torch's global seed and dtype


class TookTooLong(BaseException):
    """The judge's own time is over. No Exception, so that nobody takes it for a fault of an answer."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TookTooLong once this has taken so many seconds; where that is not heard for half as
    many again, end the process.

    Signals are heard by a process's main thread alone, which is the judge's but for a Dask cluster.
    """

    def ring(*_):
        raise TookTooLong

    heard = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    before = signal.signal(signal.SIGALRM, ring) if heard else None
    faulthandler.dump_traceback_later(1.5 * seconds, exit=True, file=sys.__stderr__)
    try:
        if heard:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        if heard:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


class RemoteRunner:
    """Brings the calls of one trial to the answer in the box."""

    def __init__(self, session: GradingSession, name: str, stress: str):
        self.session, self.name, self.stress = session, name, stress
        self.seed: int | None = torch.initial_seed()  # goes with the first call

    def __call__(self, probe: Callable | None, args: tuple, kwargs: dict) -> Outcome:
        message = {
            "do": "run",
            "name": self.name,
            "probe": self.probe_name(probe),
            "args": list(args),
            "kwargs": kwargs,
            "stress": self.stress,
            "seed": self.seed,
        }
        self.seed = None
        reply = self.session.request(message, self.session.limits.ask_s)
        if "unwritten" in reply:
            raise NotAttempted(
                unwritten if isinstance(unwritten := reply["unwritten"], str) else ""
            )
        value = reply.get("value")
        if isinstance(value, Raised) and value.kind == "OwnImplementation":
            self.session.flag(
                "own-implementation",
                f"The answer to {self.name} calls the course's own implementation.",
            )
        return Outcome(
            value,
            noticed(reply.get("harm")),
            reply.get("empty") is True,
            reply.get("stressed") is True,
        )

    def probe_name(self, probe: Callable | None) -> str:
        """The name under which the box knows a probe."""
        if probe is None:
            return ""
        module = probe.__module__
        if not module.startswith("gencourse.probes.") and module not in dict(
            self.session.job.assignment.probes
        ):
            raise InputError(
                f"{self.name}: the probe {probe.__name__} should stand in a module beside the checks, such as "
                f"my_probes.py, got {module}. What stands among the checks cannot go into the sandbox."
            )
        return f"{module}:{probe.__name__}"


def noticed(harm) -> tuple[tuple[str, str], ...]:
    """What a box says that a call changed; anything else that it says is nothing."""
    pairs = (
        [pair for pair in harm if isinstance(pair, list) and len(pair) == 2]
        if isinstance(harm, list)
        else []
    )
    return tuple((what, where) for what, where in pairs if what in HARMS and isinstance(where, str))


def judge(job: Job) -> dict:
    """The result of a job: a plain dict, as the gradebook keeps it. A fault of ours is one
    submission's, not the batch's.
    """
    try:
        return judged(job)
    except Exception as error:
        return heading(job) | unjudged(
            job,
            "infrastructure_error",
            f"The grader failed: {type(error).__name__}: {str(error)[:300]}",
        )


def judged(job: Job) -> dict:
    """The result of a job whose grading meets no fault of ours."""
    began = time.monotonic()
    make_importable(job.assignment.modules)
    head = heading(job)
    if job.submission.problem:
        status, _, reason = job.submission.problem.partition(": ")
        return head | unjudged(job, status, reason)
    session = None
    try:
        with at_most(job.limits.total_s + JUDGE_S):
            rebuilt = rebuild(job.assignment, job.submission.cells)
            session = GradingSession(job, rebuilt.steps)
            with one_at_a_time:
                tasks = judged_tasks(session, job.assignment.tasks, rebuilt)
    except InfrastructureError as error:
        return head | unjudged(job, "infrastructure_error", str(error))
    except TookTooLong:
        sentence = f"Judging it took the grader more than {JUDGE_S} s of its own, which no honest notebook does."
        return (
            head
            | unjudged(job, "unreadable", sentence)
            | {"flags": listed([*job.submission.flags, ("judge-limit", f"{sentence}")])}
        )
    finally:
        if session is not None:
            session.close()
    return head | {
        "status": "graded",
        "reason": "",
        "flags": listed([*job.submission.flags, *rebuilt.flags, *dict.fromkeys(session.flags)]),
        "tasks": tasks,
        "seconds": {"wall": round(time.monotonic() - began, 2), "cpu": round(session.cpu_s, 2)},
        "memory_mib": round(session.peak_mib),
    }


def listed(flags: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Flags as a result holds them. Of more than FLAGS the first of each name come first, and one
    sentence counts what is left out.
    """
    if len(flags) > FLAGS:
        flags = list(dict.fromkeys([*{flag[0]: flag for flag in reversed(flags)}.values(), *flags]))
        flags = [
            *flags[: FLAGS - 1],
            ("more-flags", f"{len(flags) - FLAGS + 1:,} further flags were left out."),
        ]
    return [{"flag": flag, "detail": text} for flag, text in flags]


def heading(job: Job) -> dict:
    """Whose result it is, of what, and how it was come by."""
    return {
        "format": 1,
        "student": job.submission.student,
        "student_id": job.submission.student_id,
        "assignment": job.assignment.name,
        "version": job.assignment.version,
        "file": job.submission.file,
        "sandbox": job.sandbox.kind,
        "versions": {"torch": torch.__version__, "gencourse": version("gencourse")},
    }


def unjudged(job: Job, status: str, reason: str) -> dict:
    """The part of a result that says why nothing was judged."""
    tasks = [
        task_row(task, "waiting" if task.kind == "manual" else "not judged", 0, "")
        for task in job.assignment.tasks
    ]
    return {
        "status": status,
        "reason": reason,
        "flags": listed(list(job.submission.flags)),
        "tasks": tasks,
        "seconds": {"wall": 0.0, "cpu": 0.0},
        "memory_mib": 0,
    }


def judged_tasks(session: GradingSession, tasks: tuple[Task, ...], rebuilt: Rebuilt) -> list[dict]:
    """The rows of a result. Each answer is judged where its check stands, as the learner saw it;
    what is not right there, at the end again.
    """
    end = len(session.steps)
    rows, lost = {}, set()
    for task in sorted(tasks, key=lambda task: rebuilt.places.get(task.name, end)):
        session.upto = max(session.upto, rebuilt.places.get(task.name, end))
        rows[task.name] = judged_task(session, task, rebuilt, lost)
    session.upto = end
    for task in tasks:
        if rows[task.name]["status"] not in ("right", "waiting") and task.name not in lost:
            rows[task.name] = judged_task(session, task, rebuilt, lost)
    return [rows[task.name] for task in tasks]


def judged_task(session: GradingSession, task: Task, rebuilt: Rebuilt, lost: set[str]) -> dict:
    """One row of a result. The name of a task that took the box with it joins `lost`."""
    source = rebuilt.answers.get(task.name, "")
    if task.kind == "manual":
        return task_row(task, "waiting", 0, source)
    try:
        verdict = (outside if task.kind == "outside" else in_kernel)(session, task)
    except WorkerLost as error:
        lost.add(task.name)
        return task_row(task, "wrong", 0, source, f"It could not be judged to the end. {error}")
    verdict = explained(session, task, verdict, rebuilt)
    points = task.points * verdict.points / verdict.out_of if verdict.out_of else 0
    return task_row(task, verdict.status, points, source, verdict.message, verdict.mistake)


def task_row(
    task: Task, status: str, points: float, source: str, message: str = "", mistake: str = ""
) -> dict:
    message = message if len(message) <= MESSAGE_LIMIT else message[:MESSAGE_LIMIT] + " …"
    return {
        "name": task.name,
        "title": task.name.replace("_", " "),
        "kind": task.kind,
        "status": status,
        "points": min(max(points, 0), task.points),
        "out_of": task.points,
        "message": message,
        "mistake": mistake,
        "source": source[:20_000],
    }


def outside(session: GradingSession, task: Task) -> Verdict:
    """The verdict of a registered exercise, on values that the box returns."""
    exercise = assignments.exercise_of(task.module, task.name)
    looked = session.request({"do": "look", "name": task.name}, session.limits.ask_s)
    if looked.get("is") == "callable":
        connect = functools.partial(RemoteRunner, session, task.name)
        return guarded(lambda: exercise.judge(stand_in, SEEDS, connect), exercise)
    return guarded(
        lambda: exercise.judge(looked.get("value") if looked.get("is") == "value" else None),
        exercise,
    )


def stand_in(*args, **kwargs):
    """Something callable in the place of the answer, which is in the box."""
    raise NotImplementedError


def guarded(verdict: Callable[[], Verdict], exercise) -> Verdict:
    """A verdict whatever comes back: values of a kind that the trial cannot work with are a wrong
    answer.
    """
    try:
        return verdict()
    except (WorkerLost, InfrastructureError, CourseError):
        raise
    except Malformed as error:
        return Verdict(exercise.name, "wrong", 0, exercise.points, f"It returned {error}.")
    except Exception as error:
        text = f"What it returned is of another kind than asked for ({type(error).__name__})."
        return Verdict(exercise.name, "wrong", 0, exercise.points, text)


def in_kernel(session: GradingSession, task: Task) -> Verdict:
    """Assertions that are run beside the answer: passed if none of them raises, as far as the box
    says.
    """
    reply = session.request({"do": "cell", "source": task.source}, session.limits.cell_s)
    error = reply.get("error", "missing")
    if error is None:
        return Verdict(task.name, "right", 1, 1)
    if isinstance(error, Raised) and error.kind != "NotImplementedError":
        return Verdict(task.name, "wrong", 0, 1, f"{error.kind}: {error.message}")
    return Verdict(task.name, "not attempted", 0, 1)


def explained(session: GradingSession, task: Task, verdict: Verdict, rebuilt: Rebuilt) -> Verdict:
    """A missing answer with the error of the cell that should have defined it."""
    if verdict.status == "not attempted" and not verdict.message:
        for i, error in session.errors.items():
            if task.name in rebuilt.steps[i].source and error.kind != "NotImplementedError":
                return replace(
                    verdict,
                    status="wrong",
                    message=f"The cell raised {error.kind}: {error.message}{error.line}",
                )
    return verdict
