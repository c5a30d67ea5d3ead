"""A submission's cells and the process that runs them, for as long as it is judged."""

import base64
import re
import time
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import torch

from gencourse.grading.gradebook.records import ShownCell
from gencourse.grading.handout.assignment import Assignment
from gencourse.grading.handout.cell_source import defined
from gencourse.grading.judging.withheld import withheld_references
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.processes import InfrastructureError, WorkerLost
from gencourse.grading.sandbox.worker_process import WorkerProcess
from gencourse.grading.submissions.choose import Submission
from gencourse.grading.submissions.rebuild import Step
from gencourse.runner import Raised

OWN_SHARE = 0.4  # of all seconds, that the learner's own cells may take before they are cut
PNG, PICTURES, PICTURE, TEXT = b"\x89PNG\r\n\x1a\n", 4, 150_000, 8_000
GPU = re.compile(r"\b(cuda|mps|xpu)\b")
SOMEWHERE_ELSE = {"google", "kaggle", "kaggle_secrets", "dbutils"}  # modules of other services
NOTICED = {
    "gpu": ("needs-gpu", "It was written for a GPU; all was done on the CPU."),
    "source": ("looks-around", "It tried to read the course's own source."),
}


@dataclass(frozen=True)
class Job:
    """All that a grading needs, as plain data: it may be sent to another machine."""

    key: str
    submission: Submission
    assignment: Assignment
    sandbox: Sandbox
    limits: Limits
    seeds: tuple[int, ...]
    shows: bool = False  # whether what the cells show is kept


class GradingSession:
    """A submission's cells and the process that has run them.

    A process that is lost is replaced; the cell that broke it is cut down to its definitions, the
    second time left out.
    """

    def __init__(self, job: Job, steps: tuple[Step, ...]) -> None:
        self.job, self.limits = job, job.limits
        self.steps: list[Step] = list(steps)
        written = {name for step in steps for name in defined(step.source)}
        asked = {cell.name for cell in job.assignment.cells if cell.role == "answer"}
        self.unwritten = asked - written  # answers of which there is only the stub, or nothing
        self.upto = 0  # how many of them should have been run
        self.at = 0  # how many have been, in the present process
        self.cut: set[int] = set()  # steps of which only definitions are left
        self.deadline = time.monotonic() + job.limits.total_s
        self.flags: list[tuple[str, str]] = []
        self.errors: dict[int, Raised] = {}
        self.shown: dict[int, ShownCell] = {}  # by the cell's number in the submission
        self.hidden = False  # whether tests have been run of which nothing may be told
        self.hurried = False  # whether all cells of the learner's own are cut
        self.own_s = 0.0  # what these have taken
        self.worker: WorkerProcess | None = None
        self.starts = 0
        self.cpu_s = self.peak_mib = 0.0

    def ready(self) -> WorkerProcess:
        """The process, after the cells before `upto` have been run in it.

        Raises WorkerLost when there is no more to be tried.
        """
        while True:
            worker = self.worker or self.start()
            if self.at >= self.upto:
                return worker
            try:
                self.run_step(worker, self.at)
                self.at += 1
                if self.at == len(self.steps):
                    # learners move cells: those that missed a name run once more
                    for late in self.early():
                        self.run_step(worker, late)
            except WorkerLost:
                continue

    def start(self) -> WorkerProcess:
        """A new process, in which nothing has been run."""
        if self.starts > self.limits.restarts and not self.hurried:
            self.hurry("since the process was lost again and again")
            self.starts -= 2
        if self.starts > self.limits.restarts:
            raise WorkerLost("gave-up", f"Its process was lost {self.starts} times.")
        if time.monotonic() >= self.deadline:
            raise WorkerLost(
                "time-limit", f"The submission took more than {self.limits.total_s:g} s in all."
            )
        self.starts += 1
        self.at = 0
        if not self.hidden:
            self.errors.clear()
        self.worker = WorkerProcess(self.job.sandbox, self.limits, self.deadline)
        self.open(self.worker)
        return self.worker

    def open(self, worker: WorkerProcess) -> None:
        """Make the course ready in a new process. No code of the learner's has run: what fails here
        is not the submission's.
        """
        assignment, beside = self.job.assignment, self.job.submission.beside
        message = {
            "do": "open",
            "checks": list(assignment.checks),
            "withheld": [
                list(ref) for task in assignment.tasks for ref in withheld_references(task)
            ],
            "probes": [list(pair) for pair in assignment.probes],
            "files": [[name, as_tensor(data)] for name, data in beside],
            "gpu": any(GPU.search(step.source) for step in self.steps),
            "shows": self.job.shows and not self.hidden,
        }
        try:
            worker.request(message, self.limits.total_s)
        except WorkerLost as lost:
            if time.monotonic() >= self.deadline:
                raise
            said = worker.complaint()
            raise InfrastructureError(f"The box did not start: {lost}{said}") from None

    def run_step(self, worker: WorkerProcess, i: int) -> None:
        """Run one cell. Raises WorkerLost, after it has cut the cell, where the process is lost."""
        step = self.steps[i]
        if not step.source:
            return
        began = time.monotonic()
        try:
            error, line = self.run_cell(worker, step.source, number=step.number)
            # what else the cell defines, although a package, a file or a GPU is missing
            for part in step.parts(after=line) if error is not None else ():
                self.run_cell(worker, part)
        except WorkerLost as lost:
            self.lose(lost)
            last_flag, sentence = self.flags[-1]
            self.flags[-1] = (last_flag, f"Cell {step.number}: {sentence}")
            self.steps[i] = replace(step, source="") if i in self.cut else step.definitions
            self.cut.add(i)
            raise
        finally:
            self.own_s += (time.monotonic() - began) * step.own
            if self.own_s > OWN_SHARE * self.limits.total_s and not self.hurried:
                self.hurry(f"since they had taken {self.own_s:.0f} s")
        self.errors.pop(i, None)
        if error is not None and not self.hidden:
            self.errors[i] = error
            self.flag_missing_package(step, error)

    def run_cell(
        self, worker: WorkerProcess, source: str, kept: bool = True, number: int = 0
    ) -> tuple[Raised | None, int]:
        """Run code as a cell: the error that ended it, and on which line. Raises WorkerLost."""
        message = {"do": "cell", "source": source, "kept": kept}
        reply = worker.request(message, self.limits.cell_s)
        if not isinstance(reply, dict) or not {"error", "line", "flooded"} <= reply.keys():
            raise WorkerLost(
                "malformed-reply", "The submission's process sent something else than asked."
            )
        if reply["flooded"]:
            self.flag("much-output", "A cell printed too much; its output was dropped.")
        self.notice(reply)
        if number and self.job.shows:
            self.shown[number] = shown_cell(source, reply)
        error, line = reply["error"], reply["line"]
        return error if isinstance(error, Raised) else None, line if type(line) is int else 0

    def hurry(self, why: str) -> None:
        """Cut all cells of the learner's own down to their definitions."""
        self.hurried = True
        later = [i for i, step in enumerate(self.steps) if step.own and i not in self.cut]
        if any(self.steps[i].definitions.source != self.steps[i].source for i in later):
            self.flag("own-cells-cut", f"Cells that are no answers were cut to definitions, {why}.")
        for i in later:
            self.steps[i] = self.steps[i].definitions
            self.cut.add(i)

    def early(self) -> list[int]:
        """The cells that missed a name, of those that alone define what they do: to run them late
        overwrites nothing.
        """
        times = Counter(name for step in self.steps for name in set(defined(step.source)))
        missed = [i for i, error in self.errors.items() if error.kind == "NameError"]
        return [
            i for i in missed if all(times[name] == 1 for name in defined(self.steps[i].source))
        ]

    def begin_again(self) -> None:
        """A new process for tests of which nothing may be told: no text comes out of it."""
        self.close()
        self.hidden, self.upto, self.at = True, 0, 0
        self.starts = max(0, self.starts - 1)

    def request(self, message: dict, seconds: float) -> dict:
        """Ask the process, which then has run the cells that are due. Raises WorkerLost."""
        try:
            reply = self.ready().request(message, seconds)
        except WorkerLost as lost:
            self.lose(lost)
            raise
        if not isinstance(reply, dict):
            unasked = WorkerLost(
                "malformed-reply", "The submission's process sent something else than asked."
            )
            self.lose(unasked)
            raise unasked
        self.notice(reply)
        return reply

    def statement(self, source: str) -> Raised | None:
        """Run a statement of a test beside the answer: what it raised. Raises WorkerLost."""
        worker = self.ready()
        try:
            error, _ = self.run_cell(worker, source, kept=not self.hidden)
        except WorkerLost as lost:
            self.lose(lost)
            raise
        return error

    def notice(self, reply: dict) -> None:
        """Flag what the process says that it met."""
        words = reply.get("noticed")
        for word in words if isinstance(words, list) else ():
            if isinstance(word, str) and word in NOTICED:
                self.flag(*NOTICED[word])

    def flag_missing_package(self, step: Step, error: Raised) -> None:
        """Say that the learner had a package that the grader lacks."""
        package = missing_package(error)
        if package and step.number:
            self.flag("missing-package", f"Cell {step.number} needs the package {package}.")

    def lose(self, lost: WorkerLost) -> None:
        """Flag what broke the process, and end it."""
        self.flags.append((lost.flag, str(lost)))
        self.close()

    def flag(self, name: str, sentence: str) -> None:
        """Flag something, once."""
        if (name, sentence) not in self.flags:
            self.flags.append((name, sentence))

    def close(self) -> None:
        """End the process, and count what it used."""
        if self.worker is not None:
            self.worker.close()
            self.cpu_s += self.worker.cpu_s
            self.peak_mib = max(self.peak_mib, self.worker.peak_mib)
            self.worker = None


def missing_package(error: Raised) -> str:
    """The package that an import missed, "" for other errors and for other services' modules."""
    found = re.match(r"No module named '([\w.]+)'", error.message)
    if error.kind != "ModuleNotFoundError" or not found:
        return ""
    package = found[1].split(".")[0]
    return "" if package in SOMEWHERE_ELSE else package


def shown_cell(source: str, reply: dict) -> ShownCell:
    """What a cell showed, as far as it is text and pictures of bounded size."""
    shown = reply.get("shown")
    shown = shown if isinstance(shown, dict) else {}
    text, error, pictures = shown.get("text"), reply["error"], []
    given = shown.get("figures")
    for one in given[:PICTURES] if isinstance(given, list) else ():
        data = one.numpy().tobytes() if isinstance(one, torch.Tensor) else b""
        if data.startswith(PNG) and len(data) <= PICTURE:
            pictures.append("data:image/png;base64," + base64.b64encode(data).decode("ascii"))
    said = text[:TEXT] if isinstance(text, str) else ""
    said += f"\n{error.kind}: {error.message}" if isinstance(error, Raised) else ""
    return ShownCell("code", source[:TEXT], said, tuple(pictures))


def as_tensor(data: bytes) -> torch.Tensor:
    """Bytes as they travel into the box."""
    return torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())
