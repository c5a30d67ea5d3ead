"""Judging through the box gives the verdicts that the learner saw: every right form and every registered mistake."""

import contextlib
import functools
import importlib
import pkgutil
import sys
from types import SimpleNamespace

import pytest

from gencourse import checks
from gencourse.checks import catalogue
from gencourse.grading.inside import wire
from gencourse.grading.inside.probes import collected
from gencourse.grading.inside.worker import Learner
from gencourse.grading.judge import SEEDS, RemoteRunner

MODULES = [
    importlib.import_module(f"gencourse.checks.{m.name}") for m in pkgutil.iter_modules(checks.__path__) if not m.name.startswith("_")
]
EXERCISES = [pytest.param(e, id=f"{module.__name__.split('.')[-1]}.{e.name}") for module in MODULES for e in catalogue(module)]


PROBES = collected([])


class Loopback:
    """A Sitting whose box is this process: the worker's own code, and every message through the wire."""

    limits = SimpleNamespace(ask_s=60)
    job = SimpleNamespace(assignment=SimpleNamespace(probes=()))

    def __init__(self, name, answer):
        drain = SimpleNamespace(write=len, flush=lambda: None)
        self.learner = SimpleNamespace(
            names={name: answer},
            seed=Learner.seed,
            drain=drain,
            probes=PROBES,
            answering=lambda name: contextlib.nullcontext(),
        )
        self.flags = []

    def request(self, message, seconds):
        stdout, stderr = sys.stdout, sys.stderr
        message = carried(message)
        try:
            return carried(Learner.run(self.learner, **{key: value for key, value in message.items() if key != "do"}))
        finally:
            sys.stdout, sys.stderr = stdout, stderr

    def flag(self, name, sentence):
        self.flags.append(name)


def carried(value):
    frame = wire.pack(value)
    body, raw = wire.lengths(frame[: wire.HEADER.size], 64 << 20)
    start = wire.HEADER.size
    return wire.unpack(frame[start : start + body], frame[start + body : start + body + raw])


def judged(exercise, answer):
    return exercise.judge(answer, SEEDS, functools.partial(RemoteRunner, Loopback(exercise.name, answer), exercise.name))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_right_answers_are_right(exercise):
    for answer in (exercise.reference, *exercise.right_forms):
        verdict = judged(exercise, answer)
        assert verdict.status == "right", f"{answer.__name__}: {verdict}"


@pytest.mark.parametrize("exercise", EXERCISES)
def test_mistakes_get_their_hints(exercise):
    for mistake in exercise.mistakes:
        verdict = judged(exercise, mistake.answer)
        assert (verdict.status, verdict.mistake, verdict.message) == ("wrong", mistake.name, mistake.hint), str(verdict)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_stub_is_not_attempted(exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError()

    assert judged(exercise, stub).status == "not attempted"
