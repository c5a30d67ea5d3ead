"""A learner's process behind a wall: started, spoken to with a deadline, watched, and ended."""

# POSIX: pipes that do not wait, signals, process groups; sandbox.choose refuses Windows before

import contextlib
import os
import secrets
import select
import selectors
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO, Any, NoReturn, cast

import psutil

from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.inside import wire
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.memory import Meter
from gencourse.grading.sandbox.processes import (
    InfrastructureError,
    WorkerLost,
    cpu_seconds,
    first_inside,
    stilled,
)

WATCH_S = 0.1  # between two looks at the memory, where it is far from the limit
SHORTEST_S = 0.02  # where it is near
FASTEST = 10_000  # MiB that are taken in a second, at most
# processes and threads, from which on they keep the watch from its look; four times as many do so
# wherever the memory is
CROWD = 8
END_S = 60  # for the kernel to take back what an ended box had
RESERVED_MIB = 768  # that one process may ask for beyond the limit and not touch, as torch does


class WorkerProcess:
    """One running worker (inside/worker.py) and its channel.

    Everything that arrives is of the learner's making. `deadline` is a time of time.monotonic().
    """

    def __init__(self, sandbox: Sandbox, limits: Limits, deadline: float) -> None:
        own = {
            "cpu_s": int(limits.total_s) + 1,
            "file_bytes": limits.files_mib << 20,
            "processes": limits.processes,
            "data_bytes": (limits.memory_mib + RESERVED_MIB) << 20,
        }
        self.sandbox, self.limits, self.deadline = sandbox, limits, deadline
        self.name = f"gencourse-{secrets.token_hex(8)}"
        self.requests = 0
        self.broken: WorkerLost | None = None
        self.cpu_s = self.peak_mib = 0.0
        self.init: int | None = None
        self.last_words = ""
        heard, said = os.pipe()
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the process)
        try:
            self.process = subprocess.Popen(
                sandbox.command(own, self.name, said),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,  # the worker moves away from it before it runs a cell
                # bubblewrap's own first process stays visible in the box, with its environment
                env={},
                bufsize=0,
                start_new_session=True,
                pass_fds=[said] if sandbox.kind == "bubblewrap" else [],
            )
        except OSError as error:
            os.close(heard)
            self.stderr.close()
            raise InfrastructureError(f"the box could not be started: {error}") from None
        finally:
            os.close(said)
        # pipes, as it was told above
        self.to_box = cast(IO[bytes], self.process.stdin)
        self.from_box = cast(IO[bytes], self.process.stdout)
        with contextlib.ExitStack() as unless_it_runs:
            unless_it_runs.callback(self._abandon)  # nobody else could end it
            try:
                self.inner, self.init = (
                    first_inside(heard)
                    if sandbox.kind == "bubblewrap"
                    else (self.process.pid, None)
                )
            except InfrastructureError as error:
                raise InfrastructureError(f"{error}{self.complaint()}") from None
            finally:
                os.close(heard)
            os.set_blocking(self.to_box.fileno(), False)
            os.set_blocking(self.from_box.fileno(), False)
            self.over = threading.Event()
            self.watcher = threading.Thread(target=self._watch, daemon=True)
            self.watcher.start()
            unless_it_runs.pop_all()

    def _abandon(self) -> None:
        """End what was started of a box that cannot be used."""
        self.process.kill()
        self.process.wait()
        self.sandbox.remove(self.name)
        self.to_box.close()
        self.from_box.close()
        self.stderr.close()
        if self.init is not None:
            os.close(self.init)

    def complaint(self) -> str:
        """The end of what the process has said on its standard error, as the end of a sentence."""
        if self.stderr.closed:
            return self.last_words
        self.stderr.seek(0)
        text = self.stderr.read()[-1000:].decode("utf-8", "replace").strip()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f" ({' / '.join(lines[-3:])[-400:]})" if lines else ""

    def request(self, message: dict, seconds: float) -> Any:
        """Send one message and return the reply, as plain data. Raises WorkerLost."""
        ends = min(time.monotonic() + seconds, self.deadline)
        self.requests += 1
        try:
            self._send(wire.pack(message | {"number": self.requests}), ends)
            header = self._receive(wire.HEADER.size, ends)
            body, raw = wire.lengths(header, self.limits.reply_mib << 20)
            answer = wire.unpack(self._receive(body, ends), self._receive(raw, ends))
            if (
                not isinstance(answer, dict)
                or answer.get("number") != self.requests
                or "reply" not in answer
            ):
                raise wire.Malformed("something that was not asked for")
            return answer["reply"]
        except wire.Malformed as error:
            self._lose("malformed-reply", f"The submission's process sent {error}.")
        except TimeoutError:
            if time.monotonic() >= self.deadline:
                self._lose(
                    "time-limit", f"The submission took more than {self.limits.total_s:g} s in all."
                )
            self._lose("slow", f"No result after {seconds:g} s.")
        except (BrokenPipeError, EOFError):
            self.close()
            self._lose("died", "The submission's process ended.")

    def _lose(self, flag: str, sentence: str) -> NoReturn:
        self.close()
        raise self.broken or WorkerLost(flag, sentence)

    def _send(self, data: bytes, ends: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self.to_box, selectors.EVENT_WRITE, ends)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(self.to_box.fileno(), view) :]

    def _receive(self, count: int, ends: float) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._wait(self.from_box, selectors.EVENT_READ, ends)
            with contextlib.suppress(BlockingIOError):
                part = os.read(self.from_box.fileno(), min(count - len(data), 1 << 20))
                if not part:
                    raise EOFError
                data += part
        return bytes(data)

    @staticmethod
    def _wait(pipe: IO[bytes], event: int, ends: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            if not selector.select(max(0.0, ends - time.monotonic())):
                raise TimeoutError

    def _watch(self) -> None:
        """End the box when its processes hold too much memory together, or are too many."""
        meter, pause, mib = Meter(self.inner), WATCH_S, 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            while not self.over.wait(pause):
                family = [first, *first.children(recursive=True)]
                crowd = CROWD if mib > self.limits.memory_mib / 2 else 4 * CROWD
                with stilled(family[2:] if max(len(family), meter.tasks) > crowd else []):
                    self.cpu_s = max(self.cpu_s, sum(map(cpu_seconds, family)))
                    if (
                        len(family) <= self.limits.processes + 8
                    ):  # or else it is over anyway, and counting would only take time
                        mib = meter.mib([process.pid for process in family], self.limits.memory_mib)
                    tasks = max(len(family), meter.tasks)
                    if mib > self.limits.memory_mib or tasks > self.limits.processes + 8:
                        self._kill()  # before they go on
                self.peak_mib = max(self.peak_mib, mib)
                if mib > self.limits.memory_mib:
                    self.broken = WorkerLost(
                        "memory-limit",
                        f"The submission used more than {self.limits.memory_mib} MiB of memory.",
                    )
                elif tasks > self.limits.processes + 8:
                    self.broken = WorkerLost(
                        "process-limit",
                        f"The submission started more than {self.limits.processes} processes.",
                    )
                if self.broken:
                    return
                pause = min(WATCH_S, max(SHORTEST_S, (self.limits.memory_mib - mib) / FASTEST))

    def _kill(self) -> None:
        """End bubblewrap's inner process, all in its namespace with it, and the outer one. The
        inner one is not left to follow by itself.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.init is not None:
                signal.pidfd_send_signal(self.init, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let the process end, or end it; afterwards nothing of it is left. Raises
        InfrastructureError where that takes too long.
        """
        with contextlib.suppress(OSError):
            self.to_box.close()
        try:
            if self.process.returncode is None:
                self._end()
                self.sandbox.remove(self.name)
        finally:
            self.over.set()
            self.watcher.join(timeout=5)
            self.from_box.close()
            self.last_words = self.complaint()
            self.stderr.close()
            if self.init is not None:
                os.close(self.init)
                self.init = None

    def _end(self) -> None:
        """Wait for the process that has been told to end, a moment only; count its seconds; wait
        until nothing is left in its namespace.
        """
        until = time.monotonic() + 0.5
        pid = 0
        while not pid:
            pid, status, usage = os.wait4(
                self.process.pid, os.WNOHANG if time.monotonic() < until else 0
            )
            if not pid:
                time.sleep(0.01)
                if time.monotonic() >= until:
                    self._kill()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = max(self.cpu_s, usage.ru_utime + usage.ru_stime)
        if self.init is not None:
            self._kill()
            ended = select.poll()
            ended.register(
                self.init, select.POLLIN
            )  # the first process of a namespace ends when no other is left
            if not ended.poll(END_S * 1000):
                raise InfrastructureError(
                    f"the box should have ended {END_S} s after it was told to, and has not"
                )

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
