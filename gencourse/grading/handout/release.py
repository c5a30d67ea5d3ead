"""From the instructor's notebook to the learners': answers out, stubs in, checks locked, checksums.

`released` makes of a notebook what `nbgrader generate_assignment` makes of it:

| in the source | in the release |
| --- | --- |
| lines from `### BEGIN SOLUTION` to `### END SOLUTION`, in an answer | the stub, indented |
| an answer without these markers | the stub alone; YOUR ANSWER HERE if it is prose |
| lines from `### BEGIN HIDDEN TESTS` to their end, in a graded cell | nothing |
| lines from `### BEGIN MARK SCHEME` to their end, in a task | nothing |
| outputs and execution counts | nothing |
"""

import json
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gencourse.editions.carry import digest
from gencourse.errors import InputError, install_line
from gencourse.files import write_whole
from gencourse.grading.handout.lint import (
    AUTOTEST,
    homeless,
    language_problems,
    lint,
    nested,
    unclosed,
)
from gencourse.grading.handout.nbgrader_format import (
    HOMES,
    checksum,
    flag,
    import_own_checks,
    is_locked,
    marker,
    place,
    with_metadata,
)
from gencourse.grading.handout.repair import repaired

__all__ = [
    "as_text",
    "lint",
    "read",
    "release",
    "released",
    "solved",
    "with_ids",
    "with_metadata",
    "write",
]

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
WRITTEN_STUB = ("YOUR ANSWER HERE",)
PYTHON = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def released(notebook: NotebookNode) -> NotebookNode:
    """A copy for learners, as nbgrader would make it. Raises InputError where that would stop."""
    made = with_metadata(notebook)
    made.metadata.pop("celltoolbar", None)
    if problem := next(language_problems(made), None):
        raise InputError(f"notebook: {problem}")
    for number, cell in enumerate(made.cells, 1):
        where = place(number, cell)
        if flag(cell, "solution") or is_locked(cell):
            cell.metadata["deletable"] = False
        if is_locked(cell):
            cell.metadata["editable"] = False
        if cell.cell_type == "code":
            if "AUTOTEST" in cell.source:
                raise InputError(f"{where}: {AUTOTEST}")
            cell.outputs, cell.execution_count = [], None
            for about_outputs in ("collapsed", "scrolled"):
                cell.metadata.pop(about_outputs, None)
        stub = STUB if cell.cell_type == "code" else WRITTEN_STUB
        cell.source, found = _without(cell, "SOLUTION", stub, where)
        if flag(cell, "solution") and not found:
            cell.source = "\n".join(stub)
        for kind in ("HIDDEN TESTS", "MARK SCHEME"):
            cell.source, _ = _without(cell, kind, (), where)
        if flag(cell, "grade") or flag(cell, "solution") or is_locked(cell):
            cell.metadata["nbgrader"].update(checksum=checksum(cell), cell_type=cell.cell_type)
    return made


def _without(cell: NotebookNode, kind: str, stub: tuple[str, ...], where: str) -> tuple[str, bool]:
    """A cell's source with each region of a kind replaced by the stub, and whether any was."""
    kept, inside, found = [], False, False
    for line in cell.source.split("\n"):
        if f"BEGIN {kind}" in line:
            if inside or not flag(cell, HOMES[kind]):
                raise InputError(f"{where}: {nested(kind, kind) if inside else homeless(kind)}")
            inside = found = True
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + text for text in stub]
        elif f"END {kind}" in line:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise InputError(f"{where}: {unclosed(kind)}")
    return "\n".join(kept), found


def solved(notebook: NotebookNode) -> NotebookNode:
    """A copy with answers and hidden tests, and without the markers around them."""
    made = with_metadata(notebook)
    for cell in made.cells:
        cell.source = "\n".join(line for line in cell.source.split("\n") if not marker(cell, line))
    return made


def release(path: Path, folder: Path) -> Path:
    """Write the release of an instructor's notebook, .ipynb or .py, into a folder: all of it, or
    nothing if `lint` objects.
    """
    path, folder = Path(path), Path(folder)
    notebook = read(path)
    if problems := lint(notebook):
        raise InputError(
            "\n".join(
                [
                    f"release: {path.name} should have no problems, got {len(problems)}. Mend "
                    "them first.",
                    *problems,
                ]
            )
        )
    target = folder / f"{path.stem}.ipynb"
    if target.exists() and target.samefile(path):
        raise InputError(
            f"release: folder should be another than the notebook's, got {folder}. The answers "
            "would be lost."
        )
    made = released(notebook)
    return write(with_ids(made) if path.suffix == ".py" else made, target)


def read(path: Path) -> NotebookNode:
    """The instructor's notebook: an .ipynb, or a .py in jupytext's percent format.

    Ids that are missing come from the content.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".py", ".ipynb"):
        raise InputError(
            f"read: path should end in .ipynb or .py, got {path.name!r}. Choose another file."
        )
    try:
        text = path.read_text("utf-8-sig")  # some editors put a mark before the text
        notebook = _from_text(text) if kind == ".py" else _from_json(json.loads(text))
    except OSError as error:
        raise InputError(
            f"read: path should be a file that can be read, got {path} ({error.strerror}). Is the "
            "name right?"
        ) from error
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
        nbformat.ValidationError,
    ) as error:
        said = str(error).split("\n")[0]
        raise InputError(
            f"read: path should be a notebook, got {path.name!r} ({said}). Look at the file."
        ) from error
    import_own_checks(notebook, path.parent)
    return notebook


def _from_text(text: str) -> NotebookNode:
    try:
        import jupytext
    except ModuleNotFoundError as error:
        raise InputError(
            "read: path should be an .ipynb, got a .py, and jupytext is not installed. "
            + install_line("grading")
        ) from error
    percent = re.search(r"^# ?%%", text, re.M) or not text.strip()
    notebook = jupytext.reads(text, fmt="py:percent" if percent else "py")
    notebook.metadata.pop("jupytext", None)
    notebook.metadata = nbformat.from_dict(PYTHON | notebook.metadata)
    for cell in notebook.cells:
        for key in ("lines_to_next_cell", "lines_to_end_of_cell_marker", "lines_to_next_cell"):
            cell.metadata.pop(key, None)
    return with_ids(notebook)


def _from_json(raw: dict) -> NotebookNode:
    if not isinstance(raw, dict) or str(raw.get("nbformat"))[:1] != "4":
        raise ValueError("it has no nbformat 4")
    raw = repaired(raw)
    own_ids = True
    # older notebooks have no ids; for missing or repeated ones nbformat would draw lots
    if raw["nbformat_minor"] >= 5:
        own_ids = len({cell.get("id") for cell in raw["cells"]} - {None}) == len(raw["cells"])
        if not own_ids:
            raw["cells"] = [cell | {"id": f"cell-{n}"} for n, cell in enumerate(raw["cells"])]
    notebook = nbformat.reads(json.dumps(raw), as_version=4)
    nbformat.validate(notebook)
    return notebook if own_ids else with_ids(notebook)


def with_ids(notebook: NotebookNode) -> NotebookNode:
    """Cell ids from what the cells hold, so that making the notebook again changes nothing."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        made = digest(
            cell.cell_type, cell.source
        )  # by which editions tell what a learner has changed
        seen[made] = seen.get(made, 0) + 1
        cell.id = made if seen[made] == 1 else f"{made}-{seen[made]}"
    return notebook


def as_text(notebook: NotebookNode) -> str:
    """A notebook as the text of its file: the same for the same notebook."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def write(notebook: NotebookNode, target: Path) -> Path:
    """Write a notebook's file, which is never half written."""
    write_whole(target, as_text(notebook))
    return target
