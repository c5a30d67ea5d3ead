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
from gencourse.gan_lab.shapes import SHAPES
from gencourse.gan_lab.story import CHANGES

FRAMES, FEWER = 50, 40  # after the first; of the exercise's runs
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
SMALL = Settings(hidden=64, batch_size=128, seed=5)
RUNS |= {  # those of the exercise: other data and rules than those that the chapter shows
    "A": (replace(SMALL, data="two", d_lr_ratio=0.05), 800),
    "B": (
        replace(
            SMALL,
            data="drawn",
            cells=SHAPES["smile"],
            penalty_weight=100.0,
            optimizer="SGD",
            lr=0.005,
            d_lr_ratio=1.0,
        ),
        400,
    ),
    "C": (replace(SMALL, data="drawn", cells=SHAPES["cross"], penalty_weight=10.0), 800),
    "D": (replace(SMALL, data="spiral", penalty="none", lr=1e-4, d_lr_ratio=50.0), 600),
    "E": (
        replace(
            RUNS["discriminator wins"][0],
            data="drawn",
            cells=SHAPES["two squares"],
            seed=5,
            hidden=64,
            batch_size=128,
        ),
        200,
    ),
    "F": (replace(SMALL, data="two", noise="normal 1-D", lr=1e-3), 400),
}


CURES = {  # failed run -> the change that mends it, and how many modes it reaches at least
    "collapse": ("R1 with weight 0.1", 7),
    "discriminator wins": ("the non-saturating loss", 2),
    "oscillation": ("both of these", 6),
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
    if arguments.check and not arguments.names:
        failed += [name for name in CURES if not is_cured(name)]
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
    frames = FRAMES if name in SHIPPED else FEWER
    run = record(settings, steps, steps // frames, SHIPPED.get(name, f"run {name}"))
    numbers, found = symptoms(run), diagnoses(run)
    print(
        f"{name}: {steps} rounds in {time.perf_counter() - start:.0f} s, {found}, {numbers}",
        flush=True,
    )
    right = tuple(found) == EXPECTED[name]
    if right and write:
        FILES.mkdir(exist_ok=True)
        save(replace(run, symptoms=numbers), file_of(name))
    return right


def is_cured(name: str) -> bool:
    """Whether the one change that the lab offers for a failed run brings it to more modes."""
    change, least = CURES[name]
    settings, steps = RUNS[name]
    run = record(replace(settings, **CHANGES[name][change]), steps, steps)
    modes = run.frames[-1].scores.modes
    print(f"{name}, with {change}: {modes} modes after {steps} rounds")
    return modes >= least


if __name__ == "__main__":
    sys.exit(main())
