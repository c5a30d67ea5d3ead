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
from collections.abc import Callable
from os import getpid
from pathlib import Path
from typing import Any

import torch

from gencourse.errors import CourseError

COURSE = str(Path(__file__).parents[3]) + os.sep


class OwnImplementation(CourseError):
    """An answer that calls the course's own implementation of what was asked for."""


class LaterCheck:
    """Stands for a check, a verdict, or anything that comes of them: may be called and asked, says
    nothing.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> "LaterCheck":
        """Say nothing yet."""
        return self

    def __getattr__(self, name: str) -> "LaterCheck":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __repr__(self) -> str:
        return "(checked after the notebook has run)"


class ChecksFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Any module of checks, under any of the names: a module of LaterChecks. The real ones hold the
    answers.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = tuple(names)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module of LaterChecks, for one of these names or below one."""
        if fullname in self.names or fullname.startswith(tuple(f"{name}." for name in self.names)):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        """A module whose names are LaterChecks."""
        module = types.ModuleType(spec.name, "The checks are run after the notebook.")
        module.__getattr__ = self.later  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to be run."""

    @staticmethod
    def later(name: str) -> LaterCheck:
        """What a module of checks holds under any name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return LaterCheck()


class Withheld:
    """The course's implementations of what an exercise asks for.

    The answer to that exercise cannot call them, nor have them called. Everything else can: cells,
    answers to other exercises, and the course's own models. It holds back who submits the course's
    code for their own, not who copies its text.
    """

    def __init__(self, references: list[list[str]]) -> None:
        self.exercise = ""  # the one whose answer is being asked
        self.process = getpid()
        self.made: dict[tuple[str, str], tuple[Callable, Callable]] = {}
        self.by_place: dict[tuple[str, str], set[str]] = {}
        for exercise, module, name in references:
            self.by_place.setdefault((module, name), set()).add(exercise)
        for module, name in self.by_place:
            self.guard(importlib.import_module(module), name)

    def guard(self, module: types.ModuleType, name: str) -> None:
        """Put a guarded function in the place of a module's own, wherever that is known."""
        original = getattr(module, name)
        guarded = self.guarded(original, self.by_place[module.__name__, name])
        for one in list(sys.modules.values()):
            if getattr(one, "__name__", "").startswith("gencourse"):
                for key, value in list(vars(one).items()):
                    if value is original:
                        setattr(one, key, guarded)

    def guard_again(self, module: types.ModuleType) -> None:
        """Guard what a module holds that was made anew."""
        for place, name in self.by_place:
            if place == module.__name__:
                self.guard(module, name)

    def guarded(self, original: Callable, exercises: set[str]) -> Callable:
        """The same function, for everybody but the answers to these exercises."""

        @functools.wraps(original)
        def reference(*args: Any, **kwargs: Any) -> Any:
            from_outside = not sys._getframe(1).f_code.co_filename.startswith(COURSE)
            tracing = from_outside and torch.jit.is_tracing()
            if self.exercise in exercises or getpid() != self.process or tracing:
                raise OwnImplementation(
                    f"{original.__name__}: the answer should be your own code, and it calls the "
                    "course's implementation. Write it out."
                )
            return original(*args, **kwargs)

        del reference.__wrapped__
        return reference


class CourseLoader(importlib.machinery.SourceFileLoader):
    """Loads a module of the course, and guards what it defines."""

    loading = 0
    withheld: "Withheld | None" = None

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's code."""
        CourseLoader.loading += 1
        try:
            super().exec_module(module)
        finally:
            CourseLoader.loading -= 1
        if self.withheld is not None:
            self.withheld.guard_again(module)


class CourseFinder(importlib.abc.MetaPathFinder):
    """The course's modules under their own names, and under no others."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module of the course; None for others. Raises ImportError for another way to it."""
        if fullname.split(".")[0] == "gencourse":
            spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
            if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                spec.loader = CourseLoader(spec.loader.name, spec.loader.path)
            return spec
        for place in sys.path if path is None else path:
            if isinstance(place, str) and (os.path.realpath(place or ".") + os.sep).startswith(
                COURSE
            ):
                raise ImportError(f"{fullname}: the course's modules have names of their own")
        return None


ALLOWED_READERS = ("linecache.py", "<frozen importlib._bootstrap_external>", "tokenize.py")
READ_COURSE: list[str] = []  # what was tried


def watch_course() -> None:
    """From here on refuse cells the source of the course's modules. Nobody can undo that."""

    def hook(event: str, args: tuple) -> None:
        if event == "open":
            path = args[0]
            if isinstance(path, bytes | str) and os.fsdecode(path).endswith((".py", ".pyc")):
                where = os.path.realpath(os.fsdecode(path))
                if where.startswith(COURSE) and not from_allowed(sys._getframe(1)):
                    READ_COURSE.append(where)
                    raise PermissionError(f"the course's source is not to be read: {where}")
        elif event == "exec":
            file = getattr(args[0], "co_filename", "")
            ours = isinstance(file, str) and file.startswith(COURSE)
            if ours and args[0].co_name == "<module>" and not CourseLoader.loading:
                READ_COURSE.append(file)
                raise ImportError(f"the course's modules have names of their own: {file}")

    sys.addaudithook(hook)


def from_allowed(frame: types.FrameType | None) -> bool:
    """Whether a file is read by Python itself, for an import or to show a line of an error."""
    while frame is not None:
        if frame.f_code.co_filename.endswith(ALLOWED_READERS):
            return True
        frame = frame.f_back
    return False


def uncompiled(model: Any = None, **options: Any) -> Any:
    """In the place of torch.compile: the same values, without a minute of compiling."""
    return model if model is not None else lambda function: function


class CompilerOnDemand(types.ModuleType, importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """torch._dynamo, imported when somebody compiles.

    Every optimizer imports the compiler only to tell it to look away. That takes as long as
    importing torch itself.
    """

    NAME = "torch._dynamo"
    graph_break: Callable[..., None]
    disable: Callable[..., Any]

    @classmethod
    def install(cls) -> None:
        """Put this module into the compiler's place, unless it is imported already."""
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

    def __getattr__(self, name: str) -> Any:
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

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A part of the compiler, for which the compiler itself is imported."""
        if not fullname.startswith(f"{self.NAME}."):
            return None
        self.real()
        importlib.import_module(fullname)
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: Any) -> types.ModuleType:
        """The part itself."""
        return sys.modules[spec.name]  # loaded by now

    def exec_module(self, module: types.ModuleType) -> None:
        """It has been run."""
