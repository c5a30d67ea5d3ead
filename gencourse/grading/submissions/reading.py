"""Reading what was handed in, of which nothing is trusted: a file becomes code cells or a reason."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

SIZE_LIMIT = 20 << 20  # bytes of a notebook
VALUES_LIMIT = 1_500_000  # values in its JSON
CODE_LIMIT = 300_000  # characters in its code cells
TEXT_LIMIT = 100_000  # characters that are kept of another cell


class Unreadable(Exception):
    """A file that is no notebook for us; the text is the reason, for the row of the gradebook."""


@dataclass(frozen=True)
class SubmittedCell:
    """A code or text cell as it was handed in."""

    kind: str  # code, markdown, raw
    source: str
    grade_id: str


def read_file(path: Path) -> bytes:
    """The bytes of a regular file that is no link and not too large. Raises Unreadable."""
    try:
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            raise Unreadable("it is a link to another file")
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("it is no regular file")
        if about.st_size > SIZE_LIMIT:
            raise Unreadable(too_large(about.st_size))
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        )
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror})") from None


def too_large(size: int) -> str:
    return f"it has {size / 2**20:.0f} MiB, more than {SIZE_LIMIT >> 20}; clearing its outputs would help"


def read_notebook(data: bytes) -> tuple[SubmittedCell, ...]:
    """The cells of a notebook of format 4. Lenient where the reading is plain, Unreadable
    elsewhere.
    """
    if not data.strip():
        raise Unreadable("it is empty")
    if len(data) > SIZE_LIMIT:
        raise Unreadable(too_large(len(data)))
    if data[:4] == b"PK\x03\x04":
        raise Unreadable("it is a zip archive under the name of a notebook")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("its text is not UTF-8") from None
    if sum(map(text.count, ",[{")) > VALUES_LIMIT:
        raise Unreadable("it holds too many values to be a notebook")
    try:
        raw = json.loads(text)
    except RecursionError:
        raise Unreadable("its lists are nested too deep") from None
    except ValueError as error:
        raise Unreadable(f"it is not JSON, or was cut off ({str(error)[:80]})") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        version = raw.get("nbformat") if isinstance(raw, dict) else None
        raise Unreadable(
            f"it is in nbformat {version}, not 4"
            if isinstance(version, int) and version != 4
            else "it is no notebook"
        )
    if raw.get("nbformat") != 4:
        raise Unreadable(f"it is in nbformat {str(raw.get('nbformat'))[:20]}, not 4")
    cells = tuple(handed(cell, number) for number, cell in enumerate(raw["cells"], 1))
    if sum(len(cell.source) for cell in cells if cell.kind == "code") > CODE_LIMIT:
        raise Unreadable(f"it holds more than {CODE_LIMIT:,} characters of code")
    return cells


def handed(cell, number: int) -> SubmittedCell:
    """One cell. Its outputs and its metadata, but for the id that it had in the hand-out, are left
    behind.
    """
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or not isinstance(cell.get("cell_type"), str):
        raise Unreadable(f"its cell {number} is no cell")
    metadata = cell.get("metadata")
    about = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = about.get("grade_id") if isinstance(about, dict) else None
    source = (
        source.replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\f", "")
        .encode("utf-8", "replace")
        .decode("utf-8")
    )
    if cell["cell_type"] != "code":
        source = source[:TEXT_LIMIT]  # a picture may be written out in it
    return SubmittedCell(cell["cell_type"], source, grade_id if isinstance(grade_id, str) else "")
