"""Record the GAN lab's runs into gencourse/gan_lab/files/, or with --check only see whether a new
recording shows the same.

    uv run python -m authoring.record_gan_runs [--check] [NAME ...]

Another machine rounds otherwise, and a game magnifies it: --check asks for the same diagnosis, not
for the same bits.
"""

import argparse
import sys
import time
from dataclasses import replace

from gencourse.gan_lab.diagnosis import EXPECTED, diagnoses, symptoms
from gencourse.gan_lab.recording import FILES, SHIPPED, file_of, record, save
from gencourse.gan_lab.settings import Settings

FRAMES = 50  # after the first
RUNS = {  # name -> settings, rounds
    "ring": (Settings(lr=1e-3), 2000),
    "grid": (Settings(data="grid"), 4000),
    "two": (Settings(data="two", lr=1e-3), 600),
    "spiral": (Settings(data="spiral", lr=1e-3, penalty_weight=0.02), 1500),
    "collapse": (Settings(penalty="none", lr=1e-4, d_lr_ratio=50.0), 800),
    "discriminator wins": (
        Settings(
            loss="saturating", penalty="none", optimizer="SGD", lr=0.01, d_lr_ratio=40.0, d_steps=5
        ),
        400,
    ),
    "oscillation": (Settings(penalty="none", lr=5e-3, d_lr_ratio=0.2, g_steps=5), 800),
}
RUNS |= {  # those of the exercise: the same rules, other networks and data, all equally long
    "A": (replace(RUNS["oscillation"][0], seed=3), 1000),
    "B": (replace(RUNS["discriminator wins"][0], seed=3), 1000),
    "C": (Settings(seed=3), 1000),
    "D": (replace(RUNS["collapse"][0], seed=3), 1000),
}


def main() -> int:
    """Record the runs named, or all; 0 if each shows what it is recorded for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(RUNS)}; all if none is given"
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(RUNS):
        parser.error(f"NAME should be one of {', '.join(RUNS)}, got {', '.join(sorted(unknown))}")
    failed = [name for name in arguments.names or RUNS if not make(name, write=not arguments.check)]
    if arguments.check and not arguments.names and not is_cured():
        failed.append("collapse with R1")
    print(
        "not as expected: " + ", ".join(failed)
        if failed
        else "every run shows what it is recorded for"
    )
    return 1 if failed else 0


def make(name: str, write: bool) -> bool:
    """Record one run, print what it shows, and write it if it shows what it should."""
    settings, steps = RUNS[name]
    start = time.perf_counter()
    run = record(settings, steps, steps // FRAMES, SHIPPED.get(name, f"run {name}"))
    numbers, found = symptoms(run), diagnoses(run)
    print(
        f"{name}: {steps} rounds in {time.perf_counter() - start:.0f} s, {found}, {numbers}",
        flush=True,
    )
    if found == [EXPECTED[name]] and write:
        FILES.mkdir(exist_ok=True)
        save(replace(run, symptoms=numbers), file_of(name))
    return found == [EXPECTED[name]]


def is_cured() -> bool:
    """Whether R1 alone brings the collapsed game to all eight modes, as the lab says."""
    run = record(replace(RUNS["collapse"][0], penalty="R1", penalty_weight=0.1), 1000, 1000)
    print(f"collapse with R1: {run.frames[-1].scores.modes} modes after 1000 rounds")
    return run.frames[-1].scores.modes == 8


if __name__ == "__main__":
    sys.exit(main())
