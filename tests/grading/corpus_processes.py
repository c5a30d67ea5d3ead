"""Submissions that reach for other processes and for more rights, or that outlive their grading. See corpus_escaping."""

from tests.grading.corpus_escaping import attempt
from tests.grading.corpus_kind import Sheet, kind

ATTEMPTS = {
    "kills_its_parent": (
        "A signal to the process above; if that ends the kernel, the cell is skipped.",
        "import signal\n\nos.kill(os.getppid(), signal.SIGKILL)",
    ),
    "kills_its_group": (
        "A signal to its group of processes; if that ends the kernel, the cell is skipped.",
        "import signal\n\nif os.getpgrp() != 1:\n    os.kill(0, signal.SIGTERM)",
    ),
    "probes_all_processes": (
        "Which processes could be sent a signal (none is sent).",
        """
own = {os.getpid(), os.getppid(), 1}
reached = []
for pid in [int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")]:
    try:
        os.kill(pid, 0)
        reached.append(pid)
    except OSError:
        pass
if len(set(reached) - own) > 20 or any(pid > 1000 for pid in set(reached) - own):
    tell(f"{len(reached)} processes can be reached")
""",
    ),
    "traces_its_parent": (
        "A debugger's hold on the process above, given up at once.",
        """
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
if libc.ptrace(PTRACE_SEIZE, os.getppid(), None, None) == 0:
    libc.ptrace(PTRACE_DETACH, os.getppid(), None, None)
""",
    ),
    "makes_namespaces": (
        "Mounts, new roots and namespaces of its own; a way to more rights.",
        """
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
if os.geteuid() != 0 and libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
    tell("mount worked")
child = os.fork()
if child == 0:
    CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
    os._exit(7 if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 else 0)
if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7:
    tell("a user namespace can be made")
try:
    os.mkdir("new-root")
    os.chroot("new-root")
    tell("chroot worked")
    os.chroot(".")
except OSError:
    pass
""",
    ),
    "becomes_root": (
        "Programs that run with more rights, and capabilities.",
        """
import shutil
import subprocess

for command in (["sudo", "-n", "id", "-u"], ["su", "-c", "id -u"], ["pkexec", "id", "-u"], ["newgrp", "root"]):
    if shutil.which(command[0]) and os.geteuid() != 0:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5)
        if done.stdout.strip() == "0":
            tell(f"{command[0]} gave root")
status = pathlib.Path("/proc/self/status").read_text()
rights = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
if int(rights, 16):
    tell(f"capabilities {rights}")
""",
    ),
    "types_on_the_terminal": (
        "A key pressed on the grader's terminal.",
        """
import fcntl
import termios

for name in ("/dev/tty", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "/dev/console"):
    try:
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(fd, termios.TIOCSTI, b"#")
        tell(f"typed on {name}")
    except OSError:
        pass
""",
    ),
}


@kind("escaping", each=ATTEMPTS)
def process(s: Sheet, source):
    attempt(s, source)


DAEMON = """
import os, pathlib, sys, time
end = time.time() + 60
while time.time() < end:
    time.sleep(1)
    try:
        pathlib.Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(sys.argv[2]) / sys.argv[1]).write_text("ESC" + "APED " + sys.argv[1])
    except OSError:
        pass
"""


@kind("escaping")
def daemon_that_survives(s: Sheet):
    """A process with a session of its own, two forks away, that is still there when grading is over."""
    s.canary.process = s.evidence
    s.forbid(s.place.leak / s.evidence)
    s.scratch(f"""
import os
import signal
import subprocess
import sys

CODE = {DAEMON!r}
child = os.fork()
if child == 0:
    os.setsid()
    for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    nowhere = subprocess.DEVNULL
    subprocess.Popen(
        [sys.executable, "-c", CODE, "ESC" + "APED-{s.name}", {str(s.place.leak)!r}],
        stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True,
    )
    os._exit(0)
os.waitpid(child, 0)
""")


@kind("escaping")
def child_that_holds_the_pipes(s: Sheet):
    """A child that keeps its parent's output open for a minute: nobody waits for it."""
    s.canary.process = s.evidence
    s.ending(f"""
import subprocess
import sys

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "ESC" + "APED-{s.name}"], close_fds=False, start_new_session=True)
""")


@kind("escaping", lost="reparameterize")
def kills_its_parent_in_a_call(s: Sheet):
    """The process above is killed while an answer is judged; that task is lost, the others are right."""
    s.answer(
        "reparameterize",
        "import os\n\n\ndef reparameterize(mu, logvar, eps):\n    os.kill(os.getppid(), 9)\n    os._exit(1)",
    )
