"""Exercises that know their mistakes.

An Exercise is a trial (`_trial.py`), the reference answer, and the mistakes that learners make,
each a wrong answer with a hint of its own:

    @exercise(reference=vae.reparameterize, difficulty=1, minutes=5, points=2)
    def reparameterize(answer, seed):
        mu, logvar, eps = draw(seed, 3, 4, 2)
        yield "the sample", answer(mu, logvar, eps)
        yield "its gradients", answer.run(gradients, mu, logvar, eps)

    @reparameterize.mistake("exp(logvar) is the variance. What is the standard deviation?")
    def variance_as_std(mu, logvar, eps):
        return mu + logvar.exp() * eps

The trial is run on the reference and on the attempt, for several seeds. All values agree: right, if
the attempt did no harm to what it was given, and if the trial comes out right under every stress
(gencourse.stress) as well. Otherwise the mistake that agrees with the attempt on *every* value of
every seed gives its hint; if none does, the first value that differs is put into words.
"""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from typing import Any

from gencourse import runtime
from gencourse.checks import _words as words
from gencourse.checks._mistake import Mistake
from gencourse.checks._trial import (
    Connect,
    Observation,
    Recording,
    Trial,
    Value,
    locally,
    observe,
)
from gencourse.checks._values import agree, alike, describe_value, difference, exact, in_float32
from gencourse.checks._verdict import CheckFailed, Hint, Status, Verdict
from gencourse.checks._words import counted
from gencourse.runner import NotAttempted, Raised, plain
from gencourse.stress import STRESSES

SEEDS = (0, 1, 2)


@dataclass(eq=False)
class Exercise:
    """One thing that the learner writes: call it with the answer; `hint()` says more."""

    trial: Trial
    reference: Callable
    difficulty: int
    minutes: int
    points: int
    hints: tuple[str, ...] = ()
    on_success: str = ""
    rtol: float = 1e-4
    atol: float = 1e-5
    exempt: Mapping[str, str] = field(default_factory=dict)  # stress or harm -> why not
    float64: bool = False  # whether the text promises that float64 stays float64
    secret: str = ""  # how the labels begin whose expected values a verdict does not tell
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

    def alternative(self, answer: Callable) -> Callable:
        """Decorator: register a right answer that is written differently from the reference."""
        self.right_forms.append(answer)
        return answer

    def __call__(self, answer: object = None) -> Verdict:
        """Judge the answer and remember the verdict for `hint()`; in strict mode wrong ones raise.

        The score table and the grader look for the answer by its name, so an answer that the
        caller's namespace does not hold under that name earns no points.
        """
        verdict = self.judge(answer)
        if verdict.points and sys._getframe(1).f_globals.get(self.name) is not answer:
            verdict = verdict.without_points(words.other_name(self.name))
        self.last, self.hints_given = verdict, 0
        if runtime.strict() and verdict.status != "right":
            raise CheckFailed(str(verdict))
        return verdict

    @runtime.on_cpu()
    def judge(
        self, answer: object, seeds: tuple[int, ...] = SEEDS, connect: Connect | None = None
    ) -> Verdict:
        """The verdict on an answer. `connect(stress)` makes what brings calls to it."""
        if not callable(answer):
            return self._not_callable(answer)
        connect = connect or locally(answer)
        try:
            seen = [self.observe(connect, seed) for seed in seeds]
        except NotAttempted as stub:
            return self._verdict("not attempted", str(stub))
        if self._agrees(seen, self.reference, seeds):
            wanted = [self.expected(self.reference, seed) for seed in seeds]
            if harm := self._harm(seen, wanted):
                known = self._recognised(seen, seeds, with_harm=True)
                return known or self._verdict("wrong", harm)
            try:
                trouble, remark = self._stress(connect, seeds[0])
            except NotAttempted:
                trouble, remark = words.UNWRITTEN_BRANCH, ""
            if trouble:
                return self._verdict("wrong", trouble)
            return self._verdict("right", " ".join(filter(None, (self.on_success, remark))))
        if known := self._recognised(seen, seeds):
            return known
        if all(one.empty for one in seen) and not self.expected(self.reference, seeds[0]).empty:
            return self._verdict("not attempted", words.RETURNED_NONE)
        return self._verdict("wrong", self._diagnosis(seen, seeds))

    def _recognised(
        self, seen: list[Observation], seeds: tuple[int, ...], with_harm: bool = False
    ) -> Verdict | None:
        """The hint of the mistake that agrees on every value, and does no harm that was not seen.

        `with_harm`: that does just the harm that was seen.
        """
        for mistake in self.mistakes:
            if not self._agrees(seen, mistake.answer, seeds):
                continue
            harm = [self.expected(mistake.answer, seed).harm for seed in seeds]
            pairs = list(zip(harm, (one.harm for one in seen), strict=True))
            if all(a == b if with_harm else a <= b for a, b in pairs):
                return self._verdict("wrong", mistake.hint, mistake.name)
        return None

    def _verdict(self, status: Status, message: str = "", mistake: str = "") -> Verdict:
        points = self.points * (status == "right")
        return Verdict(self.name, status, points, self.points, message, mistake)

    def _not_callable(self, answer: object) -> Verdict:
        if answer is None:
            return self._verdict("not attempted")
        shown = describe_value(plain(answer))
        call = f"check.{self.name}({self.name})"
        return self._verdict(
            "wrong", f"Pass the function itself: {call}, not what it returned ({shown})."
        )

    def observe(self, connect: Connect, seed: int, stress: str = "") -> Observation:
        """Run the trial once. Raises NotAttempted for a stub."""
        return observe(self.trial, connect, seed, stress)

    def expected(self, answer: Callable, seed: int, stress: str = "") -> Observation:
        """What the trial sees of one of our own answers, right or wrong."""
        return self.recording(answer, seed, stress).whole

    def recording(self, answer: Callable, seed: int, stress: str = "") -> Recording:
        """The same, worked out as far as somebody looks; made once."""
        return _known(self, answer, seed, stress)

    def _agrees(self, seen: list[Observation], other: Callable, seeds: tuple[int, ...]) -> bool:
        pairs = zip(seen, seeds, strict=True)
        return all(self.same(one.values, self.recording(other, seed)) for one, seed in pairs)

    def same(self, some: Iterable[Value], others: Iterable[Value]) -> bool:
        """Whether two trials agree on every value; looks no further than the first that differs."""
        return all(alike(a, b, self.rtol, self.atol) for a, b in zip_longest(some, others))

    def _harm(self, seen: list[Observation], wanted: list[Observation]) -> str:
        """A sentence on what the attempt changed and the reference did not."""
        for one, want in zip(seen, wanted, strict=True):
            for what, where in sorted(one.harm - want.harm):
                if what not in self.exempt:
                    return words.harm(what, self._argument(where))
        return ""

    def _argument(self, where: str) -> str:
        """The name of an argument that is known by its position."""
        names = list(inspect.signature(self.reference).parameters)
        return names[int(where)] if where.isdigit() and int(where) < len(names) else where

    def stresses(self, seed: int) -> list[str]:
        """The stresses that apply: those that change an argument and that the reference answers."""
        broken = self.expected(self.reference, seed).raised
        kinds = [stress for stress in STRESSES if stress not in self.exempt]
        tried = {stress: self.expected(self.reference, seed, stress) for stress in kinds}
        return [stress for stress, one in tried.items() if one.stressed and one.raised == broken]

    def _stress(self, connect: Connect, seed: int) -> tuple[str, str]:
        """What is wrong with a right attempt when its arguments are altered, and a remark."""
        remark, single = "", False
        for stress in self.stresses(seed):
            if single and stress == "larger numbers":  # too large for float32, which will do
                continue
            want = self.expected(self.reference, seed, stress)
            one = self.observe(connect, seed, stress)
            if not self.same(one.values, want.values):
                said = self._difference(one, want, altered=True)
                return words.stress(stress, said), ""
            if stress == "float64" and not self._as_exact(one, want, seed):
                if self.float64:
                    return words.NOT_FLOAT64, ""
                remark = f"One remark. {words.NOT_FLOAT64}"
                single = in_float32(one.values, want.values)
            if harm := self._harm([one], [want]):
                return harm, ""
        return "", remark

    def _as_exact(self, one: Observation, want: Observation, seed: int) -> bool:
        """Whether an attempt is as exact in float64 as reference and some alternative are."""
        if all(map(exact, one.values, want.values)):
            return True
        others = (self.expected(other, seed, "float64") for other in self.right_forms)
        return not any(
            self.same(other.values, want.values) and all(map(exact, other.values, want.values))
            for other in others
        )

    def _diagnosis(self, seen: list[Observation], seeds: tuple[int, ...]) -> str:
        """The first value that differs from the reference's, in words."""
        for one, seed in zip(seen, seeds, strict=True):
            if said := self._difference(one, self.expected(self.reference, seed)):
                return said
        return "It gave fewer values than expected."

    def _difference(self, one: Observation, want: Observation, altered: bool = False) -> str:
        """The first value that differs; with the call, if no stress has altered its arguments."""
        looked = "Looked, with inputs so altered, at" if altered else "Looked at"
        for a, b in zip(one.values, want.values, strict=False):
            if a.label != b.label:
                if a.value is None or isinstance(a.value, Raised):
                    said = difference(a.value, b.value, self.rtol, self.atol)
                    return f"{looked} {a.label}. {said}"
                shown = describe_value(a.value)
                return f"{looked} {a.label}. It is {shown}, so {b.label} could not be looked at."
            if not agree(a.value, b.value, self.rtol, self.atol):
                if self.secret and a.label.startswith(self.secret):
                    return f"{looked} {a.label}. It is not {describe_value(a.value)}."
                said = difference(a.value, b.value, self.rtol, self.atol)
                return f"{looked} {a.label}. {said}{'' if altered else self._called(a)}"
        return ""

    def _called(self, value: Value) -> str:
        """The call that gave a value, in words, where the trial made it directly."""
        if value.arguments is None:
            return ""
        args, kwargs = value.arguments
        named = {self._argument(str(i)): x for i, x in enumerate(args)} | kwargs
        given = ", ".join(f"{name} = {describe_value(plain(x))}" for name, x in named.items())
        return f"\nCalled: {self.name}({', '.join(named)})" + (f"  where {given}" if given else "")

    def hint(self) -> Hint:
        """Say more at each call: first on the mistake that was found."""
        found = next((m for m in self.mistakes if self.last and m.name == self.last.mistake), None)
        steps = ([found.more] if found and found.more else []) + list(self.hints)
        said = steps[self.hints_given] if self.hints_given < len(steps) else words.NO_MORE_HINTS
        self.hints_given += 1
        return Hint(said, max(0, len(steps) - self.hints_given))

    def __repr__(self) -> str:
        about = f"about {counted(self.minutes, 'minute')}, {counted(self.points, 'point')}"
        stars, call = "★" * self.difficulty, f"check.{self.name}({self.name})"
        return f"{self.name} {stars}, {about}. Judge an answer with {call}"


def exercise(
    *, reference: Callable, difficulty: int, minutes: int, points: int, **options: Any
) -> Callable[[Trial], Exercise]:
    """Decorator: make a trial an Exercise. Options: the other fields of Exercise."""

    def made(trial: Trial) -> Exercise:
        if next(iter(inspect.signature(trial).parameters)) == "ask":
            raise TypeError(words.old_trial(trial.__name__))
        return Exercise(trial, reference, difficulty, minutes, points, **options)

    return made


@cache
def _known(exercise: Exercise, answer: Callable, seed: int, stress: str) -> Recording:
    return Recording(exercise.trial, answer, seed, stress)
