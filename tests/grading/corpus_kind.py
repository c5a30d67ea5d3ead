"""What a kind of submission is, how one is registered, and the sheet of paper on which it is written."""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tests.grading.corpus_assignment import NAME, POINTS, WRITTEN

TOTAL = sum(POINTS.values())
ANY = tuple(range(TOTAL + 1))
GROUPS = ("honest", "broken", "edited", "unreadable", "cheating", "leaking", "escaping")

WRONG = {  # each of the first three is a registered mistake
    "gaussian_log_density": "def gaussian_log_density(x, mu, logvar):\n"
    "    return (-0.5 * math.log(2 * math.pi) - 0.5 * logvar - (x - mu) ** 2 / logvar.exp()).sum(1)",
    "reparameterize": "def reparameterize(mu, logvar, eps):\n    return mu + logvar.exp() * eps",
    "kl_to_standard_normal": "def kl_to_standard_normal(mu, logvar):\n    return -0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)",
    "bits": "def bits(nats):\n    return nats * math.log(2)",
}


@dataclass(frozen=True)
class Special:
    """A thing in a student's folder that is no ordinary small file.

    what: "symlink" (to `target`, which is written first if `head` says what it holds), "folder", "fifo", or "repeated"
    (head, then body `times` times, then tail).
    """

    what: str
    target: str = ""
    head: bytes = b""
    body: bytes = b""
    times: int = 0
    tail: bytes = b""


@dataclass
class Canary:
    """What would prove a leak or an escape.

    mark: stands in no file under the leak folder, in nothing that the listener got, in nothing that anyone is shown.
    paths: files that do not exist afterwards. Files of evidence are always named `ESCAPED-<kind>`.
    html: texts that do not stand in the feedback's HTML as they are here (escaped is fine).
    shown: texts that stand in nothing that is shown or stored: feedback, tables, messages on the terminal.
    csv: texts with which no cell of a CSV begins.
    process: a text that stands in no running process's command line afterwards.
    """

    mark: str = ""
    paths: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    csv: list[str] = field(default_factory=list)
    process: str = ""


@dataclass(frozen=True)
class Kind:
    """One kind of submission and its ground truth. `honest` maps a task to its points.

    `accept`: other totals that are acceptable. `expect_flag`: whatever the total, it must carry a flag or a status
    other than "graded". `also_status`: other statuses that are acceptable.
    """

    name: str
    group: str
    why: str
    files: dict[str, bytes | Special]
    honest: dict[str, int]
    accept: tuple[int, ...] | None
    expect_flag: bool
    status: str
    also_status: tuple[str, ...]
    canary: Canary

    @property
    def total(self) -> int:
        return sum(self.honest.values())


@dataclass(frozen=True)
class Place:
    """Where a submission may leave evidence: a folder, a port with a listener, the name of a secret variable."""

    leak: Path
    port: int
    secret_env: str


class Sheet:
    """A submission while it is written: a correct one at first, changed step by step."""

    def __init__(self, name: str, released: NotebookNode, solved: NotebookNode, place: Place):
        self.name, self.released, self.solved, self.place = name, released, solved, place
        self.canary = Canary()
        self.mark = f"ESCAPED {name}"
        self.evidence = f"ESCAPED-{name}"
        self.nb = copy.deepcopy(released)
        for task in POINTS:
            self.cell(task).source = self.right(task)
        self.cell(
            WRITTEN
        ).source = "So that gradients reach mu and logvar, and so that the draw can be repeated."

    def right(self, task: str) -> str:
        return grade_cell(self.solved, task).source

    def cell(self, grade_id: str) -> NotebookNode:
        return grade_cell(self.nb, grade_id)

    def test(self, task: str) -> NotebookNode:
        return self.cell("bits_test" if task == "bits" else f"{task}_check")

    def where(self, grade_id: str) -> int:
        return self.nb.cells.index(self.cell(grade_id))

    def answer(self, task: str, source: str) -> None:
        self.cell(task).source = source.strip("\n")

    def wrong(self, tasks: Iterable[str] = tuple(POINTS)) -> None:
        for task in tasks:
            self.answer(task, WRONG[task])

    def stub(self, tasks: Iterable[str] = tuple(POINTS)) -> None:
        for task in tasks:
            self.answer(task, grade_cell(self.released, task).source)

    @property
    def imports(self) -> NotebookNode:
        return next(cell for cell in self.nb.cells if cell.source.startswith("import math"))

    def insert(
        self, at: int, source: str, new: Callable = nbformat.v4.new_code_cell, **more
    ) -> NotebookNode:
        cell = new(source.strip("\n"), id=f"extra-{len(self.nb.cells)}", **more)
        self.nb.cells.insert(at, cell)
        return cell

    def scratch(self, source: str, before: str = "gaussian_log_density") -> NotebookNode:
        """A code cell of the learner's own, before an answer."""
        return self.insert(self.where(before), source)

    def ending(self, source: str) -> NotebookNode:
        """A code cell at the end of the notebook."""
        return self.insert(len(self.nb.cells), source)

    def remove(self, *grade_ids: str) -> None:
        gone = [self.cell(grade_id) for grade_id in grade_ids]
        self.nb.cells = [cell for cell in self.nb.cells if not any(cell is other for other in gone)]

    def tell(self) -> str:
        """Code that defines `tell(text)`, which puts the mark wherever it can; the code itself does not hold the mark."""
        self.canary.mark = self.mark
        self.canary.paths.append(str(self.place.leak / self.evidence))
        return TELL.format(kind=self.name, leak=str(self.place.leak), port=self.place.port)

    def forbid(self, *paths: str | Path) -> None:
        self.canary.mark = self.mark
        self.canary.paths.extend(str(path) for path in paths)

    def bytes(self, notebook: dict | None = None) -> bytes:
        return as_bytes(self.nb if notebook is None else notebook)


TELL = """
import os
import pathlib
import socket

KIND = {kind!r}


def tell(text):
    line = "ESC" + f"APED {{KIND}}: {{text}}\\n"
    print(line)
    try:
        os.makedirs({leak!r}, exist_ok=True)
        with open(os.path.join({leak!r}, "ESC" + "APED-" + KIND), "a") as file:
            file.write(line)
    except OSError:
        pass
    try:
        with socket.create_connection(("127.0.0.1", {port}), timeout=2) as connection:
            connection.sendall(line.encode())
    except OSError:
        pass
"""


def grade_cell(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )


def copied(cell: NotebookNode, **changes: str) -> NotebookNode:
    """A copy of a cell with some of its entries changed."""
    copy_of = copy.deepcopy(cell)
    copy_of.update(changes)
    return copy_of


def as_bytes(notebook: dict) -> bytes:
    """The notebook as a file, not validated: submissions may be wrong."""
    try:
        return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
    except UnicodeEncodeError:  # half characters can be written as escapes only
        return (json.dumps(notebook, indent=1) + "\n").encode("ascii")


@dataclass(frozen=True)
class _Maker:
    name: str
    group: str
    why: str
    make: Callable[[Sheet], object]
    lost: tuple[str, ...]
    accept: tuple[int, ...] | None
    flag: bool
    status: str
    also_status: tuple[str, ...]


_MAKERS: list[_Maker] = []


def kind(
    group: str,
    *,
    lost: str | tuple[str, ...] = (),
    accept: tuple[int, ...] | None = None,
    flag: bool = False,
    status: str = "graded",
    also_status: tuple[str, ...] = (),
    each: Mapping[str, tuple[str, object]] | None = None,
) -> Callable:
    """Decorator: register a kind. The function changes a Sheet, or returns the bytes of the notebook, or all files.

    Its name is the kind's name and its docstring the reason for the ground truth. `lost`: the tasks without points
    ("all" for all). `each`: several kinds from one function, name -> (reason, second argument).
    """
    without = tuple(POINTS) if lost == "all" else (lost,) if isinstance(lost, str) else lost

    def register(make: Callable) -> Callable:
        variants = each or {make.__name__: (make.__doc__, None)}
        for name, (why, payload) in variants.items():
            bound = (lambda sheet, payload=payload: make(sheet, payload)) if each else make
            _MAKERS.append(
                _Maker(
                    name,
                    group,
                    " ".join(why.split()),
                    bound,
                    without,
                    accept,
                    flag,
                    status,
                    also_status,
                )
            )
        return make

    return register


def made(released: NotebookNode, solved: NotebookNode, place: Place) -> list[Kind]:
    """All registered kinds, in the order of the groups."""
    return [
        _made(maker, released, solved, place)
        for group in GROUPS
        for maker in _MAKERS
        if maker.group == group
    ]


def _made(maker: _Maker, released: NotebookNode, solved: NotebookNode, place: Place) -> Kind:
    sheet = Sheet(maker.name, released, solved, place)
    result = maker.make(sheet)
    if result is None:
        result = sheet.bytes()
    files = result if isinstance(result, dict) else {NAME: result}
    honest = {task: 0 if task in maker.lost else points for task, points in POINTS.items()}
    return Kind(
        maker.name,
        maker.group,
        maker.why,
        files,
        honest,
        maker.accept,
        maker.flag,
        maker.status,
        maker.also_status,
        sheet.canary,
    )
