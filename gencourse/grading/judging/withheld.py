"""What of the course's own code the answer to a task may not call."""

import inspect
import types
from collections.abc import Callable, Iterator

from gencourse.checks import Exercise
from gencourse.grading.handout import assignment as assignments
from gencourse.grading.handout.assignment import Task

HIDDEN = ("gencourse.checks.", "gencourse.grading.")  # modules that the box does not hold
FOLLOWED = ("gencourse.models.",)  # densities and measures are given to learners


def withheld_references(task: Task) -> list[tuple[str, str, str]]:
    """(exercise, module, name) of the course's implementations of a task, where the box holds them.

    The reference itself; where that is a wrapper among the checks, what it calls, but for what a
    right form calls too: that is given to learners.
    """
    if task.kind != "outside":
        return []
    exercise = assignments.exercise_of(task.module, task.name)
    places = {place(f) for f in references(exercise)}
    return [(task.name, module, name) for module, name in sorted(places) if name.isidentifier()]


def references(exercise: Exercise) -> Iterator[Callable]:
    """The functions of the course that do what the exercise asks for."""
    if is_visible(exercise.reference):
        yield exercise.reference
        return
    given = {place(f) for form in exercise.right_forms for f in called(form)}
    found = [one for one in called(exercise.reference) if place(one) not in given]
    if len(found) == 1:  # several are helpers, which an answer may call too
        yield found[0]


def called(function: Callable) -> list[Callable]:
    """The functions of the course's models that a function calls, directly or by functions among
    the checks.
    """
    waiting, seen = [function], {id(function)}
    found: list[Callable] = []
    while waiting:
        for used in mentioned(inspect.unwrap(waiting.pop())):
            if id(used) in seen or not isinstance(used, types.FunctionType):
                continue
            seen.add(id(used))
            if is_visible(used):
                if used.__module__.startswith(FOLLOWED):
                    found.append(used)
            elif used.__module__.startswith(HIDDEN):
                waiting.append(used)
    return found


def mentioned(function: Callable) -> list[object]:
    """What the names in a function's code stand for, as far as modules hold it."""
    code, known = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    names = names_in(code) if code is not None else []
    values = [known[name] for name in names if name in known]
    modules = [value for value in values if isinstance(value, types.ModuleType)]
    return values + [
        getattr(module, name) for module in modules for name in names if hasattr(module, name)
    ]


def names_in(code: types.CodeType) -> list[str]:
    """The names of globals and attributes in code, and in the code inside of it."""
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return [*code.co_names, *(name for one in inner for name in names_in(one))]


def place(function: Callable) -> tuple[str, str]:
    """Module and name of a function."""
    return function.__module__, getattr(function, "__qualname__", "")


def is_visible(function: Callable) -> bool:
    """Whether the box holds a function."""
    module = getattr(function, "__module__", None) or ""
    return module.startswith("gencourse.") and not f"{module}.".startswith(HIDDEN)
