"""Trials of the first edition, whose code stands in strings: until each has been converted."""

from gencourse import runtime
from gencourse.asking import AnswerRaised, run, shown_call
from gencourse.checks._exercise import Exercise, Observation, Value
from gencourse.runner import neutral, plain


class LocalAsk:
    def __init__(self, name: str, answer: object):
        self.name, self.answer, self.last_call = name, answer, ""

    def __call__(self, code: str, **inputs):
        self.last_call = shown_call(code, self.name)
        return run(code, self.name, self.answer, inputs)


class LegacyExercise(Exercise):
    def observe(self, connect, seed, stress=""):
        with neutral(), runtime.global_seed(seed):
            ask = connect("ask") if hasattr(connect, "ask") else LocalAsk(self.name, connect.answer)
            values = []
            try:
                for label, value in self.trial(ask, seed):
                    values.append(Value(label, plain(value)))
            except AnswerRaised as error:
                values.append(Value("the call itself", error.raised))
        none = all(v.value is None or (isinstance(v.value, list) and v.value and all(x is None for x in v.value)) for v in values)
        return Observation(tuple(values), empty=bool(none))

    def stresses(self, seed):
        return []

    also_right = Exercise.alternative


def exercise(*, reference, difficulty, minutes, points, insight="", **options):
    return lambda trial: LegacyExercise(trial, reference, difficulty, minutes, points, on_success=insight, **options)
