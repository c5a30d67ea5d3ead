"""The checks themselves: every stub, reference, right form and mistake of every chapter, over many seeds."""

import importlib
import pkgutil

import pytest

from gencourse import checks
from gencourse.checks import catalogue

CHAPTERS = [m.name for m in pkgutil.iter_modules(checks.__path__) if not m.name.startswith("_")]
MODULES = {name: importlib.import_module(f"gencourse.checks.{name}") for name in CHAPTERS}
EXERCISES = [pytest.param(e, id=f"{chapter}.{e.name}") for chapter, module in MODULES.items() for e in catalogue(module)]
MISTAKES = [
    pytest.param(e, m, id=f"{chapter}.{e.name}.{m.name}")
    for chapter, module in MODULES.items()
    for e in catalogue(module)
    for m in e.mistakes
]
SEEDS = tuple(range(100, 120))


def stub(*args, **kwargs):
    raise NotImplementedError()


@pytest.mark.parametrize("exercise", EXERCISES)
def test_stub_is_not_attempted(exercise):
    verdict = exercise.judge(stub)
    assert (verdict.status, verdict.points) == ("not attempted", 0)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_none_is_not_attempted(exercise):
    verdict = exercise.judge(lambda *args, **kwargs: None)
    assert verdict.points == 0
    assert "None" in verdict.message


@pytest.mark.parametrize("exercise", EXERCISES)
def test_reference_and_other_right_forms_pass(exercise):
    assert exercise.right_forms, "register at least one right answer that is written differently"
    for answer in (exercise.reference, *exercise.right_forms):
        verdict = exercise.judge(answer, seeds=SEEDS)
        assert verdict.status == "right", f"{answer.__name__}: {verdict}"
        assert verdict.points == exercise.points > 0


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_mistake_fails_with_its_own_hint(exercise, mistake):
    for seeds in (*((s,) for s in SEEDS), SEEDS[:3]):
        verdict = exercise.judge(mistake.answer, seeds=seeds)
        assert (verdict.status, verdict.mistake) == ("wrong", mistake.name), f"seeds {seeds}: {verdict}"
        assert verdict.message == mistake.hint


@pytest.mark.parametrize("exercise", EXERCISES)
def test_exercise_is_complete(exercise):
    assert len(exercise.mistakes) >= 3
    assert exercise.hints and exercise.minutes > 0 and exercise.difficulty in (1, 2, 3)
    hints = [m.hint for m in exercise.mistakes]
    assert len(set(hints)) == len(hints), "each mistake has a hint of its own"
    assert exercise.name == exercise.trial.__name__
