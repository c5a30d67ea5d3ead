"""What the sources of the notebooks promise a reader: numbers that are checked, figures with words,
short cells, chapters of a length that can be read.
"""

import ast
import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "authoring").glob("*/[0-9]*.py"))
CELLS = [(source, jupytext.read(source, fmt="py:percent").cells) for source in SOURCES]
IDS = [f"{source.parent.name}/{source.stem}" for source in SOURCES]
MEASURED = re.compile(r"(?<![\w{])[-−]?\d[\d.,]*\s*(?:nats|bits|seconds|minutes|%|percent|ms)\b")

MOST_WORDS = 7_500  # of a chapter
MOST_WORDS_OF_A_PART = 600  # from one heading to the next
NOT_PROSE = re.compile(r"\$\$.*?\$\$|\$[^$]+\$|`[^`]+`|\]\([^)]*\)|<[^>]+>", re.S)


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_measured_numbers_are_claims(source, cells):
    """A number with a unit in the prose of a chapter comes from a claim, {{name}}, never from the
    keyboard.
    """
    if source.parent.name != "chapters":
        return
    for cell in cells:
        if cell.cell_type == "markdown":
            assert not MEASURED.findall(cell.source), (
                "write {{name}} and claim('name', ...) instead"
            )


def test_the_pattern_for_measured_numbers_has_power():
    assert MEASURED.findall("the bound is −98.3 nats") and MEASURED.findall("in 40 seconds")
    assert not MEASURED.findall("the bound is {{bound}} nats, section 1.5, 28 × 28 pixels")


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_cells_are_short(source, cells):
    for cell in cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 22, cell.source[:80]


def words(markdown):
    """The number of words, without formulas, code, links' targets and tags."""
    return len(re.findall(r"[A-Za-z][\w'’-]*", NOT_PROSE.sub(" ", markdown)))


def test_words_are_counted_without_formulas_code_and_targets():
    assert words("## Two words\n\nIt's $x + y$: `a = b`, [three linked words](../a/b.md).") == 6
    assert words("$$\nx = y\n$$\n\n<details><summary>reader's</summary> well-known") == 2


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_chapters_and_their_parts_are_not_too_long(source, cells):
    if source.parent.name != "chapters":
        return
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert words(text) <= MOST_WORDS
    for part in re.split(r"^(?=#+ )", text, flags=re.M):
        assert words(part) <= MOST_WORDS_OF_A_PART, part.splitlines()[0]


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_every_figure_is_followed_by_a_sentence_that_says_what_it_shows(source, cells):
    draws = re.compile(
        r"figures\.(?!prior_quantile_grid|PALETTE)\w+\(|plt\.subplots|latent_strip\("
    )
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and draws.search(
            re.sub(r"^def .*?(?=^\S|\Z)", "", cell.source, flags=re.S | re.M)
        ):
            following = next(c for c in cells[i + 1 :] if c.cell_type == "markdown")
            assert following.source.lstrip().startswith("*"), (
                f"no sentence in italics below: {cell.source[:80]}"
            )


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_headings_do_not_skip_a_level_and_display_math_stands_alone(source, cells):
    level = 0
    for cell in cells:
        if cell.cell_type != "markdown":
            continue
        for line in cell.source.splitlines():
            if heading := re.match(r"(#+) ", line):
                assert len(heading[1]) <= level + 1, line
                level = len(heading[1])
        for block in re.split(r"\n\s*\n", cell.source):
            assert "$$" not in block or (
                block.startswith("$$") and block.rstrip(" .,").endswith("$$")
            ), f"blank lines around: {block[:60]}"


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_links_to_files_exist(source, cells):
    for cell in cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\((?!https?:)([^)#]+)", cell.source):
                assert (ROOT / "notebooks" / target).resolve().exists(), target


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "benchmarks/README.md",
        "docs/teaching.md",
        "docs/training.md",
    ],
)
def test_links_of_the_front_pages_exist(name):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text("utf-8")):
        assert (ROOT / name).parent.joinpath(target).exists(), target


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_every_exercise_has_a_heading_an_answer_and_a_check(source, cells):
    if source.parent.name != "exercises":
        return
    text = "\n".join(cell.source for cell in cells)
    names = re.findall(r"\{\{exercise (\w+)\}\}", text)
    assert names == re.findall(r"^check\.(\w+)\(\1\)$", text, re.M), (
        "heading and check, in the same order"
    )
    answers = [
        re.search(r"^(?:def|class) (\w+)", c.source, re.M)[1]
        for c in cells
        if "### BEGIN SOLUTION" in c.source
    ]
    assert names == answers
    import importlib

    from gencourse.checks import catalogue

    module = importlib.import_module("gencourse.checks." + source.stem.split("_", 1)[1])
    assert names == [exercise.name for exercise in catalogue(module)], (
        "the notebook's order is the score table's"
    )


@pytest.mark.parametrize(("source", "cells"), CELLS, ids=IDS)
def test_code_parses(source, cells):
    for cell in cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
