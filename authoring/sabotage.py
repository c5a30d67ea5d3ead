"""Does a claim fail when something that it rests on is wrong?

    python -m authoring.sabotage 02_gan               all claims of a chapter
    python -m authoring.sabotage 02_gan ring_modes    some of them
    python -m authoring.sabotage --quick              those for which nothing is trained, of all
    python -m authoring.sabotage --record 02_gan      also kept in benchmarks/results/sabotage.json

To move the number itself would show nothing, for every tolerance notices that. So each entry of
gencourse/claims/ names one change upstream: `sabotage = [text, other text]`, where the text occurs
once in the cells that the claim needs, or `untrained = true`, where no optimizer moves anything.
These cells run as they are, and the claim has to hold; then again from the change on, in a copy of
the process, and the claim has to fail. An error in its place counts as a fault of the sabotage.
Whatever its sabotage, the table also shows what a claim about something trained is untrained.
"""

# POSIX: a copy of the process is a fork

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from authoring import runs
from authoring.slices import Cell, cells_of, needed, training
from gencourse import claims
from gencourse.claims import Stated

RECORD = Path(__file__).parents[1] / "benchmarks/results/sabotage.json"
UNTRAINED = "untrained"
Change = tuple[str, str] | str


@dataclass
class Row:
    """A claim: what the text states, its value, its value under sabotage, and what is wrong."""

    claim: str
    stated: str
    change: str
    value: float
    sabotaged: float
    untrained: float | None  # its value where nothing learns; None where nothing is trained
    fails_untrained: bool | None
    seconds: float  # of the cells that it needs, as they are
    sabotaged_seconds: float
    fault: str  # "" for a claim that holds, and fails under its sabotage

    def __str__(self) -> str:
        untrained = "" if self.untrained is None else f"{self.untrained:.4g}"
        return LINE.format(
            *(self.claim, f"{self.value:.4g}", f"{self.sabotaged:.4g}"),
            untrained + ("" if self.fails_untrained in (True, None) else " holds"),
            *(self.stated, f"{self.seconds:.1f}", f"{self.sabotaged_seconds:.1f}"),
            self.fault or self.change.replace("\n", " "),
        )


@dataclass
class Trial:
    """What was claimed in a changed copy of the process, its seconds, the error that ended it."""

    outcomes: dict[str, runs.Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""


LINE = "{:24} {:>10} {:>10} {:>15}  {:26} {:>6} {:>6}  {}"
HEADER = LINE.format(
    *("claim", "value", "sabotaged", "untrained", "it should be", "s", "s", "the change")
)


def change_of(entry: Stated) -> Change | None:
    return UNTRAINED if entry.untrained else entry.sabotage


def quick(cells: Sequence[Cell], names: Sequence[str]) -> list[str]:
    """The claims for which nothing is trained."""
    return [name for name in names if not training(cells, needed(cells, [name]))]


def place_of(cells: Sequence[Cell], slice_: Sequence[int], change: Change) -> tuple[int, str]:
    """The first cell that a change concerns, and what is wrong with the change."""
    if change == UNTRAINED:
        trained = training(cells, slice_)
        return (trained[0], "") if trained else (-1, "nothing is trained")
    text, other = tuple(change)
    times = {i: cells[i].source.count(text) for i in slice_}
    if sum(times.values()) != 1 or text == other:
        return -1, f"{text!r} occurs {sum(times.values())} times in the cells, not once"
    return max(times, key=lambda i: times[i]), ""


def learn_nothing() -> None:
    """From here on no optimizer of this process moves anything."""
    waiting = [torch.optim.Optimizer]
    while waiting:
        kind = waiting.pop()
        kind.step = lambda self, closure=None: None  # type: ignore[assignment]
        waiting += kind.__subclasses__()


def perform(run: runs.Run, cells: Sequence[Cell], order: Sequence[int], change: Change) -> None:
    """The cells of `order`, the first of which is changed, after what has run already."""
    run.outcomes, run.seconds = {}, {}
    if change == UNTRAINED:
        learn_nothing()
    for number in order:
        source = cells[number].source
        if change != UNTRAINED and number == order[0]:
            source = source.replace(*change)
        run.cell(number, source)


def in_a_copy(run: runs.Run, work: Callable[[], None]) -> Trial:
    """What is claimed in `run` by `work`, in a copy of this process."""

    def report(pipe: Connection) -> None:
        error = ""
        try:
            work()
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}".split("\n")[0]
        pipe.send((run.outcomes, error))

    began = time.perf_counter()
    here, there = multiprocessing.Pipe(duplex=False)
    copy = multiprocessing.get_context("fork").Process(target=report, args=(there,))
    copy.start()
    there.close()
    try:
        outcomes, error = here.recv()
    except EOFError:
        outcomes, error = {}, "the process ended"
    copy.join()
    return Trial(outcomes, time.perf_counter() - began, error)


def tried(cells: Sequence[Cell], entries: dict[str, Stated], names: Sequence[str]) -> list[Row]:
    """The claims of these names, as they are and under sabotage; trainings that several need run
    once. What a claim about something trained is without any training is measured in any case.
    """
    trained = [n for n in names if n not in quick(cells, names)]
    groups: dict[Change, list[str]] = {UNTRAINED: trained} if trained else {}
    for name in names:
        change = change_of(entries[name])
        if change is not None and name not in groups.setdefault(change, []):
            groups[change].append(name)
    found: dict[Change, Trial] = {}
    due: dict[int, list[Change]] = {}
    for change, group in groups.items():
        place, fault = place_of(cells, needed(cells, group), change)
        found[change] = Trial(error=fault)
        if not fault:
            due.setdefault(place, []).append(change)
    run = runs.Run()
    for number in needed(cells, names):
        for change in due.get(number, ()):
            order = [i for i in needed(cells, groups[change]) if i >= number]
            found[change] = in_a_copy(run, partial(perform, run, cells, order, change))
        run.cell(number, cells[number].source)
    return [row(name, entries[name], run, found, cells) for name in names]


def row(
    name: str,
    entry: Stated,
    run: runs.Run,
    found: dict[Change, Trial],
    cells: Sequence[Cell],
) -> Row:
    plain, change = run.outcomes[name], change_of(entry)
    trial = found[change] if change is not None else Trial(error="no sabotage is written")
    under = trial.outcomes.get(name, runs.Outcome(error=trial.error or "not claimed"))
    untrained = found.get(UNTRAINED, Trial()).outcomes.get(name)
    fault = under.error and f"FAULTY SABOTAGE: {under.error}"
    fault = fault or ("SURVIVES its sabotage" if under.held else "")
    return Row(
        claim=name,
        stated=str(entry),
        change=change if isinstance(change, str) else " → ".join(change or ()),
        value=plain.value,
        sabotaged=under.value,
        untrained=untrained.value if untrained else None,
        fails_untrained=not untrained.held if untrained else None,
        seconds=sum(run.seconds[i] for i in needed(cells, [name])),
        sabotaged_seconds=trial.seconds,
        fault=fault if plain.held else "DOES NOT HOLD as it is",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="a chapter, and claims of it; else all chapters")
    parser.add_argument("--quick", action="store_true", help="claims for which nothing is trained")
    parser.add_argument("--record", action="store_true", help=f"keep the table in {RECORD.name}")
    asked = parser.parse_args()
    runs.settle()
    faults = 0
    for chapter in asked.names[:1] or claims.chapters():
        cells, entries = cells_of(chapter), claims.stated(chapter)
        chosen = asked.names[1:] or list(entries)
        if unknown := set(chosen) - entries.keys():
            parser.error(f"claims should be of {chapter}, got {', '.join(sorted(unknown))}")
        rows = tried(cells, entries, quick(cells, chosen) if asked.quick else chosen)
        print(f"{chapter}\n{HEADER}", *rows, sep="\n", flush=True)
        faults += sum(bool(one.fault) for one in rows)
        if asked.record:
            kept = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
            table = kept.get(chapter, {}) | {one.claim: asdict(one) for one in rows}
            kept[chapter] = {name: row for name, row in table.items() if name in entries}
            RECORD.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.exit(f"{faults} claims are at fault" if faults else 0)


if __name__ == "__main__":
    main()
