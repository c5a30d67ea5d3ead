"""Two lanes of tests, how their work is shared out, and what the fast lane promises to have proved.

`pytest` is the fast lane: the whole promise of the course in about five minutes on two cores.
`pytest --slow` adds what is marked `@pytest.mark.slow`; `pytest -m slow` runs that alone. A test
that is named with its `::` runs in either case.

Tests of one file, and cells of one notebook, run in one process, since they share what was set up
for them; a file of SPLIT, whose tests share nothing, goes to the processes exercise by exercise.
What takes long begins first.

A test says with the fixture `proves` which of the promised things it has looked at. After a whole
fast lane they are compared with what there is: an exercise, a right form, a mistake, a cell or a
file of tests that was not run is a failure.
"""

import functools
import importlib
import json
import pkgutil
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONG = (  # these begin first, in this order
    "tests/grading/test_hostile.py",
    "tests/grading/test_run.py",
    "tests/grading/test_teaching.py",
    "notebooks/",
    "solutions/",
    "exercises/",
    "tests/test_checks.py",
    "tests/grading/test_judge.py",
    "tests/test_gan_lab.py",
)
# their parameters begin with chapter.exercise
SPLIT = {"tests/test_checks.py", "tests/grading/test_judge.py"}
# nothing fast in them
SLOW_FILES = {
    "tests/grading/test_cluster.py",
    "tests/grading/test_nbgrader.py",
    "tests/test_default_scale.py",
    "tests/test_carrying.py",
    "tests/test_device.py",
    "tests/test_exercises.py",
    "tests/test_experiments_processes.py",
}
# what the fast lane is to have run beside exercises, notebooks and one test at least of every file
ALWAYS = {
    "tests/test_layout.py::test_generated_notebooks_are_up_to_date",
    "tests/grading/test_run.py::test_the_class_is_graded",
    "tests/grading/test_run.py::test_killed_while_its_judges_start_it_leaves_none",
    "tests/grading/test_hostile.py::test_batch_ends_well",
    "tests/grading/test_hostile.py::test_nobody_connected_and_the_secret_stayed",
    "tests/grading/test_teaching.py::test_the_quick_start_gives_what_it_says",
}


# which tests run, where, in which order


def is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


def wanted(config: pytest.Config) -> bool:
    """Whether slow tests are asked for: by --slow, by -m, or by the name of a test."""
    return (
        config.option.slow
        or "slow" in config.option.markexpr
        or any("::" in str(word) for word in config.args)
    )


def name_of(path: Path) -> str:
    """A file as pytest names it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()


def rank(file: str) -> int:
    """The place of a file in the order of LONG; all others come after these."""
    return next((i for i, start in enumerate(LONG) if file.startswith(start)), len(LONG))


def arrange(items: list[pytest.Item]) -> None:
    """Put long files first; within a file, and among all others, the order stays."""
    items.sort(key=lambda item: rank(name_of(item.path)))


def group(nodeid: str) -> str:
    """The tests that run in one process: those of which this is the same.

    What was observed of an exercise then serves all of its tests. (xdist's own marks for it need
    its next release.)
    """
    file, _, test = nodeid.partition("::")
    exercise = re.search(r"\[(\w+\.\w+)", test)
    return exercise[1] if file in SPLIT and exercise else file


def mostly_slow(cases: Iterable, fast: int = 1, every: int = 0) -> list:
    """Cases for parametrize, of which the first ones, or every n-th, are in the fast lane."""
    chosen = []
    for i, case in enumerate(cases):
        values = case if isinstance(case, tuple) else (case,)
        in_fast_lane = i % every == 0 if every else i < fast
        chosen.append(pytest.param(*values, marks=[] if in_fast_lane else pytest.mark.slow))
    return chosen


# what is promised, and what was proved


def chapters() -> dict:
    """The modules of checks by the name of their chapter."""
    from gencourse import checks

    names = sorted(
        m.name for m in pkgutil.iter_modules(checks.__path__) if not m.name.startswith("_")
    )
    return {name: importlib.import_module(f"gencourse.checks.{name}") for name in names}


@functools.cache
def exercises() -> dict:
    """All exercises by chapter and name, "vae.reparameterize"."""
    from gencourse.checks import catalogue

    return {
        f"{chapter}.{one.name}": one
        for chapter, module in chapters().items()
        for one in catalogue(module)
    }


def claims_of(name: str, exercise) -> list[str]:
    """What is to be shown of an exercise, each as a line of text:

    these are what `proves` is given.
    """
    forms = [f"{name}: right form {form.__name__}" for form in exercise.right_forms]
    mistakes = [f"{name}: mistake {one.name}" for one in exercise.mistakes]
    return [f"{name}: stub", f"{name}: reference", *forms, *mistakes]


def of_exercises() -> set[str]:
    """What is to be shown of all exercises. Imports torch."""
    return {claim for name, exercise in exercises().items() for claim in claims_of(name, exercise)}


def cells() -> set[str]:
    """The names under which pytest knows the cells of all notebooks."""
    found = set()
    for path in ROOT.glob("*/[0-9]*.ipynb"):
        code = [
            cell
            for cell in json.loads(path.read_text("utf-8"))["cells"]
            if cell["cell_type"] == "code"
        ]
        found |= {f"{path.relative_to(ROOT).as_posix()}::Cell {i}" for i in range(len(code))}
    return found


def files() -> set[str]:
    """The files of tests of which at least one test is fast."""
    return {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")
    } - SLOW_FILES


class Ledger:
    """What a run has proved: the texts given to `proves`, the names of tests, and their files."""

    def __init__(self):
        self.proved: set[str] = set()
        self.promised: set[str] = set()  # of exercises, as the workers counted them
        self.cpu, self.began = 0.0, time.monotonic()
        self.costs: Counter[str] = Counter()  # CPU seconds of each file

    def note(self, report: pytest.TestReport, strict: bool) -> None:
        """A test that passed; where something is not installed and nobody insists, also one that
        was skipped.
        """
        self.costs[report.nodeid.split("::")[0]] += dict(report.user_properties).get("cpu", 0)
        if (report.when == "call" and report.passed) or (report.skipped and not strict):
            name = report.nodeid
            self.proved |= {name, name.split("[")[0], name.split("::")[0]}
            self.proved |= {value for key, value in report.user_properties if key == "proves"}

    def missing(self) -> list[str]:
        """What a whole fast lane has not shown."""
        return sorted(
            ((self.promised or of_exercises()) | cells() | files() | ALWAYS) - self.proved
        )

    def dearest(self, most: int = 12) -> list[str]:
        """The files that took most CPU seconds; nothing for a few tests."""
        if sum(self.costs.values()) < 60:
            return []
        return [f"{cost:6.0f} CPU s  {file}" for file, cost in self.costs.most_common(most)]

    def summary(self) -> str:
        """What was shown, in numbers."""
        shown = self.promised & self.proved
        count = {
            kind: sum(f": {kind}" in claim for claim in shown)
            for kind in ("reference", "right form", "mistake")
        }
        notebooks = {cell.split("::")[0] for cell in cells() & self.proved}
        return (
            f"{count['reference']} exercises with {count['right form']} other right forms and "
            f"{count['mistake']} mistakes, {len(notebooks)} notebooks with "
            f"{len(cells() & self.proved)} cells, {len(files() & self.proved)} files of tests"
        )


def is_whole(config: pytest.Config) -> bool:
    """Whether everything that testpaths names is run, with nothing selected."""
    options = config.option
    selected = (
        options.keyword
        or options.markexpr
        or options.deselect
        or options.ignore
        or options.ignore_glob
        or options.collectonly
    )
    selected = selected or getattr(options, "lf", False) or getattr(options, "stepwise", False)
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not selected


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for, as far as the system tells."""
    try:
        import resource
    except ModuleNotFoundError:
        return time.process_time()
    return sum(
        sum(resource.getrusage(whose)[:2])
        for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
