"""A chapter of exercises:

a package with one file for each, named as the exercise, and the order of the notebook.
"""

import importlib
import sys
from types import ModuleType


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
