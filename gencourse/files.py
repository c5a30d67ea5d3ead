"""Files that are written whole or not at all."""

import contextlib
import os
import secrets
import time
from pathlib import Path

from gencourse.errors import NotWritten

# to replace a file that somebody reads at this moment: a search index, a virus scanner
TRIES, PAUSE_S = 5, 0.2


def write_whole(path: Path, content: str | bytes, encoding: str = "utf-8") -> None:
    """Write a file so that a reader, even after a crash, finds the old content or the new one.

    Raises NotWritten where that cannot be: on Windows nobody can replace a file that Excel shows.
    """
    # in the same folder, so that the rename is atomic
    draft = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as file:
            file.write(content.encode(encoding) if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        put(draft, path)
    except OSError as error:
        held = isinstance(error, PermissionError) and path.is_file()
        advice = (
            "Close it in the program that shows it, then give the command again."
            if held
            else "Look at the folder and its rights."
        )
        raise NotWritten(
            f"write: {path} should be a file that can be written, got: {error.strerror or error}. "
            f"{advice}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def put(draft: Path, path: Path) -> None:
    """Give the draft the name of the file, if need be at the fifth try."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(PermissionError):
            draft.replace(path)
            return
        time.sleep(PAUSE_S)
    draft.replace(path)


def write_once(path: Path, content: str) -> str:
    """The content of a file that is made with this content if it is not there yet.

    Of several processes that make it at once one wins, and all get what that one has written.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.once")
        write_whole(draft, content)
        try:
            os.link(draft, path)  # fails where the file is there by now
        except FileExistsError:
            pass
        except OSError:  # a disk without links
            if not path.exists():
                put(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text("utf-8")
