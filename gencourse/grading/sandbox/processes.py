"""Processes of a box as they are seen from outside of it, and how they can be lost."""

# POSIX: pipes, signals, descriptors of processes

import contextlib
import json
import os
import select
import time
from collections.abc import Iterator

import psutil

START_S = 20  # for bubblewrap to make a namespace


class WorkerLost(Exception):
    """The process in the box is gone, or was ended because it broke a limit. `flag` is one word for
    it.
    """

    def __init__(self, flag: str, sentence: str) -> None:
        super().__init__(sentence)
        self.flag = flag


class InfrastructureError(Exception):
    """The box could not be started at all: nothing that a submission could be blamed for."""


@contextlib.contextmanager
def stilled(processes: list[psutil.Process]) -> Iterator[None]:
    """Stop these processes for a moment, in which they take neither memory nor the processor from
    who counts.
    """
    try:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.suspend()
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.resume()


def first_inside(heard: int) -> tuple[int, int]:
    """The first process in the namespace of a bubblewrap that tells about it on a pipe: its number,
    and a descriptor to end it by.
    """
    text, ends = b"", time.monotonic() + START_S
    while (
        b"}" not in text
        and select.select([heard], [], [], max(0.0, ends - time.monotonic()))[0]
        and (part := os.read(heard, 1000))
    ):
        text += part
    try:
        pid = json.loads(text)["child-pid"]
        return pid, os.pidfd_open(pid)
    except (ValueError, OSError):
        raise InfrastructureError(
            "the box should have told about its first process, and has not: bubblewrap did not "
            "start it"
        ) from None


def cpu_seconds(process: psutil.Process) -> float:
    """The processor seconds of a process so far, 0 for one that has ended."""
    with contextlib.suppress(psutil.Error):
        return sum(process.cpu_times()[:2])
    return 0.0
