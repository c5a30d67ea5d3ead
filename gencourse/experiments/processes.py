"""A training by several processes: started here on one machine, or by a launcher on several.

A launcher is what sets RANK and WORLD_SIZE: `python -m torch.distributed.run`, or accelerate's. All
processes read the plan from the training's folder, which they share, and `fit` does the rest.
"""

import contextlib
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import distributed, multiprocessing

from gencourse.errors import CourseError
from gencourse.runtime import launched, pick_device


def is_first() -> bool:
    """Whether this process is the one that plans, writes and speaks."""
    ranks = launched()
    return ranks is None or ranks[0] == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within the block a process of a launcher is one of its group."""
    ranks = launched()
    if ranks is None:
        yield
        return
    distributed.init_process_group(backend())
    place(ranks[1])
    try:
        yield
        distributed.barrier()  # until the first has measured and written
    finally:
        distributed.destroy_process_group()


def backend() -> str:
    """How processes speak to one another: nccl between GPUs, else gloo."""
    return "nccl" if pick_device().type == "cuda" else "gloo"


def place(rank: int) -> None:
    """Give a process its GPU where there are some."""
    if pick_device().type == "cuda":
        torch.cuda.set_device(rank)


def start(count: int, folder: Path, work: Callable[[Path], None]) -> None:
    """Run work(folder) in so many processes of this machine, which share its cores.

    Raises CourseError if one of them ends too early; then all are ended.
    """
    threads = max(1, torch.get_num_threads() // count)
    with tempfile.TemporaryDirectory() as meeting:
        words = (count, meeting, threads, folder, work)
        group = multiprocessing.spawn(one_of, words, nprocs=count, join=False)
        with interrupts_left_to_them():
            try:
                while not group.join():
                    pass
            except (multiprocessing.ProcessExitedException, multiprocessing.ProcessRaisedException):
                raise CourseError(
                    "train: all processes should work to the end, got one that ended before, and "
                    "the others were stopped. The same command goes on from the last half minute, "
                    "with any number of processes."
                ) from None


def one_of(
    rank: int, count: int, meeting: str, threads: int, folder: Path, work: Callable[[Path], None]
) -> None:
    """What one of the processes does."""
    torch.set_num_threads(threads)
    method = f"file://{meeting}/group"
    distributed.init_process_group(backend(), init_method=method, rank=rank, world_size=count)
    place(rank)
    work(folder)
    distributed.destroy_process_group()


@contextlib.contextmanager
def interrupts_left_to_them() -> Iterator[None]:
    """Within the block Ctrl-C, which reaches all processes of a terminal, does not end this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
