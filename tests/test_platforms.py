"""Windows and macOS, without either: what their users would meet, found on Linux.

Rules on the source in the fast lane; in the slow one our code runs on a pretended system
(tests/pretended/platforms.py) and in a locale whose letters are those of Western Windows.
"""

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts import PRINTED
from tests.pretended.platforms import LINUX_ONLY, POSIX_MODULES, POSIX_ONLY

ROOT = Path(__file__).parents[1]
FOLDERS = ("gencourse", "tests", "benchmarks", "authoring")
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in [ROOT / "conftest.py", *(p for f in FOLDERS for p in (ROOT / f).rglob("[!.]*.py"))]
    if path.name != "colab_bootstrap.py"  # a cell, not a module
}
MARK = "# POSIX: "  # and why: in a module that does not run on Windows, or asks before it does
LACKING = {
    f"{module}.{name}"
    for table in (POSIX_ONLY, LINUX_ONLY)
    for module, names in table.items()
    for name in names.split()
}
PLACES = re.compile(r"/(proc|sys|bin|usr|dev|etc)(/|$)")
ASKED = r"\b(os|signal|select|socket|time)"
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)),
}


def sources(pattern: str) -> dict[str, str]:
    """The files in which a pattern occurs: those that it is worth while to take to pieces."""
    return {name: source for name, source in SOURCES.items() if re.search(pattern, source)}


@functools.cache
def tree_of(source: str) -> ast.Module:
    return ast.parse(source)


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, dict[str, ast.expr]]]:
    """Each call, the last part of what is called, and its keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            yield node, name, {k.arg: k.value for k in node.keywords if k.arg}


# texts


def without_encoding(source: str) -> list[int]:
    """The lines on which a text is read, written or exchanged in the machine's own encoding."""
    found = []
    for node, name, keywords in calls(tree_of(source)):
        words = [a.value for a in node.args if isinstance(a, ast.Constant)]
        mode = next((w for w in words if isinstance(w, str) and re.fullmatch(r"[rwax+bt]+", w)), "")
        by_method = isinstance(node.func, ast.Attribute)
        text = (
            (name == "read_text" and not node.args)
            or (name == "write_text" and len(node.args) == 1)
            or (name == "open" and not by_method and "b" not in mode)
            or (name == "open" and by_method and bool(mode) and "b" not in mode)
            or any(
                getattr(keywords.get(k), "value", 0) is True for k in ("text", "universal_newlines")
            )
        )
        if text and "encoding" not in keywords:
            found.append(node.lineno)
    return found


def test_texts_have_an_encoding():
    texts = sources(r"read_text\(|write_text\(|\bopen\(|text=|universal_newlines")
    assert not {name: lines for name, s in texts.items() if (lines := without_encoding(s))}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("open(name, 'w')", True),
        ("open(name, 'rb')", False),
        ("path.open('a')", True),
        ("subprocess.run(line, text=True)", True),
        ("subprocess.Popen(line, text=True, encoding='utf-8')", False),
        ("subprocess.run(line)", False),
    ],
)
def test_a_text_without_an_encoding_is_noticed(source, found):
    assert bool(without_encoding(source)) is found


# names that Windows lacks


def posix_only(source: str, tests: bool) -> list[str]:
    """What a file uses that is not there on Windows, or not on macOS; in tests only what is not
    below the mark `posix` or in need of bubblewrap.
    """
    tree, found = tree_of(source), []
    asked = {
        ast.literal_eval(node.args[1])
        for node, name, _ in calls(tree)
        if name in ("hasattr", "getattr") and isinstance(node.args[1], ast.Constant)
    }
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings

    def look(node: ast.AST) -> None:
        if tests and isinstance(node, ast.FunctionDef) and skipped_on_windows(node):
            return
        if isinstance(node, ast.Attribute):
            name = f"{getattr(node.value, 'id', '')}.{node.attr}"
            if name in LACKING and node.attr not in asked:
                found.append(f"{node.lineno}: {name}")
            if node.attr in ("symlink_to", "mkfifo", "readlink"):
                found.append(f"{node.lineno}: {node.attr}")
        if isinstance(node, ast.Import) and {a.name for a in node.names} & set(
            POSIX_MODULES.split()
        ):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
        text = isinstance(node, ast.Constant) and not tests and id(node) not in texts
        if text and PLACES.match(str(node.value)):
            found.append(f"{node.lineno}: {node.value}")
        if isinstance(node, ast.Try):  # an import that may fail
            caught = " ".join(ast.unparse(handler.type or node) for handler in node.handlers)
            if re.search("ModuleNotFoundError|ImportError", caught):
                return
        for child in ast.iter_child_nodes(node):
            look(child)

    look(tree)
    return found


def skipped_on_windows(test: ast.FunctionDef) -> bool:
    marked = any("mark.posix" in ast.unparse(decorator) for decorator in test.decorator_list)
    return marked or any(argument.arg == "bubblewrap" for argument in test.args.args)


def test_what_windows_lacks_is_used_in_marked_modules_only():
    asking = sources(rf"{PLACES.pattern}|link|fifo|{'|'.join(POSIX_MODULES.split())}|{ASKED}\.")
    unmarked = {name: source for name, source in asking.items() if f"\n{MARK}" not in source}
    found = {name: posix_only(s, name.startswith("tests/")) for name, s in unmarked.items()}
    assert not {name: used for name, used in found.items() if used}


@pytest.mark.parametrize(
    ("source", "tests", "found"),
    [
        ("import os\nos.kill(1, signal.SIGKILL)", False, True),
        ("import resource", False, True),
        ("import resource", True, True),
        (
            "try:\n    import resource\nexcept ModuleNotFoundError:\n    resource = None",
            False,
            False,
        ),
        ("if hasattr(os, 'geteuid') and os.geteuid() == 0:\n    pass", False, False),
        ("open('/proc/self/status')", False, True),
        ('"""Looks into /proc."""', False, False),
        ("def test_x(tmp_path):\n    (tmp_path / 'a').symlink_to(tmp_path)", True, True),
        ("@pytest.mark.posix\ndef test_x(tmp_path):\n    os.mkfifo(tmp_path / 'a')", True, False),
        ("def test_x(bubblewrap):\n    os.geteuid()", True, False),
    ],
)
def test_what_windows_lacks_is_noticed(source, tests, found):
    assert bool(posix_only(source, tests)) is found


# folders, in which a Mac or Windows leaves files of its own


def trusting(source: str) -> list[int]:
    """The lines on which every file of a folder is taken, whatever its name is."""
    found = []
    for node, name, _ in calls(tree_of(source)):
        first = getattr(node.args[0], "value", "") if node.args else ""
        everything = isinstance(first, str) and first.split("/")[-1].startswith("*")
        if name in ("iterdir", "listdir", "scandir") or (name in ("glob", "rglob") and everything):
            found.append(node.lineno)
    return found


def test_listings_leave_out_what_a_system_adds():
    """`[!.]*` in place of `*`; tests may list the folders that they have made themselves."""
    listing = {
        name: source
        for name, source in sources(r"iterdir|listdir|scandir|glob\(").items()
        if f"\n{MARK}" not in source
        and (not name.startswith("tests/") or name in ("tests/lanes.py", "tests/test_layout.py"))
    }
    assert not {name: lines for name, source in listing.items() if (lines := trusting(source))}


def test_files_of_a_system_are_not_committed():
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {".DS_Store", "Thumbs.db", "desktop.ini"} <= set(ignored)


def test_names_of_files_are_names_everywhere():
    """No two that differ in case alone, none that Windows keeps for itself or cannot write, none so
    long that a clone in a deep folder has no room for it.
    """
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    line = [
        "git",
        "-c",
        "core.quotepath=off",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(line, cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in listed.decode("utf-8").split("\0") if name]
    assert len({name.casefold() for name in names}) == len(names) > 100
    wrong = [name for name in names if not writable_everywhere(name)]
    assert not wrong


def writable_everywhere(name: str) -> bool:
    parts = name.split("/")
    return len(name) <= 100 and not any(
        re.search(r'[<>:"\\|?*\x00-\x1f]|[ .]$|[^\x00-\x7f]', part)
        or part.split(".")[0].casefold() in RESERVED
        for part in parts
    )


@pytest.mark.parametrize("name", ["a:b.py", "aux.py", "x/NUL", "dot.", "Ä.md", "a/" * 60, "what?"])
def test_a_name_that_is_none_everywhere_is_noticed(name):
    assert not writable_everywhere(name)


# output in few letters


def run_python(code: str, *words: str, **settings: str) -> subprocess.CompletedProcess:
    """A program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        check=False,
    )


def test_letters_that_an_output_lacks_do_not_end_a_program():
    """As in a pipe of Windows: `python mine.py > out.txt`."""
    code = "import gencourse; print('✗ ε − 李')"
    done = run_python(code, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stdout.split()) == (0, [b"?", b"?", b"?", b"?"]), done.stderr
    asked = run_python(code, PYTHONIOENCODING="cp1252:backslashreplace")
    assert rb"\u2717" in asked.stdout, "who has chosen keeps what was chosen"
    assert "✗".encode() in run_python(code, PYTHONIOENCODING="utf-8").stdout


@pytest.mark.slow
def test_a_verdict_needs_neither_a_console_nor_docstrings():
    """As under pythonw on Windows, and with PYTHONOPTIMIZE=2."""
    code = """
import os, sys
sys.stdout = sys.stderr = None
from gencourse.checks import vae as check
verdict = check.reparameterize(lambda mu, logvar, eps: mu + logvar.exp() * eps)
os.write(1, str(verdict).encode())
"""
    done = run_python(code, PYTHONOPTIMIZE="2", PYTHONDONTWRITEBYTECODE="1", GENCOURSE_STRICT="0")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert b"exp(logvar) is the variance" in done.stdout


@pytest.mark.slow
def test_verdicts_and_tables_are_printed_in_few_letters():
    code = """
import importlib, json, sys
from gencourse.checks import report
from gencourse.checks import vae as check
print(check.reparameterize(lambda mu, logvar, eps: mu + logvar.exp() * eps))
print(check.reparameterize.hint())
print(report(check, {}))
for name in sys.argv[1:]:
    stored = json.loads(open(f"benchmarks/results/{name}.json", encoding="utf-8").read())
    print(importlib.import_module(f"benchmarks.{name}").table(stored))
"""
    done = run_python(code, *PRINTED, PYTHONIOENCODING="cp1252", GENCOURSE_STRICT="0")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert (
        b"wrong" in done.stdout and b"exp(logvar)" in done.stdout and done.stdout.count(b"|") > 30
    )


# pretended systems


@pytest.mark.slow
@pytest.mark.parametrize("system", ["windows", "macos"])
def test_every_module_is_imported_on_a_pretended_system(system):
    code = """
import importlib, pkgutil, sys
from tests.pretended.platforms import pretend
import gencourse
pretend(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(gencourse.__path__, "gencourse.")]
for name in names:
    importlib.import_module(name)
print(len(names), sys.platform, "modules")
"""
    done = run_python(code, system)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    count, platform, _ = done.stdout.split()
    assert (
        int(count) > 150
        and platform == {b"windows": b"win32", b"macos": b"darwin"}[system.encode()]
    )


@pytest.mark.slow
def test_the_tests_are_collected_on_a_pretended_windows():
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.pretended.platforms",
        "--pretend",
        "windows",
    ]
    line += ["--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-3000:]


@pytest.fixture(scope="session")
def western(tmp_path_factory):
    """The settings of a process in a locale with the encoding cp1252, that of Western Windows."""
    folder = tmp_path_factory.mktemp("locales")
    line = ["localedef", "-i", "en_US", "-f", "CP1252", str(folder / "en_US.CP1252")]
    if shutil.which("localedef") is None or subprocess.run(line, capture_output=True).returncode:
        (pytest.fail if os.environ.get("GENCOURSE_CI") else pytest.skip)(
            "needs localedef and its sources, as the package `locales` has them"
        )
    settings = {"LOCPATH": str(folder), "LC_ALL": "en_US.CP1252", "PYTHONIOENCODING": ""}
    return settings | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("system", ["windows", "macos"])
@pytest.mark.parametrize("folder", ["exercises", "solutions"])
def test_notebooks_run_on_a_pretended_system(folder, system, western):
    """Every cell, in one process, on Windows in its locale."""
    settings = western if system == "windows" else {}
    done = subprocess.run(
        [sys.executable, "-m", "tests.pretended.notebooks", system, folder],
        cwd=ROOT,
        env={**os.environ, "GENCOURSE_STRICT": str(int(folder == "solutions")), **settings},
        capture_output=True,
        check=False,
    )
    said = (
        done.stdout.decode("utf-8", "replace")[-3000:]
        + done.stderr.decode("utf-8", "replace")[-3000:]
    )
    assert done.returncode == 0, said
    assert b"locale cp1252," in done.stdout.lower() or system == "macos"


@pytest.mark.slow
def test_files_that_a_system_leaves_in_folders_change_nothing(tmp_path):
    """The rules of the layout in a copy of the course in which each folder was opened in Finder."""
    line = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(line, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode("utf-8").split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    for folder in [p for p in tmp_path.rglob("[!.]*") if p.is_dir()]:
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
        for path in [p for p in folder.glob("[!.]*") if p.suffix in (".py", ".ipynb", ".json")]:
            (folder / f"._{path.name}").write_bytes(b"\0\5\26\7")  # as on a disk of another system
    line = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    line += ["tests/test_layout.py", "tests/test_build.py", "tests/test_parts.py"]
    line += ["-k", "not imports_run and not commit"]
    done = subprocess.run(
        line,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-4000:]
