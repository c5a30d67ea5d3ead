"""A submission's cells and the box that runs them, for as long as it is judged."""

import time
from collections import Counter
from dataclasses import dataclass, replace

from gencourse.grading.handout import assignment as assignments
from gencourse.grading.handout.assignment import Assignment, Task
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.worker_process import InfrastructureError, WorkerLost, WorkerProcess
from gencourse.grading.submissions.collect import Submission
from gencourse.grading.submissions.rebuild import Step
from gencourse.runner import Raised


@dataclass(frozen=True)
class Job:
    """All that a grading needs, as plain data: it may be sent to another machine."""

    key: str
    submission: Submission
    assignment: Assignment
    sandbox: Sandbox
    limits: Limits


class GradingSession:
    """A submission's cells and the box that has run them. A box that is lost is replaced; what
    broke it is left out.
    """

    def __init__(self, job: Job, steps: tuple[Step, ...]):
        self.job, self.limits = job, job.limits
        self.steps: list[Step] = list(steps)
        self.upto = 0  # how many of them should have been run
        self.at = 0  # how many have been, in the present box
        self.cut: set[int] = set()  # steps of which only definitions are left
        self.deadline = time.monotonic() + job.limits.total_s
        self.flags: list[tuple[str, str]] = []
        self.errors: dict[int, Raised] = {}
        self.box: WorkerProcess | None = None
        self.starts = 0
        self.cpu_s = self.peak_mib = 0.0

    def ready(self) -> WorkerProcess:
        """The box, after the cells `upto` have been run in it. Raises WorkerLost when there is no
        more to be tried.
        """
        while self.box is None or self.at < self.upto:
            if self.box is None:
                self.start()
            self.run()
        return self.box

    def start(self) -> None:
        """A new box, in which nothing has been run."""
        if self.starts > self.limits.restarts:
            raise WorkerLost("gave-up", f"Its process was lost {self.starts} times.")
        if time.monotonic() >= self.deadline:
            raise WorkerLost(
                "time-limit", f"The submission took more than {self.limits.total_s:g} s in all."
            )
        self.starts += 1
        self.at = 0
        self.errors.clear()
        self.box = WorkerProcess(self.job.sandbox, self.limits, self.deadline)
        self.open()

    def open(self) -> None:
        """Make the course ready in a new box. No code of the learner's has run: what fails here is
        not the submission's.
        """
        withheld = [
            list(reference)
            for task in self.job.assignment.tasks
            if (reference := withheld_reference(task))
        ]
        try:
            assignment = self.job.assignment
            message = {
                "checks": list(assignment.checks),
                "withheld": withheld,
                "probes": [list(pair) for pair in assignment.probes],
            }
            self.box.request({"do": "open"} | message, self.limits.total_s)
        except WorkerLost as lost:
            if time.monotonic() >= self.deadline:
                raise
            raise InfrastructureError(f"The box did not start: {lost}") from None

    def run(self) -> None:
        """Run the cells that are due, and after the last those once more that missed a name which
        is defined by now: learners move cells.

        A cell that loses the box is cut down to its definitions, the second time left out.
        """
        while self.at < self.upto:
            if not self.runs(self.at):
                return
            self.at += 1
        if self.at == len(self.steps):
            all(self.runs(i) for i in self.early())

    def runs(self, i: int) -> bool:
        """Run one cell; whether the box is still there."""
        step = self.steps[i]
        if not step.source:
            return True
        try:
            reply = self.box.request({"do": "cell", "source": step.source}, self.limits.cell_s)
            error, flooded = reply["error"], reply["flooded"]
            if isinstance(error, Raised):
                for part in step.parts(
                    after=reply["line"] if type(reply["line"]) is int else 0
                ):  # what else the cell defines, although a package, a file or a GPU is missing
                    self.box.request({"do": "cell", "source": part}, self.limits.cell_s)
        except (KeyError, TypeError):
            self.lose(
                WorkerLost(
                    "malformed-reply", "The submission's process sent something else than asked."
                )
            )
        except WorkerLost as lost:
            self.lose(lost)
        else:
            if flooded:
                self.flag(
                    "much-output", f"Cell {step.number} printed too much; its output was dropped."
                )
            self.errors.pop(i, None)
            if isinstance(error, Raised):
                self.errors[i] = error
            return True
        last_flag, sentence = self.flags[-1]
        self.flags[-1] = (last_flag, f"Cell {step.number}: {sentence}")
        self.steps[i] = replace(step, source="") if i in self.cut else step.definitions
        self.cut.add(i)
        return False

    def early(self) -> list[int]:
        """The cells that missed a name, of those that alone define what they do: to run them late
        overwrites nothing.
        """
        times = Counter(
            name for step in self.steps for name in set(assignments.defined(step.source))
        )
        missed = [i for i, error in self.errors.items() if error.kind == "NameError"]
        return [
            i
            for i in missed
            if all(times[name] == 1 for name in assignments.defined(self.steps[i].source))
        ]

    def request(self, message: dict, seconds: float) -> dict:
        """Ask the box, which then has run the cells that are due."""
        try:
            reply = self.ready().request(message, seconds)
        except WorkerLost as lost:
            self.lose(lost)
            raise
        if not isinstance(reply, dict):
            self.lose(
                WorkerLost(
                    "malformed-reply", "The submission's process sent something else than asked."
                )
            )
            raise WorkerLost("malformed-reply", self.flags[-1][1])
        return reply

    def lose(self, lost: WorkerLost) -> None:
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


def withheld_reference(task: Task) -> tuple[str, str, str] | None:
    """(exercise, module, name) of the course's own implementation of a task, where the box holds
    one.
    """
    if task.kind != "outside":
        return None
    reference = assignments.exercise_of(task.module, task.name).reference
    module, name = reference.__module__, getattr(reference, "__qualname__", "")
    visible = module.startswith("gencourse.") and not module.startswith(
        ("gencourse.checks.", "gencourse.grading.")
    )
    return (task.name, module, name) if visible and name.isidentifier() else None
