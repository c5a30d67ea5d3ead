"""The quick set: what a learner runs into first, for an environment that nobody has tried yet.

    python -m tests.quick            a few minutes; more words go to pytest
    python -m tests.quick -W ignore::DeprecationWarning     old libraries beside newer ones

Files of tests on the package, and the exercises and the notebook of chapter 1 at smoke scale. The
weekly workflow runs it on every Python, with the lowest versions that pyproject.toml admits and
with the newest that there are.
"""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# these are about the repository and those who write it, or take minutes
LEFT_OUT = {
    "test_build",
    "test_checks",
    "test_exercises",
    "test_layout",
    "test_offline",
    "test_parts",
    "test_prose",
    "test_readme",
}
NOTEBOOKS = ("exercises/01_vae.ipynb", "notebooks/01_vae.ipynb")


def selected() -> list[str]:
    """The files of the quick set, as pytest names them; slow tests in them stay out."""
    files = sorted(path for path in (ROOT / "tests").glob("test_*.py") if path.stem not in LEFT_OUT)
    return [*NOTEBOOKS, *(f"tests/{path.name}" for path in files)]


if __name__ == "__main__":
    sys.exit(
        pytest.main(
            [f"--rootdir={ROOT}", *(str(ROOT / name) for name in selected()), *sys.argv[1:]]
        )
    )
