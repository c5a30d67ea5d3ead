"""Exercises that know their mistakes.

An Exercise is a *trial*, the reference answer, and the mistakes that learners make, each a wrong answer with a hint of
its own. A trial asks things of an answer and yields what came back, under a label:

    @exercise(reference=vae.reparameterize, difficulty=1, minutes=5, points=2)
    def reparameterize(ask, seed):
        mu, logvar, eps = torch.randn(3, 4, 2, generator=seeded(seed))
        yield "the sample", ask("reparameterize(mu, logvar, eps)", mu=mu, logvar=logvar, eps=eps)

    @reparameterize.mistake("exp(logvar) is the variance. What is the standard deviation?")
    def variance_as_std(mu, logvar, eps):
        return mu + logvar.exp() * eps

The same trial is run on the reference and on the attempt, for several seeds. All values agree: right. Otherwise the
mistake that agrees with the attempt on *every* value of every seed gives its hint (two mistakes may coincide on one
value); if none does, the first value that differs is put into words.

A trial touches the answer only through `ask(code, **inputs)`: code that is run where the answer lives, with plain data
going in and plain data coming back. What is right is decided here, not there.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

import torch

from gencourse import runtime
from gencourse.asking import AnswerRaised, NotAttempted, plain, run, shown_call
from gencourse.checks._values import agree, difference, in_words, nothing
from gencourse.checks._verdict import CheckFailed, Hint, Report, Verdict

SEEDS = (0, 1, 2)
Ask = Callable[..., object]
Trial = Callable[[Ask, int], Iterator[tuple[str, object]]]


@dataclass(frozen=True)
class Probe:
    """One value that a trial looked at: its label, the code that gave it, with which inputs."""

    label: str
    call: str
    value: object


class LocalAsk:
    """Runs a trial's code beside the answer, in this process. A grader puts its own in the place of this one."""

    def __init__(self, name: str, answer: object):
        self.name, self.answer, self.last_call = name, answer, ""

    def __call__(self, code: str, **inputs):
        given = ", ".join(f"{name} = {in_words(plain(value))}" for name, value in inputs.items())
        self.last_call = shown_call(code, self.name) + (f"  where {given}" if given else "")
        return run(code, self.name, self.answer, inputs)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners give, the hint that it earns, and what a second hint adds."""

    answer: Callable
    hint: str
    more: str = ""

    @property
    def name(self) -> str:
        return self.answer.__name__


@contextlib.contextmanager
def _float32_on_the_cpu() -> Iterator[None]:
    """Trials draw the same numbers whatever default dtype and device the notebook has set."""
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(dtype)


@dataclass(eq=False)
class Exercise:
    """One thing that the learner writes. Call it with the answer for a verdict; `hint()` says more."""

    trial: Trial
    reference: Callable
    difficulty: int
    minutes: int
    points: int
    hints: tuple[str, ...] = ()
    insight: str = ""
    rtol: float = 1e-4
    atol: float = 1e-5
    mistakes: list[Mistake] = field(default_factory=list)
    right_forms: list[Callable] = field(default_factory=list)
    last: Verdict | None = None
    hints_given: int = 0

    @property
    def name(self) -> str:
        """The name of what the learner defines."""
        return self.trial.__name__

    def mistake(self, hint: str, more: str = "") -> Callable[[Callable], Callable]:
        """Decorator: register a wrong answer with its hint."""

        def register(answer: Callable) -> Callable:
            self.mistakes.append(Mistake(answer, hint, more))
            return answer

        return register

    def also_right(self, answer: Callable) -> Callable:
        """Decorator: register a right answer that is written differently from the reference."""
        self.right_forms.append(answer)
        return answer

    def __call__(self, answer: object) -> Verdict:
        """Judge the answer, remember the verdict for `hint()`; in strict mode raise unless it is right."""
        self.last, self.hints_given = self.judge(answer), 0
        if runtime.strict() and self.last.status != "right":
            raise CheckFailed(str(self.last))
        return self.last

    def judge(self, answer: object, seeds: tuple[int, ...] = SEEDS, asker: Callable[[str, object], Ask] = LocalAsk) -> Verdict:
        """The verdict on an answer. `asker(name, answer)` makes the `ask` that reaches it."""
        if not callable(answer):
            text = f"Pass the function itself: check.{self.name}({self.name}), not what it returned ({in_words(plain(answer))})."
            return Verdict(self.name, "not attempted" if answer is None else "wrong", 0, self.points, "" if answer is None else text)
        try:
            outcomes = [tuple(probes(self.trial, self.name, answer, seed, asker)) for seed in seeds]
        except NotAttempted:
            return Verdict(self.name, "not attempted", 0, self.points)
        if all(nothing(probe.value) for outcome in outcomes for probe in outcome):
            text = "It returned None. If you have written an answer, does it end with `return`?"
            return Verdict(self.name, "not attempted", 0, self.points, text)
        if all(self._same(outcome, self.expected(self.reference, seed)) for outcome, seed in zip(outcomes, seeds, strict=True)):
            return Verdict(self.name, "right", self.points, self.points, self.insight)
        for mistake in self.mistakes:
            if all(self._same(outcome, self.expected(mistake.answer, seed)) for outcome, seed in zip(outcomes, seeds, strict=True)):
                return Verdict(self.name, "wrong", 0, self.points, mistake.hint, mistake.name)
        return Verdict(self.name, "wrong", 0, self.points, self._diagnosis(outcomes, seeds))

    def expected(self, answer: Callable, seed: int) -> tuple[Probe, ...]:
        """What the trial sees of one of our own answers, right or wrong."""
        return _known(self.trial, self.name, answer, seed)

    def _same(self, outcome: tuple[Probe, ...], other: tuple[Probe, ...]) -> bool:
        return [p.label for p in outcome] == [p.label for p in other] and all(
            agree(a.value, b.value, self.rtol, self.atol) for a, b in zip(outcome, other, strict=True)
        )

    def _diagnosis(self, outcomes: list[tuple[Probe, ...]], seeds: tuple[int, ...]) -> str:
        """The first value that differs from the reference's, in words."""
        for outcome, seed in zip(outcomes, seeds, strict=True):
            for got, want in zip(outcome, self.expected(self.reference, seed), strict=False):
                if not agree(got.value, want.value, self.rtol, self.atol):
                    said = difference(got.value, want.value, self.rtol, self.atol)
                    return f"Looked at {want.label}. {said}\nCalled: {got.call}"
        return "It gave fewer values than expected."

    def hint(self) -> Hint:
        """Say more, one step at each call: first on the mistake that was found, then on the exercise."""
        found = next((m for m in self.mistakes if self.last and m.name == self.last.mistake), None)
        steps = ([found.more] if found and found.more else []) + list(self.hints)
        said = (
            steps[self.hints_given]
            if self.hints_given < len(steps)
            else "That is all. The worked answer stands under the same heading in the solutions notebook."
        )
        self.hints_given += 1
        return Hint(said, max(0, len(steps) - self.hints_given))

    def __repr__(self) -> str:
        return f"{self.name} {'★' * self.difficulty}, about {self.minutes} minutes, {self.points} points. Judge an answer with check.{self.name}({self.name})"


def exercise(*, reference: Callable, difficulty: int, minutes: int, points: int, **options) -> Callable[[Trial], Exercise]:
    """Decorator: make a trial an Exercise. Options: hints, insight (said when it is right), rtol, atol."""
    return lambda trial: Exercise(trial, reference, difficulty, minutes, points, **options)


def probes(trial: Trial, name: str, answer: object, seed: int, asker: Callable[[str, object], Ask] = LocalAsk) -> Iterator[Probe]:
    """Run a trial on an answer. An exception in the answer is the last value."""
    with _float32_on_the_cpu(), runtime.global_seed(seed), torch.enable_grad():
        ask = asker(name, answer)
        try:
            for label, value in trial(ask, seed):
                yield Probe(label, ask.last_call, plain(value))
        except AnswerRaised as error:
            yield Probe("the call itself", ask.last_call, error.raised)


@cache
def _known(trial: Trial, name: str, answer: Callable, seed: int) -> tuple[Probe, ...]:
    return tuple(probes(trial, name, answer, seed))


def catalogue(module: ModuleType) -> list[Exercise]:
    """The exercises of a chapter's module, in the order of their definition."""
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


def report(checks: ModuleType, answers: Mapping[str, object]) -> Report:
    """The score table, judged afresh: `report(check, globals())`.

    Each exercise looks for its name among `answers`. What was judged before does not count, so the order in which
    cells were run cannot make a wrong or missing answer a right one.
    """
    return Report(tuple(exercise.judge(answers.get(exercise.name)) for exercise in catalogue(checks)))
