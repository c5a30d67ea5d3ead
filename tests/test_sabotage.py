"""Every claim names a change upstream under which it fails; what finds the cells and makes the
change is tried on a chapter of a few lines, whose faults are known.
"""

import ast
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from authoring import sabotage
from authoring.slices import as_cells, calls, cells_of, name_of, needed, training
from gencourse import claims
from gencourse.claims import Stated

ROOT = Path(__file__).parents[1]
WAITING = {"01_vae"}  # until its second edition
CHAPTER = [
    "import torch\nfrom gencourse.claims import claim",  # 0
    "x, kept = torch.arange(4.0), []\ndef note(value):\n    kept.append(value * scale)",  # 1
    "scale = 2.0\nw = torch.zeros(1, requires_grad=True)",  # 2
    "unused = x + 1",  # 3
    "note(3.0)",  # 4
    "optimizer = torch.optim.SGD([w], lr=0.5)\n"
    "for _ in range(5):\n    (w - 1).square().backward()\n    optimizer.step()\n"
    "    optimizer.zero_grad()",  # 5
    'claim("mean", x.mean())\nclaim("itself", (x - x).sum())',  # 6
    'claim("noted", sum(kept))',  # 7
    'claim("learned", w.detach().round())',  # 8
]
ENTRIES = {
    "mean": Stated(
        about=Decimal("1.5"), within=Decimal("0.1"), sabotage=("arange(4.0)", "ones(4)")
    ),
    "itself": Stated(below=Decimal("0.1"), sabotage=("arange(4.0)", "ones(4)")),
    "noted": Stated(about=6, within=0, sabotage=("scale = 2.0", "scale = 1.0")),
    "learned": Stated(about=1, within=0, untrained=True),
}


@pytest.fixture
def course(monkeypatch):
    """A course of that one chapter."""
    monkeypatch.setattr(claims, "chapters", lambda: ("09_some",))
    monkeypatch.setattr(claims, "stated", lambda chapter: ENTRIES)
    monkeypatch.setenv("GENCOURSE_SCALE", "default")
    monkeypatch.setenv("GENCOURSE_STRICT", "1")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("mean", [0, 1, 6]),  # nothing but what it names
        ("noted", [0, 1, 2, 4, 7]),  # a change that a function makes, and what it reads only then
        ("learned", [0, 1, 2, 5, 8]),  # a change through an object that holds it
    ],
)
def test_a_claim_needs_the_cells_that_make_and_change_what_it_uses(name, cells):
    found = needed(as_cells(CHAPTER), [name])
    assert set(found) - {1} == set(cells) - {1}


def test_what_trains_is_found():
    cells = as_cells([*CHAPTER, "def later():\n    fit(w)", "later()"])
    assert training(cells, range(len(cells))) == [5, len(cells) - 1]
    assert sabotage.quick(cells, list(ENTRIES)) == ["mean", "itself", "noted"]


@pytest.mark.posix
@pytest.mark.usefixtures("course")
def test_claims_that_fail_as_they_should_have_no_fault_and_a_tautology_has():
    rows = {row.claim: row for row in sabotage.tried(as_cells(CHAPTER), ENTRIES, list(ENTRIES))}
    assert {name: row.fault for name, row in rows.items()} == {
        "mean": "",
        "itself": "SURVIVES its sabotage",
        "noted": "",
        "learned": "",
    }
    assert (rows["mean"].value, rows["mean"].sabotaged) == (1.5, 1.0)
    assert (rows["noted"].value, rows["noted"].sabotaged) == (6.0, 3.0)
    assert (rows["learned"].value, rows["learned"].sabotaged) == (1.0, 0.0)


@pytest.mark.posix
@pytest.mark.usefixtures("course")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sabotage": ("arange(4.0)", "arange(4.0, 'x')")}, "FAULTY SABOTAGE: TypeError"),
        ({"sabotage": ("arange(5.0)", "ones(4)")}, "occurs 0 times in the cells, not once"),
        ({"sabotage": ("claim", "claim")}, "times in the cells, not once"),
        ({"untrained": True}, "FAULTY SABOTAGE: nothing is trained"),
        ({}, "FAULTY SABOTAGE: no sabotage is written"),
        ({"sabotage": ("x.mean()", "x.mean() + 0")}, "SURVIVES its sabotage"),
    ],
)
def test_a_sabotage_that_is_none_is_a_fault(change, fault):
    entry = Stated(about=Decimal("1.5"), within=Decimal("0.1"), **change)
    (row,) = sabotage.tried(as_cells(CHAPTER), {"mean": entry}, ["mean"])
    assert fault in row.fault


@pytest.mark.posix
@pytest.mark.usefixtures("course")
def test_a_claim_that_does_not_hold_as_it_is_is_a_fault():
    cells = as_cells([text.replace("range(5)", "range(0)") for text in CHAPTER])
    (row,) = sabotage.tried(cells, ENTRIES, ["learned"])
    assert row.fault == "DOES NOT HOLD as it is"


@pytest.mark.parametrize("chapter", sorted(set(claims.chapters()) - WAITING))
def test_every_claim_has_a_sabotage_that_can_be_made(chapter):
    cells = cells_of(chapter)
    for name, entry in claims.stated(chapter).items():
        change = sabotage.change_of(entry)
        assert change is not None, f"{name}: write sabotage = [...] or untrained = true"
        place, fault = sabotage.place_of(cells, needed(cells, [name]), change)
        assert not fault and place >= 0, f"{name}: {fault}"
        if change == sabotage.UNTRAINED:
            continue
        for call in (call for node in cells[place].body for call in calls(node)):
            if name_of(call) == "claim":  # the number itself is upstream of nothing
                assert change[0] not in ast.unparse(call), f"{name}: change what is measured"


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chapter", sorted(set(claims.chapters()) - WAITING))
def test_claims_for_which_nothing_is_trained_fail_under_sabotage(chapter):
    done = subprocess.run(
        [sys.executable, "-m", "authoring.sabotage", "--quick", chapter],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
