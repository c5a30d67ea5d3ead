"""Every exercise judged as in the box, with the course's own answers withheld while an answer runs.

    python -m tests.grading.guarded

Probes may call what is withheld, answers may not. A process of its own, since modules are changed.
"""

import contextlib
import functools
import sys

from gencourse.grading.handout.assignment import Task
from gencourse.grading.judging.batch import seeds_of
from gencourse.grading.judging.remote import RemoteRunner
from gencourse.grading.judging.withheld import withheld_references
from gencourse.grading.sandbox.inside.import_hooks import Withheld
from tests.grading.loopback import Loopback
from tests.lanes import exercises

SEEDS = seeds_of("a secret of the tests", "guarded")


def main() -> None:
    """Print what went wrong: an alternative that is not right, a reference that is not refused."""
    found = {
        name: withheld_references(
            Task(one.name, "outside", 1, "", f"gencourse.checks.{name.split('.')[0]}")
        )
        for name, one in exercises().items()
    }
    withheld = Withheld([list(one) for references in found.values() for one in references])

    @contextlib.contextmanager
    def answering(name):
        before, withheld.exercise = withheld.exercise, name
        try:
            yield
        finally:
            withheld.exercise = before

    def verdict(exercise, answer):
        box = Loopback(exercise.name, answer, answering)
        return exercise.judge(
            answer, SEEDS[:1], functools.partial(RemoteRunner, box, exercise.name)
        )

    for name, exercise in exercises().items():
        for form in exercise.right_forms:
            if (said := verdict(exercise, form)).status != "right":
                print(f"{name}: {form.__name__} under the guard: {said}")
        if found[name]:
            _, module, function = found[name][0]
            given = getattr(sys.modules[module], function)
            wrapped = exercise.reference.__module__.startswith("gencourse.checks")
            said = verdict(exercise, exercise.reference if wrapped else given)
            if said.status != "wrong" or "course's implementation" not in said.message:
                print(f"{name}: the course's own answer is not refused: {said}")
    print(f"{len(exercises())} exercises, {sum(map(bool, found.values()))} references withheld")


if __name__ == "__main__":
    main()
