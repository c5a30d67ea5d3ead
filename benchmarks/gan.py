"""The quality of a GAN after an equal time of training: the course's, the usual tutorial's, and
torchgan's.

    uv run --with torchgan python -m benchmarks.gan --data FOLDER
        full Fashion-MNIST, from a folder with its four idx files
    uv run --with torchgan python -m benchmarks.gan
        the part of Fashion-MNIST that ships with the course
    python -m benchmarks.gan --table-only
        benchmarks/README.md anew from the saved files

Equal for all: the images; the threads; the seconds from the first batch to the last; the
evaluation, in the features of the classifier that ships, on as many samples as there are test
images, which is not counted. The contestants take turns, seed by seed, so that a drift of the
machine hits all alike. `fit` is told steps, not seconds: see benchmarks/budget.py.
"""

import argparse
import importlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor
from torchvision.utils import save_image

from benchmarks.budget import train_within
from benchmarks.command import options, parsed, publish
from benchmarks.gan_peers import Run, torchgan, tutorial
from benchmarks.readme import RESULTS, markdown, provenance, show, spread
from gencourse.data import Images, images, minibatches
from gencourse.evaluation import (
    feature_network,
    frechet_distance,
    kernel_distance,
    precision_recall,
)
from gencourse.models.gan import GAN, Discriminator, Generator
from gencourse.runtime import seeded

GENERATOR = {"latent_dim": 64, "width": 32}
DISCRIMINATOR = {"width": 32, "spectral": True}
GAME = {"loss": "non-saturating", "d_lr_ratio": 2.0, "ema_decay": 0.999, "betas": (0.0, 0.9)}
FIT = {"batch_size": 64, "lr": 4e-3, "precision": "auto"}
# and the digits that the table shows of them
MEASURES = {
    "frechet": 2,
    "kernel": 2,
    "precision": 2,
    "recall": 2,
}
OUT, OUT_SHIPPED = RESULTS / "gan.json", RESULTS / "gan_shipped.json"


def gencourse(data: Images, seconds: float, seed: int) -> Run:
    """The course's GAN, trained by `fit` for as many steps as the budget allows."""
    batch_size, arguments = FIT["batch_size"], {name: FIT[name] for name in ("lr", "precision")}
    gan, used, steps = train_within(
        lambda: GAN(Generator(**GENERATOR), Discriminator(**DISCRIMINATOR), **GAME),
        lambda: minibatches(data.train_bytes, batch_size=batch_size, seed=seed),
        seconds,
        seed,
        **arguments,
    )
    return Run(gan.generate, gan.latent_dim, used, steps * batch_size)


# --- evaluation


def judged(x: Tensor, test: Tensor) -> dict[str, float]:
    """The four measures between features x (N, D) and those of the test images (M, D)."""
    precision, recall = precision_recall(test, x)
    return {
        "frechet": frechet_distance(x, test),
        "kernel": kernel_distance(x, test),
        "precision": precision,
        "recall": recall,
    }


def floor(data: Images, test: Tensor) -> dict[str, float]:
    """What training images themselves would get: as many of them, chosen at random, as there are
    test images.
    """
    chosen = torch.randperm(len(data.train_bytes), generator=seeded(0))[: len(test)]
    return judged(features(data.train[chosen]), test)


def features(x: Tensor) -> Tensor:
    """Images (N, 1, 28, 28) as the features (N, D) in which they are compared."""
    return feature_network("fashion-mnist").features(x)


# --- comparison


def contestants() -> dict[str, tuple[str, Callable[..., Run] | None]]:
    """By name: what is trained, and how; None in the place of what cannot be imported."""
    arguments = [
        ", ".join(f"{key}={value!r}" for key, value in settings.items())
        for settings in (GENERATOR, DISCRIMINATOR, GAME)
    ]
    ours = "`Generator({})`, `Discriminator({})`, `GAN(…, {})`".format(*arguments)
    ours += f", `fit` with lr={FIT['lr']:g} falling to 0, batches of {FIT['batch_size']}"
    try:
        importlib.import_module("torchgan.trainer")
        version, train = metadata.version("torchgan"), torchgan
        theirs = (
            f"{version}, as in the first example of its documentation: DCGAN of 16 channels, "
            "Adam 2e-4, batches of 128; 32 × 32 by padding"
        )
    except ImportError:
        theirs, train = (
            "not measured, because it is not installed (`uv run --with torchgan` brings it)",
            None,
        )
    return {
        "gencourse": (ours, gencourse),
        "tutorial": (
            "DCGAN for 28 × 28, ngf = ndf = 64, BCELoss, Adam 2e-4, DataLoader with ToTensor and "
            "Normalize, batches of 128",
            tutorial,
        ),
        "torchgan": (theirs, train),
    }


def measure(
    compared: dict, data: Images, test: Tensor, *, seconds: float, seeds: int, shots: Path | None
) -> list[dict]:
    """One row per contestant; a row without numbers where there was nothing to train."""
    done = {name: [] for name in compared}
    for seed in range(seeds):
        for name, (_, train) in compared.items():
            if train is not None:
                run = train(data, seconds, seed)
                x = run.sample(len(test), seeded(seed))
                done[name].append((run, judged(features(x), test)))
                if shots:
                    picture(x, shots / f"{name.replace(' ', '_')}_{seed}.png")
                print(report(name, seed, *done[name][-1]), flush=True)
    return [
        {"name": name, "what": what} | summary(done[name]) for name, (what, _) in compared.items()
    ]


def report(name: str, seed: int, run: Run, numbers: dict[str, float]) -> str:
    """One line about one training, to be read while the others run."""
    shown = ", ".join(f"{measure} {value:.3g}" for measure, value in numbers.items())
    return (
        f"{name}, seed {seed}: {shown}; {run.seconds:.1f} s, {run.images / run.seconds:,.0f} "
        "images/s"
    )


def picture(x: Tensor, path: Path) -> None:
    """The first 64 samples as a PNG of eight rows, not selected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(x[:64], path, nrow=8, padding=2)


def summary(done: list[tuple[Run, dict[str, float]]]) -> dict:
    """The numbers of one row, {} if there are none."""
    if not done:
        return {}
    runs, numbers = zip(*done, strict=True)
    return {
        "train_seconds": [round(run.seconds, 2) for run in runs],
        **{measure: spread(one[measure] for one in numbers) for measure in MEASURES},
        "images_per_second": round(
            sum(run.images for run in runs) / sum(run.seconds for run in runs)
        ),
    }


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    settings, rows, of_data = results["settings"], [], results["floor"]
    for row in results["rows"]:
        numbers = ["—"] * (len(MEASURES) + 2)
        if "frechet" in row:
            measures = [show(row[measure], digits) for measure, digits in MEASURES.items()]
            numbers = [
                *measures,
                f"{spread(row['train_seconds'])['mean']:.1f}",
                f"{row['images_per_second']:,}",
            ]
        rows.append([f"**{row['name']}**: {row['what']}", *numbers])
    header = [
        "GAN",
        "Fréchet distance",
        "kernel distance",
        "precision",
        "recall",
        "seconds of training",
        "images/s",
    ]
    N, seeds = (
        results["data"]["evaluated"],
        f"{settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}",
    )
    below = (
        f"{results['data']['name']}; {N:,} samples against {N:,} test images; the same of "
        f"training images get {of_data['frechet']:.2f}, {of_data['kernel']:.2f}, "
        f"{of_data['precision']:.2f} and {of_data['recall']:.2f}; mean (smallest … largest) of "
        f"{seeds}; a budget of {settings['seconds']:g} s of training each. {provenance(results)}"
    )
    return markdown(header, rows) + "\n\n" + below + advantage(results["rows"])


def advantage(rows: list[dict]) -> str:
    """By what factor the first row's mean Fréchet distance is smaller than that of each other that
    was measured.
    """
    ours, *others = (row for row in rows if "frechet" in row)
    factors = [
        f"{row['frechet']['mean'] / ours['frechet']['mean']:.1f} times that of {ours['name']} "
        f"for {row['name']}"
        for row in others
    ]
    return f" The Fréchet distance is {' and '.join(factors)}." if factors else ""


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    data = images("fashion-mnist", full=args.data is not None, folder=args.data)
    test = features(data.test)
    compared = {name: value for name, value in contestants().items() if args.only in (None, name)}
    counts = f"{len(data.train_bytes):,} / {len(data.test_bytes):,}"
    settings = {"seconds": args.seconds, "seeds": args.seeds}
    ours = {"generator": GENERATOR, "discriminator": DISCRIMINATOR, "game": GAME, "fit": FIT}
    return {
        "data": {
            "name": f"full Fashion-MNIST ({counts})" if args.data else f"shipped ({counts})",
            "train": len(data.train_bytes),
            "test": len(data.test_bytes),
            "evaluated": len(test),
        },
        "settings": settings | {"gencourse": ours},
        "floor": {measure: round(value, 3) for measure, value in floor(data, test).items()},
        "rows": measure(compared, data, test, **settings, shots=args.shots),
    }


def main() -> None:
    parser = options(
        "The quality of GANs after an equal time of training.",
        seconds=120,
        seeds=3,
        contestants=contestants(),
        out=f"{OUT.name} or, without --data, {OUT_SHIPPED.name}",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="the idx files of the full Fashion-MNIST; the shipped part if not given",
    )
    parser.add_argument(
        "--shots",
        type=Path,
        metavar="FOLDER",
        help="save 64 samples of each training there, as PNG",
    )
    args = parsed(parser)
    publish(args, "gan", compare, table, OUT if args.data else OUT_SHIPPED, OUT, OUT_SHIPPED)


if __name__ == "__main__":
    main()
