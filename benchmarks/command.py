"""What the commands that compare at equal time share: their options, and the way from what they
measure to the page.
"""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from benchmarks.readme import origin, rewrite, save, stored


def options(
    description: str, *, seconds: float, seeds: int, contestants: Iterable[str], out: str
) -> argparse.ArgumentParser:
    """A parser with the options of all comparisons; `out` says in words where the results go
    without --out.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--seconds", type=float, default=seconds, help="of training, for each contestant and seed"
    )
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--threads", type=int, help="threads of torch; its own choice if not given")
    parser.add_argument("--only", choices=list(contestants), help="one contestant; needs --out")
    parser.add_argument("--out", type=Path, help=f"the JSON file; {out}")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, make the page's table anew"
    )
    return parser


def tunable(parser: argparse.ArgumentParser, **defaults: float) -> None:
    """An option for each of the course's own settings."""
    for name, value in defaults.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(value),
            default=value,
            help=f"of gencourse; {value:g}",
        )


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line."""
    args = parser.parse_args()
    if args.only and not args.out:
        parser.error("--only needs --out: the published files hold whole comparisons.")
    return args


def publish(
    args: argparse.Namespace,
    name: str,
    compare: Callable,
    table: Callable[[dict], str],
    out: Path,
    *published: Path,
) -> None:
    """Save what `compare(args)` measures, unless there is only a table to make, and put the
    published tables into benchmarks/README.md.

    `out` is where the results go without --out; the page's tables `results:NAME` come from the
    files `published`.
    """
    if not args.table_only:
        if args.threads:
            torch.set_num_threads(args.threads)
        results = origin() | compare(args)
        save(results, args.out or out)
        print(table(results))
    rewrite(name, {path: table(results) for path, results in stored(*published).items()})
