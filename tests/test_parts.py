"""What of the slow lane a change makes due: no less than what depends on it, and not everything."""

import json
import re

import pytest

from tests import lanes, parts


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small course:

    a chapter that uses one widget, which uses a model; another widget that uses another model.
    """
    code = """%matplotlib inline
from gencourse.widgets import latent_explorer as explorer
import gencourse
gencourse.data.draw(3)"""
    cells = [{"cell_type": "code", "source": code}, {"cell_type": "markdown", "source": "Prose."}]
    texts = {
        "notebooks/01_vae.ipynb": json.dumps({"cells": cells}),
        "gencourse/__init__.py": "import importlib\n",
        "gencourse/widgets/__init__.py": "from gencourse.widgets.latent import latent_explorer\n"
        "from gencourse.widgets.lab import gan_lab\n",
        "gencourse/widgets/latent.py": "from ..models import vae\n",
        "gencourse/widgets/lab.py": "from gencourse.models import gan\n",
        "gencourse/models/__init__.py": "",
        "gencourse/models/gan.py": "",
        "gencourse/models/vae/__init__.py": "import importlib\n",
        "gencourse/models/vae/hidden.py": "from gencourse.errors import InputError\n",
        "gencourse/errors.py": "import torch\nfrom gencourse.claims import claim\n",
        "gencourse/claims/__init__.py": "def claim(): ...\n",
        "gencourse/data/__init__.py": "def draw(n):\n    from gencourse.data import points\n",
        "gencourse/data/points.py": "",
        "gencourse/data/points.npz": "numbers",
        "gencourse/data/files/weather.csv": "numbers",
        "gencourse/claims/01_vae.toml": "",
        "gencourse/claims/02_gan.toml": "",
        "gencourse/grading.py": "",
        "pyproject.toml": "[project]\ndependencies = ['torch>=2.9']\n[tool.uv]\n",
        "constraints.txt": "torch==2.15.0\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.setattr(parts, "ROOT", tmp_path)
    parts.tree_of.cache_clear()
    yield tmp_path
    parts.tree_of.cache_clear()


def mark() -> str:
    return next(
        part for part in parts.parts() if part.name == "notebooks/01_vae.ipynb"
    ).fingerprint()


USED = [
    "widgets/latent.py",
    "models/vae/__init__.py",
    "models/vae/hidden.py",
    "data/files/weather.csv",
    "claims/01_vae.toml",
    "errors.py",
    "data/__init__.py",
    "data/points.py",
    "data/points.npz",
]
UNUSED = ["widgets/lab.py", "models/gan.py", "grading.py", "claims/02_gan.toml"]


@pytest.mark.parametrize("name", [*(f"gencourse/{name}" for name in USED), "constraints.txt"])
def test_what_a_chapter_uses_makes_it_due(tree, name):
    before = mark()
    (tree / name).write_text((tree / name).read_text("utf-8") + "\n# changed\n", "utf-8")
    assert mark() != before


@pytest.mark.parametrize("name", UNUSED)
def test_what_a_chapter_does_not_use_leaves_it_alone(tree, name):
    before = mark()
    (tree / "gencourse" / name).write_text("# changed\n", "utf-8")
    assert mark() == before


def test_code_of_a_chapter_makes_it_due_and_prose_does_not(tree):
    path, before = tree / "notebooks/01_vae.ipynb", mark()
    path.write_text(path.read_text("utf-8").replace("Prose.", "Other prose."), "utf-8")
    assert mark() == before
    path.write_text(path.read_text("utf-8").replace("draw(3)", "draw(4)"), "utf-8")
    assert mark() != before


def test_a_name_that_a_package_passes_on_leads_to_where_it_is_from(tree):
    used = {
        path.relative_to(tree).as_posix() for path in parts.depends_on("notebooks/01_vae.ipynb")
    }
    assert {f"gencourse/{name}" for name in USED} <= used and not {
        f"gencourse/{name}" for name in UNUSED
    } & used


def test_every_chapter_depends_on_its_own_model_and_solutions_on_their_checks():
    for name in parts.notebooks():
        topic = re.search(r"\d\d_(\w+)\.ipynb", name)[1]
        used = {path.relative_to(lanes.ROOT).as_posix() for path in parts.depends_on(name)}
        folder = "checks" if name.startswith("solutions") else "models"
        assert any(file.startswith(f"gencourse/{folder}/{topic}") for file in used), name


@pytest.mark.slow
def test_every_slow_test_is_in_one_part():
    """The last part takes what the others leave; together with the notebooks they leave out
    nothing.
    """
    left_out = {
        word.removeprefix("--ignore=")
        for part in parts.parts()
        for word in part.words
        if word.startswith("--ignore=")
    }
    taken = {word for part in parts.parts() for word in part.words if word.startswith("tests/")}
    assert left_out - taken == {"tests/test_default_scale.py"}
    assert all((lanes.ROOT / name).exists() for name in left_out | taken | lanes.SLOW_FILES)


# groups, order, promises


def test_cells_of_a_notebook_and_tests_of_a_file_stay_together_and_checks_are_split():
    assert lanes.group("solutions/01_vae.ipynb::Cell 3") == lanes.group(
        "solutions/01_vae.ipynb::Cell 4"
    )
    assert lanes.group("tests/test_vae.py::test_a[1]") == lanes.group("tests/test_vae.py::test_b")
    one, same, other = (
        f"tests/test_checks.py::test_a[{name}]"
        for name in ("vae.kl-5", "vae.kl.sign-5", "vae.elbo.sign-5")
    )
    assert lanes.group(one) == lanes.group(same) != lanes.group(other)


def report(nodeid, outcome="passed", *claims):
    return pytest.TestReport(
        nodeid,
        ("", 0, ""),
        {},
        outcome,
        None,
        "call",
        user_properties=[("proves", claim) for claim in claims],
    )


def test_what_was_not_run_is_missing_from_the_promise():
    ledger = lanes.Ledger()
    ledger.promised = {"vae.kl: reference", "vae.kl: mistake sign"}
    ledger.note(
        report("tests/test_checks.py::test_a[vae.kl]", "passed", "vae.kl: reference"), strict=True
    )
    ledger.note(report("tests/test_vae.py::test_b", "failed"), strict=True)
    ledger.note(report("tests/test_gan.py::test_b", "skipped"), strict=True)
    ledger.note(report("tests/test_prose.py::test_b", "skipped"), strict=False)
    ledger.note(report("notebooks/01_vae.ipynb::Cell 0"), strict=True)
    missing = ledger.missing()
    assert "vae.kl: mistake sign" in missing and "vae.kl: reference" not in missing
    assert "tests/test_vae.py" in missing and "tests/test_gan.py" in missing
    assert "tests/test_checks.py" not in missing and "tests/test_prose.py" not in missing
    assert (
        "notebooks/01_vae.ipynb::Cell 0" not in missing
        and "notebooks/01_vae.ipynb::Cell 1" in missing
    )
    assert set(missing) >= lanes.ALWAYS
    assert not any(name.startswith(file) for file in lanes.SLOW_FILES for name in missing)


def test_every_exercise_form_and_mistake_is_promised():
    known = lanes.exercises()
    assert len(known) > 50
    assert len(lanes.of_exercises()) == sum(
        2 + len(e.right_forms) + len(e.mistakes) for e in known.values()
    ), "two of one name"
