"""How much memory the processes of a box hold together, hidden memory included."""

import contextlib
import itertools
import os

import psutil

NAMELESS = ("/memfd:", "/dev/zero (deleted)", "/SYSV")  # files in memory that have no name in any folder
LOOKS = 10  # between two readings of a process that has not grown
PIECES = 10_000  # that a process may map; one that has imported torch maps some 650


class Meter:
    """Counts what a family of processes holds.

    A page of a nameless file stays in memory while the file is open or mapped anywhere, though it may be nobody's
    resident memory: such files are counted whole. What lies in folders is bounded by the folders' sizes.
    """

    def __init__(self):
        self.looks = 0
        self.known: dict[int, tuple[int, dict[int, int]]] = {}  # process -> virtual size, and its mappings, when last read

    def mib(self, family: list[psutil.Process], enough: float) -> float:
        """MiB of all of them. Where that is more than `enough`, it is counted again so that pages which forks share count once."""
        self.looks += 1
        resident, nameless = 0, {}
        for process in family:
            with contextlib.suppress(psutil.Error, OSError):
                held = process.memory_info()
                resident += held.rss
                for inode, size in (*self.mapped(process.pid, held.vms).items(), *opened(process.pid).items()):
                    nameless[inode] = max(size, nameless.get(inode, 0))
        hidden = sum(nameless.values())
        mib = (resident + hidden) / 2**20
        return mib if mib <= enough else (sum(map(proportional, family)) + hidden) / 2**20

    def mapped(self, pid: int, size: int) -> dict[int, int]:
        """Nameless files that a process of this virtual size maps, inode -> bytes; read again when it has grown, and now and then."""
        if pid not in self.known or size > self.known[pid][0] or self.looks % LOOKS == 0:
            self.known[pid] = size, mappings(pid, size)
        return self.known[pid][1]


def mappings(pid: int, size: int) -> dict[int, int]:
    """The nameless files in a process's map of memory, inode -> bytes up to the last one mapped.

    A process that maps far more pieces than honest ones is not read to the end, which would keep the watch busy: it
    counts with its whole virtual `size`.
    """
    found: dict[int, int] = {}
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as lines:
        for line in itertools.islice(lines, PIECES):
            span, _, offset, _, inode, *path = line.split(maxsplit=5)
            if path and path[0].startswith(NAMELESS):
                start, end = (int(at, 16) for at in span.split("-"))
                found[int(inode)] = max(found.get(int(inode), 0), int(offset, 16) + end - start)
        return {-pid: size} if next(lines, None) else found


def opened(pid: int) -> dict[int, int]:
    """The nameless files that a process has open, inode -> bytes in memory."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for link in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(link.path).startswith(NAMELESS):
                    about = os.stat(link.path)
                    found[about.st_ino] = about.st_blocks * 512
    return found


def proportional(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return process.memory_full_info().pss
    return 0
