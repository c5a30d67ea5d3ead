"""`gencourse` on the command line, called in this process, which has imported everything: the same words, output and exit status.

Judges work in this process too, one submission after another; each submission still has a box of its own. A whole class,
a killed command and a batch of hostile submissions are run as a user runs them, in `test_run.py` and `test_hostile.py`.
"""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from gencourse import __main__
from gencourse.grading.judging.judge import judge


def in_this_process(jobs, workers):
    """In the place of gencourse.grading.judging.batch.locally."""
    return ((job, judge(job)) for job in jobs)


def gencourse(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """What `python -m gencourse WORDS` would print and return, with these additions to the environment."""
    said, complained = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(complained):
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["gencourse", *words])
        patch.setattr("gencourse.grading.judging.batch.locally", in_this_process)
        try:
            __main__.main()
            status = 0
        except SystemExit as ended:
            status = ended.code
    if isinstance(status, str):  # as Python itself treats sys.exit("a sentence")
        complained.write(status + "\n")
        status = 1
    return subprocess.CompletedProcess(
        list(words), status or 0, said.getvalue(), complained.getvalue()
    )
