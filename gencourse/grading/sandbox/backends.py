"""What holds a submission: bubblewrap, a container, or, by name only, nothing."""

# POSIX: folders of Linux, as a box sees them

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gencourse.errors import CourseError, InputError
from gencourse.grading.sandbox.course_copy import course_copy
from gencourse.grading.sandbox.visible import (
    SYSTEM,
    copies_of_the_course,
    folders,
    package_folders,
    python,
)

IMAGE = "gencourse-box"
MODULE = "gencourse.grading.sandbox.inside.worker"
WORKER = ["-P", "-m", MODULE]
ENVIRONMENT = {  # all that a submission sees of one
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "USER": "learner",
    "LOGNAME": "learner",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MPLBACKEND": "agg",
    "GENCOURSE_SCALE": "smoke",
    "GENCOURSE_DEVICE": "cpu",
    "PIP_NO_INDEX": "1",  # an honest `!pip install` ends at once instead of looking for a network
    "TERM": "dumb",
}
Extra = tuple[str, str]  # a folder or file of the teacher's, and what tells its content


class SandboxUnavailable(CourseError, RuntimeError):
    """No way of holding a submission works on this machine."""


@dataclass(frozen=True)
class Sandbox:
    """A way of starting the worker.

    `kind` is bubblewrap, podman, docker or none; `files_mib` bounds what it may write; `packages`
    are what the teacher gives along.
    """

    kind: str
    files_mib: int = 128
    memory_mib: int = 2048
    packages: tuple[Extra, ...] = ()

    def command(self, limits: dict, name: str, told: int) -> list[str]:
        """The argv that starts a worker, which sets `limits` on itself.

        `name` is a container's, `told` where bubblewrap tells of its own.
        """
        if self.kind == "bubblewrap":
            walls = bubblewrap(self.files_mib, "--info-fd", str(told), extras=self.packages)
            return [*walls, python(), *WORKER, json.dumps(limits)]
        if self.kind in ("podman", "docker"):
            walls = container(self.kind, name, self.files_mib, self.memory_mib, self.packages)
            # the engine counts the processes
            return [*walls, "python", *WORKER, json.dumps(limits | {"processes": 4096})]
        return [*bare(self.packages), sys.executable, *WORKER, json.dumps(limits)]

    def remove(self, name: str) -> None:
        """Make sure that nothing is left of a worker whose command was ended: a container does not
        end with its client.
        """
        if self.kind in ("podman", "docker"):
            output([self.kind, "rm", "--force", name])


def extras(paths: list[Path]) -> tuple[Extra, ...]:
    """What a teacher gives along, with a digest of names, sizes and times. Raises InputError."""
    found = []
    for path in map(Path.resolve, map(Path, paths)):
        if not path.exists():
            raise InputError(
                f"grade: --with should be a folder or a file, got nothing at {path}. Check the "
                "path."
            )
        if Path.home().resolve().is_relative_to(path):
            raise InputError(
                f"grade: --with should be a folder for the box, got {path}, which holds your home "
                "folder. Learners' code could read all of it: make a folder of its own."
            )
        files = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
        about = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]
        found.append((str(path), hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]))
    return tuple(found)


def bubblewrap(files_mib: int, *more: str, extras: tuple[Extra, ...] = ()) -> list[str]:
    """bwrap and its options: no network, none of the machine's files but Python's own, nothing to
    write but three small tmpfs.

    bwrap's own first process is covered in /proc, for its memory could be written there: it would
    then outlive the box.
    """
    size = ["--size", str(files_mib << 20)]
    packages = package_folders()
    bound = [option for path in SYSTEM for option in ("--ro-bind-try", path, path)]
    for path in [*folders(), *packages]:
        bound += ["--ro-bind", str(path.resolve()), str(path)]
    for copy in copies_of_the_course():
        bound += ["--tmpfs", str(copy), "--remount-ro", str(copy)]
    given = [(path, f"/box/{Path(path).name}") for path, _ in extras]
    search = ["/course", *map(str, packages), *(inside for _, inside in given)]
    settings = ENVIRONMENT | {"HOME": "/box", "TMPDIR": "/tmp", "PYTHONPATH": ":".join(search)}
    cpu = "/sys/devices/system/cpu"  # torch reads there what the CPU can do
    options = [
        ["--unshare-user", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"],
        ["--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--disable-userns"],
        ["--hostname", "box", *more],
        # first: Python may be installed below /tmp
        [*size, "--tmpfs", "/tmp", *size, "--tmpfs", "/box"],
        bound,
        ["--ro-bind", str(course_copy()), "/course"],
        *(["--ro-bind", path, inside] for path, inside in given),
        ["--proc", "/proc", "--tmpfs", "/proc/1", "--remount-ro", "/proc/1", "--dev", "/dev"],
        *(["--ro-bind-try", "/dev/null", f"/proc/{file}"] for file in ("keys", "key-users")),
        ["--ro-bind-try", cpu, cpu],
        [*size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"],
        ["--remount-ro", "/", "--chdir", "/box"],
        *(["--setenv", name, value] for name, value in settings.items()),
    ]
    program = shutil.which("bwrap") or "bwrap"
    return [program, *(word for words in options for word in words), "--"]


def container(
    engine: str, name: str, files_mib: int, memory_mib: int, extras: tuple[Extra, ...] = ()
) -> list[str]:
    """podman or docker, with the image of gencourse/grading/sandbox/Containerfile and the course's
    copy.
    """
    given = [(path, f"/given/{Path(path).name}") for path, _ in extras]
    search = ":".join(["/course", *(inside for _, inside in given)])
    settings = ENVIRONMENT | {"HOME": "/box", "TMPDIR": "/tmp", "PYTHONPATH": search}
    ulimits = ("nofile=1024:1024", "nproc=4096:4096", "core=0:0")
    options = [
        ["run", "--interactive", "--rm", "--name", name, "--pull", "never", "--network", "none"],
        ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
        ["--user", "65534:65534", "--hostname", "box", "--log-driver", "none"],
        ["--memory", f"{memory_mib}m", "--memory-swap", f"{memory_mib}m", "--pids-limit", "64"],
        *(["--ulimit", limit] for limit in ulimits),
        *(["--tmpfs", f"{path}:size={files_mib}m,mode=1777"] for path in ("/tmp", "/box")),
        ["--volume", f"{course_copy()}:/course:ro", "--workdir", "/box"],
        *(["--volume", f"{path}:{inside}:ro"] for path, inside in given),
        *(["--env", f"{name}={value}"] for name, value in settings.items() if name != "PATH"),
    ]
    program = shutil.which(engine) or engine
    return [program, *(word for words in options for word in words), IMAGE]


def bare(extras: tuple[Extra, ...] = ()) -> list[str]:
    """No wall at all: a clean environment and a folder of its own."""
    home = course_copy() / "box"
    home.mkdir(exist_ok=True)
    for path, _ in extras:
        link = home / Path(path).name
        if not link.exists():
            link.symlink_to(path)
    search = [course_copy(), *package_folders(), *(path for path, _ in extras)]
    settings = ENVIRONMENT | {"HOME": str(home), "PYTHONPATH": ":".join(map(str, search))}
    return ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items())]


def output(command: list[str], seconds: float = 60) -> str:
    """What a command prints, on either stream; a sentence if it does not end."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).strip()
