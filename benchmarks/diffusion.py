"""The quality of samples after an equal time of training: the course's diffusion of pixels and of
codes, its VAE and GAN, and two diffusion libraries.

    uv run --with denoising-diffusion-pytorch --with smalldiffusion --with torch-ema \\
        python -m benchmarks.diffusion --data FOLDER --clothes FOLDER --threads 2
        full MNIST and Fashion-MNIST, from folders with their four idx files
    python -m benchmarks.diffusion --table-only
        benchmarks/README.md anew from the saved files

Equal for all: the images; the threads; the seconds from the first batch to the last; 25 evaluations
of the network for a sample, where there is more than one; the evaluation, on 1,000 samples, which
is not counted. One seed. `fit` is told steps, not seconds: see benchmarks/budget.py.
"""

import argparse
import importlib
import math
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.budget import train_within
from benchmarks.command import options, parsed, publish
from benchmarks.diffusion_peers import STEPS, Trained, lucidrains, size_of, smalldiffusion
from benchmarks.readme import RESULTS, markdown, provenance
from gencourse.data import Images, binarised, images, minibatches
from gencourse.evaluation import feature_network, frechet_distance, precision_recall
from gencourse.models.diffusion import (
    CodeNetwork,
    ImageDiffusion,
    UNet,
    code_flow,
    even_times,
    heun,
)
from gencourse.models.gan import GAN, Discriminator, Generator
from gencourse.models.vae import VAE, reparameterize
from gencourse.runtime import seeded, standard_normal

SAMPLES, AT_ONCE, VAE_SHARE = 1000, 250, 0.3
OUT = {name: RESULTS / f"diffusion_{name}.json" for name in ("mnist", "fashion-mnist")}


def pixels(data: Images, seconds: float, seed: int) -> Trained:
    """The course's diffusion of pixels."""
    model, used, steps = train_within(
        lambda: ImageDiffusion(UNet(width=24, deep=64, dense=384)),
        lambda: minibatches(data.train_bytes, batch_size=64, seed=seed),
        seconds,
        seed,
        lr=1.5e-3,
    )
    size = size_of(model.model)
    return Trained(lambda n, s: model.sample(n, steps=STEPS, seed=s), used, steps, 64 * steps, size)


def vae_of(data: Images, seconds: float, seed: int) -> tuple[VAE, float, int]:
    """The course's VAE, on pixels drawn as bits."""
    return train_within(
        lambda: VAE(24, mean_image=data.train.mean(0)),
        lambda: binarised(minibatches(data.train_bytes, batch_size=128, seed=seed), seed=seed + 1),
        seconds,
        seed,
        lr=4e-3,
    )


def vae(data: Images, seconds: float, seed: int) -> Trained:
    """The course's VAE, with codes from its prior."""
    model, used, steps = vae_of(data, seconds, seed)
    return Trained(lambda n, s: model.sample(n, seed=s), used, steps, 128 * steps, size_of(model))


@torch.no_grad()
def codes_of(model: VAE, data: Images) -> Tensor:
    """A draw of q for each training image."""
    parts = [model.encode(x) for x in data.train.split(1000)]
    mu, logvar = (torch.cat(each) for each in zip(*parts, strict=True))
    return reparameterize(mu, logvar, torch.randn(mu.shape, generator=seeded(0)))


def codes(data: Images, seconds: float, seed: int) -> Trained:
    """The course's VAE for three tenths of the time, then a flow on its codes."""
    model, first, _ = vae_of(data, VAE_SHARE * seconds, seed)
    begun = time.perf_counter()
    z = codes_of(model, data)
    encoding = time.perf_counter() - begun
    scale = z.std()
    flow, second, steps = train_within(
        lambda: code_flow(CodeNetwork(24, width=256, blocks=3)),
        lambda: minibatches(z / scale, batch_size=256, seed=seed),
        (1 - VAE_SHARE) * seconds - encoding,
        seed,
        lr=2e-3,
        precision="float32",
    )

    @torch.no_grad()
    def sample(n: int, s: int) -> Tensor:
        eps = standard_normal(n, 24, seed=s)
        z = heun(flow.averaged.velocity, eps, even_times(STEPS // 2 + 1))  # the last is Euler's
        return model.decode_mean(scale * z)

    size = size_of(model) + size_of(flow.model)
    return Trained(sample, first + encoding + second, steps, 256 * steps, size)


def gan(data: Images, seconds: float, seed: int) -> Trained:
    """The course's GAN."""
    model, used, steps = train_within(
        lambda: GAN(Generator(64, 32), Discriminator(32), d_lr_ratio=2.0, ema_decay=0.999),
        lambda: minibatches(data.train_bytes, batch_size=64, seed=seed),
        seconds,
        seed,
        lr=4e-3,
    )
    size = size_of(model.generator) + size_of(model.discriminator)
    return Trained(lambda n, s: model.sample(n, seed=s), used, steps, 64 * steps, size)


def peer(module: str, package: str, words: str, train: Callable) -> tuple[str, Callable | None]:
    """What a library's row says, and how it is trained; None where it is not installed."""
    try:
        importlib.import_module(module)
    except ImportError:
        return f"not measured, because it is not installed (`uv run --with {package}`)", None
    return f"{metadata.version(package)}, {words}", train


def contestants() -> dict[str, tuple[str, Callable | None]]:
    """By name: what is trained, and how."""
    return {
        "diffusion of pixels": (
            "UNet(width=24, deep=64, dense=384), says x̂, batches of 64",
            pixels,
        ),
        "diffusion of codes": ("VAE(24), then CodeNetwork(24) on its codes", codes),
        "VAE": ("VAE(24), codes from the prior", vae),
        "GAN": ("Generator(64, 32), Discriminator(32), batches of 64", gan),
        "denoising-diffusion-pytorch": peer(
            "denoising_diffusion_pytorch",
            "denoising-diffusion-pytorch",
            "its readme's Unet with dim 16 and three levels, v, Adam 8e-5, batches of 64",
            lucidrains,
        ),
        "smalldiffusion": peer(
            "smalldiffusion",
            "smalldiffusion",
            "its example's U-Net with 32 channels at each level, ε, AdamW 7e-4, batches of 64",
            smalldiffusion,
        ),
    }


def judged(run: Trained, features: nn.Module, real: Tensor) -> dict[str, float]:
    """The measures of 1,000 samples beside features of as many test images, or of all."""
    begun = time.perf_counter()
    parts = [run.sample(AT_ONCE, 1000 + i) for i in range(SAMPLES // AT_ONCE)]
    seconds = time.perf_counter() - begun
    found = features.features(torch.cat(parts))  # type: ignore[operator]
    precision, recall = precision_recall(real[:SAMPLES], found)
    return {
        "frechet": round(frechet_distance(found, real), 2),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
        "per_second": round(SAMPLES / seconds, 1),
    }


def measure(compared: dict, data: Images, name: str, seconds: float, seed: int = 0) -> list[dict]:
    """One row per contestant; a row without numbers where there was nothing to train."""
    network = feature_network(name)
    real, rows = network.features(data.test), []
    for who, (what, train) in compared.items():
        row = {"name": who, "what": what}
        if train is not None:
            run = train(data, seconds, seed)
            about = {key: getattr(run, key) for key in ("steps", "images", "parameters")}
            row |= {"train_seconds": round(run.seconds, 1)} | about | judged(run, network, real)
            print(name, row, flush=True)
        rows.append(row)
    return rows


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    keys = ("frechet", "precision", "recall", "steps", "parameters", "train_seconds", "per_second")
    rows = [
        [f"**{row['name']}**: {row['what']}"]
        + ([f"{row[key]:,}" for key in keys] if "frechet" in row else ["—"] * len(keys))
        for row in results["rows"]
    ]
    header = ["model", "Fréchet distance", "precision", "recall", "steps", "parameters"]
    header += ["seconds of training", "samples/s"]
    below = (
        f"{results['data']}; {SAMPLES:,} samples, {STEPS} evaluations each where there is more "
        f"than one; one seed; a budget of {results['seconds']:g} s of training each. "
        f"{provenance(results)}"
    )
    return f"{markdown(header, rows)}\n\n{below}{winners(results['rows'])}"


def winners(rows: list[dict]) -> str:
    """Who of our own is best, and how far the libraries are from the best of our diffusions."""
    own = [row for row in rows[:4] if "frechet" in row]
    best = min(own, key=lambda row: row["frechet"], default=None)
    ours = min((row["frechet"] for row in own[:2]), default=math.nan)
    factors = [f"{row['frechet'] / ours:.1f} times as large for {row['name']}" for row in rows[4:]
               if "frechet" in row]  # fmt: skip
    said = f" The best of the course's is the {best['name']}." if best else ""
    ratio = f" Beside its better diffusion the distance is {' and '.join(factors)}."
    return said + (ratio if factors else "")


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured on one data set, in the form of the file of results."""
    data = images(args.set, full=args.folder is not None, folder=args.folder)
    compared = {name: value for name, value in contestants().items() if args.only in (None, name)}
    counts = f"{len(data.train_bytes):,} / {len(data.test_bytes):,}"
    kind = "full" if args.folder else "shipped"
    return {
        "data": f"{kind} {args.set} ({counts})",
        "seconds": args.seconds,
        "rows": measure(compared, data, args.set, args.seconds),
    }


def main() -> None:
    parser = options(
        "Diffusion models after an equal time of training.",
        seconds=120,
        seeds=1,
        contestants=contestants(),
        out="diffusion_mnist.json and diffusion_fashion-mnist.json",
    )
    for name in ("data", "clothes"):
        parser.add_argument(
            f"--{name}", type=Path, metavar="FOLDER", help="the idx files; else the shipped part"
        )
    args = parsed(parser)
    for name, folder in (("mnist", args.data), ("fashion-mnist", args.clothes)):
        args.set, args.folder = name, folder
        publish(args, "diffusion", compare, table, OUT[name], *OUT.values())


if __name__ == "__main__":
    main()
