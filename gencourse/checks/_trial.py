"""What a trial sees of an answer.

A trial is a function that calls the answer and yields what came back, under a label. What has to
run beside the answer is a *probe*: an ordinary function of `gencourse.probes` whose first argument
is the answer. Plain data goes in, plain data comes back; a dict that a probe returns is one value
for each of its keys. An exception is a value too. What is right is decided here, not there, so a
trial yields values and computes with none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch

from gencourse import runtime
from gencourse.harm import neutral
from gencourse.runner import Outcome, Raised, plain, run

Trial = Callable[[Any, int], Iterator[tuple[str, object]]]


@dataclass(frozen=True)
class Value:
    """One value of a trial: its label, itself, and the arguments where a plain call gave it."""

    label: str
    value: object
    arguments: tuple[tuple, dict] | None = None


@dataclass(frozen=True)
class Observation:
    """What a trial saw of an answer: its values, and what was noticed in all of the calls."""

    values: tuple[Value, ...]
    harm: frozenset[tuple[str, str]] = frozenset()
    empty: bool = False
    stressed: bool = False

    @property
    def raised(self) -> list[bool]:
        """Of each value whether it is an exception."""
        return [isinstance(value.value, Raised) for value in self.values]


class Runner(Protocol):
    """What brings a call to the answer, here or in a grader's box."""

    def __call__(self, probe: Callable | None, args: tuple, kwargs: dict) -> Outcome: ...


Connect = Callable[[str], Runner]  # from the name of a stress, "" for none


def locally(answer: Callable) -> Connect:
    """Runs in this process."""

    def connect(stress: str) -> Runner:
        return lambda probe, args, kwargs: run(probe, answer, args, kwargs, stress)

    return connect


class Answer:
    """The answer as a trial sees it: `answer(...)` calls it, `answer.run(probe, ...)` a probe."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.arguments: tuple[tuple, dict] | None = None
        self.outcomes: list[Outcome] = []
        self.returned: object = None  # by the last plain call

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        self.arguments = (args, kwargs)
        self.returned = self._value(None, args, kwargs)
        return self.returned

    def run(self, probe: Callable, *args: Any, **kwargs: Any) -> object:
        """Call a probe with the answer as its first argument."""
        self.arguments = None
        return self._value(probe, args, kwargs)

    def _value(self, probe: Callable | None, args: tuple, kwargs: dict) -> object:
        self.outcomes.append(self.runner(probe, args, kwargs))
        return self.outcomes[-1].value


def observe(trial: Trial, connect: Connect, seed: int, stress: str = "") -> Observation:
    """Run a trial once. Raises NotAttempted for a stub."""
    with neutral(), runtime.global_seed(start(seed, stress)):
        answer = Answer(connect(stress))
        values = tuple(values_of(trial, answer, seed))
    return seen(values, answer)


def start(seed: int, stress: str) -> int:
    """The seed of torch's global generator where a trial begins."""
    return seed + 1000 if stress == "another global seed" else seed


def seen(values: tuple[Value, ...], answer: Answer) -> Observation:
    """What a trial saw that has come to its end."""
    return Observation(
        values,
        frozenset().union(*(outcome.harm for outcome in answer.outcomes)),
        all(outcome.empty for outcome in answer.outcomes),
        any(outcome.stressed for outcome in answer.outcomes),
    )


class Recording:
    """A trial of one of our own answers that is run as far as somebody looks, and kept.

    Most wrong answers differ from a registered mistake in the first value, so of most mistakes only
    that one is ever needed.
    """

    def __init__(self, trial: Trial, answer: Callable, seed: int, stress: str = "") -> None:
        self.trial, self.connect, self.seed, self.stress = trial, locally(answer), seed, stress
        self._begin()

    def _begin(self) -> None:
        self.answer = Answer(self.connect(self.stress))
        self._coming = values_of(self.trial, self.answer, self.seed)
        self._values: list[Value] = []
        self._ended = False
        with runtime.global_seed(start(self.seed, self.stress)):
            self._random = torch.get_rng_state()

    def __iter__(self) -> Iterator[Value]:
        """The values; those that nobody has asked for yet are worked out now."""
        i = 0
        while i < len(self._values) or self._advance():
            yield self._values[i]
            i += 1

    def _advance(self) -> bool:
        """Go on to the next value, whatever other trials have done since the last."""
        if self._ended:
            return False
        came = False
        try:
            with neutral(), runtime.global_seed(0):
                torch.set_rng_state(self._random)
                value = next(self._coming, None)
                self._random = torch.get_rng_state()
            came = True
        finally:
            if not came:  # somebody pressed stop: what is half done is done again
                self._begin()
        if value is None:
            self._ended = True
        else:
            self._values.append(value)
        return not self._ended

    @cached_property
    def whole(self) -> Observation:
        """What the trial saw, having come to its end."""
        return seen(tuple(self), self.answer)


def values_of(trial: Trial, answer: Answer, seed: int) -> Iterator[Value]:
    """The values of a trial one after the other, each once it is asked for."""
    for label, value in trial(answer, seed):
        parts = {"": value}
        if isinstance(value, dict) and value is not answer.returned:
            parts = value
        for key, part in parts.items():
            full = f"{label}: {key}" if key else label
            yield Value(full, plain(part), answer.arguments)


def draw(seed: int, *shape: int) -> torch.Tensor:
    """Standard normal numbers from a generator of their own, the same for every answer."""
    return torch.randn(*shape, generator=runtime.seeded(seed))
