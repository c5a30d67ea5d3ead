"""The tables of README.md that are made, not typed: the chapters, and what is known about the
checks.
"""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

# the benchmarks' way of putting tables into README.md
from benchmarks.readme import (
    markdown,
    replaced,
)
from gencourse.checks import Exercise, catalogue

ROOT = Path(__file__).parents[1]


def sources() -> list[Path]:
    """The sources of the chapters, in order."""
    return sorted((ROOT / "authoring" / "chapters").glob("[0-9]*.py"))


def checks_of(source: Path) -> ModuleType:
    """The module of checks of a source or a notebook: 01_vae -> gencourse.checks.vae."""
    return importlib.import_module("gencourse.checks." + source.stem.split("_", 1)[1])


def exercises(source: Path) -> list[Exercise]:
    """The exercises of a chapter."""
    return catalogue(checks_of(source))


def chapters() -> str:
    """One row per chapter: its notebooks, how long they run, how long its exercises take."""
    runtime = json.loads((ROOT / "benchmarks/results/runtime.json").read_text("utf-8"))
    rows = []
    for source in sources():
        title = re.search(r"^# # (.+)$", source.read_text("utf-8"), re.M)[1]
        file = f"{source.stem}.ipynb"
        seconds = runtime["seconds"].get(f"notebooks/{file}")
        run = "not measured" if seconds is None else f"{seconds} s"
        known = exercises(source)
        links = [
            f"[{folder}]({folder}/{file})" for folder in ("notebooks", "exercises", "solutions")
        ]
        work = (
            f"{len(known)} exercises, about {sum(e.minutes for e in known)} minutes, "
            f"{sum(e.points for e in known)} points"
        )
        rows.append([title, *links, run, work])
    header = [
        "chapter",
        "notebook",
        "exercises",
        "solutions",
        f"runs on {runtime['cores']} CPU cores in",
        "work",
    ]
    below = f"Seconds on {runtime['cpu']}."
    return "\n\n".join([markdown(header, rows, text_columns=len(header)), below])


def checks() -> str:
    """How many mistakes and right forms are registered for each chapter."""
    rows = []
    for source in sources():
        known = exercises(source)
        mistakes, right = (
            sum(len(e.mistakes) for e in known),
            sum(1 + len(e.right_forms) for e in known),
        )
        rows.append([source.stem, str(len(known)), str(mistakes), str(right)])
    return markdown(
        [
            "chapter",
            "exercises",
            "registered mistakes, each with its own hint",
            "different right answers that pass",
        ],
        rows,
    )


def made(text: str) -> str:
    """README.md with its generated tables."""
    return replaced(replaced(text, "chapters", chapters()), "checks", checks())
