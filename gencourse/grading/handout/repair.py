"""A handout as another editor may have saved it, put into the form that nbformat accepts.

VS Code, Colab, Kaggle and jupytext drop ids or keep them in old formats, leave outputs in text
cells and metadata away. Nothing that a release is made from gets lost by these repairs.
"""

import copy
from typing import Any

Json = dict[str, Any]
EMPTY: Json = {"outputs": [], "execution_count": None}


def repaired(raw: Json) -> Json:
    """A notebook of any format 4.x in a form that is valid. Raises ValueError with the cell that
    cannot be read.
    """
    made = copy.deepcopy(raw)
    if not isinstance(made.get("cells"), list):
        raise ValueError("it has no list of cells. Open it in JupyterLab and save it again")
    minor = made.get("nbformat_minor")
    made["nbformat"] = 4
    made["nbformat_minor"] = int(minor) if isinstance(minor, int | float) else 5
    made["metadata"] = made["metadata"] if isinstance(made.get("metadata"), dict) else {}
    with_ids = made["nbformat_minor"] >= 5
    for number, cell in enumerate(made["cells"], 1):
        if not isinstance(cell, dict) or not _has_text(cell):
            raise ValueError(
                f"its cell {number} is no cell. Open it in JupyterLab and mend it there"
            )
        _repair(cell, with_ids)
    return made


def _has_text(cell: Json) -> bool:
    source = cell.get("source", "")
    lines = source if isinstance(source, list) else [source]
    return all(isinstance(line, str) for line in lines)


def joined(source: str | list[str]) -> str:
    """The text of a cell. Lines none of which ends are lines all the same."""
    if isinstance(source, str):
        return source
    lost = len(source) > 1 and not any("\n" in line for line in source)
    return ("\n" if lost else "").join(source)


def _repair(cell: Json, with_ids: bool) -> None:
    kind = cell.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        kind = "markdown" if kind in ("heading", "html") else "code" if "outputs" in cell else "raw"
    cell["cell_type"] = kind
    cell["source"] = joined(cell.get("source", ""))
    cell["metadata"] = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    if not isinstance(cell["metadata"].get("nbgrader", {}), dict):
        del cell["metadata"]["nbgrader"]
    if not with_ids or not isinstance(cell.get("id", ""), str):
        cell.pop("id", None)
    known = {"cell_type", "source", "metadata", "id", *(("attachments",) if kind != "code" else ())}
    for key in set(cell) - known:  # outputs of text cells, and what tools add
        del cell[key]
    if kind == "code":
        cell.update(copy.deepcopy(EMPTY))  # a release has no outputs
