"""One submission, from cells to a result: rebuilt, run in a box, judged outside of it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version

import torch

from gencourse.asking import AnswerRaised, NotAttempted, Raised, shown_call
from gencourse.checks import Verdict
from gencourse.grading import assignment as assignments
from gencourse.grading import markup
from gencourse.grading.assignment import Assignment, Task
from gencourse.grading.box import Box, BoxLost, InfrastructureError
from gencourse.grading.collect import Handed
from gencourse.grading.inside.wire import Malformed
from gencourse.grading.limits import Limits
from gencourse.grading.rebuild import Rebuilt, Step, rebuild
from gencourse.grading.sandbox import Sandbox

SEEDS = (101, 102, 103)  # other numbers than those that the learner saw
MESSAGE_LIMIT = 1500  # characters
one_at_a_time = threading.Lock()  # trials set torch's global seed and dtype


@dataclass(frozen=True)
class Job:
    """All that a grading needs, as plain data: it may be sent to another machine."""

    key: str
    handed: Handed
    assignment: Assignment
    sandbox: Sandbox
    limits: Limits


class Sitting:
    """A submission's cells and the box that has run them. A box that is lost is replaced; what broke it is left out."""

    def __init__(self, job: Job, steps: tuple[Step, ...]):
        self.job, self.limits = job, job.limits
        self.steps: list[Step] = list(steps)
        self.cut: set[int] = set()  # steps of which only definitions are left
        self.deadline = time.monotonic() + job.limits.total_s
        self.flags: list[tuple[str, str]] = []
        self.errors: dict[int, Raised] = {}
        self.box: Box | None = None
        self.starts = 0
        self.cpu_s = self.peak_mib = 0.0

    def ready(self) -> Box:
        """The box, after all cells have been run in it. Raises BoxLost when there is no more to be tried."""
        while self.box is None:
            if self.starts > self.limits.restarts:
                raise BoxLost("gave-up", f"Its process was lost {self.starts} times.")
            if time.monotonic() >= self.deadline:
                raise BoxLost("time-limit", f"The submission took more than {self.limits.total_s:g} s in all.")
            self.starts += 1
            self.box = Box(self.job.sandbox, self.limits, self.deadline)
            self.open()
            self.run()
        return self.box

    def open(self) -> None:
        """Make the course ready in a new box. No code of the learner's has run: what fails here is not the submission's."""
        withheld = [list(reference) for task in self.job.assignment.tasks if (reference := withheld_reference(task))]
        try:
            self.box.request({"do": "open", "checks": list(self.job.assignment.checks), "withheld": withheld}, self.limits.total_s)
        except BoxLost as lost:
            if time.monotonic() >= self.deadline:
                raise
            raise InfrastructureError(f"The box did not start: {lost}") from None

    def run(self) -> None:
        """Run the cells. One that loses the box is cut down to its definitions, the second time left out."""
        for i, step in enumerate(self.steps):
            if not step.source:
                continue
            try:
                reply = self.box.request({"do": "cell", "source": step.source}, self.limits.cell_s)
                error, flooded = reply["error"], reply["flooded"]
                if isinstance(error, Raised) and error.kind in ("ModuleNotFoundError", "EOFError"):
                    for part in step.parts:  # what else the cell defines, although a package or a person is missing
                        self.box.request({"do": "cell", "source": part}, self.limits.cell_s)
            except (KeyError, TypeError):
                self.lose(BoxLost("malformed-reply", "The submission's process sent something else than asked."))
            except BoxLost as lost:
                self.lose(lost)
            else:
                if flooded:
                    self.flag("much-output", f"Cell {step.number} printed too much; its output was dropped.")
                if isinstance(error, Raised):
                    self.errors[i] = error
                continue
            last_flag, sentence = self.flags[-1]
            self.flags[-1] = (last_flag, f"Cell {step.number}: {sentence}")
            self.steps[i] = replace(step, source="") if i in self.cut else step.definitions
            self.cut.add(i)
            return

    def request(self, message: dict, seconds: float) -> dict:
        """Ask the box, which then has run all cells."""
        try:
            reply = self.ready().request(message, seconds)
        except BoxLost as lost:
            self.lose(lost)
            raise
        if not isinstance(reply, dict):
            self.lose(BoxLost("malformed-reply", "The submission's process sent something else than asked."))
            raise BoxLost("malformed-reply", self.flags[-1][1])
        return reply

    def lose(self, lost: BoxLost) -> None:
        self.flag(lost.flag, str(lost))
        self.close()

    def flag(self, name: str, sentence: str) -> None:
        self.flags.append((name, sentence))

    def close(self) -> None:
        if self.box is not None:
            self.box.close()
            self.cpu_s += self.box.cpu_s
            self.peak_mib = max(self.peak_mib, self.box.peak_mib)
            self.box = None


class RemoteAsk:
    """The `ask` of a trial, answered by the box. The verdict's call does not show the inputs."""

    def __init__(self, sitting: Sitting, name: str):
        self.sitting, self.name, self.last_call = sitting, name, ""
        self.seed: int | None = torch.initial_seed()

    def __call__(self, code: str, **inputs):
        self.last_call = shown_call(code, self.name)
        message = {"do": "ask", "name": self.name, "code": code, "inputs": inputs, "seed": self.seed}
        self.seed = None
        reply = self.sitting.request(message, self.sitting.limits.ask_s)
        if isinstance(reply.get("raised"), Raised):
            if reply["raised"].kind == "OwnImplementation":
                self.sitting.flag("own-implementation", f"The answer to {self.name} calls the course's own implementation.")
            raise AnswerRaised(reply["raised"])
        if "value" not in reply:
            raise NotAttempted
        return reply["value"]


def withheld_reference(task: Task) -> tuple[str, str, str] | None:
    """(exercise, module, name) of the course's own implementation of a task, where the box holds one."""
    if task.kind != "outside":
        return None
    reference = assignments.exercise_of(task.module, task.name).reference
    module, name = reference.__module__, getattr(reference, "__qualname__", "")
    visible = module.startswith("gencourse.") and not module.startswith(("gencourse.checks.", "gencourse.grading."))
    return (task.name, module, name) if visible and name.isidentifier() else None


def judge(job: Job) -> dict:
    """The result of a job: a plain dict, as the gradebook keeps it. A fault of ours is one submission's, not the batch's."""
    try:
        return judged(job)
    except Exception as error:
        return heading(job) | unjudged(job, "infrastructure_error", f"The grader failed: {type(error).__name__}: {str(error)[:300]}")


def judged(job: Job) -> dict:
    """The result of a job whose grading meets no fault of ours."""
    began = time.monotonic()
    markup.make_importable(job.assignment.modules)
    head = heading(job)
    if job.handed.problem:
        status, _, reason = job.handed.problem.partition(": ")
        return head | unjudged(job, status, reason)
    rebuilt = rebuild(job.assignment, job.handed.cells)
    flags = [*job.handed.flags, *rebuilt.flags]
    sitting = Sitting(job, rebuilt.steps)
    try:
        with one_at_a_time:
            tasks = [judged_task(sitting, task, rebuilt) for task in job.assignment.tasks]
    except InfrastructureError as error:
        return head | unjudged(job, "infrastructure_error", str(error))
    finally:
        sitting.close()
    flags += dict.fromkeys(sitting.flags)
    return head | {
        "status": "graded",
        "reason": "",
        "flags": [{"flag": flag, "detail": text} for flag, text in flags],
        "tasks": tasks,
        "seconds": {"wall": round(time.monotonic() - began, 2), "cpu": round(sitting.cpu_s, 2)},
        "memory_mib": round(sitting.peak_mib),
    }


def heading(job: Job) -> dict:
    """Whose result it is, of what, and how it was come by."""
    return {
        "format": 1,
        "student": job.handed.student,
        "student_id": job.handed.student_id,
        "assignment": job.assignment.name,
        "version": job.assignment.version,
        "file": job.handed.file,
        "sandbox": job.sandbox.kind,
        "versions": {"torch": torch.__version__, "gencourse": version("gencourse")},
    }


def unjudged(job: Job, status: str, reason: str) -> dict:
    """The part of a result that says why nothing was judged."""
    tasks = [task_row(task, "waiting" if task.kind == "manual" else "not judged", 0, "") for task in job.assignment.tasks]
    return {
        "status": status,
        "reason": reason,
        "flags": [{"flag": flag, "detail": text} for flag, text in job.handed.flags],
        "tasks": tasks,
        "seconds": {"wall": 0.0, "cpu": 0.0},
        "memory_mib": 0,
    }


def judged_task(sitting: Sitting, task: Task, rebuilt: Rebuilt) -> dict:
    """One row of a result."""
    source = rebuilt.answers.get(task.name, "")
    if task.kind == "manual":
        return task_row(task, "waiting", 0, source)
    try:
        verdict = (outside if task.kind == "outside" else in_kernel)(sitting, task)
    except BoxLost as lost:
        return task_row(task, "wrong", 0, source, f"It could not be judged to the end. {lost}")
    verdict = explained(sitting, task, verdict, rebuilt)
    points = task.points * verdict.points / verdict.out_of if verdict.out_of else 0
    return task_row(task, verdict.status, points, source, verdict.message, verdict.mistake)


def task_row(task: Task, status: str, points: float, source: str, message: str = "", mistake: str = "") -> dict:
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


def outside(sitting: Sitting, task: Task) -> Verdict:
    """The verdict of a registered exercise, on values that the box returns."""
    exercise = assignments.exercise_of(task.module, task.name)
    looked = sitting.request({"do": "look", "name": task.name}, sitting.limits.ask_s)
    if looked.get("is") == "callable":
        return guarded(lambda: exercise.judge(stand_in, SEEDS, lambda name, answer: RemoteAsk(sitting, name)), exercise)
    return guarded(lambda: exercise.judge(looked.get("value") if looked.get("is") == "value" else None), exercise)


def stand_in(*args, **kwargs):
    """Something callable in the place of the answer, which is in the box."""
    raise NotImplementedError


def guarded(verdict: Callable[[], Verdict], exercise) -> Verdict:
    """A verdict whatever comes back: values of a kind that the trial cannot work with are a wrong answer."""
    try:
        return verdict()
    except (BoxLost, InfrastructureError):
        raise
    except Malformed as error:
        return Verdict(exercise.name, "wrong", 0, exercise.points, f"It returned {error}.")
    except Exception as error:
        text = f"What it returned is of another kind than asked for ({type(error).__name__})."
        return Verdict(exercise.name, "wrong", 0, exercise.points, text)


def in_kernel(sitting: Sitting, task: Task) -> Verdict:
    """Assertions that are run beside the answer: passed if none of them raises, as far as the box says."""
    reply = sitting.request({"do": "cell", "source": task.source}, sitting.limits.cell_s)
    error = reply.get("error", "missing")
    if error is None:
        return Verdict(task.name, "right", 1, 1)
    if isinstance(error, Raised) and error.kind != "NotImplementedError":
        return Verdict(task.name, "wrong", 0, 1, f"{error.kind}: {error.message}")
    return Verdict(task.name, "not attempted", 0, 1)


def explained(sitting: Sitting, task: Task, verdict: Verdict, rebuilt: Rebuilt) -> Verdict:
    """A missing answer with the error of the cell that should have defined it."""
    if verdict.status == "not attempted" and not verdict.message:
        for i, error in sitting.errors.items():
            if task.name in rebuilt.steps[i].source and error.kind != "NotImplementedError":
                return replace(verdict, status="wrong", message=f"The cell raised {error.kind}: {error.message}{error.line}")
    return verdict
