"""The commands for teachers: hand out exercises, grade what comes back, points, reports."""

from gencourse.teaching.gradebook import export, late, points, questions, report, similar
from gencourse.teaching.grading import grade, release

COMMANDS = (release, grade, points, questions, late, similar, export, report)
