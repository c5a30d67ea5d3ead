"""Trying to get out: one escape of each kind, from inside the sandbox that submissions would get.

Nothing is harmed where one succeeds: files are opened and not written, processes are asked and not
ended.
"""

# POSIX: escapes that are tried from a box

import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gencourse.grading.handout.assignment import PACKAGE
from gencourse.grading.sandbox.backends import ENVIRONMENT, Sandbox, SandboxUnavailable
from gencourse.grading.sandbox.course_copy import course_copy
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.sandbox.processes import WorkerLost
from gencourse.grading.sandbox.visible import folders, package_folders
from gencourse.grading.sandbox.worker_process import WorkerProcess
from gencourse.runner import Raised

MEMORY_MIB = 1024  # for every attempt


@dataclass(frozen=True)
class Attempt:
    """One escape, in words and in code that raises, dies or leaves `got` empty where it fails.
    `alone`: in a box of its own.
    """

    name: str
    code: str
    alone: bool = False


@dataclass(frozen=True)
class Finding:
    """What came of an attempt."""

    name: str
    contained: bool
    said: str


LIST_HOMES = """
import os
got = []
def look(folder):
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if path not in OURS:
            look(path) if any(own.startswith(path + "/") for own in OURS) else got.append(path)
for home in HOMES:
    if os.path.isdir(home) and not any((home + "/").startswith(own + "/") for own in OURS):
        look(home)
"""
REACH_FIRST = """
import ctypes, os
got = ["trace it"] if os.getpid() != 1 and ctypes.CDLL(None).ptrace(0x4206, 1, 0, 0) == 0 else []
for name in ("mem", "task/1/mem"):
    try:
        os.close(os.open(f"/proc/1/{name}", os.O_RDWR))
        got += [f"write {name}"] if os.getpid() != 1 else []
    except OSError:
        pass
"""
USE_KEYS = """
import ctypes, platform
add, control = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]
call = ctypes.CDLL(None).syscall
got = []
for keyring in (-3, -4, -5):
    read = call(control, 0, keyring, 0) != -1
    got += [keyring] * (read or call(add, b"user", b"gencourse", b"x", 1, keyring) != -1)
"""
HIDE_IN_TABLES = f"""
import mmap
flags, got = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, 0
room = mmap.mmap(-1, {MEMORY_MIB} << 29, flags, mmap.PROT_READ)
for place in range(0, len(room), 2 << 20):  # one page of tables each
    got += 1 + room[place]
"""
HIDE_IN_SOCKETS = f"""
import socket
kept, got = [], 0
while got < {MEMORY_MIB} << 20:
    kept.append(pair := socket.socketpair())
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 23)
        end.setblocking(False)
        try:
            while True:
                got += end.send(bytes(1 << 16))
        except BlockingIOError:
            pass
"""
HIDE_IN_NAMES = f"""
import os
kept = b"x" * ({MEMORY_MIB} << 18)
for i in range({MEMORY_MIB} << 9):
    os.close(os.open(f"/tmp/{{i:0250}}", os.O_CREAT))
got = "written"
"""


def attempts(secret: Path, port: int) -> list[Attempt]:
    """The escapes. `secret` is a file of ours outside the box, `port` one that listens on this
    machine.
    """
    # wherever Python and its packages lie, they have to be seen, by all their names
    ours = sorted({str(folder) for folder in (*folders(), *package_folders())})
    reach = (
        "import socket\ns = socket.socket({family}, socket.SOCK_STREAM)\ns.settimeout(2)\n"
        "s.connect({address})\ngot = 'connected'"
    )
    names = (*ENVIRONMENT, "HOME", "TMPDIR", "PYTHONPATH", "PWD", "HOSTNAME", "container")
    return [
        Attempt("read a file of the grader's user", f"got = open({str(secret)!r}).read()"),
        Attempt(
            "read the checks and their answers",
            f"got = open({str(PACKAGE / 'checks' / '_exercise.py')!r}).read()",
        ),
        Attempt(
            "list home folders",
            f"HOMES, OURS = {sorted({'/home', str(Path.home())})!r}, {ours!r}\n{LIST_HOMES}",
        ),
        Attempt(
            "write beside the secret",
            f"open({str(secret.with_name('planted'))!r}, 'w').write('x')\ngot = 'written'",
        ),
        Attempt(
            "write into the course",
            # past Python, which refuses to open it at all
            "import ctypes, gencourse\n"
            "got = ctypes.CDLL(None).open(gencourse.__file__.encode(), 0o2001) >= 0",
        ),
        Attempt(
            "write into Python's packages",
            "import torch\nopen(torch.__file__, 'a').close()\ngot = 'written'",
        ),
        Attempt(
            "see the grader's environment",
            f"import glob\nknown = {sorted(names)!r}\n"
            "texts = [open(p).read() for p in glob.glob('/proc/[0-9]*/environ')]\n"
            "lines = [line for text in texts for line in text.split('\\0') if line]\n"
            "got = [line for line in lines if line.split('=')[0] not in known]",
        ),
        Attempt(
            "see other processes",
            "import os\ngot = len([p for p in os.listdir('/proc') if p.isdigit()]) > 4",
        ),
        Attempt(
            "connect to this machine",
            reach.format(family="socket.AF_INET", address=("127.0.0.1", port)),
        ),
        Attempt(
            "connect to the world", reach.format(family="socket.AF_INET", address=("192.0.2.1", 80))
        ),
        Attempt(
            "connect to an abstract socket",
            reach.format(family="socket.AF_UNIX", address=repr(f"\0gencourse-{port}")),
        ),
        Attempt(
            "end the grader",
            "import os\nos.kill(os.getppid(), 0) if os.getppid() not in (0, 1, 2) else None\n"
            "got = os.getppid() > 2",
        ),
        Attempt("reach the box's first process, which could outlive it", REACH_FIRST),
        Attempt("use the grader's keys", USE_KEYS),
        Attempt("hide memory in page tables", HIDE_IN_TABLES),
        Attempt("hide memory in sockets", HIDE_IN_SOCKETS),
        Attempt("hide memory in names of files", HIDE_IN_NAMES, alone=True),
        Attempt(
            "take more memory than allowed",
            "x = bytearray(6 << 30)\nx[::4096] = b'x' * len(x[::4096])\ngot = len(x)",
        ),
        Attempt(
            "write more than allowed",
            "import os\nwith open(os.path.expanduser('~/big'), 'wb') as f:\n"
            "    [f.write(bytes(1 << 20)) for _ in range(600)]\ngot = 'written'",
        ),
        Attempt(
            "start many processes",
            "import os, time\ngot = 0\nfor _ in range(400):\n    if os.fork() == 0:\n"
            "        time.sleep(20)\n        os._exit(0)\n    got += 1",
            alone=True,
        ),
    ]


def probe(sandbox: Sandbox) -> Iterator[Finding]:
    """Try every escape: those that are to lose their box in one of their own, the others one after
    the other in the same.
    """
    course_copy()  # before the threads, which would each make one
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket() as inet,
        socket.socket(socket.AF_UNIX) as unix,
        ThreadPoolExecutor(2) as pool,
    ):
        secret = Path(folder) / "secret"
        secret.write_text(secrets.token_hex(), "utf-8")
        inet.bind(("127.0.0.1", 0))
        inet.listen()
        port = inet.getsockname()[1]
        unix.bind(f"\0gencourse-{port}")
        unix.listen()
        tries = attempts(secret, port)
        together = [
            Attempt("to run at all", "got = 'running'"),
            *(attempt for attempt in tries if not attempt.alone),
        ]
        groups = [together, *([attempt] for attempt in tries if attempt.alone)]
        first, *findings = [
            finding
            for found in pool.map(lambda group: tried(group, sandbox), groups)
            for finding in found
        ]
        if first.contained:
            raise SandboxUnavailable(
                f"probe: {sandbox.kind} should run a cell, and did not. Try another --sandbox."
            )
        yield from findings


def tried(group: list[Attempt], sandbox: Sandbox) -> list[Finding]:
    """Escapes: contained if their cell raises, breaks a limit, or comes back with nothing. One that
    loses the box gets the next a new one.
    """
    limits = Limits(cell_s=30, total_s=60, memory_mib=MEMORY_MIB)
    found: list[Finding] = []
    while len(found) < len(group):
        try:
            with WorkerProcess(sandbox, limits, time.monotonic() + limits.total_s) as box:
                box.request(
                    {"do": "open", "checks": [], "withheld": [], "probes": []}, limits.total_s
                )
                for attempt in group[len(found) :]:
                    message = {"do": "cell", "source": f"got = None\n{attempt.code}"}
                    error = box.request(message, limits.cell_s)["error"]
                    if isinstance(error, Raised):
                        said, got = f"{error.kind}: {error.message}", False
                    else:
                        got = box.request({"do": "look", "name": "got"}, limits.ask_s)["value"]
                        said = "it succeeded" if got else "it found nothing"
                    found.append(Finding(attempt.name, not got, said))
        except WorkerLost as lost:
            found.append(Finding(group[len(found)].name, True, str(lost)))
    return found
