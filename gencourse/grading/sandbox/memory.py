"""How much memory a box holds: its processes, what hides from their resident memory, and what the
kernel keeps for them.

A control group would count the same in the kernel, where its hierarchy is writable: for root, or
where systemd has delegated one. Neither holds for an instructor's ordinary account, so the counting
has to be ours there, and it is the same everywhere.
"""

# POSIX: what Linux tells in /proc; elsewhere resident memory is counted

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

NAMELESS = (
    b"/memfd:",
    b"/dev/zero (deleted)",
    b"/SYSV",
)  # files in memory that have no name in any folder
RESIDENT, OTHER = (
    ("RssAnon:", "RssFile:", "VmSwap:"),
    ("VmPTE:", "HugetlbPages:"),
)  # kB in a status; shared memory is counted by its files
PIECES = 10_000  # that a process may map; one that has imported torch maps some 650
FILES = 1024  # that a process may have open
FOLDERS = ("/tmp", "/box", "/dev/shm")  # where a box can write
# bytes that the kernel keeps at most for one of each, beside what is counted otherwise; a
# descriptor may be a full pipe
PIECE, DESCRIPTOR, INODE, LOCK, TASK, TERMINAL = 512, 64 << 10, 2 << 10, 256, 32 << 10, 256 << 10


class Meter:
    """Counts what a family of processes holds, and after every count how many `tasks`, that is
    processes and threads, they are.

    A page of a nameless file stays in memory while the file is open or mapped anywhere, though it
    may be nobody's resident memory: such files are counted whole, and so is what lies in the box's
    folders. `inner` is a process that sees these folders and lives as long as the box.
    """

    def __init__(self, inner: int) -> None:
        self.inner = inner
        self.tasks = 0

    def mib(self, pids: Iterable[int], enough: float) -> float:
        """MiB of all of them. Where that is more than `enough`, it is counted again so that pages
        which forks share count once.
        """
        pids, self.tasks = list(pids), 0
        if not os.path.exists("/proc/self/status"):  # not Linux, and no sandbox
            return sum(map(resident_bytes, pids)) / 2**20
        resident, kept = 0, beside(self.inner) + LOCK * locks(pids)
        nameless: dict[int, int] = {}
        places: list[str] = []
        for pid in pids:
            with contextlib.suppress(OSError):
                place, about = living(pid)
                places.append(place)
                self.tasks += about.get("Threads:", 1)
                resident += sum(about.get(field, 0) for field in RESIDENT) << 10
                files, pieces = mappings(place)
                kept += sum(about.get(field, 0) for field in OTHER) << 10
                kept += pieces * PIECE if pieces <= PIECES else about["VmSize:"] << 10
                for inode, size in files.items():
                    nameless[inode] = max(size, nameless.get(inode, 0))
                count = descriptors(place)
                kept += count * DESCRIPTOR
                nameless |= opened(place) if count < FILES else {}
        kept += sum(nameless.values()) + self.tasks * TASK
        if resident + kept > enough * 2**20 > kept:
            resident = sum(map(proportional, places))
        return (resident + kept) / 2**20


def resident_bytes(pid: int) -> int:
    """Bytes that a process holds, 0 for one that has ended: what every system can tell."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).memory_info().rss
    return 0


def living(pid: int) -> tuple[str, dict[str, int]]:
    """Where /proc tells about a process, and the numbers in its status: another thread's where the
    first has ended and others go on.
    """
    about = status(f"/proc/{pid}")
    if "RssAnon:" not in about and about["Threads:"] > 1:
        for place in (f"/proc/{pid}/task/{thread}" for thread in os.listdir(f"/proc/{pid}/task")):
            with contextlib.suppress(OSError):
                if "RssAnon:" in (other := status(place)):
                    return place, other
    return f"/proc/{pid}", about


def status(place: str, file: str = "status") -> dict[str, int]:
    """The numbers in a file of /proc, kB where they are memory."""
    lines = (line.split() for line in Path(place, file).read_text("utf-8", "replace").splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def mappings(place: str) -> tuple[dict[int, int], int]:
    """The nameless files in a process's map of memory, inode -> bytes up to the last one mapped,
    and of how many pieces the map is.

    The map of a process that has far more pieces than honest ones is not read to the end, which
    would keep the watch busy.
    """
    found: dict[int, int] = {}
    with open(f"{place}/maps", "rb") as file:
        text = file.read(128 * PIECES)
    if len(text) == 128 * PIECES or text.count(b"\n") > PIECES:
        return found, PIECES + 1
    for line in text.splitlines() if any(name in text for name in NAMELESS) else ():
        span, _, offset, _, inode, *path = line.split(maxsplit=5)
        if path and path[0].startswith(NAMELESS):
            start, end = (int(at, 16) for at in span.split(b"-"))
            found[int(inode)] = max(found.get(int(inode), 0), int(offset, 16) + end - start)
    return found, text.count(b"\n")


def descriptors(place: str) -> int:
    """How many a process has open; the most that it may have where it hides them."""
    try:
        return len(os.listdir(f"{place}/fd"))
    except PermissionError:
        return FILES


def opened(place: str) -> dict[int, int]:
    """The nameless files that a process has open, inode -> bytes in memory."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for link in os.scandir(f"{place}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(link.path).encode().startswith(NAMELESS):
                    about = os.stat(link.path)
                    found[about.st_ino] = about.st_blocks * 512
    return found


def proportional(place: str) -> int:
    """Bytes of a process that are no shared memory, each page divided by how many map it."""
    with contextlib.suppress(OSError):
        about = status(place, "smaps_rollup")
        return about["Pss:"] - about.get("Pss_Shmem:", 0) + about.get("SwapPss:", 0) << 10
    return 0


def locks(pids: Iterable[int]) -> int:
    """How many locks on files these processes hold."""
    holders = {str(pid) for pid in pids}
    with contextlib.suppress(OSError), open("/proc/locks", encoding="ascii") as lines:
        return sum(bool(holders.intersection(line.split()[4:6])) for line in lines)
    return 0


def beside(pid: int) -> int:
    """Bytes that belong to no process of a box: in its folders, in its sockets, in its terminals.
    `pid` is a process that sees them.
    """
    held = 0
    for folder in FOLDERS:
        with contextlib.suppress(OSError):
            inside = f"/proc/{pid}/root{folder}"
            if (
                not os.path.exists(folder) or os.stat(inside).st_dev != os.stat(folder).st_dev
            ):  # and not this machine's own
                about = os.statvfs(inside)
                held += (about.f_blocks - about.f_bfree) * about.f_frsize + (
                    about.f_files - about.f_ffree
                ) * INODE
    with contextlib.suppress(OSError):
        if os.stat(f"/proc/{pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino:
            sockets = int(Path(f"/proc/{pid}/net/sockstat").read_text("ascii").split()[2])
            held += sockets * 2 * int(Path("/proc/sys/net/core/wmem_default").read_text("ascii"))
            held += len(os.listdir(Path(f"/proc/{pid}") / "root" / "dev" / "pts")) * TERMINAL
    return held
