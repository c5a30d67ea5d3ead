"""Small changes to right answers are rejected, but for those that are right all the same.

These stand in `tests/data/equivalent_mutants.toml`, each with the reason why no input that the text
allows tells it from right; "…" in a line stands for anything. `python -m tests.mutants NAME` prints
what an exercise accepts, in the words that the list uses.
"""

# POSIX: mutants that do not end are ended by a signal

import functools
import re
import tomllib
from pathlib import Path

import pytest

from tests.lanes import exercises
from tests.mutants import accepted

pytestmark = pytest.mark.posix
LIST = Path(__file__).parent / "data" / "equivalent_mutants.toml"
REASONS = tomllib.loads(LIST.read_text("utf-8"))["reason"]
NAMED = exercises()
FEW = 0.05  # of one exercise's mutants may be accepted and not listed; of all, 2 %
SAMPLED = ("vae.kl_weight", 12)  # in the fast lane: an exercise, and every how many-th mutant


def lines(name: str) -> list[tuple[str, bool]]:
    """What the list says of an exercise, and whether it speaks of those alone that are accepted."""
    return [
        (line, one.get("if_accepted", False))
        for one in REASONS
        if name in one["exercises"]
        for line in one["mutants"]
    ]


def matched(line: str, mutants: list[str]) -> set[str]:
    """The mutants that a line of the list speaks of."""
    pattern = ".*".join(map(re.escape, line.split("…")))
    return {what for what in mutants if re.fullmatch(pattern, what)}


def excused(name: str, tried: list[str], found: list[str]) -> set[str]:
    """Those of the tried ones that the list calls right."""
    return {
        what
        for line, if_accepted in lines(name)
        for what in matched(line, found if if_accepted else tried)
    }


@functools.cache
def judged(name: str, every: int = 1) -> tuple[list[str], list[str]]:
    """What was tried, and what was accepted; kept for the test over all exercises."""
    return accepted(NAMED[name], every)


def shown(name: str, every: int = 1) -> tuple[int, list[str]]:
    """How many mutants are wrong, and which of these are accepted."""
    tried, found = judged(name, every)
    right = excused(name, tried, found)
    assert not right - set(found), f"listed as right, but rejected: {right - set(found)}"
    return len(tried) - len(right), [what for what in found if what not in right]


def test_the_list_is_in_order():
    """Every reason is a sentence about mutants of exercises that there are."""
    for one in REASONS:
        assert set(one) - {"if_accepted"} == {"why", "exercises", "mutants"}, one
        assert len(one["why"]) > 20, one
        assert set(one["exercises"]) <= set(NAMED), one["exercises"]
        assert one["exercises"] and one["mutants"]


def test_a_sample_of_one_exercise_is_rejected():
    wrong, escaped = shown(*SAMPLED)
    assert wrong > 5 and not escaped


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", NAMED)
def test_wrong_mutants_are_rejected(name):
    """All but a few, and every line of the list speaks of a mutant that there is."""
    wrong, escaped = shown(name)
    idle = [line for line, _ in lines(name) if not matched(line, judged(name)[0])]
    assert not idle, idle
    assert len(escaped) <= max(1, FEW * wrong), escaped


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_of_all_wrong_mutants_98_percent_are_rejected():
    found = {name: shown(name) for name in NAMED}
    wrong = sum(number for number, _ in found.values())
    escaped = [f"{name}: {what}" for name, (_, some) in found.items() for what in some]
    print(f"{wrong} wrong mutants, {len(escaped)} accepted", *escaped, sep="\n")
    assert len(escaped) <= 0.02 * wrong, escaped
