"""Trying to get out: one escape of each kind, from inside the sandbox that submissions would get.

Nothing is harmed where one succeeds: files are opened and not written, processes are asked and not ended.
"""

import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gencourse.grading.assignment import PACKAGE
from gencourse.grading.box import Box, BoxLost
from gencourse.grading.limits import Limits
from gencourse.grading.sandbox import ENVIRONMENT, Sandbox, SandboxUnavailable
from gencourse.runner import Raised


@dataclass(frozen=True)
class Attempt:
    """One escape, in words and in code that raises, dies or leaves `got` empty where it fails."""

    name: str
    code: str


@dataclass(frozen=True)
class Finding:
    """What came of an attempt."""

    name: str
    contained: bool
    said: str


def attempts(secret: Path, port: int) -> list[Attempt]:
    """The escapes. `secret` is a file of ours outside the box, `port` one that listens on this machine."""
    reach = "import socket\ns = socket.socket({family}, socket.SOCK_STREAM)\ns.settimeout(2)\ns.connect({address})\ngot = 'connected'"
    return [
        Attempt("read a file of the grader's user", f"got = open({str(secret)!r}).read()"),
        Attempt("read the checks and their answers", f"got = open({str(PACKAGE / 'checks' / '_exercise.py')!r}).read()"),
        Attempt("list home folders", "import os\ngot = [d for h in os.listdir('/home') for d in os.listdir('/home/' + h)]"),
        Attempt("write beside the secret", f"open({str(secret.with_name('planted'))!r}, 'w').write('x')\ngot = 'written'"),
        Attempt("write into the course", "import gencourse\nopen(gencourse.__file__, 'a').close()\ngot = 'written'"),
        Attempt("write into Python's packages", "import torch\nopen(torch.__file__, 'a').close()\ngot = 'written'"),
        Attempt(
            "see the grader's environment",
            f"import glob\nknown = {sorted([*ENVIRONMENT, 'HOME', 'TMPDIR', 'PYTHONPATH', 'PWD', 'HOSTNAME', 'container'])!r}\n"
            "lines = [line for p in glob.glob('/proc/[0-9]*/environ') for line in open(p).read().split('\\0') if line]\n"
            "got = [line for line in lines if line.split('=')[0] not in known]",
        ),
        Attempt("see other processes", "import os\ngot = len([p for p in os.listdir('/proc') if p.isdigit()]) > 4"),
        Attempt("connect to this machine", reach.format(family="socket.AF_INET", address=("127.0.0.1", port))),
        Attempt("connect to the world", reach.format(family="socket.AF_INET", address=("192.0.2.1", 80))),
        Attempt("connect to an abstract socket", reach.format(family="socket.AF_UNIX", address=repr(f"\0gencourse-{port}"))),
        Attempt(
            "end the grader",
            "import os, signal\nos.kill(os.getppid(), 0) if os.getppid() not in (0, 1, 2) else None\ngot = os.getppid() > 2",
        ),
        Attempt("take more memory than allowed", "x = bytearray(6 << 30)\nx[::4096] = b'x' * len(x[::4096])\ngot = len(x)"),
        Attempt(
            "write more than allowed",
            "import os\nwith open(os.path.expanduser('~/big'), 'wb') as f:\n    [f.write(bytes(1 << 20)) for _ in range(600)]\ngot = 'written'",
        ),
        Attempt(
            "start many processes",
            "import os, time\ngot = 0\nfor _ in range(400):\n    if os.fork() == 0:\n        time.sleep(20)\n        os._exit(0)\n    got += 1",
        ),
    ]


def probe(sandbox: Sandbox) -> Iterator[Finding]:
    """Try every escape, each in a box of its own."""
    limits = Limits(cell_s=30, total_s=60)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as inet, socket.socket(socket.AF_UNIX) as unix:
        secret = Path(folder) / "secret"
        secret.write_text(secrets.token_hex(), "utf-8")
        inet.bind(("127.0.0.1", 0))
        inet.listen()
        port = inet.getsockname()[1]
        unix.bind(f"\0gencourse-{port}")
        unix.listen()
        if tried(Attempt("to run at all", "got = 'running'"), sandbox, limits).contained:
            raise SandboxUnavailable(f"probe: {sandbox.kind} should run a cell, and did not. Try another --sandbox.")
        for attempt in attempts(secret, port):
            yield tried(attempt, sandbox, limits)


def tried(attempt: Attempt, sandbox: Sandbox, limits: Limits) -> Finding:
    """One escape: contained if its cell raises, breaks a limit, or comes back with nothing."""
    try:
        with Box(sandbox, limits, time.monotonic() + limits.total_s) as box:
            box.request({"do": "open", "checks": [], "withheld": [], "probes": []}, limits.total_s)
            error = box.request({"do": "cell", "source": attempt.code}, limits.cell_s)["error"]
            if isinstance(error, Raised):
                return Finding(attempt.name, True, f"{error.kind}: {error.message}")
            got = box.request({"do": "look", "name": "got"}, limits.ask_s)["value"]
            return Finding(attempt.name, not got, "it found nothing" if not got else "it succeeded")
    except BoxLost as lost:
        return Finding(attempt.name, True, str(lost))
