"""Reading what was handed in, of which nothing is trusted: a file becomes cells, or a reason.

No honest file is lost whole. Outputs are not needed, however large; a cell that cannot be read is
an empty one; lines that have lost their ends are lines. What was repaired is said.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gencourse.grading.handout.repair import joined

SIZE_LIMIT = 64 << 20  # bytes of a notebook
VALUES_LIMIT = 1_500_000  # values in its JSON, without outputs
CODE_LIMIT = 300_000  # characters in its code cells
TEXT_LIMIT = 100_000  # characters that are kept of another cell
LONG = 2_000_000  # characters of one text, from which on it is nothing that anyone has written
CUT = "\x00"  # what is left of it
ATTACHED_LIMIT = 4 << 20  # characters of all pictures that were pasted into cells
WAY_OUT = "clear the outputs of all cells, save it and hand it in again"
# a text of JSON; one that does not end goes to the end, so that looking takes linear time
TEXT = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.S)
TOKEN = re.compile(TEXT.pattern + r"|[\[\]{}]", re.S)
PICTURES = re.compile(r"image/(png|jpeg|gif|webp)")


class Unreadable(Exception):
    """A file that is no notebook for us; the text is the reason, for the row of the gradebook."""


@dataclass(frozen=True)
class SubmittedCell:
    """A code or text cell as it was handed in. `attachments`: pasted pictures, as data URIs."""

    kind: str  # code, markdown, raw
    source: str
    grade_id: str
    made_of: str = ""  # the id of a cell of the course, which tells what it held
    attachments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Notebook:
    """What is read of a file: its cells, the learner's Python, and what was repaired, in words."""

    cells: tuple[SubmittedCell, ...]
    python: str = ""
    repairs: tuple[str, ...] = field(default=())


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
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with os.fdopen(os.open(path, flags), "rb") as stream:
            return stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror})") from None


def too_large(size: int) -> str:
    """The reason why a file is not read."""
    return f"it has {size / 2**20:.0f} MiB, more than {SIZE_LIMIT >> 20}; {WAY_OUT}"


def read_notebook(data: bytes) -> tuple[SubmittedCell, ...]:
    """The cells of a notebook of format 4. Raises Unreadable."""
    return read(data).cells


def read(data: bytes) -> Notebook:
    """A notebook of format 4. Lenient where the reading is plain, Unreadable elsewhere."""
    if not data.strip():
        raise Unreadable("it is empty")
    if len(data) > SIZE_LIMIT:
        raise Unreadable(too_large(len(data)))
    if data[:4] == b"PK\x03\x04":
        raise Unreadable("it is a zip archive under the name of a notebook")
    raw = values(text_of(data))
    if not isinstance(raw, dict) or not isinstance(raw.get("cells"), list):
        version = raw.get("nbformat") if isinstance(raw, dict) else None
        other = isinstance(version, int) and version != 4
        raise Unreadable(f"it is in nbformat {version}, not 4" if other else "it is no notebook")
    repairs: list[str] = []
    if raw.get("nbformat") != 4:
        said = str(raw.get("nbformat"))[:20]
        if not re.fullmatch(r"4(\.\d+)?", said):
            raise Unreadable(f"it is in nbformat {said}, not 4")
        repairs.append(f"Its format was said to be {raw['nbformat']!r}.")
    room = [ATTACHED_LIMIT]
    cells = tuple(
        submitted(cell, number, repairs, room) for number, cell in enumerate(raw["cells"], 1)
    )
    if repairs and not any(cell.source for cell in cells):
        raise Unreadable(said_of_cells(repairs))
    if sum(len(cell.source) for cell in cells if cell.kind == "code") > CODE_LIMIT:
        raise Unreadable(f"it holds more than {CODE_LIMIT:,} characters of code")
    return Notebook(cells, python_version(raw.get("metadata")), tuple(dict.fromkeys(repairs)))


def said_of_cells(repairs: list[str]) -> str:
    """The reason for a file in which no cell can be read."""
    first = repairs[0].rstrip(".")
    return first[:1].lower() + first[1:150]


def text_of(data: bytes) -> str:
    """The text of a file: UTF-8, or another encoding that says so itself. Raises Unreadable."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                break
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("its text is not UTF-8; save it as UTF-8 and hand it in again") from None


def values(text: str) -> Any:
    """The values of a JSON text, as far as they are needed. Raises Unreadable."""
    if len(text) > LONG:
        text = TEXT.sub(lambda found: found[0] if len(found[0]) <= LONG else r'"\u0000"', text)
    if many(text):
        text = without_outputs(text)
        if many(text):
            raise Unreadable(f"it holds too many values to be a notebook; {WAY_OUT}")
    try:
        return json.loads(text)
    except RecursionError:
        try:
            return json.loads(without_outputs(text))
        except RecursionError:
            raise Unreadable(f"its lists are nested too deep; {WAY_OUT}") from None
        except ValueError as error:
            raise Unreadable(f"it is not JSON, or was cut off ({str(error)[:80]})") from None
    except ValueError as error:
        raise Unreadable(f"it is not JSON, or was cut off ({str(error)[:80]})") from None


def many(text: str) -> bool:
    """Whether a JSON text holds more values than are read. What stands inside of texts is none."""
    if sum(map(text.count, ",[{")) <= VALUES_LIMIT:
        return False
    bare = TEXT.sub("", text)
    return sum(map(bare.count, ",[{")) > VALUES_LIMIT


def without_outputs(text: str) -> str:
    """A notebook's JSON with the lists of outputs empty."""
    kept, at = [], 0
    for start, end in outputs_in(text):
        kept += [text[at:start], "[]"]
        at = end
    return "".join([*kept, text[at:]])


def outputs_in(text: str) -> Iterator[tuple[int, int]]:
    """Where the lists of outputs stand in a notebook's JSON: from bracket to bracket."""
    depth, start, expected, after = 0, -1, False, 0
    for token in TOKEN.finditer(text):
        said = token[0]
        if start < 0:
            opens = expected and said == "[" and not text[after : token.start()].strip(" \t\r\n:")
            if opens:
                start, depth = token.start(), 1
            expected, after = said == '"outputs"', token.end()
        elif said in "[{":
            depth += 1
        elif said in "]}":
            depth -= 1
            if depth == 0:
                yield start, token.end()
                start = -1


def python_version(metadata: object) -> str:
    """The version of Python that a notebook was last run with, "" where it does not say."""
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    version = info.get("version") if isinstance(info, dict) else None
    found = re.match(r"\d+\.\d+(\.\d+)?", version) if isinstance(version, str) else None
    return found[0] if found else ""


def submitted(cell: object, number: int, repairs: list[str], room: list[int]) -> SubmittedCell:
    """One cell. Its outputs and its metadata, but for the ids of the handout, are left behind."""
    if not isinstance(cell, dict):
        repairs.append(f"Its cell {number} is no cell.")
        return SubmittedCell("raw", "", "")
    source = cell.get("source")
    text = ""
    if isinstance(source, str):
        text = source
    elif isinstance(source, list) and all(isinstance(line, str) for line in source):
        text = joined(source)
        if text != "".join(source):
            repairs.append(f"The lines of cell {number} had lost their ends.")
    elif source is not None:
        repairs.append(f"Its cell {number} is no cell.")
    elif cell.get("outputs"):
        repairs.append(f"Its cell {number} holds no source.")
    kind = cell.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        if not isinstance(kind, str) and kind is not None:
            repairs.append(f"Its cell {number} is no cell.")
        else:
            repairs.append(f"Its cell {number} does not say what it is.")
        kind = "code" if "outputs" in cell or "execution_count" in cell else "raw"
    metadata = cell.get("metadata")
    about = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = about.get("grade_id") if isinstance(about, dict) else None
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "")
    text = text.encode("utf-8", "replace").decode("utf-8")
    if CUT in text.split("\n") and kind == "code":
        raise Unreadable(f"it holds more than {CODE_LIMIT:,} characters of code")
    if kind != "code":
        text = text[:TEXT_LIMIT]  # a picture may be written out in it
    made_of = cell.get("id")
    return SubmittedCell(
        kind,
        text,
        grade_id if isinstance(grade_id, str) else "",
        made_of[:64] if isinstance(made_of, str) else "",
        attached(cell.get("attachments"), room),
    )


def attached(attachments: object, room: list[int]) -> tuple[tuple[str, str], ...]:
    """The pictures that were pasted into a cell, as (name, data URI), while there is room."""
    found = []
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        for kind, data in kinds.items() if isinstance(kinds, dict) else ():
            data = "".join(data) if isinstance(data, list) and all(map(is_text, data)) else data
            if not is_text(data) or not PICTURES.fullmatch(kind) or len(data) > room[0]:
                continue
            if re.fullmatch(r"[A-Za-z0-9+/=\s]*", data):
                room[0] -= len(data)
                found.append((str(name)[:200], f"data:{kind};base64,{''.join(data.split())}"))
                break
    return tuple(found)


def is_text(value: object) -> bool:
    """Whether this is text."""
    return isinstance(value, str)
