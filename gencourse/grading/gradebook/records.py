"""The files of a gradebook: written whole or not at all, and what a sound result, roster or grade
by hand holds.
"""

import contextlib
import json
import os
import re
import secrets
import time
from pathlib import Path

from gencourse.errors import NotWritten

FORMAT = 1
TRIES, PAUSE_S = (
    5,
    0.2,
)  # to replace a file that somebody reads at this moment: a search index, a virus scanner
SUBMISSION = {"graded", "unreadable", "missing", "infrastructure_error"}
VERDICTS = {"right", "wrong", "not attempted", "not judged", "waiting"}
KINDS = {"outside", "kernel", "manual"}
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
TASK_TEXTS = ("name", "title", "kind", "message", "mistake", "source")
RESULT_TEXTS = (
    "student",
    "student_id",
    "assignment",
    "version",
    "file",
    "status",
    "reason",
    "sandbox",
)
ROSTER_ROW = ("student", "student_id", "file", "key")


def write_whole(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write a file so that a reader, even after a crash, finds the old content or the new, never a
    part.

    Raises NotWritten where that cannot be: on Windows nobody can replace a file that Excel shows.
    """
    draft = path.with_name(
        f".{path.name[:80]}.{secrets.token_hex(6)}.tmp"
    )  # same folder, so that the rename is atomic
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("xb") as file:
            file.write(text.encode(encoding))
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
            f"write: {path} should be a file that can be written, got: {error.strerror or error}. {advice}"
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


def to_json(value, indent: int | None = 1) -> str:
    """Readable JSON that is valid UTF-8: lone surrogates, which file names can hold, are written as
    escapes.
    """
    text = json.dumps(value, sort_keys=True, indent=indent, ensure_ascii=False, allow_nan=False)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def from_json(text: bytes):
    """The value of a JSON text, None if it is none."""
    try:
        return json.loads(
            text.decode("utf-8"), parse_constant=int
        )  # int refuses NaN and Infinity, which are not JSON
    except (ValueError, RecursionError):
        return None


def read_json(path: Path):
    try:
        return from_json(path.read_bytes())
    except OSError:
        return None


def is_number(value) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9
    )  # NaN is not between


def has_texts(value, *names: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


def is_task(task) -> bool:
    sound = (
        has_texts(task, *TASK_TEXTS, "status")
        and task["kind"] in KINDS
        and task["status"] in VERDICTS
    )
    return (
        sound
        and is_number(task.get("out_of"))
        and (task.get("points") is None or is_number(task["points"]))
    )


def is_result(result) -> bool:
    """Whether this is a result of this format, with every part that the gradebook reads."""
    sound = (
        has_texts(result, *RESULT_TEXTS)
        and result.get("format") == FORMAT
        and result["status"] in SUBMISSION
    )
    flags, tasks = (result.get("flags"), result.get("tasks")) if sound else (None, None)
    lists = isinstance(flags, list) and isinstance(tasks, list)
    return (
        lists
        and all(has_texts(flag, "flag", "detail") for flag in flags)
        and all(map(is_task, tasks))
    )


def is_mark(mark) -> bool:
    sound = has_texts(mark, "at", "student", "assignment", "task", "comment") and isinstance(
        mark.get("clear"), bool
    )
    return sound and (mark.get("points") is None or is_number(mark["points"]))


def is_roster(assignment: str, roster) -> bool:
    sound = has_texts(roster, "assignment", "version") and roster["assignment"] == assignment
    return (
        sound
        and isinstance(roster.get("rows"), list)
        and all(has_texts(row, *ROSTER_ROW) for row in roster["rows"])
    )
