"""The checks themselves: every stub, reference, right form and mistake of every chapter, over many seeds."""

import pytest

from tests.lanes import exercises

NAMED = exercises()
EXERCISES = [pytest.param(name, e, id=name) for name, e in NAMED.items()]
MISTAKES = [pytest.param(name, e, m, id=f"{name}.{m.name}") for name, e in NAMED.items() for m in e.mistakes]
SEEDS = tuple(range(100, 120))
FEW_AND_MANY = pytest.mark.parametrize("seeds", [pytest.param(SEEDS[:5], id="5"), pytest.param(SEEDS, id="20", marks=pytest.mark.slow)])


def stub(*args, **kwargs):
    raise NotImplementedError()


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_stub_is_not_attempted(name, exercise, proves):
    verdict = exercise.judge(stub)
    assert (verdict.status, verdict.points) == ("not attempted", 0)
    proves(f"{name}: stub")


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_none_is_not_attempted(name, exercise):
    verdict = exercise.judge(lambda *args, **kwargs: None)
    assert verdict.points == 0
    assert "None" in verdict.message


@FEW_AND_MANY
@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_reference_and_other_right_forms_pass(name, exercise, seeds, proves):
    assert exercise.right_forms, "register at least one right answer that is written differently"
    for answer in (exercise.reference, *exercise.right_forms):
        verdict = exercise.judge(answer, seeds=seeds)
        assert verdict.status == "right", f"{answer.__name__}: {verdict}"
        assert verdict.points == exercise.points > 0
    proves(f"{name}: reference", *(f"{name}: right form {form.__name__}" for form in exercise.right_forms))


@FEW_AND_MANY
@pytest.mark.parametrize(("name", "exercise", "mistake"), MISTAKES)
def test_mistake_fails_with_its_own_hint(name, exercise, mistake, seeds, proves):
    for some in (*((s,) for s in seeds), seeds[:3]):
        verdict = exercise.judge(mistake.answer, seeds=some)
        assert (verdict.status, verdict.mistake) == ("wrong", mistake.name), f"seeds {some}: {verdict}"
        assert verdict.message == mistake.hint
    proves(f"{name}: mistake {mistake.name}")


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_exercise_is_complete(name, exercise):
    assert len(exercise.mistakes) >= 3
    assert exercise.hints and exercise.minutes > 0 and exercise.difficulty in (1, 2, 3)
    hints = [m.hint for m in exercise.mistakes]
    assert len(set(hints)) == len(hints), "each mistake has a hint of its own"
    assert exercise.name == exercise.trial.__name__
