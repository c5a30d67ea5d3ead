"""From measurement to page: what a file of results holds, and the tables that are made from it.

A benchmark saves one JSON file per table: command, date, hardware, data, settings, rows. In
benchmarks/README.md the place of a table lies between `<!-- results:NAME -->` and
`<!-- /results:NAME -->`, and nothing between them is typed by hand.
"""

# POSIX: the processor's name, where /proc tells it

import json
import os
import re
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import torch

from gencourse.experiments.datasheet import processor
from gencourse.runtime import bfloat16_is_faster, pick_device

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "benchmarks" / "README.md"


def origin() -> dict:
    """What every file of results begins with: the command, the date, the hardware; no path and no
    host name.
    """
    words = [re.sub(r"[^=]*/[^=]*", "PATH", word) for word in sys.argv[1:]]
    command = " ".join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *words])
    return {
        "command": command,
        "date": date.today().isoformat(),
        "hardware": hardware(pick_device()),
    }


def hardware(device: torch.device) -> dict:
    """The machine, as far as it bears on speed."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "bfloat16": bfloat16_is_faster(device),
    }


def spread(values: Iterable[float]) -> dict[str, float]:
    """{"mean", "min", "max"} of some repetitions, to three decimals."""
    values = list(values)
    return {
        "mean": round(sum(values) / len(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def show(of: dict[str, float], digits: int) -> str:
    """A spread for the reader: "mean (min … max)", thousands with commas, a true minus sign; "mean"
    if it is one number.
    """
    mean, low, high = (f"{of[key]:,.{digits}f}".replace("-", "−") for key in ("mean", "min", "max"))
    return mean if low == high else f"{mean} ({low} … {high})"


def save(results: dict, path: Path) -> None:
    """Write results as JSON, made to be read and compared line by line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def markdown(header: list[str], rows: list[list[str]], text_columns: int = 1) -> str:
    """A table in markdown; the first `text_columns` are set left, the others, numbers, right."""
    rule = ["---" if i < text_columns else "---:" for i in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def provenance(results: dict) -> str:
    """One sentence: on what, when and how the numbers were measured."""
    machine = results["hardware"]
    where = machine["cpu"] if machine["device"] == "cpu" else machine["device"]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    return (
        f"{where}, {threads}, torch {machine['torch']}; {results['date']}; `{results['command']}`."
    )


def replaced(text: str, name: str, body: str) -> str:
    """`text` with `body` between its markers `results:NAME`; ValueError if it has none."""
    marked = re.compile(rf"(<!-- results:{name} -->\n).*?(<!-- /results:{name} -->)", re.DOTALL)
    if not marked.search(text):
        raise ValueError(
            f"replaced: text should have the markers <!-- results:{name} -->, got none. Put them "
            "where the table belongs."
        )
    return marked.sub(lambda found: f"{found[1]}\n{body}\n\n{found[2]}", text)


def rewrite(name: str, tables: dict[Path, str], page: Path = PAGE) -> None:
    """Put the tables, keyed by the files that they come from, between the page's markers
    `results:NAME`.
    """
    if tables:
        text = replaced(page.read_text(encoding="utf-8"), name, "\n\n".join(tables.values()))
        page.write_text(text, encoding="utf-8", newline="\n")
        where, files = page.relative_to(ROOT).as_posix(), ", ".join(path.name for path in tables)
        print(f"{where}: {name} is made from {files}.")


def stored(*paths: Path) -> dict[Path, dict]:
    """The results that exist among these files."""
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()}
