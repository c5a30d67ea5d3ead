"""What holds a submission: bubblewrap, a container, or, by name only, nothing."""

# POSIX: folders of Linux, as a box sees them

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gencourse.errors import CourseError
from gencourse.grading.sandbox.course_copy import course_copy

IMAGE = "gencourse-box"
WORKER = ["-P", "-m", "gencourse.grading.sandbox.inside.worker"]
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
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/alternatives",
)


class SandboxUnavailable(CourseError, RuntimeError):
    """No way of holding a submission works on this machine."""


@dataclass(frozen=True)
class Sandbox:
    """A way of starting the worker. `kind` is bubblewrap, podman, docker or none; `files_mib`
    bounds what it may write.
    """

    kind: str
    files_mib: int = 128
    memory_mib: int = 2048

    def command(self, limits: dict, name: str, told: int) -> list[str]:
        """The argv that starts a worker, which sets `limits` on itself. `name` is a container's,
        `told` where bubblewrap tells of its own.
        """
        last = [json.dumps(limits)]
        if self.kind == "bubblewrap":
            return [*bubblewrap(self.files_mib, "--info-fd", str(told)), python(), *WORKER, *last]
        if self.kind in ("podman", "docker"):
            own = {
                name: value for name, value in limits.items() if name != "processes"
            }  # the engine counts them
            return [
                *container(self.kind, name, self.files_mib, self.memory_mib),
                "python",
                *WORKER,
                json.dumps(own | {"processes": 4096}),
            ]
        return [*bare(), sys.executable, *WORKER, *last]

    def remove(self, name: str) -> None:
        """Make sure that nothing is left of a worker whose command was ended: a container does not
        end with its client.
        """
        if self.kind in ("podman", "docker"):
            output([self.kind, "rm", "--force", name])


def python() -> str:
    """This Python by a path that is seen in the box: the folder of an environment may be a link, to
    another disk say.
    """
    path = Path(sys.executable)
    return str(path.parent.resolve() / path.name)


def bubblewrap(files_mib: int, *more: str) -> list[str]:
    """bwrap and its options: no network, none of the machine's files but Python's own, nothing to
    write but three small tmpfs.

    bwrap's own first process is covered in /proc, for its memory could be written there: it would
    then outlive the box.
    """
    size = ["--size", str(files_mib << 20)]
    folders = dict.fromkeys(str(Path(p).resolve()) for p in (sys.prefix, sys.base_prefix))
    bound = [option for path in SYSTEM for option in ("--ro-bind-try", path, path)]
    bound += [option for path in folders for option in ("--ro-bind", path, path)]
    bound += [
        option
        for path in (p / "gencourse" for p in site_packages())
        if path.is_dir()
        for option in ("--tmpfs", str(path), "--remount-ro", str(path))
    ]
    settings = {**ENVIRONMENT, "HOME": "/box", "TMPDIR": "/tmp", "PYTHONPATH": "/course"}
    return [
        *(
            shutil.which("bwrap") or "bwrap",
            "--unshare-user",
            "--unshare-all",
            "--die-with-parent",
            "--new-session",
            "--clearenv",
        ),
        *(
            "--uid",
            "65534",
            "--gid",
            "65534",
            "--cap-drop",
            "ALL",
            "--disable-userns",
            "--hostname",
            "box",
            *more,
        ),
        *(
            *size,
            "--tmpfs",
            "/tmp",
            *size,
            "--tmpfs",
            "/box",
        ),  # first: Python may be installed below /tmp
        *bound,
        *("--ro-bind", str(course_copy()), "/course"),
        *("--proc", "/proc", "--tmpfs", "/proc/1", "--remount-ro", "/proc/1", "--dev", "/dev"),
        *(
            option
            for file in ("keys", "key-users")
            for option in ("--ro-bind-try", "/dev/null", f"/proc/{file}")
        ),
        *(
            "--ro-bind-try",
            "/sys/devices/system/cpu",
            "/sys/devices/system/cpu",
        ),  # torch reads there what the CPU can do
        *(*size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
        *("--remount-ro", "/", "--chdir", "/box"),
        *(option for name, value in settings.items() for option in ("--setenv", name, value)),
        "--",
    ]


def container(engine: str, name: str, files_mib: int, memory_mib: int) -> list[str]:
    """podman or docker, with the image of gencourse/grading/sandbox/Containerfile and the course's
    copy.
    """
    settings = {**ENVIRONMENT, "HOME": "/box", "TMPDIR": "/tmp", "PYTHONPATH": "/course"}
    return [
        *(
            shutil.which(engine) or engine,
            "run",
            "--interactive",
            "--rm",
            "--name",
            name,
            "--pull",
            "never",
            "--network",
            "none",
            "--read-only",
        ),
        *(
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--user",
            "65534:65534",
            "--hostname",
            "box",
        ),
        *(
            "--memory",
            f"{memory_mib}m",
            "--memory-swap",
            f"{memory_mib}m",
            "--pids-limit",
            "64",
            "--log-driver",
            "none",
        ),
        *("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096", "--ulimit", "core=0:0"),
        *(
            option
            for path in ("/tmp", "/box")
            for option in ("--tmpfs", f"{path}:size={files_mib}m,mode=1777")
        ),
        *("--volume", f"{course_copy()}:/course:ro", "--workdir", "/box"),
        *(
            option
            for name, value in settings.items()
            if name != "PATH"
            for option in ("--env", f"{name}={value}")
        ),
        IMAGE,
    ]


def bare() -> list[str]:
    """No wall at all: a clean environment and a folder of its own."""
    home = course_copy() / "box"
    home.mkdir(exist_ok=True)
    settings = {**ENVIRONMENT, "HOME": str(home), "PYTHONPATH": str(course_copy())}
    return ["/usr/bin/env", *(f"{name}={value}" for name, value in settings.items())]


def site_packages() -> list[Path]:
    """Where installed packages lie, an installed copy of the course among them."""
    roots = dict.fromkeys((sys.prefix, sys.base_prefix))
    return [
        folder.resolve() for root in roots for folder in Path(root).glob("lib*/python*/*-packages")
    ]


def wrong_system() -> str:
    """Why submissions cannot be held on this operating system at all; empty if they can."""
    if sys.platform != "win32":
        return ""
    return (
        "grade: submissions should be graded on Linux or macOS, got Windows, which cannot hold them. Work in WSL, the Linux "
        "inside Windows: say `wsl --install` in PowerShell, open its Linux, and follow docs/teaching.md there."
    )


def refusal(kind: str) -> str:
    """Why this kind of sandbox does not work here, and the command that mends it; empty if it
    works.
    """
    program = "bwrap" if kind == "bubblewrap" else kind
    mac = sys.platform == "darwin"
    if mac and kind == "bubblewrap":
        return "bubblewrap holds processes of Linux alone. On macOS take podman or docker: see docs/teaching.md, Where bubblewrap is missing"
    if shutil.which(program) is None:
        mend = {
            "bubblewrap": "sudo apt install bubblewrap (Debian, Ubuntu), sudo dnf install bubblewrap (Fedora)",
            "podman": "brew install podman && podman machine init && podman machine start"
            if mac
            else "sudo apt install podman (Debian, Ubuntu)",
            "docker": "see https://docs.docker.com/engine/install",
        }[kind]
        return f"{program} is not installed. {mend}"
    if kind == "bubblewrap":
        said = output([*bubblewrap(16), python(), "-c", "print('works')"])
        if said.endswith("works"):
            return ""
        blocked = any(
            text in said
            for text in (
                "uid map",
                "Operation not permitted",
                "Permission denied",
                "RTM_NEWADDR",
                "No permissions",
            )
        )
        mend = (
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu) or use podman"
            if blocked
            else "update bubblewrap to 0.8 or newer"
        )
        return f"bwrap does not start here ({said[-200:]}). {mend}"
    said = output([kind, "image", "inspect", IMAGE, "--format", "{{.Id}}"])
    if "sha256" in said or (len(said) == 64 and said.isalnum()):
        return ""
    build = f"{kind} build --tag {IMAGE} --file gencourse/grading/sandbox/Containerfile ."
    return f"the image {IMAGE} is not there or {kind} does not run ({said[-200:]}). {build}"


def output(command: list[str]) -> str:
    """What a command prints, on either stream; a sentence if it does not end."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).strip()


def choose(kind: str | None) -> Sandbox:
    """The sandbox of this kind, or the first that works. Raises SandboxUnavailable with the reason
    and the remedy.
    """
    if wrong := wrong_system():
        raise SandboxUnavailable(wrong)
    reasons = []
    found = ("podman", "docker") if sys.platform == "darwin" else ("bubblewrap", "podman", "docker")
    for candidate in (kind,) if kind else found:
        if candidate == "none" or not (reason := refusal(candidate)):
            return Sandbox(candidate)
        reasons.append(f"{candidate}: {reason}")
    raise SandboxUnavailable(
        "grade: a submission should be held by a sandbox, and none works here.\n"
        + "\n".join(reasons)
    )
