"""Nats per character after an equal time of training: the course's GPT, nanoGPT's configuration for
a CPU, and a bigram.

    python -m benchmarks.autoregressive --corpus FILE
        any text in UTF-8, tiny Shakespeare for example
    python -m benchmarks.autoregressive                   the Shakespeare that ships with the course
    python -m benchmarks.autoregressive --table-only      README.md anew from the saved files

Equal for all: the text, whose last tenth is held out; the threads; the seconds from the first batch
to the last; the evaluation, on every held-out character, which is not counted. The contestants take
turns, seed by seed, so that a drift of the machine hits all alike. Both networks are told steps,
not seconds: see benchmarks/budget.py.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.autoregressive_peers import Run, nanogpt
from benchmarks.budget import train_within
from benchmarks.command import options, parsed, publish, tunable
from benchmarks.readme import RESULTS, markdown, provenance, show, spread
from gencourse.data import Text, text, windows
from gencourse.evaluation import bits_per_dim
from gencourse.models.autoregressive import (
    GPT,
    bigram_counts,
    bigram_nll,
    bigram_probs,
    next_token_pairs,
    sequence_nll,
)
from gencourse.runtime import bfloat16_is_faster, pick_device

BLOCK = 64  # characters that a model sees at most, in training and in the evaluation
# each is an option of the command
GENCOURSE = {
    "layers": 4,
    "heads": 3,
    "width": 96,
    "batch_size": 24,
    "lr": 0.02,
}
WINDOWS_AT_ONCE = 250
OUT, OUT_SHIPPED = RESULTS / "autoregressive_text.json", RESULTS / "autoregressive_shipped.json"


def gencourse(
    data: Text, seconds: float, seed: int, *, batch_size: int, lr: float, **sizes: int
) -> Run:
    """The course's GPT, trained by `fit` for as many steps as the budget allows."""
    gpt, used, steps = train_within(
        lambda: GPT(len(data.vocabulary), block_size=BLOCK, **sizes),
        lambda: windows(data.train, BLOCK, batch_size, seed=seed),
        seconds,
        seed,
        lr=lr,
    )
    return Run(gpt, used, steps, steps * batch_size * BLOCK)


# --- evaluation


def held_out(data: Text) -> Tensor:
    """The held-out characters, after the last one before them: each of them is a target once."""
    return torch.cat([data.train[-1:], data.validation])


@torch.no_grad()
def validation_nats(logits: Callable[[Tensor], Tensor], data: Text) -> float:
    """Nats per held-out character, in consecutive windows of BLOCK; what is left over is a shorter
    one.
    """
    tokens, total = held_out(data).to(pick_device()), 0.0
    rest = (len(tokens) - 1) % BLOCK
    pairs = [
        next_token_pairs(tokens, BLOCK),
        *([next_token_pairs(tokens[-1 - rest :], rest)] if rest else []),
    ]
    for x, y in pairs:
        for inputs, targets in zip(x.split(WINDOWS_AT_ONCE), y.split(WINDOWS_AT_ONCE), strict=True):
            total += sequence_nll(logits(inputs), targets).sum().item() * targets.shape[1]
    return total / (len(tokens) - 1)


def bigram(data: Text) -> dict:
    """The row of a model that is counted, not trained."""
    counts = bigram_counts(data.train, len(data.vocabulary))
    nats = bigram_nll(bigram_probs(counts, alpha=1), held_out(data))
    return {
        "name": "bigram",
        "what": "pairs of characters counted in the training part, each once more; no training",
    } | bits([nats])


# --- comparison


def contestants(settings: dict) -> dict[str, tuple[str, Callable[..., Run]]]:
    """By name: what is trained, and how."""
    ours = (
        f"`GPT(block_size={BLOCK}, layers={{layers}}, heads={{heads}}, width={{width}})`, `fit` "
        f"(Muon and Adam) with lr={{lr:g}} falling to 0, "
    )
    ours = (ours + "batches of {batch_size}").format(**settings) + (
        ", bfloat16" if bfloat16_is_faster(pick_device()) else ""
    )
    return {
        "gencourse": (ours, partial(gencourse, **settings)),
        "tutorial": (
            "nanoGPT's documented configuration for a CPU: 4 layers, 4 heads, 128 channels, "
            "block 64, AdamW 1e-3 falling to 1e-4 as a cosine, batches of 12",
            nanogpt,
        ),
    }


def measure(
    compared: dict,
    data,
    nats: Callable[[Callable], float],
    *,
    seconds: float,
    seeds: int,
    dimensions: int = 1,
    unit: str = "characters",
) -> list[dict]:
    """One row per contestant; `nats` judges what came out, in nats per example of so many
    dimensions.
    """
    done = {name: [] for name in compared}
    for seed in range(seeds):
        for name, (_, train) in compared.items():
            run = train(data, seconds, seed)
            done[name].append((run, nats(run.logits)))
            print(
                f"{name}, seed {seed}: {done[name][-1][1]:.3f} nats; {run.seconds:.2f} s, "
                f"{run.steps:,} steps",
                flush=True,
            )
    return [
        {"name": name, "what": what} | summary(done[name], dimensions, unit)
        for name, (what, _) in compared.items()
    ]


def summary(done: list[tuple[Run, float]], dimensions: int, unit: str) -> dict:
    """The numbers of one row."""
    runs, nats = zip(*done, strict=True)
    return {
        "train_seconds": [round(run.seconds, 2) for run in runs],
        "steps": [run.steps for run in runs],
        **bits(nats, dimensions),
        f"{unit}_per_second": round(
            sum(run.seen for run in runs) / sum(run.seconds for run in runs)
        ),
    }


def bits(nats: list[float], dimensions: int = 1) -> dict:
    """Nats per example, over several trainings, and the same in bits per dimension."""
    return {"nats": spread(nats), "bits": spread(bits_per_dim(value, dimensions) for value in nats)}


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    settings, data, rows = results["settings"], results["data"], []
    for row in results["rows"]:
        numbers = [show(row["nats"], 3), show(row["bits"], 3), "—", "—", "—"]
        if "steps" in row:
            used, steps = spread(row["train_seconds"])["mean"], spread(row["steps"])["mean"]
            numbers[2:] = [f"{used:.1f}", f"{steps:,.0f}", f"{row['characters_per_second']:,}"]
        rows.append([f"**{row['name']}**: {row['what']}", *numbers])
    header = [
        "model of a text",
        "nats per character",
        "bits per character",
        "seconds of training",
        "steps",
        "characters/s",
    ]
    seeds = f"{settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}"
    below = (
        f"{data['name']}, {data['vocabulary']} different characters: {data['train']:,} to train "
        f"on, the {data['evaluated']:,} after them to be predicted, each once, from at most "
        f"{settings['block']} before it; lower is better; mean (smallest … largest) of {seeds}; "
        f"a budget of {settings['seconds']:g} s of training each. {provenance(results)}"
    )
    return markdown(header, rows) + "\n\n" + below


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    data = text(args.corpus or "shakespeare")
    ours = {name: getattr(args, name) for name in GENCOURSE}
    compared = {
        name: value for name, value in contestants(ours).items() if args.only in (None, name)
    }
    settings = {"seconds": args.seconds, "seeds": args.seeds}
    return {
        "data": {
            "name": data.name if args.corpus else f"shipped ({data.name})",
            "train": len(data.train),
            "evaluated": len(data.validation),
            "vocabulary": len(data.vocabulary),
        },
        "settings": settings | {"block": BLOCK, "gencourse": ours},
        "rows": [
            *measure(compared, data, partial(validation_nats, data=data), **settings),
            bigram(data),
        ],
    }


def main() -> None:
    parser = options(
        "Nats per character of models of a text after an equal time of training.",
        seconds=60,
        seeds=3,
        contestants=contestants(GENCOURSE),
        out=f"{OUT.name} or, without --corpus, {OUT_SHIPPED.name}",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="FILE",
        help="a text in UTF-8; the shipped Shakespeare if not given",
    )
    tunable(parser, **GENCOURSE)
    args = parsed(parser)
    publish(
        args,
        "autoregressive_text",
        compare,
        table,
        OUT if args.corpus else OUT_SHIPPED,
        OUT,
        OUT_SHIPPED,
    )


if __name__ == "__main__":
    main()
