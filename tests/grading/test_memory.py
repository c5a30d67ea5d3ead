"""What a box holds in memory is counted, also what is nobody's resident memory."""

import contextlib
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gencourse.grading.sandbox.memory import PIECES, Meter

MIB = 1 << 20
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="memory is looked up in /proc"
)
SIZE = 64 * MIB
WAIT = "\nprint('ready', flush=True)\ninput()\n"
SHARED = "import mmap, os\nm = mmap.mmap(-1, SIZE)\nm.write(bytes(SIZE))\nm.madvise(mmap.MADV_DONTNEED)\n"


@contextlib.contextmanager
def running(code: str):
    """A process that has done `code` and waits for a line."""
    with subprocess.Popen(
        [sys.executable, "-c", code + WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            for one in reversed(family(process)):
                one.kill()


def family(process: subprocess.Popen) -> list[psutil.Process]:
    first = psutil.Process(process.pid)
    return [first, *first.children(recursive=True)]


def mib(process: subprocess.Popen) -> float:
    return Meter(process.pid).mib([one.pid for one in family(process)], enough=1e9)


def counted(code: str, size: int) -> float:
    """The bytes that the meter sees while this code waits, which is told what SIZE is."""
    with running(f"SIZE = {size}\n{code}") as process:
        return mib(process) * MIB


def share(code: str) -> float:
    """How much of SIZE is counted when the code holds so much, beyond what is counted when it holds a page."""
    page = 4096
    return (counted(code, SIZE) - counted(code, page)) / (SIZE - page)


def test_shared_memory_that_is_no_longer_resident_is_counted():
    assert 0.9 < share(SHARED) < 1.4


def test_shared_memory_counts_once_however_many_map_it():
    assert 0.9 < share(SHARED + "import time\nif os.fork() == 0:\n    time.sleep(1000)") < 1.4


def test_shared_memory_that_only_a_child_still_maps_is_counted():
    assert (
        0.9
        < share(SHARED + "import time\nif os.fork() == 0:\n    time.sleep(1000)\nm.close()")
        < 1.4
    )


def test_a_file_in_memory_is_counted_while_it_is_open():
    assert 0.9 < share("import os\nf = os.memfd_create('x')\nos.write(f, bytes(SIZE))") < 1.4


def test_a_file_in_memory_is_counted_while_it_is_mapped_however_it_is():
    code = "import mmap, os\nf = os.memfd_create('x')\nos.write(f, bytes(SIZE))\nm = mmap.mmap(f, 0, flags=mmap.MAP_PRIVATE)\nos.close(f)"
    assert 0.9 < share(code) < 1.4


def test_private_memory_that_was_never_touched_costs_nothing():
    assert (
        abs(
            share(
                "import mmap\nm = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)"
            )
        )
        < 0.1
    )


def test_too_many_pieces_to_read_count_with_all_that_is_mapped():
    code = (
        f"import mmap\nkept = []\nfor i in range({PIECES}):\n"
        "    protection = mmap.PROT_READ if i % 2 else mmap.PROT_READ | mmap.PROT_WRITE\n"  # neighbours that cannot become one
        "    kept.append(mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=protection))"
    )
    with running(code) as process:
        assert mib(process) >= psutil.Process(process.pid).memory_info().vms / MIB


def test_memory_that_takes_the_place_of_other_memory_is_seen():
    """The process has not grown."""
    place = f"mmap.mmap(-1, {SIZE + 16 * MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)"
    code = f"SIZE = {SIZE}\nimport mmap\nplace = {place}{WAIT}place.close()\n"
    with running(code + SHARED) as process:
        before = mib(process)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        assert 0.9 < (mib(process) - before) * MIB / SIZE < 1.4


def test_a_thread_whose_first_one_has_ended_is_counted():
    end = 60 if platform.machine() == "x86_64" else 93  # of this thread alone
    code = (
        "import ctypes, os, threading, time\ndef hold():\n    global kept\n"
        "    kept = bytearray(b'x' * SIZE)\n    time.sleep(100)\n"
        "if os.fork() == 0:\n    threading.Thread(target=hold).start()\n"
        f"    ctypes.CDLL(None).syscall({end}, 0)\ntime.sleep(1)"
    )
    assert 0.9 < share(code) < 1.4


def test_page_tables_are_counted():
    """A page in each 2 MiB of a mapping: a table of 4 KiB for each, 512 times less than the mapping."""
    flags = "flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ"
    sparse = f"import mmap\nm = mmap.mmap(-1, 1 << 36, {flags})\n"
    assert 0.9 < share(sparse + "for at in range(0, 512 * SIZE, 1 << 21):\n    m[at]") < 1.4


def test_descriptors_are_counted_each():
    few, many = (
        counted(f"import os\nkept = [os.pipe() for _ in range({n})]", 1) for n in (100, 300)
    )
    none = counted("", 1)
    assert 1.6 < (many - few) / (few - none) < 2.4
