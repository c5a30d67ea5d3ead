"""Windows or macOS, as far as code of this repository can see them on Linux.

    python -m pytest -n 0 -p tests.pretended.platforms --pretend windows PATH

Names, modules, files and programs that the other system lacks are not there for a caller whose
module is one of OURS; the standard library and other packages go on seeing Linux, and so stay
whole. Not pretended: paths with backslashes, files that cannot be replaced while they are open, and
what child processes see.
"""

import builtins
import importlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
from types import FrameType, ModuleType

import pytest

OURS = {"gencourse", "tests", "benchmarks", "authoring", "conftest", "__main__", "cell"}
NOT_OURS = ("tests.pretended", "tests.offline")
FILES = ("pathlib", "pathlib._local", "genericpath", "os", "io", "subprocess", "glob")
LINUX_ONLY = {
    "os": """eventfd memfd_create pidfd_open sched_getaffinity sched_setaffinity setns unshare
        splice copy_file_range getrandom posix_fadvise getresuid getresgid setresuid setresgid
        O_TMPFILE O_PATH""",
    "signal": "pidfd_send_signal sigtimedwait sigwaitinfo",
    "select": "epoll",
}
POSIX_ONLY = {
    "os": """fork forkpty getuid geteuid getgid getegid setuid setgid setsid getsid killpg getpgid
        getpgrp setpgid wait wait3 wait4 waitid WNOHANG mkfifo mknod sched_yield uname nice
        getloadavg statvfs fstatvfs chown lchown fchown chroot set_blocking get_blocking O_NOFOLLOW
        O_NONBLOCK O_CLOEXEC O_DIRECTORY openpty ttyname ctermid getgroups initgroups posix_spawn
        pread pwrite sendfile sync sysconf confstr getpriority setpriority""",
    "signal": """SIGKILL SIGALRM SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGCHLD SIGSTOP SIGCONT SIGPIPE
        setitimer getitimer ITIMER_REAL alarm pause pthread_kill pthread_sigmask sigwait
        siginterrupt""",
    "select": "poll",
    "socket": "AF_UNIX",
    "time": "tzset clock_gettime",
}
POSIX_MODULES = """crypt curses fcntl grp nis posix pty pwd readline resource spwd syslog termios
    tty"""
POSIX_PLACES = "/bin /dev /etc /lib /opt /proc /run /sbin /sys /usr /var"
POSIX_PROGRAMS = "bash sh sudo env cat false true kill bwrap unshare ip"
SYSTEMS = {
    "windows": {"platform": "win32", "name": "nt", "system": "Windows", "machine": "AMD64"},
    "macos": {"platform": "darwin", "name": "posix", "system": "Darwin", "machine": "arm64"},
}


def is_ours(frame: FrameType | None) -> bool:
    """Whether the code that runs in a frame belongs to this repository."""
    name = frame.f_globals.get("__name__", "") if frame else ""
    return name.split(".")[0] in OURS and not name.startswith(NOT_OURS)


def asked_by_us(frame: FrameType | None) -> bool:
    """The same for the frame that asked the standard library to look for a file."""
    while frame and frame.f_globals.get("__name__") in FILES:
        frame = frame.f_back
    return is_ours(frame)


def guard(module: ModuleType, missing: set[str], other: dict[str, object]) -> None:
    """From now on our callers miss these names in a module, and find other values of others."""

    class Guarded(ModuleType):
        def __getattribute__(self, name: str) -> object:
            if (name in missing or name in other) and is_ours(sys._getframe(1)):
                if name in other:
                    return other[name]
                raise AttributeError(f"module {module.__name__!r} has no {name!r} (pretended)")
            return super().__getattribute__(name)

    module.__class__ = Guarded


def pretend(system: str) -> None:
    """Let our code see another system. There is no way back."""
    windows, seen = system == "windows", SYSTEMS[system]
    missing = {name: set(words.split()) for name, words in LINUX_ONLY.items()}
    for name, words in POSIX_ONLY.items() if windows else ():
        missing.setdefault(name, set()).update(words.split())
    other = {"sys": {"platform": seen["platform"]}, "os": {"name": seen["name"]}}
    other["platform"] = {word: lambda word=word: seen[word] for word in ("system", "machine")}
    for name in {*missing, *other}:
        guard(importlib.import_module(name), missing.get(name, set()), other.get(name, {}))
    places = tuple((POSIX_PLACES if windows else "/proc /sys").split())
    without_modules(set(POSIX_MODULES.split()) if windows else {"spwd"})
    without_places(places)
    without_programs(set((POSIX_PROGRAMS if windows else "bwrap unshare ip").split()), places)
    if windows:
        without_links()


def without_modules(names: set[str]) -> None:
    real = builtins.__import__

    def import_(name: str, *more: object, **kwargs: object) -> ModuleType:
        if name == "msvcrt" and "fcntl" in names and is_ours(sys._getframe(1)):
            return windows_locks()
        if name.split(".")[0] in names and is_ours(sys._getframe(1)):
            raise ModuleNotFoundError(f"No module named {name!r} (pretended)", name=name)
        return real(name, *more, **kwargs)

    builtins.__import__ = import_


def windows_locks() -> ModuleType:
    """What Windows has in the place of fcntl: a module msvcrt that locks a whole file."""
    fcntl, module = importlib.import_module("fcntl"), ModuleType("msvcrt")

    def locking(fd: int, mode: int, nbytes: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied (pretended)") from None

    module.LK_NBLCK, module.locking = 2, locking
    return module


def without_places(places: tuple[str, ...]) -> None:
    real_open, real_stat = builtins.open, os.stat
    python = (sys.prefix, sys.base_prefix, *sys.path)  # where our own files may lie
    below = tuple(f"{at}/" for at in places)

    def hidden(path: object) -> bool:
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        inside = isinstance(text, str) and (text.startswith(below) or text in places)
        return inside and not any(own and text.startswith(own) for own in python)

    def refuse(path: object) -> None:
        if hidden(path) and asked_by_us(sys._getframe(2)):
            raise FileNotFoundError(2, "No such file or directory (pretended)", str(path))

    def open_(file: object, *args: object, **kwargs: object) -> object:
        refuse(file)
        return real_open(file, *args, **kwargs)

    def stat(path: object, *args: object, **kwargs: object) -> os.stat_result:
        refuse(path)
        return real_stat(path, *args, **kwargs)

    builtins.open, os.stat = open_, stat
    io.open = open_  # what pathlib calls


def without_programs(programs: set[str], places: tuple[str, ...]) -> None:
    real, which = subprocess.Popen.__init__, shutil.which
    below = tuple(f"{at}/" for at in places)

    def missing(program: object) -> bool:
        text = os.fspath(program)
        return text in programs or (text != sys.executable and text.startswith(below))

    def init(self: subprocess.Popen, args: object, *more: object, **kwargs: object) -> None:
        first = args if isinstance(args, str | os.PathLike) else args[0]
        if missing(first) and asked_by_us(sys._getframe(1)):
            raise FileNotFoundError(2, "No such program (pretended)", str(first))
        real(self, args, *more, **kwargs)

    def which_(program: str, *args: object, **kwargs: object) -> str | None:
        hidden = is_ours(sys._getframe(1)) and missing(program)
        return None if hidden else which(program, *args, **kwargs)

    subprocess.Popen.__init__, shutil.which = init, which_


def without_links() -> None:
    """As for a user of Windows without that privilege."""
    for owner, name in ((os, "symlink"), (pathlib.Path, "symlink_to")):
        real = getattr(owner, name)

        def link(*args: object, _real: object = real, **kwargs: object) -> None:
            if is_ours(sys._getframe(1)):
                raise OSError(1314, "A required privilege is not held by the client (pretended)")
            _real(*args, **kwargs)

        setattr(owner, name, link)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pretend", choices=list(SYSTEMS), help="let our code see another system")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if system := early_config.known_args_namespace.pretend:
        pretend(system)
