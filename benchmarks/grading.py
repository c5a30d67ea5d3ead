"""What grading a class costs: time, processor seconds, the box's share, memory; and whether a cluster that loses a worker agrees.

    python -m benchmarks.grading                                           save results/grading.json, table into benchmarks/README.md
    python -m benchmarks.grading --table-only                              make the table anew from the saved file
    python -m benchmarks.grading --box-only                                measure the box anew, keep the rest of the saved file
    python -m benchmarks.grading --submissions 4 --pairs 1 --plain 4 --out FILE    a small class, not published

The class hands in exercises/01_vae.ipynb: by turns solved, with three registered mistakes, half solved and unsolved. It
is graded by `gencourse grade` with two jobs, and again on a Dask cluster of two workers, one of which is killed midway.
Beyond the learner's own code: all processor seconds of the grading, less those that the same cells take in plain Python.
The box: the same submissions judged with bubblewrap and without, in turns, nothing remembered from one to the other.
"""

# POSIX: measures boxes, and kills one

import argparse
import contextlib
import copy
import dataclasses
import inspect
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import types
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.command import publish
from benchmarks.readme import RESULTS, ROOT, markdown, origin, provenance, spread, stored
from gencourse.checks import _exercise, catalogue
from gencourse.checks import vae as checks
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.gradebook.rows import Row
from gencourse.grading.handout import assignment as assignments
from gencourse.grading.judging import batch as run
from gencourse.grading.judging.judge import Job, judge
from gencourse.grading.sandbox.backends import ENVIRONMENT, Sandbox
from gencourse.grading.sandbox.limits import Limits
from gencourse.grading.submissions.collect import collect
from gencourse.grading.submissions.rebuild import rebuild

NAME = "01_vae"
KINDS = ("solved", "mistaken", "half", "unsolved")
SUBMISSIONS, PAIRS, PLAIN, WORKERS, MISTAKES = 100, 12, 8, 2, 3
OUT = RESULTS / "grading.json"
EXEC = """import json, sys
names = {"__name__": "__main__"}
for source in json.load(sys.stdin):
    try:
        exec(compile(source, "<cell>", "exec"), names)
    except Exception as error:
        print(type(error).__name__, file=sys.stderr)
"""


def mistakes() -> dict[str, list[str]]:
    """For each exercise the registered mistakes that need torch and math only, as a learner would have typed them."""
    found: dict[str, list[str]] = {}
    for exercise in catalogue(checks):
        for answer in (mistake.answer for mistake in exercise.mistakes):
            if isinstance(answer, types.FunctionType) and set(
                inspect.getclosurevars(answer).globals
            ) <= {"torch", "math", "nn"}:
                source = textwrap.dedent(inspect.getsource(answer))
                source = source[source.index(f"def {answer.__name__}(") :].rstrip()
                found.setdefault(exercise.name, []).append(
                    source.replace(answer.__name__, exercise.name, 1)
                )
    return found


def notebook(
    kind: str, seed: int, solved: dict, stubs: dict[str, list[str]], wrong: dict[str, list[str]]
) -> dict:
    """One submission: the solved notebook, some of its answers replaced."""
    draw, made = random.Random(seed), copy.deepcopy(solved)
    answers = [
        cell for cell in made["cells"] if cell["metadata"].get("nbgrader", {}).get("solution")
    ]
    ids = [cell["metadata"]["nbgrader"]["grade_id"] for cell in answers]
    if kind == "mistaken":
        replaced = {
            name: draw.choice(wrong[name])
            for name in draw.sample(sorted(set(ids) & set(wrong)), MISTAKES)
        }
    else:
        replaced = {
            name: stubs[name]
            for name in ids[{"solved": len(ids), "half": len(ids) // 2, "unsolved": 0}[kind] :]
        }
    for cell, name in zip(answers, ids, strict=True):
        cell["source"] = replaced.get(name, cell["source"])
    return made


def hand_in(folder: Path, count: int) -> None:
    """A class of so many submissions, kind after kind."""
    solved = json.loads((ROOT / "solutions" / f"{NAME}.ipynb").read_text("utf-8"))
    released = json.loads((ROOT / "exercises" / f"{NAME}.ipynb").read_text("utf-8"))
    stubs = {
        cell["metadata"]["nbgrader"]["grade_id"]: cell["source"]
        for cell in released["cells"]
        if "nbgrader" in cell["metadata"]
    }
    wrong = mistakes()
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        path = folder / f"{i:03}-{kind}" / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebook(kind, i, solved, stubs, wrong)), "utf-8")


def command(folder: Path, book: Path, *options: str) -> list[str]:
    """`gencourse grade` for the class."""
    place = [
        str(folder),
        "--assignment",
        str(ROOT / "exercises" / f"{NAME}.ipynb"),
        "--gradebook",
        str(book),
    ]
    return [
        sys.executable,
        "-m",
        "gencourse",
        "grade",
        *place,
        *(["--allow-root"] if os.geteuid() == 0 else []),
        *options,
    ]


def peak_mib(pid: int) -> float:
    """The most memory that a process has held so far; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def judges(pid: int) -> list[int]:
    """The processes of a grading that judge."""
    with contextlib.suppress(psutil.Error):
        return [
            child.pid
            for child in psutil.Process(pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        ]
    return []


def watched(line: list[str]) -> Iterator[subprocess.Popen]:
    """A command while it runs, looked at five times a second."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(line, stdout=said, stderr=said, cwd=ROOT) as process,
    ):
        while process.poll() is None:
            yield process
            time.sleep(0.2)
        said.seek(0)
        if process.returncode:
            raise RuntimeError(said.read().decode())


def used() -> float:
    """The processor seconds of the processes that this one has started and that have ended. Boxes are not among them."""
    times = os.times()
    return times.children_user + times.children_system


def boxed(book: Path) -> float:
    """The processor seconds of all boxes of a grading: nobody waits for what runs in one, so that `used` does not know them."""
    return sum(
        json.loads(path.read_text("utf-8"))["seconds"]["cpu"]
        for path in book.glob("results/[!.]*.json")
    )


def of_class(folder: Path, book: Path, jobs: int) -> dict:
    """Grade the class on this machine: seconds, processor seconds of all processes together, the most memory of each kind."""
    began, before, most = time.monotonic(), used(), {"main": 0.0, "judge": 0.0}
    for process in watched(command(folder, book, "--jobs", str(jobs))):
        most["main"] = max(most["main"], peak_mib(process.pid))
        most["judge"] = max([most["judge"], *map(peak_mib, judges(process.pid))])
    return {
        "wall": time.monotonic() - began,
        "cpu": used() - before + boxed(book),
        "peak_mib": most,
    }


def torch_mib() -> float:
    """What a process holds that has imported torch and the checks, and does nothing."""
    code = f"import torch, gencourse.checks.{NAME[3:]}\nprint(open('/proc/self/status').read())"
    text = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
    ).stdout
    return next(
        int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmRSS")
    )


def planned(folder: Path) -> list[Job]:
    """The jobs of the class, in the order of the students."""
    assignment = assignments.load(ROOT / "exercises" / f"{NAME}.ipynb")
    handed = collect(folder, [assignment])[assignment.name]
    seeds = run.seeds_of("a secret of the benchmark", assignment.name)
    return [run.job_of(one, assignment, Sandbox("bubblewrap"), Limits(), seeds) for one in handed]


def plain(job: Job) -> float:
    """The processor seconds of a submission's own cells in plain Python."""
    sources = [step.source for step in rebuild(job.assignment, job.submission.cells).steps]
    env = {**ENVIRONMENT, "HOME": tempfile.gettempdir(), "PYTHONPATH": str(ROOT)}
    before = used()
    subprocess.run(
        [sys.executable, "-P", "-c", EXEC],
        input=json.dumps(sources),
        text=True,
        encoding="utf-8",
        capture_output=True,
        check=True,
        env=env,
    )
    return used() - before


def plain_seconds(jobs: list[Job], count: int) -> dict[str, list[float]]:
    """The same for the first so many submissions, by kind."""
    taken: dict[str, list[float]] = {}
    for job in jobs[:count]:
        taken.setdefault(job.submission.student.split("-")[1], []).append(plain(job))
    return taken


def judged(job: Job, kind: str) -> tuple[float, float]:
    """(wall, processor seconds) of one judgement, the judge's own among them."""
    _exercise._known.cache_clear()  # what the second of a pair would find computed
    began, own = time.monotonic(), time.process_time()
    result = judge(dataclasses.replace(job, sandbox=Sandbox(kind)))
    if result.status != "graded":
        raise RuntimeError(result.reason)
    return time.monotonic() - began, time.process_time() - own + result.seconds["cpu"]


def of_box(jobs: list[Job]) -> dict:
    """What bubblewrap adds, as a share: over all of the submissions, and from one to the other."""
    judged(jobs[0], "bubblewrap"), judged(jobs[0], "none")  # what only the first calls pay
    seconds: dict[str, list[tuple[float, float]]] = {"bubblewrap": [], "none": []}
    for i, job in enumerate(jobs):
        for kind in (
            ("bubblewrap", "none") if (i + i // len(KINDS)) % 2 else ("none", "bubblewrap")
        ):  # each kind both ways round
            seconds[kind].append(judged(job, kind))
    added = {}
    for column, name in enumerate(("wall", "cpu")):
        held, bare = ([pair[column] for pair in seconds[kind]] for kind in ("bubblewrap", "none"))
        added[name] = round(sum(held) / sum(bare) - 1, 4)
        added[f"{name}_pairs"] = spread(a / b - 1 for a, b in zip(held, bare, strict=True))
    return {"pairs": len(jobs), **added}


def rows_of(book: Path) -> list[Row]:
    """What a gradebook says of the class, without the keys: its secret seeds, and so they, are its own."""
    return [dataclasses.replace(row, key="") for row in Gradebook(book).rows()]


def of_cluster(folder: Path, book: Path, expected: list) -> dict:
    """Grade the class on a Dask cluster of two workers; when half of it is done one worker is killed."""
    from distributed import LocalCluster

    count, began, killed = len(expected), time.monotonic(), False
    quiet = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, memory_limit=0, **quiet
    ) as cluster:
        for _ in watched(command(folder, book, "--cluster", cluster.scheduler_address)):
            if not killed and len(list(book.glob("results/[!.]*.json"))) >= count // 2:
                os.kill(next(iter(cluster.workers.values())).process.process.pid, signal.SIGKILL)
                killed = True
    return {
        "wall": round(time.monotonic() - began, 1),
        "worker_killed": killed,
        "same_table": rows_of(book) == expected,
    }


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    settings, of, box, cluster = (
        results["settings"],
        results["class"],
        results["box"],
        results["cluster"],
    )
    share = {name: f"{100 * box[name]:+.1f} %".replace("-", "−") for name in ("wall", "cpu")}
    memory = results["memory_mib"]
    rows = [
        ["submissions per minute, two at a time", f"{of['per_minute']:.1f}"],
        ["processor seconds for one, everything included", f"{of['cpu_each']:.1f}"],
        [
            "… beyond those of its cells in plain Python",
            f"{of['beyond_each']:.1f}".replace("-", "−"),
        ],
        ["the box adds, in time", share["wall"]],
        ["the box adds, in processor seconds", share["cpu"]],
        [
            "memory of the grader beyond torch's own, main process and judge",
            f"{memory['main']:.0f} and {memory['judge']:.0f} MiB",
        ],
        [
            "same table on a Dask cluster that loses a worker midway",
            "yes" if cluster["same_table"] and cluster["worker_killed"] else "**no**",
        ],
    ]
    below = (
        f"{settings['submissions']} submissions of `exercises/{NAME}.ipynb`, by turns {', '.join(settings['kinds'])}; {of['wall']:.0f} s in all. "
        f"A submission's cells take {of['plain_each']:.1f} processor seconds in plain Python, the import of torch included; "
        f"the box spares the import of torch's compiler, which every optimizer asks for. "
        f"The box is measured on {box['pairs']} submissions, with bubblewrap and without in turns{', by `' + box['command'] + '`' if 'command' in box else ''}. {provenance(results)}"
    )
    return "\n\n".join([markdown(["grading", "measured"], rows), below])


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    home = Path(tempfile.mkdtemp(prefix="gencourse-benchmark-"))
    try:
        hand_in(home / "in", args.submissions)
        jobs = planned(home / "in")
        if args.box_only:
            (saved,) = stored(OUT).values()
            return saved | {"box": of_box(jobs[: args.pairs]) | origin()}
        base, taken = torch_mib(), plain_seconds(jobs, args.plain)
        print("plain", {kind: spread(values) for kind, values in taken.items()}, flush=True)
        measured = of_class(home / "in", home / "book", WORKERS)
        print("class", measured, flush=True)
        rows = rows_of(home / "book")
        points = {
            kind: spread(row.points for row in rows if row.student.endswith(f"-{kind}"))
            for kind in taken
        }
        print("points", points, flush=True)
        box = of_box(jobs[: args.pairs])
        print("box", box, flush=True)
        cluster = of_cluster(home / "in", home / "cluster", rows)
        print("cluster", cluster, flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    count = len(jobs)
    own = sum(spread(taken[KINDS[i % len(KINDS)]])["mean"] for i in range(count)) / count
    return {
        "data": {"name": f"exercises/{NAME}.ipynb", "points": points},
        "settings": {
            "submissions": count,
            "kinds": KINDS,
            "mistakes": MISTAKES,
            "jobs": WORKERS,
            "root": os.geteuid() == 0,
        },
        "class": {
            "wall": round(measured["wall"], 1),
            "per_minute": round(60 * count / measured["wall"], 2),
            "cpu_each": round(measured["cpu"] / count, 2),
            "plain_each": round(own, 2),
            "beyond_each": round(measured["cpu"] / count - own, 2),
        },
        "plain": {kind: spread(values) for kind, values in taken.items()},
        "box": box,
        "memory_mib": {
            "torch": round(base),
            **{name: round(mib - base) for name, mib in measured["peak_mib"].items()},
        },
        "cluster": cluster,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What grading a class costs.")
    parser.add_argument("--submissions", type=int, default=SUBMISSIONS)
    parser.add_argument(
        "--pairs",
        type=int,
        default=PAIRS,
        help="submissions that are judged with and without the box",
    )
    parser.add_argument(
        "--plain",
        type=int,
        default=PLAIN,
        help="submissions whose cells are run in plain Python; at least one of each kind",
    )
    parser.add_argument("--threads", type=int, help="threads of torch; its own choice if not given")
    parser.add_argument("--out", type=Path, help=f"the JSON file; {OUT.name}")
    parser.add_argument(
        "--box-only",
        action="store_true",
        help="measure the box anew, keep the rest of the saved file",
    )
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, make the page's table anew"
    )
    args = parser.parse_args()
    if not min(len(KINDS), args.submissions) <= args.plain or args.submissions < 1:
        parser.error(
            f"--plain should be at least {min(len(KINDS), args.submissions)}, one of each kind."
        )
    if (args.submissions, args.pairs, args.plain) != (SUBMISSIONS, PAIRS, PLAIN) and not args.out:
        parser.error(
            "another class than the usual needs --out: the published file holds the whole comparison."
        )
    publish(args, "grading", compare, table, OUT, OUT)


if __name__ == "__main__":
    main()
