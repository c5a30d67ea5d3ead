"""What a learner wrote in a notebook, put into the same notebook of another edition.

A cell of the course has an id that is made of its source, so it tells by itself whether somebody
has changed it. What was changed or added is the learner's, and all of it is in the result. It goes
to the cell of the same id (the course's text is as it was), else of the same exercise (the text is
another, and the answer wins), else it stays behind the cell that it followed. Notebooks are plain
JSON here, since a learner's install need not have nbformat.
"""

import ast
import copy
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
OUTPUTS = {"stream", "display_data", "execute_result", "error"}


class Unreadable(ValueError):
    """A file that is no notebook of format 4; the text says why."""


@dataclass
class Carried:
    """A notebook of the new edition with what the learner wrote in the old one.

    answers: exercises whose answer was taken over; reworded: those of them of which the new edition
    has another text; own: how many other cells are the learner's.
    """

    notebook: Json
    answers: list[str] = field(default_factory=list)
    reworded: list[str] = field(default_factory=list)
    own: int = 0


def digest(kind: str, source: str) -> str:
    """The id of a cell of the course: ten digits of what it holds.

    `kind`: code, markdown or raw.
    """
    return hashlib.sha256(f"{kind}\n{source}".encode("utf-8", "surrogatepass")).hexdigest()[:10]


def notebook_of(data: bytes) -> Json:
    """The notebook in the bytes of a file. Raises Unreadable."""
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON, or was cut off: {str(error)[:60]}") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise Unreadable("it is no notebook of format 4")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(map(is_cell, cells)):
        raise Unreadable("it has no list of cells, or something in it is no cell")
    return notebook


def is_cell(cell: object) -> bool:
    """Whether a value of the JSON is a cell whose text can be read."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return False
    source = cell.get("source")
    return isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )


def source_of(cell: Json) -> str:
    """The text of a cell, as one string with plain line ends."""
    source = cell["source"]
    text = source if isinstance(source, str) else "".join(source)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_ours(cell: Json) -> bool:
    """Whether a cell has an id of the course's form, whoever has changed its text since."""
    return re.fullmatch(r"[0-9a-f]{10}(-\d+)?", id_of(cell)) is not None


def is_untouched(cell: Json, handed_out: Container[str] = ()) -> bool:
    """Whether a cell is as the course handed it out, but for white space.

    Its id says so, or `handed_out`, where a tool has changed the ids.
    """
    source = source_of(cell)
    tidy = "\n".join(line.rstrip() for line in source.strip().split("\n"))
    made = {digest(cell["cell_type"], text) for text in (source, tidy)}
    return id_of(cell).partition("-")[0] in made or any(one in handed_out for one in made)


def digests(notebook: Json) -> list[str]:
    """What the cells of a notebook of the course hold, in ten digits each."""
    return [digest(cell["cell_type"], source_of(cell)) for cell in notebook["cells"]]


def handed_out(notebook: Json) -> list[str]:
    """The `digests` of the notebook that a learner's was made from; [] where it does not say."""
    metadata = notebook.get("metadata")
    about = metadata.get("gencourse") if isinstance(metadata, dict) else None
    cells = about.get("cells") if isinstance(about, dict) else None
    return [str(one) for one in cells] if isinstance(cells, list) else []


def about(cell: Json) -> Json:
    """A cell's nbgrader metadata, {} where it has none."""
    metadata = cell.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def exercise_of(cell: Json) -> str:
    """The exercise that a cell is for the answer to; "" for all other cells."""
    name = about(cell).get("grade_id") if about(cell).get("solution") is True else None
    return name if isinstance(name, str) else ""


def is_open(cell: Json) -> bool:
    """Whether learners may write in a cell of the course; in a check they may not."""
    return about(cell).get("locked") is not True


def carried(old: Json, new: Json) -> Carried:
    """The new edition of a notebook with what the learner wrote in the old one."""
    made = Carried(copy.deepcopy(new))
    cells: list[Json] = made.notebook["cells"]
    made.notebook["metadata"] = with_kernel(old, made.notebook["metadata"])
    untouched = [is_untouched(cell, set(handed_out(old))) for cell in old["cells"]]
    places = placed(old["cells"], cells, untouched)
    followers: dict[int, list[Json]] = {}
    ids = {id_of(cell) for cell in cells}
    for number, (cell, place) in enumerate(zip(old["cells"], places, strict=True)):
        theirs = not untouched[number] and bool(source_of(cell).strip())
        if not theirs or (place is not None and same(cell, cells[place])):
            continue
        if place is not None and is_open(cells[place]):
            note(made, cell, cells[place])
            cells[place] = filled(cells[place], cell)
        else:
            made.own += 1
            followers.setdefault(anchor(old["cells"], places, number), []).append(own(cell, ids))
    made.notebook["cells"] = [
        *followers.get(-1, []),
        *(one for i, cell in enumerate(cells) for one in [cell, *followers.get(i, [])]),
    ]
    return made


def with_kernel(old: Json, metadata: Json) -> Json:
    """The metadata of the new notebook with the kernel that the learner had chosen."""
    chosen = old["metadata"].get("kernelspec") if isinstance(old.get("metadata"), dict) else None
    named = isinstance(chosen, dict) and all(
        isinstance(chosen.get(key), str) for key in ("name", "display_name")
    )
    return metadata | ({"kernelspec": chosen} if named else {})


def anchor(old: list[Json], places: list[int | None], number: int) -> int:
    """The place in the new notebook behind which a learner's own cell is put, -1 for its beginning.

    That of the cell before it; if that one is the course's and is no longer there, what stands in
    its stead comes before the next cell that is still there.
    """
    before = next((i for i in reversed(range(number + 1)) if places[i] is not None), -1)
    after = next((place for place in places[number + 1 :] if place is not None), -1)
    last = places[before] if before >= 0 else None
    last = -1 if last is None else last
    gone = any(is_ours(cell) for cell in old[before + 1 : number + 1])
    return max(last, after - 1) if gone else last


def placed(old: list[Json], new: list[Json], untouched: list[bool]) -> list[int | None]:
    """For each cell of the old notebook its counterpart in the new one, where it has one.

    By id, then by exercise, then by source, then by the name that it defines. Of several cells that
    ask for the same place one gets it, the learner's before one that nobody has changed.
    """
    found: list[int | None] = [None] * len(old)
    order = sorted(range(len(old)), key=lambda i: untouched[i])
    open_places = dict.fromkeys(range(len(new)))
    for name_of, name_of_place in KEYS:
        wanted = {name_of_place(new[i]): i for i in reversed(open_places)}
        wanted.pop("", None)
        for i in order:
            place = wanted.get(name_of(old[i]))
            if found[i] is None and place in open_places and may_stand_for(old[i], new[place]):
                found[i] = place
                del open_places[place]
    return found


def may_stand_for(cell: Json, place: Json) -> bool:
    """Whether a cell can be the counterpart of another: they are of one kind, and not answers to
    different exercises.
    """
    named = {exercise_of(cell), exercise_of(place)} - {""}
    return cell["cell_type"] == place["cell_type"] and len(named) < 2


def id_of(cell: Json) -> str:
    """The id of a cell, "" where it has none."""
    made = cell.get("id")
    return made if isinstance(made, str) else ""


def check_of(cell: Json) -> str:
    """The name of a check, or of another cell that is locked; "" for all other cells."""
    name = about(cell).get("grade_id")
    return name if isinstance(name, str) and not is_open(cell) else ""


def text_of(cell: Json) -> tuple[str, str]:
    """The kind and the text of a cell."""
    return cell["cell_type"], source_of(cell).strip()


def defined(cell: Json) -> str:
    """The first function, class or variable that a cell defines, as answers do."""
    if cell["cell_type"] != "code":
        return ""
    try:
        body = ast.parse(source_of(cell)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return node.name
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            return node.targets[0].id
    return ""


# how a cell of the old notebook names its counterpart, and how that one is named
KEYS: tuple[tuple[Callable[[Json], object], Callable[[Json], object]], ...] = (
    (id_of, id_of),
    (exercise_of, exercise_of),
    (check_of, check_of),
    (text_of, text_of),
    (defined, exercise_of),
)


def same(one: Json, other: Json) -> bool:
    """Whether two cells say the same."""
    return text_of(one) == text_of(other)


def note(made: Carried, cell: Json, place: Json) -> None:
    """Write down what becomes of a learner's cell that goes to a place of the new edition."""
    name = exercise_of(place)
    if not name:
        made.own += 1
        return
    made.answers.append(name)
    if is_ours(cell) and id_of(cell) != id_of(place):
        made.reworded.append(name)


def filled(place: Json, cell: Json) -> Json:
    """A cell of the new edition with the learner's text, and with what running it has given."""
    kept = {key: place[key] for key in ("id", "metadata", "cell_type") if key in place}
    return kept | content(cell)


def own(cell: Json, ids: set[str]) -> Json:
    """A learner's own cell: no longer the course's, so without the names that grading goes by."""
    made = id_of(cell)
    if made in ids or not 1 <= len(made) <= 64 or not all(c.isalnum() or c in "-_" for c in made):
        made = uuid.uuid4().hex[:12]
    ids.add(made)
    metadata = cell.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    for name in ("nbgrader", "editable", "deletable"):
        metadata.pop(name, None)
    return {"id": made, "metadata": metadata, "cell_type": cell["cell_type"]} | content(cell)


def content(cell: Json) -> Json:
    """What a cell says and what running it has given."""
    made: Json = {"source": source_of(cell).splitlines(keepends=True)}
    if cell["cell_type"] == "code":
        count, outputs = cell.get("execution_count"), cell.get("outputs")
        made["execution_count"] = count if isinstance(count, int) else None
        made["outputs"] = [o for o in outputs if is_output(o)] if isinstance(outputs, list) else []
    elif isinstance(cell.get("attachments"), dict):
        made["attachments"] = cell["attachments"]
    return made


def is_output(output: object) -> bool:
    """Whether a value of the JSON is an output of a cell."""
    return isinstance(output, dict) and output.get("output_type") in OUTPUTS
