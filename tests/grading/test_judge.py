"""Judging through the box gives the verdicts that the learner saw: every right form and every registered mistake."""

import functools
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gencourse import checks
from gencourse.checks import catalogue
from gencourse.checks import vae as checks_of_vae
from gencourse.grading.judging.batch import seeds_of
from gencourse.grading.judging.judge import guarded
from gencourse.grading.judging.remote import SENTENCE, RemoteRunner
from gencourse.runner import Raised
from tests.grading.loopback import Loopback

SEEDS = seeds_of("a secret of the tests", "judge")
MODULES = [
    importlib.import_module(f"gencourse.checks.{m.name}")
    for m in pkgutil.iter_modules(checks.__path__)
    if not m.name.startswith("_")
]
EXERCISES = [
    pytest.param(e, id=f"{module.__name__.split('.')[-1]}.{e.name}")
    for module in MODULES
    for e in catalogue(module)
]
SOME = EXERCISES[::6]  # in the fast lane; all of them, on all seeds, in the slow one


def judged(exercise, answer, seeds):
    return exercise.judge(
        answer,
        seeds,
        functools.partial(RemoteRunner, Loopback(exercise.name, answer), exercise.name),
    )


def right_answers_are_right(exercise, seeds, most=None):
    for answer in (exercise.reference, *exercise.right_forms)[:most]:
        verdict = judged(exercise, answer, seeds)
        assert verdict.status == "right", f"{answer.__name__}: {verdict}"


def mistakes_get_their_hints(exercise, seeds, which=slice(None)):
    for mistake in exercise.mistakes[which]:
        verdict = judged(exercise, mistake.answer, seeds)
        assert (verdict.status, verdict.mistake, verdict.message) == (
            "wrong",
            mistake.name,
            mistake.hint,
        ), str(verdict)


def test_value_that_the_box_cannot_send_ends_the_trial_at_its_first_call():
    asked = []

    def request(message, seconds):
        asked.append(message)
        return {"value": Raised("ValueError", "long"), "unsendable": "x" * 1000}

    session = SimpleNamespace(
        request=request, limits=SimpleNamespace(ask_s=1), job=Loopback.job, flag=None
    )
    exercise = checks_of_vae.reparameterize
    verdict = guarded(
        lambda: exercise.judge(
            len, SEEDS, functools.partial(RemoteRunner, session, "reparameterize")
        ),
        exercise,
    )
    assert (verdict.status, verdict.points, len(asked)) == ("wrong", 0, 1)
    assert verdict.message == f"It returned {'x' * SENTENCE}."


@pytest.mark.parametrize("exercise", SOME)
def test_right_answers_are_right(exercise):
    right_answers_are_right(exercise, (0,), most=2)


@pytest.mark.parametrize("exercise", SOME)
def test_mistakes_get_their_hints(exercise):
    mistakes_get_their_hints(exercise, (0,), slice(None, None, 4))


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES)
def test_on_all_seeds_of_the_grader(exercise):
    right_answers_are_right(exercise, SEEDS)
    mistakes_get_their_hints(exercise, SEEDS)


@pytest.mark.slow
def test_probes_may_call_what_is_withheld_and_answers_may_not():
    line = [sys.executable, "-m", "tests.grading.guarded"]
    said = subprocess.run(
        line, cwd=Path(__file__).parents[2], capture_output=True, encoding="utf-8", check=False
    )
    assert said.returncode == 0, said.stderr
    found, last = said.stdout.splitlines()[:-1], said.stdout.splitlines()[-1]
    assert not found, said.stdout
    assert int(last.split()[0]) == len(EXERCISES) and int(last.split()[2]) >= 20, last


@pytest.mark.parametrize("exercise", EXERCISES)
def test_stub_is_not_attempted(exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError()

    assert judged(exercise, stub, SEEDS).status == "not attempted"
