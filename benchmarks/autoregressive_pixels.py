"""The probability of a test image after an equal time of training: the course's PixelCNN and MADE,
and the usual PixelCNN.

    python -m benchmarks.autoregressive_pixels --mnist FOLDER
        full MNIST, from a folder with its four idx files
    python -m benchmarks.autoregressive_pixels --out FILE
        the part of MNIST that ships with the course, to try it
    python -m benchmarks.autoregressive_pixels --table-only
        benchmarks/README.md anew from the saved file

Equal for all: the images, drawn anew as 0 or 1 at each pass; the threads; the seconds from the
first batch to the last; the evaluation, on the binarised test set of benchmarks/vae.py, which is
not counted. So the numbers stand beside the bound that the VAE's own comparison found. The
contestants take turns, seed by seed.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import vae
from benchmarks.autoregressive import measure
from benchmarks.autoregressive_peers import PIXEL_BATCH, Run, pixelcnn
from benchmarks.budget import train_within
from benchmarks.command import options, parsed, publish
from benchmarks.readme import RESULTS, markdown, provenance, show, spread, stored
from gencourse.data import Images, binarised, images, minibatches
from gencourse.evaluation import bits_per_dim
from gencourse.likelihoods import bernoulli_log_likelihood
from gencourse.models.autoregressive import MADE, PixelCNN
from gencourse.runtime import bfloat16_is_faster, pick_device

PIXELCNN, PIXELCNN_FIT = {"channels": 16, "kernel": 7, "layers": 3}, {"batch_size": 8, "lr": 8e-3}
MADE_SIZES, MADE_FIT = {"hidden": 1024}, {"batch_size": 256, "lr": 8e-3}
IMAGES_AT_ONCE = 100
OUT = RESULTS / "autoregressive_pixels.json"


def gencourse(
    data: Images,
    seconds: float,
    seed: int,
    *,
    network: type[nn.Module],
    sizes: dict,
    batch_size: int,
    lr: float,
) -> Run:
    """A network of the course, trained by `fit` for as many steps as the budget allows."""
    model, used, steps = train_within(
        lambda: network(**sizes, mean_image=data.train.mean(0)),
        lambda: binarised(
            minibatches(data.train_bytes, batch_size=batch_size, seed=seed), seed=seed
        ),
        seconds,
        seed,
        lr=lr,
    )
    return Run(model, used, steps, steps * batch_size)


@torch.no_grad()
def test_nats(logits: Callable[[Tensor], Tensor], test: Tensor) -> float:
    """The mean of -log p(x), exact, over images x (N, 1, 28, 28) of 0 and 1."""
    nll = [-bernoulli_log_likelihood(logits(x), x) for x in test.split(IMAGES_AT_ONCE)]
    return torch.cat(nll).mean().item()


def contestants() -> dict[str, tuple[str, Callable[..., Run]]]:
    """By name: what is trained, and how."""

    def of_the_course(
        network: type[nn.Module], sizes: dict, fit: dict
    ) -> tuple[str, Callable[..., Run]]:
        arguments = ", ".join(f"{key}={value}" for key, value in sizes.items())
        what = (
            f"`{network.__name__}({arguments}, …)`, `fit` with lr={fit['lr']:g} falling to 0, "
            f"batches of {fit['batch_size']}"
        )
        what += ", bfloat16" if bfloat16_is_faster(pick_device()) else ""
        return what, partial(gencourse, network=network, sizes=sizes, **fit)

    return {
        "gencourse": of_the_course(PixelCNN, PIXELCNN, PIXELCNN_FIT),
        "MADE": of_the_course(MADE, MADE_SIZES, MADE_FIT),
        "tutorial": (
            "PixelCNN of a 7 × 7 and seven 3 × 3 masked convolutions, 64 channels, BatchNorm, "
            f"ReLU, Adam 1e-3, DataLoader with ToTensor, batches of {PIXEL_BATCH}, in which it "
            "learns more in this time than in the usual 128",
            pixelcnn,
        ),
    }


def vae_bound(path: Path, evaluated: int) -> list[dict]:
    """The row of the course's VAE as its own comparison left it, if that was on the same images;
    nothing is measured.
    """
    for results in stored(path).values():
        row = next(row for row in results["rows"] if row["name"] == "gencourse")
        if results["data"]["evaluated"] == evaluated:
            k, seconds = results["settings"]["k"], results["settings"]["seconds"]
            where = f"results/{path.name}, {results['hardware']['cpu']}, {results['date']}"
            what = (
                f"at most so many nats (IWAE-{k}), after {seconds:g} s; not measured again, from "
                f"{where}"
            )
            nats = {
                "mean": -row["iwae"]["mean"],
                "min": -row["iwae"]["max"],
                "max": -row["iwae"]["min"],
            }
            limits = {
                "nats": nats,
                "bits": {key: round(bits_per_dim(value, 784), 3) for key, value in nats.items()},
            }
            used = {key: row[key] for key in ("train_seconds", "images_per_second")}
            return [
                {"name": "VAE of chapter 1, IWAE bound", "what": what, "bound": True}
                | used
                | limits
            ]
    return []


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    settings, rows = results["settings"], []
    for row in results["rows"]:
        bound, used = "≤ " if row.get("bound") else "", spread(row["train_seconds"])["mean"]
        numbers = [
            bound + show(row["nats"], 2),
            bound + show(row["bits"], 3),
            f"{used:.1f}",
            f"{row['images_per_second']:,}",
        ]
        rows.append([f"**{row['name']}**: {row['what']}", *numbers])
    header = [
        "model of images",
        "nats per image",
        "bits per dimension",
        "seconds of training",
        "images/s",
    ]
    seeds = f"{settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}"
    below = (
        f"{results['data']['name']}, dynamically binarised; -log p(x), mean of "
        f"{results['data']['evaluated']:,} test images; lower is better; mean (smallest … "
        f"largest) of {seeds}; a budget of {settings['seconds']:g} s of training each. "
        f"{provenance(results)}"
    )
    return markdown(header, rows) + "\n\n" + below


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    data = images("mnist", full=args.mnist is not None, folder=args.mnist)
    test = vae.binarised_test(data, args.test_images)
    compared = {name: value for name, value in contestants().items() if args.only in (None, name)}
    settings, counts = (
        {"seconds": args.seconds, "seeds": args.seeds},
        f"{len(data.train_bytes):,} / {len(data.test_bytes):,}",
    )
    rows = measure(
        compared,
        data,
        partial(test_nats, test=test),
        **settings,
        dimensions=test[0].numel(),
        unit="images",
    )
    return {
        "data": {
            "name": f"full MNIST ({counts})" if args.mnist else f"shipped ({counts})",
            "train": len(data.train_bytes),
            "test": len(data.test_bytes),
            "evaluated": len(test),
        },
        "settings": settings
        | {"gencourse": PIXELCNN | PIXELCNN_FIT, "MADE": MADE_SIZES | MADE_FIT},
        "rows": rows + vae_bound(vae.OUT if args.mnist else vae.OUT_SHIPPED, len(test)),
    }


def main() -> None:
    parser = options(
        "The probability of test images after an equal time of training.",
        seconds=120,
        seeds=2,
        contestants=contestants(),
        out=f"{OUT.name}; needed without --mnist",
    )
    parser.add_argument(
        "--mnist",
        type=Path,
        metavar="FOLDER",
        help="the idx files of the full MNIST; the shipped part if not given",
    )
    parser.add_argument(
        "--test-images", type=int, metavar="N", help="evaluate on N test images, not all"
    )
    args = parsed(parser)
    if not (args.mnist or args.out or args.table_only):
        parser.error(
            "without --mnist this needs --out: the published file is that of the full set."
        )
    publish(args, "autoregressive_pixels", compare, table, OUT, OUT)


if __name__ == "__main__":
    main()
