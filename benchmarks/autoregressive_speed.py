"""How fast one samples when nothing is computed twice: GPT with and without its cache, PixelCNN
beside a whole pass per pixel.

    python -m benchmarks.autoregressive_speed
        save results/autoregressive_speed.json, table into benchmarks/README.md
    python -m benchmarks.autoregressive_speed --table-only
        make the table anew from the saved file

Both ways give the same samples, and it is measured whether they do. They take turns, and a ratio
compares neighbours of one round, so that a busy machine slows both alike. The networks have been
trained for a moment: one that has learnt nothing gives the same logits everywhere, and would agree
with anything.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.command import publish
from benchmarks.readme import RESULTS, markdown, provenance, show, spread
from gencourse.data import binarised, images, minibatches, text, windows
from gencourse.models.autoregressive import GPT, KVCache, PixelCNN, next_token_pairs, raster_sample
from gencourse.runtime import pick_device, seeded
from gencourse.training import fit

GPT_SIZES, BATCH_SIZE, BLOCKS = {"layers": 4, "heads": 4, "width": 128}, 32, (64, 128, 256)
PIXELCNN, IMAGES = {"channels": 16, "kernel": 7, "layers": 3}, 16
STEPS = 100  # of training
OUT = RESULTS / "autoregressive_speed.json"


def trained(make: Callable[[], nn.Module], batches, lr: float) -> nn.Module:
    """A network after STEPS steps of `fit`."""
    torch.manual_seed(0)
    model = make().to(pick_device())
    fit(model, batches, steps=STEPS, lr=lr, progress=False)
    return model


def timed(sample: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """The samples, on the CPU, and the seconds that they took."""
    start = time.perf_counter()
    return sample().cpu(), time.perf_counter() - start


def race(
    slow: Callable[[], Tensor], fast: Callable[[], Tensor], rounds: int
) -> tuple[list[float], list[float], bool]:
    """The seconds of both, round by round, and whether their samples were always the same."""
    taken, same = [], True
    for _ in range(rounds):
        (a, slow_seconds), (b, fast_seconds) = timed(slow), timed(fast)
        taken.append((slow_seconds, fast_seconds))
        same = same and torch.equal(a, b)
    return *map(list, zip(*taken, strict=True)), same


@torch.no_grad()
def largest_difference(gpt: GPT, tokens: Tensor) -> float:
    """The largest difference of any logit, over all steps through sequences (B, block), between the
    cache and the whole context.
    """
    caches, largest = [KVCache(gpt.block_size) for _ in gpt.blocks], 0.0
    for t in range(tokens.shape[1]):
        by_cache, whole = gpt(tokens[:, t : t + 1], caches)[:, -1], gpt(tokens[:, : t + 1])[:, -1]
        largest = max(largest, (by_cache - whole).abs().max().item())
    return largest


def of_gpt(block: int, rounds: int) -> dict:
    """One row: tokens per second of `GPT.generate` for one block; twice as many tokens as the
    context holds are drawn.
    """
    data = text("shakespeare")
    gpt = trained(
        lambda: GPT(len(data.vocabulary), block_size=block, **GPT_SIZES),
        windows(data.train, block, 8, seed=0),
        lr=0.02,
    )
    prompt = next_token_pairs(data.validation, block)[0][:BATCH_SIZE].to(pick_device())
    first, n = prompt[:, :1], 2 * block
    gpt.generate(first, 8)  # what only the first calls pay
    slow, fast, same = race(
        lambda: gpt.generate(first, n, cached=False), lambda: gpt.generate(first, n), rounds
    )
    return {
        "name": f"GPT, block {block}",
        "block": block,
        "tokens": n,
        "whole": spread(BATCH_SIZE * n / seconds for seconds in slow),
        "cached": spread(BATCH_SIZE * n / seconds for seconds in fast),
        "ratio": spread(a / b for a, b in zip(slow, fast, strict=True)),
        "same": same,
        "logit_difference": float(f"{largest_difference(gpt, prompt):.2g}"),
    }


def of_pixelcnn(rounds: int) -> dict:
    """One row: seconds for the same images by `raster_sample`, one whole pass per pixel, and by
    `PixelCNN.sample`.
    """
    data, device = images("mnist"), pick_device()
    batches = binarised(minibatches(data.train_bytes, batch_size=8, seed=0), seed=0)
    model = trained(lambda: PixelCNN(**PIXELCNN, mean_image=data.train.mean(0)), batches, lr=8e-3)
    slow, fast, same = race(
        lambda: raster_sample(model, IMAGES, model.image_shape, seeded(0), device),
        lambda: model.sample(IMAGES, seed=0),
        rounds,
    )
    return {
        "name": "PixelCNN",
        "images": IMAGES,
        "whole": spread(slow),
        "cached": spread(fast),
        "ratio": spread(a / b for a, b in zip(slow, fast, strict=True)),
        "same": same,
    }


def table(results: dict) -> str:
    """The results as two tables in markdown, with a sentence on where they come from."""
    of_text, of_images = [], []
    for row in results["rows"]:
        same, ratio = "yes" if row["same"] else "**no**", show(row["ratio"], 1)
        if "block" in row:
            speeds = [show(row[key], 0) for key in ("whole", "cached")]
            of_text.append(
                [
                    str(row["block"]),
                    *speeds,
                    ratio,
                    same,
                    f"{row['logit_difference']:.1e}".replace("-", "−"),
                ]
            )
        else:
            of_images.append(
                [
                    str(row["images"]),
                    *(show(row[key], 2) for key in ("whole", "cached")),
                    ratio,
                    same,
                ]
            )
    settings = results["settings"]
    gpt, cnn = (
        ", ".join(f"{key}={value}" for key, value in settings[name].items())
        for name in ("gpt", "pixelcnn")
    )
    rounds = f"{settings['rounds']} round{'s' if settings['rounds'] > 1 else ''}"
    below = (
        f"`GPT({gpt})`, {settings['batch_size']} texts at once, twice as many tokens as the "
        f"block holds; `PixelCNN({cnn})`; float32; mean (smallest … largest) of {rounds}. "
        f"{provenance(results)}"
    )
    text_header = [
        "block of the GPT",
        "tokens/s, whole context each time",
        "tokens/s with the cache",
        "faster by",
        "same tokens",
        "largest difference of logits",
    ]
    image_header = [
        "images of the PixelCNN",
        "seconds by `raster_sample`, one pass per pixel",
        "seconds by `PixelCNN.sample`",
        "faster by",
        "same images",
    ]
    return "\n\n".join([markdown(text_header, of_text), markdown(image_header, of_images), below])


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    rows = []
    for measure in (
        *(lambda rounds, block=block: of_gpt(block, rounds) for block in args.blocks),
        of_pixelcnn,
    ):
        rows.append(measure(args.rounds))
        print(rows[-1], flush=True)
    return {
        "data": {"name": "shipped"},
        "settings": {
            "rounds": args.rounds,
            "batch_size": BATCH_SIZE,
            "gpt": GPT_SIZES,
            "pixelcnn": PIXELCNN,
            "training_steps": STEPS,
        },
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Sampling with and without what is known already.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--blocks", type=int, nargs="+", default=BLOCKS, help="context lengths of the GPT"
    )
    parser.add_argument("--threads", type=int, help="threads of torch; its own choice if not given")
    parser.add_argument("--out", type=Path, help=f"the JSON file; {OUT.name}")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, make the page's table anew"
    )
    publish(parser.parse_args(), "autoregressive_speed", compare, table, OUT, OUT)


if __name__ == "__main__":
    main()
