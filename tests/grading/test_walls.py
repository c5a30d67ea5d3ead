"""The wall around a submission, attacked: what would outlive the box, read the teacher's keys, or hold memory that nobody counts."""

# POSIX: boxes, and links

import contextlib
import ctypes
import os
import platform
import secrets
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from gencourse.grading.sandbox.backends import Sandbox, bubblewrap
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.processes import WorkerLost
from gencourse.grading.sandbox.worker_process import WorkerProcess
from gencourse.runner import Raised
from tests.lanes import mostly_slow

MEMORY_MIB = 1024
ROOT = Path(__file__).parents[2]
LIMITS = Limits(cell_s=40, total_s=80, memory_mib=MEMORY_MIB)
pytestmark = pytest.mark.usefixtures("bubblewrap")
C = "import ctypes, mmap, os, resource, socket, struct, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"


@contextlib.contextmanager
def box(limits: Limits = LIMITS):
    with WorkerProcess(Sandbox("bubblewrap"), limits, time.monotonic() + limits.total_s) as one:
        one.request({"do": "open", "checks": [], "withheld": [], "probes": []}, limits.total_s)
        yield one


def got(one: WorkerProcess, code: str):
    """What a cell leaves under the name `got`, or the Raised that ended it. Raises WorkerLost."""
    error = one.request({"do": "cell", "source": C + code}, LIMITS.cell_s)["error"]
    return (
        error
        if isinstance(error, Raised)
        else one.request({"do": "look", "name": "got"}, LIMITS.ask_s)["value"]
    )


def outcome(code: str):
    """The same in a box of its own, or the flag of what ended the box."""
    try:
        with box() as one:
            return got(one, code)
    except WorkerLost as lost:
        return lost.flag


# other processes


def namespace(one: WorkerProcess) -> int:
    """The number of the namespace that the processes in a box are in."""
    inside = psutil.Process(one.process.pid).children(recursive=True)
    return os.stat(f"/proc/{inside[0].pid}/ns/pid").st_ino


def survivors(number: int) -> list[str]:
    """The processes that run in a namespace."""
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/pid"):
        with contextlib.suppress(OSError):
            if link.stat().st_ino == number and "\nState:\tZ" not in (
                link.parents[1] / "status"
            ).read_text("utf-8"):
                found.append(link.parts[2])
    return found


REACH_INIT = """
got = []
for request in (0x4206, 16):  # PTRACE_SEIZE, PTRACE_ATTACH
    if libc.ptrace(request, 1, 0, 0) == 0:
        got.append(f"ptrace {request:#x}")
for name in ("mem", "task/1/mem", "root", "cwd", "environ", "fd"):
    try:
        os.open(f"/proc/1/{name}", os.O_RDWR if name.endswith("mem") else os.O_RDONLY)
        got.append(name)
    except OSError:
        pass
here, there = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
child = os.fork()
if child == 0:
    time.sleep(20)
    os._exit(0)
parts = [struct.pack("QQ", ctypes.addressof(buffer), 8) for buffer in (here, there)]
for name in ("process_vm_readv", "process_vm_writev"):
    if getattr(libc, name)(child, parts[0], 1, parts[1], 1, 0) != -1:
        got.append(name)
got += ["pidfd_getfd"] if libc.syscall(438, os.pidfd_open(child), 0, 0) != -1 else []
"""
OUTLIVE = """
if os.fork() == 0:
    ptrace, registers, status = libc.ptrace, (ctypes.c_ulonglong * 27)(), ctypes.c_int()
    ptrace(0x4206, 1, 0, 0)  # seize, and stop it in the middle of a call
    ptrace(0x4207, 1, 0, 0)
    libc.waitpid(1, ctypes.byref(status), 0x40000000)
    ptrace(12, 1, 0, registers)
    registers[15], registers[10], registers[14], registers[13] = 2**64 - 1, 157, 1, 0  # prctl(PR_SET_PDEATHSIG, 0)
    registers[16] -= 2  # the call instruction again
    ptrace(13, 1, 0, registers)
    for _ in range(2):
        ptrace(24, 1, 0, 0)
        libc.waitpid(1, ctypes.byref(status), 0x40000000)
    while True:
        time.sleep(1)
time.sleep(1)
got = True
"""


def test_an_environment_may_be_a_link(tmp_path):
    """As `.venv` is to another disk, where home folders are small."""
    (tmp_path / "linked").symlink_to(sys.prefix)
    code = "import sys; from gencourse.grading.sandbox.choose import refusal; print(sys.prefix); print(refusal('bubblewrap'))"
    line = [str(tmp_path / "linked" / "bin" / Path(sys.executable).name), "-c", code]
    done = subprocess.run(
        line, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert done.stdout.splitlines() == [str(tmp_path / "linked"), ""]


def test_first_process_of_the_box_cannot_be_reached():
    assert outcome(REACH_INIT) == []


COVER = ["--tmpfs", "/proc/1", "--remount-ro", "/proc/1"]


@pytest.mark.parametrize("cover", [COVER, []], ids=["covered", "not covered"])
def test_no_box_within_the_box_gets_a_proc_of_its_own(cover):
    """Why there is no warm box, from which submissions would be forked: each would need a /proc of
    its own, which the kernel gives only if the cover over the first process is left away.
    """
    ours = " ".join(bubblewrap(64))
    assert " ".join(COVER) in ours and "--disable-userns" in ours
    somebody = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    walls = ["bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
    walls += ["--ro-bind", "/", "/", "--proc", "/proc", *cover]
    inner = ["unshare", "--user", "--map-root-user", "--pid", "--mount", "--fork"]
    mounts = ["sh", "-c", "mount -t proc proc /proc && ls /proc"]
    line = [*somebody, *walls, *inner, *mounts]
    done = subprocess.run(line, capture_output=True, encoding="utf-8")
    assert (done.returncode == 0) == (not cover), done.stdout + done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="writes registers of x86-64")
@pytest.mark.parametrize(
    "code",
    mostly_slow([OUTLIVE, "os.setsid()\nif os.fork() == 0:\n    time.sleep(60)\ngot = True"]),
)
def test_nothing_outlives_the_box(code):
    try:
        with box() as one:
            number = namespace(one)
            got(one, code)
            assert survivors(number)
        assert survivors(number) == []
    finally:
        for pid in survivors(number):
            os.kill(int(pid), 9)


# the teacher's keys

LIBC = ctypes.CDLL(None, use_errno=True)
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine(), (0, 0))
SESSION = -3
KEYS = f"""
got = []
for keyring in (-1, -2, -3, -4, -5):
    number, text = libc.syscall({KEYCTL}, 10, keyring, b"user", NAME, 0), ctypes.create_string_buffer(100)
    if number != -1 and libc.syscall({KEYCTL}, 11, number, text, 100) != -1:
        got.append(text.value.decode())
    if libc.syscall({ADD_KEY}, b"user", b"planted", b"x", 1, keyring) != -1:
        got.append(f"planted in {{keyring}}")
try:
    got += [line for line in open("/proc/keys") if NAME.decode() in line]
except OSError:
    pass
"""


@pytest.fixture
def key():
    """(name, content) of a key in this thread's session keyring, as a login or a mounted file system leaves one."""
    name, content = secrets.token_hex(8), secrets.token_hex(16)
    if (
        LIBC.syscall(KEYCTL, 1, None) == -1
        or LIBC.syscall(ADD_KEY, b"user", name.encode(), content.encode(), 32, SESSION) == -1
    ):
        pytest.skip("this kernel keeps no keys for us")
    return name, content


def test_keys_of_the_teacher_stay_hers(key):
    assert outcome(f"NAME = {key[0].encode()!r}\n{KEYS}") == []


# memory

HIDING = {  # each leaves in `got` how many MiB it holds
    "page tables": f"""
room = mmap.mmap(-1, 640 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)
got = 0
for place in range(0, 640 << 30, 2 << 20):
    room[place]
    got += 1 / 256
    if got > {2 * MEMORY_MIB}:
        break
""",
    "page tables of forks": f"""
for _ in range(60):
    if os.fork() == 0:
        room = mmap.mmap(-1, 4 << 30, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | 0x4000)
        room = mmap.mmap(-1, 5 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)
        for place in range(0, 5 << 30, 4096):
            room[place]
        time.sleep(30)
        os._exit(0)
time.sleep(8)
got = {2 * MEMORY_MIB}
""",
    "sockets": f"""
kept, got = [], 0
while got < {2 * MEMORY_MIB}:
    for end in (pair := socket.socketpair()):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 23)
        end.setblocking(False)
        try:
            while True:
                got += end.send(bytes(1 << 16)) / (1 << 20)
        except OSError:
            kept.append(pair)
""",
    "sockets that wait to be accepted": """
server, got = socket.socket(socket.AF_UNIX), 0
server.bind("\\0waiting")
server.listen(100_000)
for _ in range(5000):
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        try:
            client.connect("\\0waiting")
            while True:
                got += client.send(bytes(1 << 14)) / (1 << 20)
        except OSError:
            pass
""",
    "inodes": f"""
got = 0
for folder in ("/tmp", "/box", "/dev/shm"):
    for i in range({MEMORY_MIB} * 1024):
        os.close(os.open(f"{{folder}}/{{i:0200}}", os.O_CREAT))
        got += 1.2 / 1024
        if got > {2 * MEMORY_MIB}:
            break
""",
    "files": """
got = 0
for folder in ("/tmp", "/box", "/dev/shm"):
    with open(f"{folder}/file", "wb") as file:
        while got < 384:
            try:
                got += file.write(bytes(1 << 20)) >> 20
                file.flush()
            except OSError:
                break
kept = bytearray(b"x" * (900 << 20))
got += 900
""",
    "a thread whose first one has ended": f"""
import threading
def take():
    global kept
    kept = [bytearray(b"x" * (1 << 20)) for _ in range({2 * MEMORY_MIB})]
    time.sleep(30)
for _ in range(2):
    if os.fork() == 0:
        threading.Thread(target=take).start()
        libc.syscall({60 if platform.machine() == "x86_64" else 93}, 0)
time.sleep(12)
got = {2 * MEMORY_MIB}
""",
}


@pytest.mark.parametrize("name", mostly_slow(HIDING, fast=0))
def test_memory_that_hides_is_counted_or_refused(name):
    """The code says how many MiB it has got. The limit may be passed by a tenth."""
    result = outcome(HIDING[name])
    assert result == "memory-limit" or isinstance(result, Raised) or result <= 1.1 * MEMORY_MIB
