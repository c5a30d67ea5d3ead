"""Chapters and solutions at the scale whose numbers the prose states, one after another, on two
threads each.
"""

import os
import subprocess
import sys

import pytest

from tests.parts import DEFAULT_SCALE, ROOT, notebooks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("notebook", notebooks())
def test_notebook_at_the_default_scale(notebook):
    line = [sys.executable, "-m", "pytest", "-n", "0", notebook]
    done = subprocess.run(
        line,
        cwd=ROOT,
        env={**os.environ, **DEFAULT_SCALE},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
