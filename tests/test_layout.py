"""The layout: imports run one way, a chapter has one file in every folder, no grab-bags, no stale
files.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "gencourse").rglob("[!.]*.py"))


def test_imports_run_one_way():
    """The contracts stand in pyproject.toml, [tool.importlinter]."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def only_names(text: str) -> bool:
    """Whether a module imports and lists what it imports, and nothing else."""
    return all(
        isinstance(node, ast.ImportFrom)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in ast.parse(text).body[1:]
    )


def test_files_have_one_topic():
    for path in PACKAGE:
        text = path.read_text("utf-8")
        # an exercise has as many mistakes as it has, and a package as many names
        if path.parent.parent.name != "checks" and not only_names(text):
            lines = len(text.splitlines())
            assert lines <= 300, f"{path}: a file of more than 300 lines is asking to be two"
        assert path.stem not in {"utils", "common", "helpers", "misc"}, path


def misplaced(path: Path) -> Iterator[str]:
    """What a file of the package leaves to others, each with its line."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Assert):
            yield f"line {node.lineno}: raise an error with a sentence"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            broad = caught == "everything" or re.search(r"\b(Base)?Exception\b", caught)
            if broad and path.name not in ("runner.py", "judge.py"):
                yield f"line {node.lineno}: except {caught}"
        if not isinstance(node, ast.Attribute) or path.name == "runtime.py":
            continue
        if node.attr == "manual_seed" and ast.unparse(node.value) == "torch":
            yield f"line {node.lineno}: use runtime.global_seed or runtime.seeded"
        if node.attr == "environ":
            yield f"line {node.lineno}: only runtime reads the environment"


def test_no_assert_no_broad_except_no_global_seed():
    assert not {path: said for path in PACKAGE if (said := list(misplaced(path)))}


def private_names(path: Path) -> list[str]:
    """The names with an underscore that a file takes from another folder's modules of this
    repository.
    """
    tree, found, modules = ast.parse(path.read_text("utf-8")), [], {}
    here = ".".join(path.parent.relative_to(ROOT).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
            "gencourse",
            "authoring",
            "benchmarks",
        ):
            for alias in node.names:
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if alias.name.startswith("_") and node.module != here:
                    found.append(f"{node.module}.{alias.name}")
            private = [part for part in node.module.split(".") if part.startswith("_")]
            if (
                private
                and node.module.rsplit(".", 1)[0] != here
                and not here.startswith(node.module.split("._")[0])
            ):
                found.append(node.module)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and re.match(r"_[^_]", node.attr)
            and getattr(node.value, "id", "") in modules
        ):
            found.append(f"{modules[node.value.id]}.{node.attr}")
    return found


def test_no_module_uses_anothers_private_names():
    assert not {path: names for path in PACKAGE if (names := private_names(path))}


def test_private_names_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "gencourse" / "widgets" / "some.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from gencourse.errors import _PACKAGE\nfrom gencourse.checks._verdict import x\nfrom "
        "gencourse import data\ndata._x",
        "utf-8",
    )
    assert private_names(path) == [
        "gencourse.errors._PACKAGE",
        "gencourse.checks._verdict",
        "gencourse.data._x",
    ]


@pytest.mark.parametrize(
    "source", sorted((ROOT / "authoring/chapters").glob("[0-9]*.py")), ids=lambda p: p.stem
)
def test_chapter_has_a_file_in_every_folder(source):
    topic = source.stem.split("_", 1)[1]
    for folder, kind in (("gencourse/models", "py"), ("gencourse/checks", "py")):
        assert (ROOT / folder / f"{topic}.{kind}").exists() or (ROOT / folder / topic).is_dir(), (
            f"chapter {topic} has no {folder}/{topic}"
        )
    for folder in ("authoring/exercises", "notebooks", "exercises", "solutions"):
        suffix = "py" if folder.startswith("authoring") else "ipynb"
        assert (ROOT / folder / f"{source.stem}.{suffix}").exists(), (
            f"chapter {topic} has no {folder}/{source.stem}.{suffix}"
        )


@pytest.mark.parametrize("folder", ["models", "checks"])
def test_package_has_no_topic_without_a_chapter(folder):
    topics = {p.stem for p in (ROOT / "gencourse" / folder).glob("[!._]*")}
    chapters = {p.stem.split("_", 1)[1] for p in (ROOT / "authoring/chapters").glob("[0-9]*.py")}
    assert topics == chapters


@pytest.mark.parametrize(
    "source", sorted(ROOT.glob("authoring/*/[0-9]*.py")), ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_code_of_cells_is_at_most_88_wide(source):
    code = True
    for number, line in enumerate(source.read_text("utf-8").splitlines(), 1):
        if line.startswith("# %%"):
            code = "[markdown]" not in line
        assert not code or len(line) <= 88, f"line {number}: {line}"


def test_what_learners_run_is_timed_by_a_fine_clock():
    """Windows counts the seconds of a process, and time.time, in ticks of 16 ms: of a call, 0."""
    cells = [ROOT / "authoring" / folder for folder in ("chapters", "exercises")]
    programs = [path for folder in cells for path in sorted(folder.rglob("[!.]*.py"))]
    for path in (*PACKAGE, *programs):
        assert not re.search(r"\btime\.(process_time|time)\(", path.read_text("utf-8")), path


def test_generated_notebooks_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "-m", "authoring.build", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
