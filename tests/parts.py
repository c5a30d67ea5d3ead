"""The slow lane in parts, each run only if something that it depends on has changed since it was
last seen to pass.

    python -m tests.parts                run what has changed since the record, print the seconds of
    each part
    python -m tests.parts --all          run all parts
    python -m tests.parts WORD ...       of these, those whose names hold one of the words
    python -m tests.parts --list         only say which parts would run, and why
    python -m tests.parts --fingerprint  the fingerprints of all parts as they are now

benchmarks/results/slow_lane.json holds, for each part that has passed, a fingerprint of all that
the part depends on, and its seconds. Files are compared, not commits, so that a clone without
history decides in the same way. Whoever runs the parts gets the record written, and commits it with
the change; where CI=true the record is left alone.

A notebook at the default scale depends on its cells of code, on the modules that they import,
directly or through others (read from the syntax tree; where a package finds its modules at run
time, all of it), on files of data beside those and in their folders `files`, on its own chapter's
claims, and on the versions of what is installed. The other parts name folders.

As many parts run side by side as there are cores, each in one process with one thread; what a part
prints is shown when it ends.
"""

import argparse
import ast
import concurrent.futures
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benchmarks" / "results" / "slow_lane.json"
NOTHING_SELECTED = 5  # pytest's exit status
DEFAULT_SCALE = {"GENCOURSE_SCALE": "default", "OMP_NUM_THREADS": "1"}
NOT_OF_CHECKS = (
    "grading",
    "widgets",
    "gan_lab",
    "experiments",
    "figures.py",
    "claims",
    "cli.py",
    "teaching",
    "doctor",
    "__main__.py",
)
PRINTED = ("autoregressive_pixels", "autoregressive_speed", "data")  # tables of a slow test
GRADING = (
    *("grading", "cli.py", "teaching", "console.py", "files.py", "__main__.py"),
    *("runner.py", "harm.py", "stress.py", "probes"),
)


@dataclass(frozen=True)
class Part:
    """A name, the words after `pytest`, the files that decide the outcome, and what is set."""

    name: str
    words: tuple[str, ...]
    files: tuple[Path, ...]
    settings: dict[str, str] = field(default_factory=dict)

    def fingerprint(self) -> str:
        made = hashlib.sha256(installed())
        for path in sorted(set(self.files)):
            made.update(
                f"\0{path.relative_to(ROOT).as_posix()}\0".encode()
                + hashlib.sha256(content(path)).digest()
            )
        return made.hexdigest()[:16]


def parts() -> list[Part]:
    """All parts; the longest stands first."""
    named = [Part(name, (name,), tuple(depends_on(name)), DEFAULT_SCALE) for name in notebooks()]
    folder = "tests/grading"
    apart = {name: f"{folder}/test_{name}.py" for name in ("hostile", "cluster", "nbgrader")}
    without = [f"--ignore={path}" for path in apart.values()]
    grading = [*course(*GRADING), *below(folder)]
    checks = course(
        *(
            path.name
            for path in sorted((ROOT / "gencourse").iterdir())
            if path.name not in NOT_OF_CHECKS
        )
    )
    taught = [*grading, *checks, *below("authoring/exercises", "exercises", "solutions")]
    code = [path for path in below("gencourse") if not states_claims(path)]
    shown = below("notebooks", "exercises", "solutions")
    printed = [f"benchmarks/results/{name}.json" for name in PRINTED]
    whole = [*code, *shown, *below("tests", *programs("authoring"), *programs("benchmarks"))]
    single = {  # files of slow tests that take long
        "twenty seeds": ("tests/test_checks.py", [*checks, *below("tests/lanes.py")]),
        "mutants of right answers": (
            "tests/test_mutants.py",
            [*checks, *below("tests/mutants.py", "tests/data", "tests/lanes.py")],
        ),
        "solutions with other right answers": (
            "tests/test_carrying.py",
            [*code, *below("solutions", "tests/lanes.py")],
        ),
        "pretended devices": ("tests/test_device.py", [*code, *below("tests/pretended")]),
        "pretended platforms": ("tests/test_platforms.py", [*whole, *below(*printed)]),
        "sabotaged claims": ("tests/test_sabotage.py", below("gencourse", "authoring")),
    }
    elsewhere = [folder, "tests/test_default_scale.py", *(file for file, _ in single.values())]
    slow = ("-m", "slow")
    return [
        Part(
            "other slow tests",
            (*slow, "tests", *(f"--ignore={path}" for path in elsewhere)),
            tuple(whole),
        ),
        *named,
        *(
            Part(name, (*slow, file), tuple([*files, *below(file)]))
            for name, (file, files) in single.items()
        ),
        Part("hostile submissions", ("--slow", apart["hostile"]), tuple(grading)),
        Part(
            "grading: kills, memory, shards, another user",
            (*slow, folder, *without),
            tuple(grading),
        ),
        Part("grading: a cluster", (*slow, apart["cluster"]), tuple(grading)),
        Part("grading: nbgrader", (*slow, apart["nbgrader"]), tuple(taught)),
    ]


# what a part depends on


def notebooks() -> list[str]:
    """The notebooks that state numbers, or use answers, at the default scale."""
    return [
        p.relative_to(ROOT).as_posix()
        for folder in ("notebooks", "solutions")
        for p in sorted((ROOT / folder).glob("[0-9]*.ipynb"))
    ]


def below(*names: str) -> list[Path]:
    """The files in folders, and files themselves; names of which there are none are passed over."""
    found = [
        path
        for name in names
        for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
    ]
    return [
        path
        for path in found
        if path.is_file() and "__pycache__" not in path.parts and path != RECORD
    ]


def programs(folder: str) -> list[str]:
    """The modules in a folder, without what they have measured."""
    return [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).glob("*.py")]


def course(*names: str) -> list[Path]:
    return below(*(f"gencourse/{name}" for name in names))


def content(path: Path) -> bytes:
    """What counts of a file: all of it; of a notebook, its code."""
    return "\n\0".join(code(path)).encode() if path.suffix == ".ipynb" else path.read_bytes()


def code(notebook: Path) -> list[str]:
    """The cells of code; without the first, which says the edition and where the course lives."""
    sources = [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    return [source for source in sources if "\nEDITION, ADDRESS = " not in source]


def installed() -> bytes:
    """What decides which versions are installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    chosen = [
        project["project"].get("dependencies"),
        project["project"].get("optional-dependencies"),
        project["tool"].get("uv"),
    ]
    return json.dumps(chosen, sort_keys=True).encode() + (ROOT / "constraints.txt").read_bytes()


def depends_on(notebook: str) -> Iterable[Path]:
    """The notebook, the modules that it imports, also indirectly, and data files beside them."""
    cells = [re.sub(r"^\s*[%!].*", "pass", cell, flags=re.M) for cell in code(ROOT / notebook)]
    wanted, asked, files = (
        [name for cell in cells for name in imported(ast.parse(cell), "")],
        set(),
        {ROOT / notebook},
    )
    while wanted:
        if (name := wanted.pop()) not in asked:
            asked.add(name)
            found, further = resolved(name)
            files |= found
            wanted += further
    return {path for path in files if not of_another_chapter(path, notebook)}


def of_another_chapter(path: Path, notebook: str) -> bool:
    """Whether these are the claims of a chapter that the notebook is not of."""
    return states_claims(path) and path.stem != Path(notebook).stem


def states_claims(path: Path) -> bool:
    """Whether a file holds what a chapter's text states."""
    return path.parent.name == "claims" and path.suffix == ".toml"


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names of ours that are imported, or are attributes of `gencourse`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{origin_of(node, package)}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and (text := ast.unparse(node)).startswith(
            "gencourse."
        ):
            yield text


def origin_of(node: ast.ImportFrom, package: str) -> str:
    """What an import is from, in full: `..errors` in gencourse.models.vae is gencourse.errors."""
    words = package.split(".")
    return ".".join(
        [
            *(words[: len(words) + 1 - node.level] if node.level else []),
            *([node.module] if node.module else []),
        ]
    )


def resolved(name: str) -> tuple[set[Path], list[str]]:
    """The files that a dotted name stands for, and the names that these import in turn.

    A name that a package only passes on, `from gencourse.widgets.latent import latent_explorer`,
    leads to that one module. A package that is named itself leads to all that it imports; one that
    finds its modules at run time, to all that lie in it.
    """
    words, files, place = name.split("."), set(), ROOT
    if words[0] != "gencourse":
        return files, []
    for i, word in enumerate(words):
        place = place / word
        if place.with_suffix(".py").is_file():
            return files | {place.with_suffix(".py")}, imports_of(place.with_suffix(".py"))
        if not (place / "__init__.py").is_file():  # a name in the package above
            return files, passed_on(place.parent, word) if i > 1 else []
        files.add(place / "__init__.py")
        if i:
            files |= {p for p in [*place.iterdir(), *place.glob("files/*")] if is_data(p)}
    if len(words) == 1:
        return files, []
    everything = (
        set(below(name.replace(".", "/")))
        if finds_modules_itself(place)
        else {place / "__init__.py"}
    )
    return files | everything, [
        one for path in everything if path.suffix == ".py" for one in imports_of(path)
    ]


def passed_on(package: Path, name: str) -> list[str]:
    """Where a package has a name from; if it is the package's own, all that the package imports."""
    own = package_of(package / "__init__.py")
    for node in ast.walk(tree_of(package / "__init__.py")):
        if isinstance(node, ast.ImportFrom) and name in {
            alias.asname or alias.name for alias in node.names
        }:
            original = next(
                alias.name for alias in node.names if name == (alias.asname or alias.name)
            )
            return [f"{origin_of(node, own)}.{original}"]
    return [own] if finds_modules_itself(package) else imports_of(package / "__init__.py")


@functools.cache
def tree_of(path: Path) -> ast.AST:
    return ast.parse(path.read_text("utf-8"))


def imports_of(path: Path) -> list[str]:
    return list(imported(tree_of(path), package_of(path)))


def finds_modules_itself(package: Path) -> bool:
    """Whether a syntax tree does not tell what an import of the package brings."""
    text = (package / "__init__.py").read_text("utf-8")
    return bool(re.search(r"\bimportlib\b|\bpkgutil\b|__getattr__|__import__", text))


def is_data(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".py", ".pyc")


def package_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).parent.parts)


# running them


def passed() -> dict[str, dict]:
    """The record: part -> fingerprint and seconds."""
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


@dataclass(frozen=True)
class Outcome:
    """Of a part that has run: what it depended on then, whether it passed, what it printed."""

    part: Part
    fingerprint: str
    passed: bool
    seconds: float
    printed: str


def run(part: Part) -> Outcome:
    """Run it in one process."""
    began, mark = time.monotonic(), part.fingerprint()
    line = [sys.executable, "-m", "pytest", "-n", "1", *part.words]
    done = subprocess.run(
        line,
        cwd=ROOT,
        env={**os.environ, **part.settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    passed = done.returncode in (0, NOTHING_SELECTED)
    return Outcome(part, mark, passed, time.monotonic() - began, done.stdout)


def longest_first(chosen: list[Part], known: dict[str, dict]) -> list[Part]:
    """By the seconds on record; what has none begins, so that no long part is left to the end."""
    return sorted(chosen, key=lambda part: -known.get(part.name, {}).get("seconds", float("inf")))


def side_by_side(chosen: list[Part]) -> Iterator[Outcome]:
    """Run parts, as many at a time as there are cores; each comes when it has ended."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as lanes:
        for ended in concurrent.futures.as_completed([lanes.submit(run, part) for part in chosen]):
            yield ended.result()


def keep(known: dict[str, dict], ended: Outcome) -> None:
    """Write into the record that a part has passed."""
    known[ended.part.name] = {"fingerprint": ended.fingerprint, "seconds": round(ended.seconds)}
    text = json.dumps(dict(sorted(known.items())), indent=2, ensure_ascii=False)
    RECORD.write_text(text + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("all", "list", "fingerprint"):
        parser.add_argument(f"--{option}", action="store_true")
    parser.add_argument("words", nargs="*")
    asked = parser.parse_args()
    known = passed()
    chosen = [p for p in parts() if not asked.words or any(w in p.name for w in asked.words)]
    if asked.fingerprint:
        print("\n".join(f"{part.fingerprint()} {part.name}" for part in chosen))
        return
    due = [
        part
        for part in chosen
        if asked.all or known.get(part.name, {}).get("fingerprint") != part.fingerprint()
    ]
    if asked.list:
        print("\n".join(f"{'due' if p in due else 'as recorded'} {p.name}" for p in chosen))
        return
    table = [f"      - s  {part.name}: as recorded" for part in chosen if part not in due]
    failed = False
    for ended in side_by_side(longest_first(due, known)):
        print(f"== slow lane: {ended.part.name}\n{ended.printed}", flush=True)
        mark = "" if ended.passed else "  FAILED"
        table.append(f"{ended.seconds:7.0f} s  {ended.part.name}{mark}")
        failed = failed or not ended.passed
        if ended.passed and os.environ.get("CI") != "true":
            keep(known, ended)
    print("\n".join(table))
    sys.exit(failed)


if __name__ == "__main__":
    main()
