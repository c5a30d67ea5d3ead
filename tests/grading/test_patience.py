"""Whatever is handed in, judging it ends in time and says little: linear patterns, a limit of the judge's own, few flags."""

import dataclasses
import re
import sys
import time

import pytest

from gencourse.grading.handout.assignment import Assignment, load
from gencourse.grading.handout.cell_source import defined, parsed
from gencourse.grading.judging import judge as judging
from gencourse.grading.judging.judge import FLAGS, judge, listed
from gencourse.grading.sandbox import selftest as probe
from gencourse.grading.sandbox.backends import Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.submissions.reading import CODE_LIMIT, SubmittedCell
from gencourse.grading.submissions.rebuild import rebuild
from tests.grading.corpus_assignment import SOURCE
from tests.grading.test_run import RIGHT, hand_in, planned
from tests.lanes import mostly_slow

REPEATED = [
    *(
        "gencourse import ",
        "# gencourse import runner, ",
        "gencourse/checks",
        "import gencourse\n",
        "from sys import ",
        "__name__ ",
        "os.",
    ),
    *(
        "def\n",
        "class \n",
        "%x\n",
        " %",
        "\t",
        "\n ",
        "#\n",
        ".reference",
        "solutions",
        "a.",
        "subprocess",
        "\\\n",
        "é",
        "_",
    ),
]


@pytest.fixture(scope="module")
def small() -> Assignment:
    return load(SOURCE)


def seconds(small: Assignment, text: str) -> float:
    """Of rebuilding a submission of one cell, the best of three. It is no Python: the time of Python's parser is not ours."""
    took = []
    for _ in range(3):
        defined.cache_clear()
        parsed.cache_clear()
        began = time.process_time()
        rebuild(small, (SubmittedCell("code", f"$ {text}", ""),))
        took.append(time.process_time() - began)
    return min(took)


@pytest.mark.parametrize("part", mostly_slow(REPEATED))
def test_patterns_take_linear_time(small, part):
    """Four times the text takes four times as long; sixteen would be quadratic. What takes no time at all is not measured."""
    little, much = (
        min(seconds(small, part * (size // len(part))) for _ in range(2))
        for size in (CODE_LIMIT // 4, CODE_LIMIT)
    )
    assert much < 0.1 or much < 8 * little, (little, much)


def test_what_mentions_the_insides_is_flagged_as_before(small):
    for text, flagged in {
        "from gencourse import vae, grading": True,
        "from gencourse import vae": False,
        "from gencourse import vae\nimport runner": False,
        "from gencourse import regrading": False,
        "import gencourse.grading": True,
    }.items():
        names = {flag for flag, _ in rebuild(small, (SubmittedCell("code", text, ""),)).flags}
        assert ("asks-for-answers" in names) == flagged, text


def test_a_changed_check_is_one_flag_however_often_it_occurs(small):
    check = next(cell for cell in small.cells if cell.role == "check" and cell.grade_id)
    copies = tuple(SubmittedCell("code", f"pass  # {i}", check.grade_id) for i in range(500))
    assert sum(flag == "check-changed" for flag, _ in rebuild(small, copies).flags) == 1


def test_flags_are_few_one_of_each_kind_is_kept_and_the_rest_counted():
    flags = [("much-output", f"Cell {i} printed too much.") for i in range(60_000)] + [
        ("died", "It ended.")
    ]
    shown = listed(flags)
    assert len(shown) == FLAGS
    assert {flag.flag for flag in shown} == {"much-output", "died", "more-flags"}
    assert shown[-1].detail == f"{60_001 - FLAGS + 1:,} further flags were left out."
    assert [flag.flag for flag in listed(flags[:3])] == ["much-output"] * 3


@pytest.fixture
def job(tmp_path):
    """A job whose limit for all is over soon."""
    return dataclasses.replace(
        planned(hand_in(tmp_path, {"anna": RIGHT}))[0], limits=Limits(total_s=1)
    )


def busy_pattern(*_):
    re.match(r"(a|a)*b", "a" * 60)


def busy_python(*_):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


@pytest.mark.posix
@pytest.mark.parametrize("busy", mostly_slow([busy_pattern, busy_python]))
def test_a_judge_that_is_kept_busy_ends_with_a_row(job, monkeypatch, busy):
    monkeypatch.setattr(judging, "JUDGE_S", 1)
    monkeypatch.setattr(judging, "rebuild", busy)
    result = judge(job)  # a judge without end would meet the time limit of this test
    assert result.status == "unreadable" and [flag.flag for flag in result.flags] == ["judge-limit"]
    assert sys.getsizeof(result.reason) < 500


@pytest.mark.slow
def test_probe_gives_no_false_alarm_and_ends_soon(bubblewrap):
    began = time.process_time()
    findings = list(probe.probe(Sandbox("bubblewrap")))
    assert [finding for finding in findings if not finding.contained] == []
    assert len(findings) == len(probe.attempts(SOURCE, 1)) and time.process_time() - began < 30
