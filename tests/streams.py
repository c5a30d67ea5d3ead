"""The values of a trial one at a time, so that it ends where nobody asks for the next."""

import torch

from gencourse import runtime
from gencourse.checks._trial import Answer, locally, values_of
from gencourse.checks._values import agree
from gencourse.harm import neutral


class Stream:
    """The values of one answer's trial, one at a time, whatever other trials do in between."""

    def __init__(self, exercise, answer, seed):
        self.answer = Answer(locally(answer)(""))
        self.values = values_of(exercise.trial, self.answer, seed)
        with runtime.global_seed(seed):
            self.random = torch.get_rng_state()

    def next(self):
        with neutral(), runtime.global_seed(0):
            torch.set_rng_state(self.random)
            value = next(self.values, None)
            self.random = torch.get_rng_state()
        return value

    @property
    def harm(self):
        return frozenset().union(*(outcome.harm for outcome in self.answer.outcomes))


def equal(exercise, one, other):
    """Whether two values have one label and agree; None, after the last value, is only itself."""
    if one is None or other is None:
        return one is other
    close = agree(one.value, other.value, exercise.rtol, exercise.atol)
    return one.label == other.label and close
