"""The tables that are made, not typed: in README.md the chapters and how they compare, in
benchmarks/README.md what is known about the checks.
"""

import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

# the benchmarks' way of putting tables into a page
from benchmarks.readme import RESULTS, markdown, replaced
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
        run = "not measured" if seconds is None else f"{seconds / 60:.1f} minutes"
        known = exercises(source)
        work = (
            f"[{len(known)} exercises](exercises/{file}), about {sum(e.minutes for e in known)} "
            f"minutes, {sum(e.points for e in known)} points"
        )
        solutions = f"[solutions](solutions/{file})"
        rows.append([f"[{title}](notebooks/{file})", run, work, solutions])
    header = ["chapter", f"runs on {runtime['cores']} CPU cores in", "work", "answers"]
    return markdown(header, rows, text_columns=len(header))


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


@dataclass(frozen=True)
class Line:
    """A file of results, what is compared, by which number and its digits, and the two rows."""

    file: str
    what: str
    key: str
    digits: int
    reading: str
    ours: str = "gencourse"
    usual: str = "tutorial"

    def cells(self) -> list[str]:
        """The row of the table."""
        results = json.loads((RESULTS / f"{self.file}.json").read_text("utf-8"))
        found = {row["name"]: row[self.key] for row in results["rows"] if self.key in row}
        ours, usual = (self.number(found[who]) for who in (self.ours, self.usual))
        seconds = results.get("settings", results)["seconds"]
        return [self.what, f"{seconds:g} s", self.reading, f"**{ours}**", usual]

    def number(self, value: float | dict[str, float]) -> str:
        """A value, or the mean of several seeds."""
        mean = value["mean"] if isinstance(value, dict) else value
        return f"{mean:.{self.digits}f}".replace("-", "−")


DISTANCE = "Fréchet distance; lower is better"
LINES = (
    Line(
        "vae", "1 · VAE on MNIST", "iwae", 1, "nats per test image, a lower bound; higher is better"
    ),
    Line("gan", "2 · GAN on Fashion-MNIST", "frechet", 1, DISTANCE),
    Line(
        "autoregressive_text",
        "3 · GPT on Shakespeare",
        "nats",
        2,
        "nats per letter; lower is better",
    ),
    Line(
        "diffusion_mnist",
        "4 · Diffusion on MNIST",
        "frechet",
        1,
        DISTANCE,
        "diffusion of codes",
        "smalldiffusion",
    ),
)


def compared() -> str:
    """One line per chapter: what the course's model reaches, and what the usual way does in the
    same time.
    """
    header = ["chapter", "training", "measure", "this course", "the usual way"]
    return markdown(header, [line.cells() for line in LINES], text_columns=3)


def made() -> dict[Path, str]:
    """The pages with their generated tables."""
    tables = {
        "README.md": {"chapters": chapters(), "compared": compared()},
        "benchmarks/README.md": {"checks": checks()},
    }
    pages = {}
    for name, bodies in tables.items():
        pages[ROOT / name] = (ROOT / name).read_text("utf-8")
        for marker, body in bodies.items():
            pages[ROOT / name] = replaced(pages[ROOT / name], marker, body)
    return pages
