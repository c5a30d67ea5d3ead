"""Numbers that the prose states are enforced where they should be, and nowhere else."""

import ast
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
import torch

from gencourse import claims
from gencourse.claims import ClaimFailed, Stated, claim
from gencourse.errors import InputError

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "gencourse/claims").glob("*.toml"))
ELBO = Stated(about=-98, within=3, unit="nats")


@pytest.fixture
def states(monkeypatch):
    """A function that makes a course of one chapter, whose text states one number."""

    def state(name, entry):
        monkeypatch.setattr(claims, "chapters", lambda: ("09_some",))
        monkeypatch.setattr(claims, "stated", lambda chapter: {name: entry})

    return state


@pytest.mark.parametrize(
    ("scale", "strict", "value", "fails"),
    [
        ("default", "1", -98.0, False),
        ("default", "1", -95.0, False),
        ("default", "1", -90.0, True),
        ("default", "1", float("nan"), True),
        ("default", "0", -90.0, False),
        ("smoke", "1", -90.0, False),
        ("full", "1", -90.0, False),
    ],
)
def test_claim_fails_only_in_strict_mode_at_the_default_scale(
    monkeypatch, capsys, states, scale, strict, value, fails
):
    states("test_elbo", ELBO)
    monkeypatch.setenv("GENCOURSE_SCALE", scale)
    monkeypatch.setenv("GENCOURSE_STRICT", strict)
    if fails:
        with pytest.raises(ClaimFailed, match="should be within 3 of -98 nats"):
            claim("test_elbo", value)
    else:
        claim("test_elbo", torch.tensor(value, requires_grad=True))
        assert f"test elbo: {value:.0f}.0 nats\n" in capsys.readouterr().out


@pytest.mark.parametrize(("scale", "value"), [("default", -98.4), ("full", -90.0)])
def test_the_answer_is_not_printed_where_nothing_disagrees(
    monkeypatch, capsys, states, scale, value
):
    states("test_elbo", ELBO)
    monkeypatch.setenv("GENCOURSE_SCALE", scale)
    monkeypatch.setenv("GENCOURSE_STRICT", "0")
    claim("test_elbo", value)
    assert capsys.readouterr().out == f"test elbo: {value:.1f} nats\n"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (ELBO, "The text says about −98 nats."),
        (Stated(below=Decimal("0.050")), "The text says less than 0.050."),
    ],
)
def test_a_reader_is_told_what_the_text_says_where_the_run_disagrees(
    monkeypatch, capsys, states, entry, sentence
):
    states("some", entry)
    monkeypatch.setenv("GENCOURSE_SCALE", "default")
    monkeypatch.setenv("GENCOURSE_STRICT", "0")
    claim("some", 3.0)
    assert capsys.readouterr().out.splitlines()[1] == sentence


@pytest.mark.parametrize(
    ("value", "fails"),
    [(0.01, False), (-0.01, False), (0.03, True), (-0.03, True), (float("nan"), True)],
)
def test_claim_below_bounds_the_size(monkeypatch, states, value, fails):
    states("difference", Stated(below=Decimal("0.02")))
    monkeypatch.setenv("GENCOURSE_SCALE", "default")
    monkeypatch.setenv("GENCOURSE_STRICT", "1")
    if fails:
        with pytest.raises(ClaimFailed, match=r"should be less than 0\.02"):
            claim("difference", value)
    else:
        claim("difference", value)


@pytest.mark.parametrize(
    ("literal", "shown"),
    [("-103", "−103"), ("10_000", "10,000"), ("1.00", "1.00"), ("-0.0670", "−0.0670")],
)
def test_numbers_keep_the_digits_of_the_file(literal, shown):
    fields = tomllib.loads(f"about = {literal}\nwithin = 1", parse_float=Decimal)
    assert Stated(**fields).number() == shown


def test_every_number_of_a_file_is_read_with_its_digits():
    """The file's own text beside what the prose gets."""
    for file in FILES:
        lines = [line.split(" = ") for line in file.read_text("utf-8").splitlines()]
        raw = [line[1] for line in lines if line[0] in ("about", "below")]
        read = [entry.number() for entry in claims.stated(file.stem).values()]
        assert [text.replace("-", "−").replace("_", ",") for text in raw] == read


def test_unknown_names_are_told():
    with pytest.raises(InputError, match="name should be an entry of a file"):
        claim("no_such_claim", 1.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "nats"},
        {"about": 1, "within": 1, "below": 2},
        {"about": 1},
        {"below": 1, "within": 1},
        {"below": 1, "beneath": 1},
        {"below": 1, "sabotage": ["text"]},
        {"below": 1, "sabotage": ["text", "other"], "untrained": True},
    ],
)
def test_entries_that_state_nothing_are_refused(fields):
    with pytest.raises(InputError, match="Correct its file"):
        claims.entry("some", fields)


def test_names_are_different_over_the_course():
    names = [name for file in FILES for name in claims.stated(file.stem)]
    assert names and len(names) == len(set(names))


def test_the_files_are_those_of_the_chapters():
    assert {file.stem for file in FILES} == set(claims.chapters())
    assert {file.stem for file in FILES} <= {
        source.stem for source in (ROOT / "authoring/chapters").glob("[0-9]*.py")
    }


def test_no_cell_gives_the_answer_away():
    """Every claim in a chapter is claim(name, value), and device= at most."""
    for source in (ROOT / "authoring/chapters").glob("[0-9]*.py"):
        calls = [
            node
            for node in ast.walk(ast.parse(source.read_text("utf-8")))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim"
        ]
        assert len(calls) == len(claims.stated(source.stem))
        for call in calls:
            assert len(call.args) == 2 and {k.arg for k in call.keywords} <= {"device"}
