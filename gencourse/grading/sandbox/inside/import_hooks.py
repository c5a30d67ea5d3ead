"""What learners find in the box in the place of the checks, of the course's own answers, and of
torch's compiler.
"""

import functools
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
from os import getpid
from pathlib import Path

import torch

from gencourse.errors import CourseError

COURSE = str(Path(__file__).parents[3]) + os.sep


class OwnImplementation(CourseError):
    """An answer that calls the course's own implementation of what was asked for."""


class LaterCheck:
    """Stands for a check, a verdict, or anything that comes of them: may be called and asked, says
    nothing.
    """

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __repr__(self) -> str:
        return "(checked after the notebook has run)"


class ChecksFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Any module of checks, under any of the names: a module of LaterChecks. The real ones hold the
    answers.
    """

    def __init__(self, names: list[str]):
        self.names = tuple(names)

    def find_spec(self, fullname, path=None, target=None):
        if fullname in self.names or fullname.startswith(tuple(f"{name}." for name in self.names)):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name, "The checks are run after the notebook.")
        module.__getattr__ = self.later
        return module

    def exec_module(self, module):
        pass

    @staticmethod
    def later(name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return LaterCheck()


class Withheld:
    """The course's implementations of what an exercise asks for. The answer to that exercise cannot
    call them, nor have them called.

    Everything else can: cells, answers to other exercises, and the course's own models. It holds
    back who submits the course's code for their own, not who copies its text.
    """

    def __init__(self, references: list[list[str]]):
        self.exercise = ""  # the one whose answer is being asked
        self.process = getpid()
        by_place: dict[tuple[str, str], set[str]] = {}
        for exercise, module, name in references:
            by_place.setdefault((module, name), set()).add(exercise)
        for (module, name), exercises in by_place.items():
            original = getattr(importlib.import_module(module), name)
            self.replace(original, self.guarded(original, exercises))

    def guarded(self, original, exercises: set[str]):
        @functools.wraps(original)
        def reference(*args, **kwargs):
            from_outside = not sys._getframe(1).f_code.co_filename.startswith(COURSE)
            if (
                self.exercise in exercises
                or getpid() != self.process
                or (from_outside and torch.jit.is_tracing())
            ):
                raise OwnImplementation(
                    f"{original.__name__}: the answer should be your own code, and it calls the course's implementation. Write it out."
                )
            return original(*args, **kwargs)

        del reference.__wrapped__
        return reference

    @staticmethod
    def replace(original, guarded) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("gencourse"):
                for key, value in list(vars(module).items()):
                    if value is original:
                        setattr(module, key, guarded)


def uncompiled(model=None, **options):
    """In the place of torch.compile: the same values, without a minute of compiling."""
    return model if model is not None else lambda function: function


class CompilerOnDemand(types.ModuleType, importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """torch._dynamo, imported when somebody compiles.

    Every optimizer imports the compiler only to tell it to look away. That takes as long as
    importing torch itself.
    """

    NAME = "torch._dynamo"

    @classmethod
    def install(cls) -> None:
        if cls.NAME not in sys.modules:
            module = cls(cls.NAME)
            module.__spec__ = importlib.machinery.ModuleSpec(cls.NAME, None, is_package=True)
            module.__path__ = []
            module.graph_break = lambda *args, **kwargs: None
            module.disable = lambda fn=None, *args, **kwargs: (
                fn if fn is not None else (lambda inner: inner)
            )
            sys.modules[cls.NAME] = torch._dynamo = module
            sys.meta_path.insert(0, module)
            torch.compile = uncompiled

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.real(), name)

    def real(self) -> types.ModuleType:
        """The compiler itself, in the place of this module from now on."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
            del sys.modules[self.NAME], torch._dynamo
            torch._dynamo = importlib.import_module(self.NAME)
        return sys.modules[self.NAME]

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith(f"{self.NAME}."):
            return None
        self.real()
        importlib.import_module(fullname)
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec):
        return sys.modules[spec.name]  # loaded by now

    def exec_module(self, module):
        pass
