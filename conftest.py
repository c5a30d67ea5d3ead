"""Test settings:

smoke scale, no network, strict checks for what is solved; lanes, groups and promises
(tests/lanes.py).
"""

import os
import sys
import time
from pathlib import Path

# before torch is imported anywhere; the notebooks' kernels inherit all of it
# two workers with two threads each would wait for one another
os.environ.setdefault("OMP_NUM_THREADS", "1")
# and a thread that waits leaves its core to others
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GENCOURSE_SCALE", "smoke")
# images of containers often forbid byte code: each of a hundred processes would compile the course
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# what processes of the tests print is read as UTF-8, on Windows too
os.environ.setdefault("PYTHONIOENCODING", "utf-8")
# the reference for graded work, also on a machine with a GPU
os.environ["GENCOURSE_DEVICE"] = "cpu"
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent / "tests" / "offline"), os.environ.get("PYTHONPATH", "")]
)

import pytest

from tests import lanes, seconds
from tests.offline.sitecustomize import forbid_network

sys.dont_write_bytecode = False  # as above
forbid_network()
SHOWN = 30  # of what was not proved
# what the next versions of the libraries will refuse is an error in the notebooks' kernels, but for
# what pytest's own -W says
DEPRECATIONS = [
    *(f"error::{k}Warning" for k in ("Deprecation", "PendingDeprecation", "Future")),
    "ignore:There is no current event loop:DeprecationWarning",  # a kernel's own start, Python 3.12
    "ignore:InlineBackend._print_figure_kwargs_changed:DeprecationWarning",  # matplotlib-inline's
]


def pytest_addoption(parser):
    parser.addoption(
        "--slow",
        action="store_true",
        help="run the slow lane too: tests marked slow (-m slow runs them alone)",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left to `pytest --slow`")
    config.addinivalue_line(
        "markers", "posix: needs links, pipes or signals as Windows has none; skipped there"
    )
    config.pluginmanager.register(
        Worker() if hasattr(config, "workerinput") else Reporter(config), "gencourse-lanes"
    )


def pytest_ignore_collect(collection_path, config):
    """Files without a fast test are not even imported in the fast lane."""
    if lanes.name_of(collection_path) in lanes.SLOW_FILES and not lanes.wanted(config):
        return True


def pytest_collection_modifyitems(config, items):
    if os.name != "posix":
        without = pytest.mark.skip(reason="needs links, pipes or signals as Windows has none")
        for item in items:
            if item.get_closest_marker("posix"):
                item.add_marker(without)
    if not lanes.wanted(config):
        config.hook.pytest_deselected(items=[item for item in items if lanes.is_slow(item)])
        items[:] = [item for item in items if not lanes.is_slow(item)]
    lanes.arrange(items)


@pytest.fixture
def proves(record_property):
    """A function for a test to say what it has proved, when it has:

    texts of tests/lanes.py's claims_of.
    """
    return lambda *claims: [record_property("proves", claim) for claim in claims]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Chapters and solutions run in strict mode; exercises, which are unsolved, run as a learner
    sees them. A kernel takes over the environment that its first cell finds.
    """
    os.environ["GENCOURSE_STRICT"] = "0" if item.path.parent.name == "exercises" else "1"
    asked = item.config.getoption("pythonwarnings") or []
    kernel = item.path.suffix == ".ipynb"
    os.environ["PYTHONWARNINGS"] = ",".join([*DEPRECATIONS, *asked]) if kernel else ""


spent = [0.0]  # CPU seconds of this process and its children when the last report was made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Each report carries the CPU seconds since the one before it."""
    report = yield
    now = lanes.cpu_seconds()
    report.user_properties.append(("cpu", now - spent[0]))
    spent[0] = now
    return report


class Worker:
    """One of xdist's processes:

    it tells the one that reports what it has imported anyway, and what it has cost.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        known = lanes.of_exercises() if "gencourse.checks" in sys.modules else ()
        session.config.workeroutput |= {"promised": sorted(known), "cpu": lanes.cpu_seconds()}


class Reporter:
    """The process that speaks to a person: it keeps what was proved, and the seconds."""

    def __init__(self, config):
        self.config, self.ledger, self.missing = config, lanes.Ledger(), []

    def pytest_runtest_logreport(self, report):
        self.ledger.note(report, strict=bool(os.environ.get("GENCOURSE_CI")))
        if report.when == "call" and ".ipynb::" in report.nodeid:
            seconds.note(report.nodeid, report.duration)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config, log):
        from xdist.scheduler import LoadScopeScheduling

        class Groups(LoadScopeScheduling):
            def _split_scope(self, nodeid):
                return lanes.group(nodeid)

        return Groups(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        told = getattr(node, "workeroutput", {})
        self.ledger.promised |= set(told.get("promised", ()))
        self.ledger.cpu += told.get("cpu", 0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        if session.exitstatus:
            return
        if lanes.is_whole(self.config):
            self.missing = self.ledger.missing()
        if self.missing or seconds.overlong():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif record := os.environ.get("GENCOURSE_RECORD"):
            seconds.record(record)

    def pytest_terminal_summary(self, terminalreporter):
        say = terminalreporter.write_line
        if seconds.ledger:
            terminalreporter.section(
                f"seconds of the notebooks at {os.environ['GENCOURSE_SCALE']} scale"
            )
        for line in seconds.lines():
            say(line)
        for line in seconds.overlong():
            say(f"TOO LONG: {line}", red=True)
        terminalreporter.section("lanes")
        if lanes.is_whole(self.config):
            say(f"proved: {self.ledger.summary()}")
        for claim in self.missing[:SHOWN]:
            say(f"NOT PROVED, though the fast lane promises it: {claim}", red=True)
        if len(self.missing) > SHOWN:
            say(f"and {len(self.missing) - SHOWN} more", red=True)
        lane = "both lanes" if self.config.option.slow else "fast lane"
        for line in self.ledger.dearest():
            say(line)
        wall = time.monotonic() - self.ledger.began
        cpu = self.ledger.cpu or lanes.cpu_seconds()
        ran = lane if lanes.is_whole(self.config) else "a selection"
        say(f"{ran}: {wall:.0f} seconds, {cpu:.0f} CPU seconds")
