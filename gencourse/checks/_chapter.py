"""A chapter of exercises: a package with one file for each, named as the exercise, and the order of
the notebook.
"""

import importlib
import sys
from collections.abc import Mapping
from types import ModuleType

from gencourse.checks._exercise import Exercise
from gencourse.checks._verdict import Report


class Chapter(ModuleType):
    """A package whose attribute NAME is always the exercise, also when its file NAME.py is imported
    by itself.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType):  # the import system binds a submodule to its package
            value = getattr(value, name, value)
        super().__setattr__(name, value)


def chapter(package: str, order: tuple[str, ...]) -> None:
    """Import the exercises of a package in their order, and bind each to its name."""
    module = sys.modules[package]
    module.__class__ = Chapter
    for name in order:
        exercise = getattr(importlib.import_module(f"{package}.{name}"), name)
        # so that the catalogue is in this order, whatever was imported before
        vars(module).pop(name, None)
        setattr(module, name, exercise)


def catalogue(module: ModuleType) -> list[Exercise]:
    """The exercises of a chapter's module, in the order in which it names them."""
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


def report(checks: ModuleType, answers: Mapping[str, object]) -> Report:
    """The score table, judged afresh: `report(check, globals())`.

    Each exercise looks for its name among `answers`. What was judged before does not count, so the
    order in which cells were run cannot make a wrong or missing answer a right one.
    """
    return Report(
        tuple(exercise.judge(answers.get(exercise.name)) for exercise in catalogue(checks))
    )
