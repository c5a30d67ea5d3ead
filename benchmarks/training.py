"""What `gencourse train` reaches on whole data sets in a minute, in ten, and in an hour.

    python -m benchmarks.training --mnist FOLDER --fashion FOLDER --text FILE --to FOLDER
        every model for a minute and for ten, one training after the other
    python -m benchmarks.training ... --only gpt --seconds 3600
        one of them, as long as that
    python -m benchmarks.training ... --beside-others
        where others use the machine: planned by processor time, trained in one thread
    python -m benchmarks.training --to FOLDER --collect
        train nothing, and take up what has come to its end
    python -m benchmarks.training --table-only
        the table in docs/training.md anew from the saved file

Each training is the command, in a process of its own, in a folder NAME-SECONDS below --to; stopped,
it goes on, and a finished one is read at once, so the same line may be given again. What is
measured replaces the row of the same model and seconds in the file of results, and leaves the
others. The settings are the recipes' own.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import torch

from benchmarks.readme import RESULTS, ROOT, markdown, origin, rewrite, save, stored
from gencourse.experiments import names
from gencourse.experiments.folder import Folder
from gencourse.experiments.plan import requested
from gencourse.experiments.planning import planned
from gencourse.experiments.recipe import recipe

OUT, PAGE = RESULTS / "training.json", ROOT / "docs" / "training.md"
DATA = {"wardrobe": "fashion", "gpt": "text"}  # the option with its files; --mnist for the others
NAMED = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "text": "tiny Shakespeare"}
# of each model the score by which it is judged, whether more of it is better, and digits
JUDGED = {
    "autoencoder": ("reconstruction", False, 1),
    "gan": ("frechet", False, 2),
    "gpt": ("nats", False, 3),
    "made": ("nats", False, 2),
    "pixelcnn": ("nats", False, 2),
    "vae": ("iwae_500", True, 2),
    "wardrobe": ("frechet", False, 2),
}
WORDS = {
    "reconstruction": "nats",
    "frechet": "Fréchet distance",
    "iwae_500": "IWAE-500, nats",
}
MEASURED_FOR = 150.0  # seconds of a training whose rate is that of longer ones
SPANS = {60: "1 minute", 600: "10 minutes", 3600: "1 hour"}


def command(name: str, data: Path, seconds: float, folder: Path) -> list[str]:
    """The words of `gencourse train` for a training."""
    return ["train", name, "--data", f"{data}", "--seconds", f"{seconds:g}", "--to", f"{folder}"]


def plan_beside_others(name: str, data: Path, seconds: float, folder: Path, threads: int) -> None:
    """Write the plan of a training that takes so many seconds of so many threads, by the processor
    time of one thread, which others on the machine do not change much.
    """
    torch.set_num_threads(1)
    chosen, request = recipe(name), requested(name, None, data, 0, None, seconds)
    short = replace(request, seconds=MEASURED_FOR)  # whose rate is measured in less time
    plan = planned(chosen, short, chosen.data(request.data), partial(shared_time, threads))
    steps = int(plan.steps * seconds / MEASURED_FOR)
    lr = chosen.training[request.scale].rate(steps)
    Folder(folder).write_plan(replace(plan, request=request, steps=steps, lr=lr))


def shared_time(threads: int) -> float:
    """The seconds that this process would have taken, had so many threads shared its work."""
    return time.process_time() / threads


def trained(words: list[str], folder: Path, threads: int) -> dict[str, float]:
    """Run the command to its end; the seconds that it took, by the clock and of processors, looks
    and scores included, all its goes together.
    """
    told = folder.with_suffix(".json")
    used = stored(told).get(told, {"real": 0.0, "cpu": 0.0})  # by goes before this one
    if Folder(folder).scores():
        return used
    before, line = dict(used), [sys.executable, "-m", "gencourse", *words]
    process = psutil.Popen(line, env={**os.environ, "OMP_NUM_THREADS": f"{threads}"})
    start = time.perf_counter()
    try:
        while process.poll() is None:
            time.sleep(0.5)
            times, passed = process.cpu_times(), time.perf_counter() - start
            used["cpu"] = round(before["cpu"] + times.user + times.system, 1)
            used["real"] = round(before["real"] + passed, 1)
            save(used, told)
    except psutil.NoSuchProcess:  # it ended between two looks
        pass
    except KeyboardInterrupt:  # it has got it too, and writes what there is
        process.wait()
    if process.wait():
        raise SystemExit(f"{' '.join(words)} was stopped. The same line goes on.")
    return used


def row(
    name: str, seconds: float, folder: Path, used: dict[str, float], threads: int, others: bool
) -> dict:
    """What a finished training shows, from its folder; real_seconds and cpu_seconds hold looks and
    scores too.
    """
    whole = Folder(folder)
    plan, content = whole.plan(), whole.scores()
    data = DATA.get(name, "mnist")
    sizes = {key: value for key, value in plan.settings.items() if isinstance(value, int | float)}
    return {
        "name": name,
        "seconds": seconds,
        "command": " ".join(["gencourse", *command(name, "PATH", seconds, "PATH")]),
        "data": NAMED[data],
        "machine": content["machine"],
        "threads": threads,
        "versions": content["versions"],
        "date": content["date"],
        "settings": {"batch_size": plan.batch_size, "lr": plan.lr, **sizes},
        "precision": plan.precision,
        "steps": plan.steps,
        "best_step": content["best_step"],
        "beside_others": others,
        "real_seconds": used["real"],
        "cpu_seconds": used["cpu"],
        "scores": {key: round(value, 4) for key, value in content["scores"].items()},
        "held_out": whole.rows(),
    }


def order(row: dict) -> tuple[int, float]:
    """Where a row stands: models in the order of the chapters, short trainings first."""
    chapters = ["autoencoder", "vae", "gan", "wardrobe", "made", "pixelcnn", "gpt"]
    return chapters.index(row["name"]), row["seconds"]


def merged(rows: list[dict], new: list[dict]) -> list[dict]:
    """The rows, those of the same model and seconds replaced."""
    kept = {(each["name"], each["seconds"]): each for each in [*rows, *new]}
    return sorted(kept.values(), key=order)


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    rows, spans = results["rows"], sorted({row["seconds"] for row in results["rows"]})
    header = ["model", "settings", "score on the test part"]
    header += [SPANS.get(span, f"{span:g} s") for span in spans]
    lines = []
    for name in dict.fromkeys(row["name"] for row in rows):
        of = {row["seconds"]: row for row in rows if row["name"] == name}
        score, high, digits = JUDGED[name]
        settings = next(iter(of.values()))["settings"]
        told = ", ".join(f"{key} {value:g}" for key, value in settings.items())
        words = f"{WORDS.get(score, score)}, {'higher' if high else 'lower'} is better"
        cells = [cell(of.get(span), score, digits) for span in spans]
        lines.append([f"`{name}` on {next(iter(of.values()))['data']}", told, words, *cells])
    where = dict.fromkeys(
        f"{row['machine']}, {row['precision']}, torch {row['versions']['torch']}, {row['date']}"
        for row in rows
    )
    below = (
        f"Whole data sets, one seed, {threads_told(rows)}; in brackets steps. "
        f"{'; '.join(where)}. "
        f"`{results['command']}`; the curves on held-out data and all scores stand in "
        "[its file](../benchmarks/results/training.json)."
    )
    return "\n\n".join(
        [markdown(header, lines, text_columns=3), below, *chosen_by(rows), *shared(rows)]
    )


def threads_told(rows: list[dict]) -> str:
    """Of how many threads the time is, and of which trainings it is of another number."""
    usual = statistics.mode(row["threads"] for row in rows)
    others = [
        f"`{row['name']}` for {SPANS.get(row['seconds'], row['seconds'])}: of {row['threads']}"
        for row in rows
        if row["threads"] != usual
    ]
    return f"time of {usual} threads" + (f" ({'; '.join(others)})" if others else "")


def cell(row: dict | None, score: str, digits: int) -> str:
    """A score and the steps; a dash where nothing was measured."""
    if row is None:
        return "—"
    number = f"{row['scores'][score]:.{digits}f}".replace("-", "−")
    recall = f", recall {row['scores']['recall']:.2f}" if "recall" in row["scores"] else ""
    return f"{number}{recall} ({row['steps']:,})"


def chosen_by(rows: list[dict]) -> list[str]:
    """A paragraph on the best values on held-out data, where they are of the score's kind."""
    best = []
    for row in rows:
        score, high, digits = JUDGED[row["name"]]
        values = [look[score] for look in row["held_out"] if score in look]
        if values:
            value = f"{(max if high else min)(values):.{digits}f}".replace("-", "−")
            best.append(f"`{row['name']}` for {SPANS.get(row['seconds'], row['seconds'])} {value}")
    if not best:
        return []
    return [
        f"On data held out of the training part, by which weights are chosen: {'; '.join(best)}."
    ]


def shared(rows: list[dict]) -> list[str]:
    """A paragraph on the trainings that had the machine not for themselves; none if there are
    none.
    """
    took = [
        f"`{row['name']}` for {SPANS.get(row['seconds'], row['seconds'])} "
        f"{row['real_seconds']:,.0f} and {row['cpu_seconds']:,.0f}"
        for row in rows
        if row["beside_others"]
    ]
    if not took:
        return []
    return [
        "These shared the machine with other work. Their steps are those that the stated threads "
        "would make in the time asked for, by the processor time of one thread, in which they were "
        "trained. Seconds by the clock and of the processor, looks and scores included: "
        f"{'; '.join(took)}."
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="What `gencourse train` reaches.")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="the idx files of MNIST")
    parser.add_argument("--fashion", type=Path, metavar="FOLDER", help="those of Fashion-MNIST")
    parser.add_argument("--text", type=Path, metavar="FILE", help="tiny Shakespeare")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="where trainings lie")
    parser.add_argument("--seconds", type=float, nargs="+", default=[60, 600])
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="NAME")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--beside-others",
        action="store_true",
        help="on a busy machine: plan for --threads by processor time, train in one thread",
    )
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file; results/training")
    parser.add_argument("--collect", action="store_true", help="train nothing, read what is there")
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    args = parser.parse_args()
    asked = [] if args.table_only else list(itertools.product(args.seconds, args.only))
    for seconds, name in asked:
        data, folder = getattr(args, DATA.get(name, "mnist")), args.to / f"{name}-{seconds:g}"
        if args.collect and not Folder(folder).scores():
            continue
        if args.beside_others and not Folder(folder).plan():
            plan_beside_others(name, data, seconds, folder, args.threads)
        threads = 1 if args.beside_others else args.threads
        used = trained(command(name, data, seconds, folder), folder, threads)
        new = row(name, seconds, folder, used, args.threads, args.beside_others)
        print(f"{name}, {seconds:g} s: {new['scores']}", flush=True)
        before = stored(args.out).get(args.out, {"rows": []})["rows"]
        save(origin() | {"rows": merged(before, [new])}, args.out)
    if args.out == OUT:
        rewrite("training", {path: table(of) for path, of in stored(OUT).items()}, PAGE)


if __name__ == "__main__":
    main()
