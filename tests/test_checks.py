"""Every exercise:

its stub, reference, right forms and mistakes, over several seeds; and how its file is written.
"""

import ast
import dataclasses
import functools
import inspect
import time
from pathlib import Path

import pytest
import torch

import gencourse
from gencourse.checks import _values as values
from gencourse.checks._exercise import SEEDS
from gencourse.checks._trial import Recording, locally
from gencourse.harm import HARMS
from gencourse.stress import STRESSES
from tests.lanes import chapters, exercises

FAST, SLOW = tuple(range(5)), tuple(range(5, 20))  # a check takes the first three
LARGE = 1_056_867_996  # as `seeds_of` makes them
REFERENCE = "the reference"
PACKAGE = Path(gencourse.__file__).parent
NAMED = exercises()
EXERCISES = [pytest.param(name, one, id=name) for name, one in NAMED.items()]
FILES = sorted((PACKAGE / "checks").glob("*/*.py"))


@pytest.fixture(autouse=True)
def lenient(monkeypatch):
    monkeypatch.setenv("GENCOURSE_STRICT", "0")


def stub(*args, **kwargs):
    raise NotImplementedError()


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_stub_is_not_attempted(name, exercise, proves):
    verdict = exercise.judge(stub)
    assert (verdict.status, verdict.points, verdict.message) == ("not attempted", 0, "")
    proves(f"{name}: stub")


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_missing_return_is_not_attempted_and_told_so(name, exercise):
    verdict = exercise.judge(lambda *args, **kwargs: None)
    if exercise.expected(exercise.reference, 0).empty:  # works in place: nothing need be returned
        assert verdict.status == "wrong" and verdict.mistake
        return
    assert (verdict.status, verdict.points) == ("not attempted", 0)
    assert "None" in verdict.message and "return" in verdict.message


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_reference_and_alternatives_are_right(name, exercise, proves):
    """With stress and harm, each in about a CPU second."""
    # what torch imports late, and what the reference gives, is there afterwards
    print(f"{name} bears {', '.join(exercise.stresses(SEEDS[0])) or 'no stress'}")
    assert exercise.right_forms, "register at least one right answer that is written differently"
    for answer in (exercise.reference, *exercise.right_forms):
        began = time.process_time()
        verdict = exercise.judge(answer)
        took = (time.process_time() - began) / unit()
        assert verdict.status == "right", f"{answer.__name__}: {verdict}"
        assert verdict.points == exercise.points > 0
        assert took < UNITS, f"{answer.__name__}: {took:.0f} times the unit"
    proves(
        f"{name}: reference",
        *(f"{name}: right form {form.__name__}" for form in exercise.right_forms),
    )


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_right_forms_are_right_on_a_seed_of_the_grader(name, exercise):
    """Its seeds are large: what counts with a seed would take for ever, or lose its digits."""
    want = exercise.expected(exercise.reference, LARGE)
    for answer in exercise.right_forms:
        one = exercise.observe(locally(answer), LARGE)
        assert exercise.same(one.values, want.values), answer.__name__


@pytest.mark.parametrize(("name", "exercise"), EXERCISES[::5])
def test_answers_need_not_be_functions(name, exercise):
    class Callable:
        def __call__(self, *args, **kwargs):
            return exercise.reference(*args, **kwargs)

    assert exercise.judge(functools.partial(Callable())).status == "right"


def alike(exercise, seed):
    """Groups of mistakes, and of the reference, that give equal values throughout on a seed.

    A trial goes on only as long as its values are those of another one.
    """
    answers = {REFERENCE: exercise.reference, **{m.name: m.answer for m in exercise.mistakes}}
    recordings = {name: recording(exercise, answer, seed) for name, answer in answers.items()}
    streams = {name: iter(one) for name, one in recordings.items()}
    groups, found = [list(streams)], []
    while groups:
        classes = []
        for name in groups.pop():
            value = next(streams[name], None)
            for first, members in classes:
                if values.alike(value, first, exercise.rtol, exercise.atol):
                    members.append(name)
                    break
            else:
                classes.append((value, [name]))
        for value, members in classes:
            if len(members) > 1:
                (found if value is None else groups).append(members)
    return [{name: recordings[name].whole.harm for name in members} for members in found]


def recording(exercise, answer, seed):
    """Of the seeds on which checks judge the exercise keeps what it has; others are forgotten."""
    if seed in SEEDS:
        return exercise.recording(answer, seed)
    return Recording(exercise.trial, answer, seed)


def tell_apart(exercise, seeds):
    """On each seed the right forms agree with the reference, and no mistake with it or with
    another.
    """
    for seed in seeds:
        want = exercise.expected(exercise.reference, seed)
        assert not [v for v in want.values if getattr(v.value, "kind", "") == "Unusable"]
        for answer in exercise.right_forms if seed not in SEEDS else ():  # judged on those above
            one = exercise.observe(locally(answer), seed)
            assert exercise.same(one.values, want.values), f"{answer.__name__}, seed {seed}"
        for harm in alike(exercise, seed):
            right = [n for n, h in harm.items() if n != REFERENCE and h <= harm.get(REFERENCE, h)]
            assert not right or REFERENCE not in harm, f"{right} is right on seed {seed}"
            mistakes = [harm[name] for name in harm if name != REFERENCE]
            assert len(mistakes) == len(set(mistakes)), f"{list(harm)} are one on seed {seed}"


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_mistakes_are_told_apart(name, exercise, proves):
    tell_apart(exercise, FAST)
    proves(*(f"{name}: mistake {mistake.name}" for mistake in exercise.mistakes))


def test_a_mistake_that_is_right_or_another_one_would_be_noticed():
    exercise = NAMED["vae.reparameterize"]
    first, second = exercise.mistakes[:2]

    def again(mu, logvar, eps):
        return first.answer(mu, logvar, eps)

    def right(mu, logvar, eps):
        return eps * (logvar / 2).exp() + mu

    for extra, said in ((again, "are one"), (right, "is right")):
        spoilt = [second, first, dataclasses.replace(first, answer=extra)]
        with pytest.raises(AssertionError, match=said):
            tell_apart(dataclasses.replace(exercise, mistakes=spoilt), FAST[:1])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_mistakes_are_told_apart_on_further_seeds(name, exercise):
    tell_apart(exercise, SLOW)


def get_their_own_hints(exercise, mistakes):
    for mistake in mistakes:
        verdict = exercise.judge(mistake.answer)
        assert (verdict.status, verdict.mistake) == ("wrong", mistake.name), str(verdict)
        assert verdict.message == mistake.hint and verdict.points == 0


@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_mistakes_get_their_own_hints(name, exercise):
    """Of each exercise the last mistake as a whole verdict; the others, which differ, below."""
    names = [mistake.name for mistake in exercise.mistakes]
    assert len(names) == len(set(names)) >= 3
    get_their_own_hints(exercise, exercise.mistakes[-1:])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "exercise"), EXERCISES)
def test_all_other_mistakes_get_their_own_hints(name, exercise):
    get_their_own_hints(exercise, exercise.mistakes[:-1])


UNITS = 80  # nine tenths of a CPU second on a laptop, more than one on the slowest machine seen


@functools.cache
def unit() -> float:
    """The CPU seconds of a fixed amount of torch's work in this process."""
    return min(processor_seconds(some_work) for _ in range(3))


def some_work():
    x = torch.ones(3)
    for _ in range(8_000):
        x = x * 1.0


def processor_seconds(function) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


@pytest.mark.slow
def test_each_stress_changed_an_argument_somewhere():
    """What a stress did not change is not counted as tried; the table goes to the log."""
    rows = {name: e.stresses(0) for name, e in NAMED.items()}
    for name, kinds in rows.items():
        print(f"{name}: {', '.join(kinds) or 'none'}")
    for stress in STRESSES:
        assert sum(stress in kinds for kinds in rows.values()) >= 8, stress


def test_each_stress_changes_an_argument_of_some_exercise():
    """As above, but of a fifth of the exercises."""
    kinds = {stress for one in list(NAMED.values())[::5] for stress in one.stresses(0)}
    assert kinds == set(STRESSES)


def test_exemptions_are_few_and_have_a_reason():
    reasons = [(e.name, kind, why) for e in NAMED.values() for kind, why in e.exempt.items()]
    assert len(reasons) <= 40
    assert all(len(why) >= 15 for _, _, why in reasons), reasons
    known = {*STRESSES, *HARMS}
    assert {kind for _, kind, _ in reasons} <= known


def test_every_file_is_an_exercise_in_the_order_of_its_chapter():
    for chapter, module in chapters().items():
        files = {path.stem for path in (PACKAGE / "checks" / chapter).glob("*.py")} - {"__init__"}
        assert files == set(module.ORDER), (
            "a file of a chapter is named as its exercise and stands in ORDER"
        )
        assert [n for n in NAMED if n.startswith(f"{chapter}.")] == [
            f"{chapter}.{n}" for n in module.ORDER
        ]


def test_name_of_an_exercise_is_never_its_file():
    import gencourse.checks.gan.discriminator_step  # binds the module to its package, or would

    assert gencourse.checks.gan.discriminator_step.points == 3


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.stem != "__init__"], ids=lambda p: f"{p.parent.name}.{p.stem}"
)
def test_trial_reference_and_alternatives_stand_first_and_are_short(path):
    ends, begins = {"alternative": [], "mistake": []}, {"mistake": []}
    for node in ast.parse(path.read_text("utf-8")).body:
        for decorator in getattr(node, "decorator_list", ()):
            kind = ast.unparse(decorator).removeprefix(f"{path.stem}.").split("(")[0]
            if kind in ends:
                ends[kind].append(node.end_lineno)
                begins.setdefault(kind, []).append(decorator.lineno)
    assert max(ends["alternative"]) <= 100 and max(ends["alternative"]) < min(begins["mistake"])


@pytest.mark.parametrize("folder", ["checks", "probes"])
def test_no_code_in_strings(folder):
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("exec", "eval", "compile"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not is_code(node.value), f"{path}:{node.lineno}: {node.value[:60]}"


def is_code(text: str) -> bool:
    """Whether a string is Python in which something is called."""
    try:
        tree = ast.parse(inspect.cleandoc(text))
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Call) for node in ast.walk(tree))


def test_a_check_that_was_stopped_is_none_the_worse():
    exercise, calls = NAMED["vae.reparameterize"], []

    def stopped_once(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return exercise.reference(*args)

    recording = Recording(exercise.trial, stopped_once, 0)
    with pytest.raises(KeyboardInterrupt):
        tuple(recording)
    assert exercise.same(recording, exercise.expected(exercise.reference, 0).values)
