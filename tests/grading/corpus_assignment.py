"""The small assignment as two notebooks: as a learner gets it, and with its answers and hidden tests."""

from pathlib import Path

from nbformat import NotebookNode

from gencourse.grading.handout import release

SOURCE = Path(__file__).parent / "assignment" / "small.py"
NAME = "small.ipynb"
POINTS = {"gaussian_log_density": 2, "reparameterize": 2, "kl_to_standard_normal": 3, "bits": 2}
WRITTEN = "why_eps"


def notebooks() -> tuple[NotebookNode, NotebookNode]:
    """The released notebook and the solved one, made from the instructor's source."""
    source = release.read(SOURCE)
    return release.with_ids(release.released(source)), release.with_ids(release.solved(source))
