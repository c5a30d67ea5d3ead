"""What a box holds in memory is counted, also what is nobody's resident memory; what could not be counted is refused."""

import contextlib
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gencourse.grading.inside import refused
from gencourse.grading.memory import LOOKS, PIECES, Meter

MIB = 1 << 20
pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="memory is looked up in /proc")
SIZE = 64 * MIB
WAIT = "\nprint('ready', flush=True)\ninput()\n"
SHARED = "import mmap, os\nm = mmap.mmap(-1, SIZE)\nm.write(bytes(SIZE))\nm.madvise(mmap.MADV_DONTNEED)\n"


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


def counted(code: str, size: int) -> float:
    """The bytes that the meter sees while this code waits, which is told what SIZE is."""
    with running(f"SIZE = {size}\n{code}") as process:
        return Meter().mib(family(process), enough=1e9) * MIB


def share(code: str) -> float:
    """How much of SIZE is counted when the code holds so much, beyond what is counted when it holds a page."""
    page = 4096
    return (counted(code, SIZE) - counted(code, page)) / (SIZE - page)


def test_shared_memory_that_is_no_longer_resident_is_counted():
    assert 0.9 < share(SHARED) < 1.4


def test_shared_memory_counts_once_however_many_map_it():
    assert 0.9 < share(SHARED + "import time\nif os.fork() == 0:\n    time.sleep(1000)") < 1.4


def test_shared_memory_that_only_a_child_still_maps_is_counted():
    assert 0.9 < share(SHARED + "import time\nif os.fork() == 0:\n    time.sleep(1000)\nm.close()") < 1.4


def test_a_file_in_memory_is_counted_while_it_is_open():
    assert 0.9 < share("import os\nf = os.memfd_create('x')\nos.write(f, bytes(SIZE))") < 1.4


def test_a_file_in_memory_is_counted_while_it_is_mapped_however_it_is():
    code = "import mmap, os\nf = os.memfd_create('x')\nos.write(f, bytes(SIZE))\nm = mmap.mmap(f, 0, flags=mmap.MAP_PRIVATE)\nos.close(f)"
    assert 0.9 < share(code) < 1.4


def test_private_memory_that_was_never_touched_costs_nothing():
    assert abs(share("import mmap\nm = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)")) < 0.1


def test_too_many_pieces_to_read_count_with_all_that_is_mapped():
    code = (
        f"import mmap\nkept = []\nfor i in range({PIECES}):\n"
        "    protection = mmap.PROT_READ if i % 2 else mmap.PROT_READ | mmap.PROT_WRITE\n"  # neighbours that cannot become one
        "    kept.append(mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=protection))"
    )
    with running(code) as process:
        assert Meter().mib(family(process), enough=1e9) >= psutil.Process(process.pid).memory_info().vms / MIB


def test_memory_that_takes_the_place_of_other_memory_is_seen_a_little_later():
    """The process has not grown, so its map is not read at every look."""
    code = f"SIZE = {SIZE}\nimport mmap\nplace = mmap.mmap(-1, {SIZE + 16 * MIB}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS){WAIT}place.close()\n"
    with running(code + SHARED) as process:
        meter = Meter()
        before = meter.mib(family(process), enough=1e9)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        looks = [meter.mib(family(process), enough=1e9) for _ in range(LOOKS)]
    assert 0.9 < (looks[-1] - before) * MIB / SIZE < 1.4


def verdict(machine: int, refuses: list[int], call_machine: int, number: int) -> int:
    """What the kernel would answer: the filter, read instruction by instruction."""
    instructions, at, value = refused.program(machine, refuses), 0, 0
    while True:
        code, yes, no, k = instructions[at]
        if code == refused.RETURN:
            return k
        if code == refused.LOAD:
            value = {refused.NUMBER: number, refused.MACHINE: call_machine}[k]
        jump = {refused.LOAD: 0, refused.IF_EQUAL: yes if value == k else no, refused.IF_AT_LEAST: yes if value >= k else no}[code]
        at += 1 + jump


@pytest.mark.parametrize("name", refused.MACHINES)
def test_filter_refuses_what_is_listed_and_nothing_else(name):
    machine, seccomp, calls = refused.MACHINES[name]
    numbers = list(calls.values())
    for number in range(600):
        expected = refused.NOT_IMPLEMENTED if number in numbers else refused.ALLOW
        assert verdict(machine, numbers, machine, number) == expected, number
    assert seccomp not in numbers
    assert verdict(machine, numbers, 0x40000003, 5) == refused.NOT_IMPLEMENTED, "32-bit calls have other numbers"
    assert verdict(machine, numbers, machine, refused.OTHER_TABLE + 5) == refused.NOT_IMPLEMENTED, "so has x32"


def test_filter_holds_for_what_a_process_starts():
    asked = "import os\ntry:\n    os.memfd_create('x')\nexcept OSError as error:\n    print(error.strerror)"
    code = f"import subprocess, sys\nfrom gencourse.grading.inside.refused import refuse_hidden_memory as refuse\nrefuse()\nsubprocess.run([sys.executable, '-c', {asked!r}], check=True)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "Function not implemented\n"
