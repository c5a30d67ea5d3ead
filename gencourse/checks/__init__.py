"""Instant checks for what the learner writes: one package per chapter, in it one file per exercise.

from gencourse.checks import report, vae as check
check.kl_to_standard_normal(kl_to_standard_normal)   # a verdict, with a hint for the mistake
check.kl_to_standard_normal.hint()                   # says more, one step at a time
report(check, globals())                             # the score table, judged afresh
"""

from gencourse.checks._chapter import catalogue, chapter, report
from gencourse.checks._exercise import Exercise, exercise
from gencourse.checks._trial import draw
from gencourse.checks._verdict import BADGES, MARKS, Verdict, as_html

__all__ = [
    "BADGES",
    "MARKS",
    "Exercise",
    "Verdict",
    "as_html",
    "catalogue",
    "chapter",
    "draw",
    "exercise",
    "report",
]
