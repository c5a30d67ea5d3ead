"""The learner's process: runs cells as a notebook does, and says what came back when it is asked.

Started as `python -P -m gencourse.grading.sandbox.inside.worker LIMITS`, LIMITS being JSON. Frames
(wire.py) arrive on its standard input and leave on its standard output; what the learner's code
prints goes elsewhere. Messages, and the replies to them:

    {"do": "open", "checks": [module], "withheld": [[exercise, module, name]],
     "probes": [[module, source]], "files": [[name, bytes as a tensor]], "gpu": bool,
     "shows": bool} -> {}
    {"do": "cell", "source": text, "kept": bool}
        -> {"error": Raised or None, "line": of the cell, "flooded": bool, "noticed": [word],
            "shown": {"text": text, "figures": [bytes of a picture as a tensor]} or {}}
    {"do": "look", "name": name}   -> {"is": "missing", "callable" or "value", "value": data}
    {"do": "run", "name": name, "probe": "module:function" or "", "args": data, "kwargs": data,
     "stress": name, "seed": number or None}
        -> {"value": data, "harm": [[what, where]], "empty": bool, "stressed": bool,
            "noticed": [word]} or {"unwritten": text}

A message also holds its "number", and so does the reply to it: {"number": number, "reply": ...}.
One that nobody asked for is noticed. "noticed" holds gpu where what was meant for a GPU was done on
the CPU, and source where a cell tried to read the course's own.
"""

# POSIX: limits and alarms of the process in the box

import contextlib
import io
import json
import os
import random
import selectors
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from traitlets.config import Config

from gencourse.grading.sandbox.inside import wire
from gencourse.grading.sandbox.inside.import_hooks import (
    READ_COURSE,
    ChecksFinder,
    CompilerOnDemand,
    CourseFinder,
    CourseLoader,
    Withheld,
    watch_course,
)
from gencourse.grading.sandbox.inside.on_cpu import OnCPU, Unchanged
from gencourse.grading.sandbox.inside.probes import hidden
from gencourse.grading.sandbox.inside.seccomp import refuse_calls
from gencourse.grading.sandbox.inside.shell import Drain, Shell, figures
from gencourse.runner import NotAttempted, Raised, cells_frames, plain, raised, run

if sys.platform != "win32":  # no box runs there, but the judge's tests use the worker's code
    import resource

OPEN_FILES = 512
SIGNALS = 1024  # on their way, and timers
SHOWN = 200_000  # characters that one cell may print; the rest is dropped


def limit_resources(cpu_s: int, file_bytes: int, processes: int, data_bytes: int) -> None:
    """Hard limits on this process and on all that it starts."""
    limits = [
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_DATA, data_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 2 * OPEN_FILES),
    ]
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as pages:
            mapped = (
                int(pages.read().split()[0]) * resource.getpagesize()
            )  # by the libraries, most of it never touched
        limits += [
            (resource.RLIMIT_AS, mapped + 2 * data_bytes),
            (resource.RLIMIT_SIGPENDING, SIGNALS),
            (resource.RLIMIT_MSGQUEUE, 0),
        ]
    for what, most in limits:
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
    allow_files(OPEN_FILES)


def allow_files(count: int) -> None:
    """How many files may be open. Cells get half of what the process may have, so that asking still
    works when they took all.
    """
    if sys.platform == "win32":
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def own_channel() -> tuple[io.BufferedReader, io.BufferedWriter]:
    """The two ends of the judge's channel, moved away from the descriptors 0, 1 and 2, which now
    lead nowhere.
    """
    reader, writer = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for descriptor in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    return reader, writer


def put_file(name: str, content: torch.Tensor) -> None:
    """Put a file that was handed in beside the notebook into the notebook's folder."""
    path = Path(name)
    if not path.is_absolute() and ".." not in path.parts:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.numpy().tobytes())


class Learner:
    """The notebook's namespace."""

    def __init__(self) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "NoColor"
        self.shell = Shell.instance(config=config)
        # the notebook begins with an empty memory anyway
        self.shell.magics_manager.register_function(lambda line: None, "line", "reset")
        self.names = self.shell.user_ns
        self.main = sys.modules["__main__"]
        sys.modules["__main__"] = self.shell.user_module
        self.drain = Drain()
        self.on_cpu: Any = Unchanged()
        self.shows = False

    def open(
        self,
        checks: list[str],
        withheld: list,
        probes: list,
        files: list | None = None,
        gpu: bool = False,
        shows: bool = False,
    ) -> dict:
        """Make the course ready before any cell has run. `shows`: replies hold outputs."""
        self.shows = shows
        self.probes = hidden(probes)
        finder = ChecksFinder([*checks, "gencourse.probes", *(name for name, _ in probes)])
        CompilerOnDemand.install()
        self.withheld = CourseLoader.withheld = Withheld(withheld)
        sys.meta_path[:0] = [finder, CourseFinder()]
        for name, content in files or ():
            put_file(name, content)
        self.seed(0)
        sys.path.insert(0, "")  # the notebook's folder, as a kernel has it
        if gpu:
            self.on_cpu = OnCPU()
        watch_course()
        return {}

    def noticed(self) -> list[str]:
        """What was met on the way, each once."""
        words = ["gpu"] * self.on_cpu.redirected + ["source"] * bool(READ_COURSE)
        self.on_cpu.redirected = False
        READ_COURSE.clear()
        return words

    def cell(self, source: str, kept: bool = True) -> dict:
        """Run one cell; an error in it is part of the reply. `kept`: in the history of inputs."""
        self.withheld.exercise = ""
        self.drain.count, self.drain.kept = 0, ""
        allow_files(OPEN_FILES)
        torch.set_default_device(None)  # a notebook that was written for a GPU is judged on the CPU
        sys.stdout = sys.stderr = self.drain
        sys.stdin = io.StringIO()  # input() finds no one there
        with self.on_cpu:
            done = self.shell.run_cell(source, store_history=kept)
        shown = {"text": self.drain.kept, "figures": figures()} if self.shows else {}
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
        signal.setitimer(signal.ITIMER_REAL, 0)  # an alarm that was left on
        error = done.error_before_exec or done.error_in_exec
        frames = cells_frames(error) if error is not None else []
        return {
            "error": None if error is None else raised(error),
            "line": frames[0].lineno if frames else 0,
            "flooded": self.drain.count > SHOWN,
            "noticed": self.noticed(),
            "shown": shown,
        }

    def look(self, name: str) -> dict:
        """Whether a name is defined, and as what."""
        if name not in self.names:
            return {"is": "missing", "value": None}
        value = self.names[name]
        if callable(value):
            return {"is": "callable", "value": None}
        return {"is": "value", "value": plain(value)}

    def run(
        self, name: str, probe: str, args: list, kwargs: dict, stress: str, seed: int | None
    ) -> dict:
        """Call the answer of that name, or a probe with it."""
        if seed is not None:
            self.seed(seed)
        allow_files(2 * OPEN_FILES)
        sys.stdout = sys.stderr = self.drain
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        function = self.probes[probe] if probe else None
        try:
            answer = self.names.get(name)
            with self.on_cpu:
                outcome = run(
                    function, answer, tuple(args), kwargs, stress, lambda: self.answering(name)
                )
        except NotAttempted as stub:
            return {"unwritten": str(stub)}
        return {
            "value": outcome.value,
            "harm": [list(pair) for pair in outcome.harm],
            "empty": outcome.empty,
            "stressed": outcome.stressed,
            "noticed": self.noticed(),
        }

    @contextlib.contextmanager
    def answering(self, name: str) -> Iterator[None]:
        """While the code of that answer runs, and only then, the course's own answer to it is
        withheld.
        """
        before, self.withheld.exercise = self.withheld.exercise, name
        try:
            yield
        finally:
            self.withheld.exercise = before

    @staticmethod
    def seed(seed: int) -> None:
        """The same random numbers at every grading."""
        random.seed(seed)
        np.random.seed(seed)
        torch.random.manual_seed(seed)


def serve(reader: io.BufferedReader, writer: io.BufferedWriter) -> None:
    """Answer one message after the other, until the channel closes."""
    learner = Learner()
    os.unsetenv("PYTHONPATH")  # what learners start is Python without the course
    while header := reader.read(wire.HEADER.size):
        body, raw = wire.lengths(header, sys.maxsize)
        # a cell may have left a mode of torch's on, which is to reach no tensor of ours
        with torch.inference_mode(False), torch.enable_grad():
            message = wire.unpack(reader.read(body), reader.read(raw))
        action, number = getattr(learner, message.pop("do")), message.pop("number")
        try:
            reply = wire.pack({"number": number, "reply": action(**message)})
        except wire.Malformed as error:
            unsendable = Raised("ValueError", f"the answer returned {error}")
            said = {"value": unsendable, "unsendable": str(error)}
            reply = wire.pack({"number": number, "reply": said})
        writer.write(reply)
        writer.flush()


if __name__ == "__main__":
    limit_resources(**json.loads(sys.argv[1]))
    refuse_calls()
    # which it would have become, had epoll been refused before the imports
    vars(selectors).update(DefaultSelector=selectors.PollSelector)
    os.chdir(os.path.expanduser("~"))
    serve(*own_channel())
