"""The files that describe the environment agree: pyproject.toml says what is required, the others
only point there.

Also: no file of the repository names a package registry's host or a path of the machine that it was
written on.
"""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
TARGET = "-e .[lab,test]"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
# Registries, and the indexes that mirrors imitate. In halves, so that no file holds the names, this
# one included.
HALVES = (
    ("py", "pi.org"),
    ("python", "hosted.org"),
    ("ana", "conda.org"),
    ("ana", "conda.com"),
    ("con", "da.io"),
    ("npm", "js.org"),
)
REGISTRIES = ["".join(halves) for halves in HALVES]
HOST = re.compile(
    "|".join(map(re.escape, REGISTRIES))
    + r"|https?://[^\s\"'<>]+/simple\b|(?:index-url|find-links)[ =]"
)
MACHINE_PATH = re.compile(r"(?<![\w.~)}>\]-])/(?:work|root|home/\w[\w.-]*)/")


def lines(name: str) -> list[str]:
    """The lines of a file of the repository without comments and blank lines."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


def pins(name: str) -> dict[str, list[Version]]:
    """package -> its versions in a file of pins; several where platforms differ."""
    versions: dict[str, list[Version]] = {}
    for requirement in map(Requirement, lines(name)):
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", f"{name}: {requirement} is not a pin"
        versions.setdefault(canonicalize_name(requirement.name), []).append(
            Version(specifier.version)
        )
    return versions


def unmet(requirement: Requirement, installed: dict[str, list[Version]]) -> str:
    """What is wrong with a requirement in view of the versions installed; the empty string if
    nothing is.
    """
    versions = installed.get(canonicalize_name(requirement.name))
    if versions is None:
        return f"{requirement.name} has no pin"
    bad = [str(version) for version in versions if not requirement.specifier.contains(version)]
    return f"{requirement} is not met by {', '.join(bad)}" if bad else ""


def required(groups: dict[str, list[str]]) -> list:
    """One pytest parameter for each requirement of the groups but gencourse itself."""
    return [
        pytest.param(requirement, id=f"{group}-{requirement.name}")
        for group, texts in groups.items()
        for requirement in map(Requirement, texts)
        if requirement.name != PROJECT["name"]
    ]


RUNTIME = {"runtime": PROJECT["dependencies"]}
# The extra "docs" is for the site and older than Jupyter's other tools: pinning it would bind every
# learner to it.
PINNED = {
    name: texts for name, texts in PROJECT["optional-dependencies"].items() if name != "docs"
} | {
    name: texts
    for name, texts in PYPROJECT["dependency-groups"].items()
    if name != "interop"  # no learner installs these
}


def test_environment_yml_adds_python_and_pip_only():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, by_pip = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert (pip, by_pip) == ("pip", {"pip": ["-r requirements.txt"]})
    assert re.fullmatch(r"python=3\.\d+", python)
    assert python.removeprefix("python=") in SpecifierSet(PROJECT["requires-python"])


def test_requirements_txt_points_at_pyproject():
    assert lines("requirements.txt") == ["-c constraints.txt", TARGET]


@pytest.mark.parametrize("requirement", required(RUNTIME | PINNED))
def test_requirement_is_pinned_and_met_by_constraints(requirement):
    assert not unmet(requirement, pins("constraints.txt"))


@pytest.mark.parametrize("requirement", required(RUNTIME))
def test_runtime_requirement_is_met_by_colab(requirement):
    assert not unmet(requirement, pins("tests/data/colab-freeze.txt"))


def test_colab_excerpt_is_dated_and_its_python_is_supported():
    text = (ROOT / "tests/data/colab-freeze.txt").read_text(encoding="utf-8")
    assert re.search(r"^#.*\b20\d\d-\d\d-\d\d\b", text, re.M)
    (python,) = re.findall(r"^# Python (3\.[\d.]*\d)", text, re.M)
    assert python in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize(
    ("text", "met"),
    [("torch>=2.6", True), ("torch>=2.12", False), ("ipywidgets>=8", False), ("missing>=1", False)],
)
def test_unmet_requirements_are_noticed(text, met):
    assert (unmet(Requirement(text), pins("tests/data/colab-freeze.txt")) == "") is met


def test_no_tracked_file_names_a_registry_or_a_machine():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    )
    paths = [
        path
        for path in map(ROOT.joinpath, filter(None, listing.stdout.split("\0")))
        if path.is_file()
    ]
    assert paths
    found = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue  # binary
        for number, line in enumerate(
            content.decode(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            found += [
                f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
                for hit in (HOST.search(line), MACHINE_PATH.search(line))
                if hit
            ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("pattern", "halves"),
    [
        (HOST, ("https://py", "pi.org/project/torch")),
        (HOST, ("https://files.python", "hosted.org/packages/torch.whl")),
        (HOST, ("https://mirror.example/api/si", "mple/torch")),
        (HOST, ("pip install --extra-index", "-url https://mirror.example")),
        (MACHINE_PATH, ('File "/wo', 'rk/main/gencourse/runtime.py"')),
        (MACHINE_PATH, ("/", "root/.cache")),
        (MACHINE_PATH, ("path=/ho", "me/somebody/course")),
    ],
)
def test_needle_is_found(pattern, halves):
    assert pattern.search("".join(halves))


@pytest.mark.parametrize(
    "text",
    [
        "it is a simple index",
        "data" + "/work" + "/x",
        "~/.cache/" + "root/",
        "https://example.org/home/",
        "/homepage/",
    ],
)
def test_innocent_text_is_left_alone(text):
    assert not HOST.search(text)
    assert not MACHINE_PATH.search(text)
