"""One training at a time in a folder."""

# POSIX: fcntl; on Windows msvcrt in its place

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gencourse.errors import InputError


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within the block no other process trains in the folder, which is made if it is not there.

    Raises InputError where another one does. The system takes the lock back when a process ends,
    however it ends. Where a disk has no locks, nothing is locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "ab") as file:
        try:
            lock(file)
        except (BlockingIOError, PermissionError):
            raise InputError(
                f"train: to should be a folder in which no training is at work, got {folder}, "
                "where one is. Wait until it ends, or name another folder, --to PATH."
            ) from None
        except OSError:
            pass
        yield


def lock(file: IO[bytes]) -> None:
    """Lock an open file until it is closed; raises BlockingIOError or PermissionError if another
    process has, and another OSError where there are no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # its first byte, which need not exist
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
