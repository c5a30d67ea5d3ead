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
"""

# POSIX: a copy of the process is a fork

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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
    seconds: float  # of the cells that it needs, as they are
    sabotaged_seconds: float
    fault: str  # "" for a claim that holds, and fails under its sabotage

    def __str__(self) -> str:
        return (
            f"{self.claim:24} {self.value:10.4g} {self.sabotaged:10.4g}  {self.stated:28} "
            f"{self.seconds:6.1f} {self.sabotaged_seconds:6.1f}  {self.fault or self.change}"
        )


WORDS = ("claim", "value", "sabotaged", "it should be", "s", "s", "the change")
HEADER = "{:24} {:>10} {:>10}  {:28} {:>6} {:>6}  {}".format(*WORDS)


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
    text, other = change
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


def sabotaged(
    run: runs.Run, cells: Sequence[Cell], order: Sequence[int], change: Change
) -> runs.Run:
    """The cells of `order`, the first of which is changed, after what has run already."""
    run.outcomes, run.seconds = {}, {}
    if change == UNTRAINED:
        learn_nothing()
    for number in order:
        source = cells[number].source
        if change != UNTRAINED and number == order[0]:
            source = source.replace(*change)
        run.cell(number, source)
    return run


def in_a_copy(work: Callable[[], runs.Run]) -> tuple[dict[str, runs.Outcome], float, str]:
    """What is claimed by `work` in a copy of this process, its seconds, and its error."""

    def report(pipe: Connection) -> None:
        done, error = None, ""
        try:
            done = work()
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}".split("\n")[0]
        pipe.send((done.outcomes if done else {}, error))

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
    return outcomes, time.perf_counter() - began, error


def tried(cells: Sequence[Cell], entries: dict[str, Stated], names: Sequence[str]) -> list[Row]:
    """The claims of these names, as they are and under sabotage; trainings that several need run
    once.
    """
    groups: dict[Change | None, list[str]] = {}
    for name in names:
        groups.setdefault(change_of(entries[name]), []).append(name)
    due: dict[int, list[Change]] = {}
    under: dict[str, runs.Outcome] = {}
    seconds: dict[str, float] = {}
    for change, group in groups.items():
        if change is None:
            under |= {name: runs.Outcome(error="no sabotage is written") for name in group}
            continue
        place, fault = place_of(cells, needed(cells, group), change)
        if fault:
            under |= {name: runs.Outcome(error=fault) for name in group}
        else:
            due.setdefault(place, []).append(change)
    run = runs.Run()
    for number in needed(cells, names):
        for change in due.get(number, ()):
            group = groups[change]
            order = [i for i in needed(cells, group) if i >= number]
            found, spent, error = in_a_copy(lambda o=order, c=change: sabotaged(run, cells, o, c))
            lost = runs.Outcome(error=error or "not claimed")
            under |= {name: found.get(name, lost) for name in group}
            seconds |= {name: spent for name in group}
        run.cell(number, cells[number].source)
    return [row(name, entries[name], run, under[name], cells, seconds) for name in names]


def row(
    name: str,
    entry: Stated,
    run: runs.Run,
    under: runs.Outcome,
    cells: Sequence[Cell],
    seconds: dict[str, float],
) -> Row:
    plain, change = run.outcomes[name], change_of(entry)
    fault = under.error and f"FAULTY SABOTAGE: {under.error}"
    fault = fault or ("SURVIVES its sabotage" if under.held else "")
    fault = "DOES NOT HOLD as it is" if not plain.held else fault
    said = change if isinstance(change, str) else " → ".join(change or ())
    spent = sum(run.seconds[i] for i in needed(cells, [name]))
    return Row(
        name, str(entry), said, plain.value, under.value, spent, seconds.get(name, 0.0), fault
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
            kept.setdefault(chapter, {}).update({one.claim: asdict(one) for one in rows})
            RECORD.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.exit(f"{faults} claims are at fault" if faults else 0)


if __name__ == "__main__":
    main()
