"""What the files of a gradebook hold, as dataclasses, and the one decoder that reads them.

A file that does not hold what it should counts as absent. Whatever comes from a submission is text
here, and may be any text: names of files can hold half characters.
"""

import hashlib
import json
import re
import unicodedata
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, PlainValidator, StrictBool, TypeAdapter, ValidationError

FORMAT = 1
Status = Literal["graded", "unreadable", "missing", "infrastructure_error"]
VerdictStatus = Literal["right", "partly right", "wrong", "not attempted", "not judged", "waiting"]
Kind = Literal["outside", "kernel", "manual"]
SUBMISSION, VERDICTS, KINDS = (set(get_args(kinds)) for kinds in (Status, VerdictStatus, Kind))
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
TASK_TEXTS = ("name", "title", "kind", "message", "mistake", "source")
T = TypeVar("T")


def a_text(value: object) -> str:
    """The value, which has to be a text; pydantic's own would refuse half characters."""
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


Text = Annotated[str, PlainValidator(a_text)]
Number = Annotated[float, Field(strict=True, gt=-1e9, lt=1e9)]


@dataclass(frozen=True)
class Flag:
    """Something unusual: one word for it, and a sentence."""

    flag: Text
    detail: Text


@dataclass(frozen=True)
class Part:
    """One assertion of a task: what was asserted, what it is worth, and what it said, "" if it
    holds.
    """

    text: Text
    points: Number
    out_of: Number
    message: Text = ""


@dataclass(frozen=True)
class WrittenCell:
    """A cell of an answer that people grade, as it was handed in. `attachments`: data by name."""

    kind: Text
    source: Text
    attachments: dict[Text, Text] = field(default_factory=dict)


@dataclass(frozen=True)
class ShownCell:
    """A cell of the executed notebook: its source, what it printed, its figures as data URIs."""

    kind: Text
    source: Text
    text: Text = ""
    figures: tuple[Text, ...] = ()


@dataclass(frozen=True)
class TaskResult:
    """One task of one submission. `points` is None where nobody could judge it."""

    name: Text
    title: Text
    kind: Kind
    status: VerdictStatus
    points: Number | None
    out_of: Number
    message: Text
    mistake: Text
    source: Text
    bonus: StrictBool = False
    parts: tuple[Part, ...] = ()
    cells: tuple[WrittenCell, ...] = ()


@dataclass(frozen=True)
class Result:
    """What the grader found in one submission."""

    format: Literal[1]
    student: Text
    student_id: Text
    assignment: Text
    version: Text
    file: Text
    status: Status
    reason: Text
    sandbox: Text
    flags: tuple[Flag, ...]
    tasks: tuple[TaskResult, ...]
    seconds: dict[Text, Number] = field(default_factory=dict)
    memory_mib: Number = 0
    versions: dict[Text, Text] = field(default_factory=dict)
    shown: tuple[ShownCell, ...] = ()  # the executed notebook, where it was asked for


@dataclass(frozen=True)
class RosterRow:
    """Which result is current for which student."""

    student: Text
    student_id: Text
    file: Text
    key: Text


@dataclass(frozen=True)
class Roster:
    """The students of an assignment."""

    assignment: Text
    version: Text
    rows: tuple[RosterRow, ...]


@dataclass(frozen=True)
class Mark:
    """Points, a comment or both, given by hand. Task "": on the whole submission."""

    at: Text
    student: Text
    assignment: Text
    task: Text
    comment: Text
    clear: StrictBool
    points: Number | None = None


@dataclass(frozen=True)
class Rules:
    """How the points of assignments count: the share that a late submission loses, in percent."""

    late_percent: dict[Text, Number] = field(default_factory=dict)


@cache
def adapter(kind: type) -> TypeAdapter:
    """The decoder of a kind of record."""
    return TypeAdapter(kind)


def decoded(kind: type[T], value: object) -> T | None:
    """The record that plain data hold, None if they do not."""
    of: type = kind  # of a type[T] mypy does not know that it can be hashed
    try:
        return adapter(of).validate_python(value)
    except (ValidationError, OverflowError):
        return None


def to_json(value: Any, indent: int | None = 1) -> str:
    """Readable JSON of plain data or a record, in valid UTF-8.

    Half characters, which file names can hold, are written as escapes.
    """
    value = asdict(value) if hasattr(value, "__dataclass_fields__") else value
    text = json.dumps(value, sort_keys=True, indent=indent, ensure_ascii=False, allow_nan=False)
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def from_json(text: bytes) -> object:
    """The value of a JSON text, None if it is none."""
    try:
        # int refuses NaN and Infinity, which are not JSON
        return json.loads(text.decode("utf-8"), parse_constant=int)
    except (ValueError, RecursionError):
        return None


def read_record(kind: type[T], path: Path) -> T | None:
    """The record in a file, None if there is none."""
    try:
        return decoded(kind, from_json(path.read_bytes()))
    except OSError:
        return None


def is_number(value: object) -> bool:
    """Whether these may be points. NaN is not between."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e9 < value < 1e9


def file_name(assignment: str) -> str:
    """The name of an assignment as the name of a file: itself, or made plain, with a digest."""
    if SAFE.fullmatch(assignment):
        return assignment
    plain = unicodedata.normalize("NFKD", assignment).encode("ascii", "ignore").decode()
    short = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:60] or "assignment"
    made = hashlib.sha256(assignment.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{short}-{made}"
