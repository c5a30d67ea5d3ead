"""Files that are no notebook, or not this one. Each student still has a row, with a reason."""

import io
import json
import zipfile

import nbformat

from tests.grading.corpus_assignment import NAME
from tests.grading.corpus_kind import Sheet, Special, kind

unreadable = {"lost": "all", "flag": True, "status": "unreadable"}


@kind("unreadable", **unreadable)
def truncated(s: Sheet):
    """Half of the file is missing."""
    whole = s.bytes()
    return whole[: len(whole) // 2]


@kind("honest")
def utf_16(s: Sheet):
    """As some editors of Windows save it: nothing is lost, so nothing needs to be said."""
    return s.bytes().decode().encode("utf-16")


@kind("unreadable", **unreadable, accept=(9,), also_status=("graded",))
def latin_1(s: Sheet):
    """A notebook is UTF-8; guessing another encoding is acceptable."""
    s.nb.cells[0].source = "# Hausübung"
    return s.bytes().decode().encode("latin-1", "replace")


SOURCES = {
    "empty": ("Nothing was uploaded.", b""),
    "only_spaces": ("Nothing that counts was uploaded.", b" \n\n "),
    "not_json": ("A text that is no JSON.", b"print('hello')\n"),
    "binary": ("A binary file with the notebook's name.", bytes(range(256)) * 64),
    "json_list": ("JSON, but a list.", b"[]"),
    "json_text": ("JSON, but a text.", b'"small"'),
    "json_null": ("JSON, but null.", b"null"),
    "deep_json": ("Lists within lists, a hundred thousand deep.", b"[" * 100_000 + b"]" * 100_000),
    "deep_json_in_a_notebook": (
        "Objects within objects inside of a notebook's metadata.",
        b'{"nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": '
        + b'{"a": ' * 100_000
        + b"1"
        + b"}" * 100_000
        + b"}",
    ),
    "conflict_markers": (
        "A merge that was never finished.",
        b'<<<<<<< HEAD\n{"cells": [],\n=======\n{"cells": []\n>>>>>>> mine\n',
    ),
    "web_page": (
        "The login page was saved in place of the notebook.",
        b"<!DOCTYPE html><html><body>Please sign in</body></html>",
    ),
    "number_of_a_million_digits": (
        "A number that Python refuses to read.",
        b'{"nbformat": 4, "nbformat_minor": '
        + b"9" * 1_000_000
        + b', "cells": [], "metadata": {}}',
    ),
    "no_cells": (
        "A notebook without a list of cells.",
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    ),
}


@kind("unreadable", **unreadable, each=SOURCES)
def content(s: Sheet, data):
    return data


CHANGES = {
    "format_3": (
        "Format 3 keeps its cells elsewhere.",
        lambda nb: {
            "nbformat": 3,
            "nbformat_minor": 0,
            "metadata": {},
            "worksheets": [{"cells": nb["cells"]}],
        },
    ),
    "cells_no_list": ("The cells are an object.", lambda nb: nb | {"cells": {"0": nb["cells"][0]}}),
    "cell_no_object": ("One cell is a number.", lambda nb: nb | {"cells": [*nb["cells"], 7]}),
    "source_a_number": (
        "The source of a cell is a number.",
        lambda nb: nb | {"cells": [nb["cells"][0] | {"source": 7}, *nb["cells"][1:]]},
    ),
    "source_a_list_of_numbers": (
        "The source of a cell is a list of numbers.",
        lambda nb: nb | {"cells": [nb["cells"][0] | {"source": [7]}, *nb["cells"][1:]]},
    ),
}


@kind(
    "unreadable",
    lost="all",
    accept=(9,),
    flag=True,
    status="unreadable",
    also_status=("graded",),
    each=CHANGES,
)
def changed(s: Sheet, change):
    return s.bytes(change(json.loads(s.bytes())))


@kind("unreadable", accept=(0,), also_status=("unreadable",))
def format_5(s: Sheet):
    """A format that does not exist yet: to read what is there or to refuse it are both fair."""
    s.nb.nbformat = 5
    s.nb.nbformat_minor = 0


@kind("unreadable", **unreadable)
def a_folder(s: Sheet):
    """A folder with the notebook's name."""
    return {NAME: Special("folder")}


@kind("unreadable", **unreadable)
def a_fifo(s: Sheet):
    """A pipe with the notebook's name: opening it would wait for ever."""
    return {NAME: Special("fifo")}


@kind("unreadable", **unreadable)
def a_device(s: Sheet):
    """A link to a device that never ends."""
    return {NAME: Special("symlink", target="/dev/zero")}


@kind("unreadable", **unreadable)
def symlink_to_itself(s: Sheet):
    """A link in a circle."""
    return {NAME: Special("symlink", target=NAME)}


@kind("unreadable", **unreadable)
def symlink_to_the_solution(s: Sheet):
    """A link is not followed: the instructor's file is not the student's work."""
    return {NAME: Special("symlink", target=f"../.instructor/{NAME}", head=s.bytes(s.solved))}


@kind("unreadable", **unreadable)
def symlink_to_another_submission(s: Sheet):
    """A link to somebody else's right answers."""
    return {NAME: Special("symlink", target=f"../correct/{NAME}")}


@kind(
    "unreadable", lost="all", accept=(9,), flag=True, status="unreadable", also_status=("graded",)
)
def of_200_mb(s: Sheet):
    """A file that is far too large, with a right notebook in it; memory must not grow with it."""
    whole = s.bytes()
    cut = whole.rindex(b"}")
    return {
        NAME: Special(
            "repeated",
            head=whole[:cut] + b', "padding": "',
            body=b"x" * (1 << 20),
            times=200,
            tail=b'"}',
        )
    }


@kind("unreadable", **unreadable)
def zip_renamed(s: Sheet):
    """A zip with the notebook's name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(NAME), s.bytes())
    return packed.getvalue()


@kind("unreadable", lost="all", flag=True, status="missing")
def missing(s: Sheet):
    """The student's folder is empty."""
    return {}


@kind("unreadable", lost="all", flag=True, status="missing", also_status=("unreadable",))
def another_type_of_file(s: Sheet):
    """A script was handed in, and no notebook."""
    return {"small.py": s.right("bits").encode()}


@kind("unreadable", lost="all", flag=True, also_status=("unreadable",))
def another_assignment(s: Sheet):
    """A right notebook of another exercise: nothing of this one is answered, and that must be said."""
    names = {"hello": "def hello():\n    return 1", "goodbye": "def goodbye():\n    return 2"}
    flags = {"schema_version": 3, "grade": False, "solution": True, "locked": False, "task": False}
    cells = [
        nbformat.v4.new_code_cell(
            source, id=name, metadata={"nbgrader": flags | {"grade_id": name}}
        )
        for name, source in names.items()
    ]
    return s.bytes(nbformat.v4.new_notebook(cells=cells))
