"""What a box holds in memory is counted, also what is nobody's resident memory."""

import contextlib
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gencourse.grading.memory import PIECES, Meter

MIB = 1 << 20
pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="memory is looked up in /proc")
WAIT = "\nprint('ready', flush=True)\ninput()\n"
SHARED = f"import mmap, os\nm = mmap.mmap(-1, 64 * {MIB})\nm.write(bytes(64 * {MIB}))\nm.madvise(mmap.MADV_DONTNEED)\n"


@contextlib.contextmanager
def running(code: str):
    """A process that has done `code` and waits for a line."""
    with subprocess.Popen([sys.executable, "-c", code + WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
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


def counted(code: str) -> float:
    with running(code) as process:
        return mib(process)


@pytest.fixture(scope="module")
def empty() -> float:
    """MiB of a Python that has done nothing."""
    return counted("")


def test_shared_memory_that_is_no_longer_resident_is_counted(empty):
    assert 60 < counted(SHARED) - empty < 70


def test_shared_memory_counts_once_however_many_map_it(empty):
    code = SHARED + "import time\nif os.fork() == 0:\n    time.sleep(100)"
    assert 60 < counted(code) - 2 * empty < 75


def test_shared_memory_that_only_a_child_still_maps_is_counted(empty):
    code = SHARED + "import time\nif os.fork() == 0:\n    time.sleep(100)\nm.close()"
    assert 60 < counted(code) - 2 * empty < 75


def test_a_file_in_memory_is_counted_while_it_is_open(empty):
    assert 60 < counted(f"import os\nf = os.memfd_create('x')\nos.write(f, bytes(64 * {MIB}))") - empty < 70


def test_a_file_in_memory_is_counted_while_it_is_mapped_however_it_is(empty):
    code = f"import mmap, os\nf = os.memfd_create('x')\nos.write(f, bytes(64 * {MIB}))\nm = mmap.mmap(f, 0, flags=mmap.MAP_PRIVATE)\nos.close(f)"
    assert 60 < counted(code) - empty < 70


def test_private_memory_that_was_never_touched_costs_nothing(empty):
    assert abs(counted(f"import mmap\nm = mmap.mmap(-1, 64 * {MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)") - empty) < 5


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
    code = f"import mmap\nplace = mmap.mmap(-1, 80 * {MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS){WAIT}place.close()\n"
    with running(code + SHARED) as process:
        before = mib(process)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        assert 60 < mib(process) - before < 70


def test_a_thread_whose_first_one_has_ended_is_counted(empty):
    end = 60 if platform.machine() == "x86_64" else 93  # of this thread alone
    code = (
        f"import ctypes, os, threading, time\ndef hold():\n    global kept\n    kept = bytearray(b'x' * (64 * {MIB}))\n    time.sleep(100)\n"
        f"if os.fork() == 0:\n    threading.Thread(target=hold).start()\n    ctypes.CDLL(None).syscall({end}, 0)\ntime.sleep(1)"
    )
    assert 60 < counted(code) - 2 * empty < 75


def test_page_tables_and_descriptors_are_counted(empty):
    sparse = "import mmap\nm = mmap.mmap(-1, 1 << 36, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)\n"
    assert 60 < counted(sparse + "for at in range(0, 1 << 35, 1 << 21):\n    m[at]") - empty < 70
    assert 10 < counted("import os\nkept = [os.pipe() for _ in range(100)]") - empty < 15
