"""Do the claims of a chapter hold with other random numbers, and with another number of threads?

    python -m authoring.robust 02_gan              seeds 0, 1, 2, each with one and with two threads
    python -m authoring.robust 02_gan --seeds 5    seed 5 alone
    python -m authoring.robust                     all chapters, one after another

All cells that a claim needs are run anew for each, at the default scale. A claim that does not hold
everywhere has too narrow a `within`, or its sentence is true of one run only.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict

from authoring import runs
from authoring.slices import cells_of, needed
from gencourse import claims

Case = tuple[int, int]  # GENCOURSE_SEED, threads


def outcomes(chapter: str, case: Case) -> dict[str, dict]:
    """What the claims of a chapter are made of with this seed and these threads, in a process of
    its own.
    """
    seed, threads = case
    settings = {"GENCOURSE_SEED": str(seed), "OMP_NUM_THREADS": str(threads)}
    line = [sys.executable, "-m", "authoring.robust", chapter, "--once", str(threads)]
    done = subprocess.run(
        line, env=os.environ | settings, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"{chapter} with seed {seed}, {threads} threads: a cell raised, see above")
    return json.loads(done.stdout)


def table(chapter: str, found: dict[Case, dict[str, dict]]) -> list[str]:
    """A line for each claim; a value with which it does not hold has a mark."""
    heads = "".join(f"{f'{seed}, {threads}':>12}" for seed, threads in found)
    lines = [f"{chapter}, by seed and threads\n{'claim':24}{heads}   it should be"]
    for name, entry in claims.stated(chapter).items():
        cells = [
            f"{one[name]['value']:11.4g}{' ' if one[name]['held'] else '!'}"
            for one in found.values()
        ]
        lines.append(f"{name:24}{''.join(cells)}   {entry}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", help="01_vae, say; else all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    chapters = asked.chapters or claims.chapters()
    if strange := set(chapters) - set(claims.chapters()):
        parser.error(f"chapters should be of {claims.chapters()}, got {', '.join(strange)}")
    if asked.once:
        runs.settle(asked.once)
        cells = cells_of(chapters[0])
        run = runs.run_all(cells, needed(cells, claims.stated(chapters[0])))
        print(json.dumps({name: asdict(one) for name, one in run.outcomes.items()}))
        return
    broken = 0
    for chapter in chapters:
        found = {(s, t): outcomes(chapter, (s, t)) for s in asked.seeds for t in asked.threads}
        print(*table(chapter, found), sep="\n", flush=True)
        broken += sum(not one["held"] for case in found.values() for one in case.values())
    sys.exit(f"{broken} times a claim did not hold" if broken else 0)


if __name__ == "__main__":
    main()
