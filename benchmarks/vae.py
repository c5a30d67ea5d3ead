"""The quality of a VAE after an equal time of training: the course's, the usual tutorial's, and
pythae's.

    uv run --with pythae python -m benchmarks.vae --data FOLDER
        full MNIST, from a folder with its four idx files
    uv run --with pythae python -m benchmarks.vae
        the part of MNIST that ships with the course
    python -m benchmarks.vae --table-only
        benchmarks/README.md anew from the saved files

Equal for all: the images, drawn anew as 0 or 1 at each pass; the threads; the seconds from the
first batch to the last; the evaluation, on one binarised test set, which is not counted. The
contestants take turns, seed by seed, so that a drift of the machine hits all alike. `fit` is told
steps, not seconds: see benchmarks/budget.py.
"""

import argparse
import importlib
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.budget import train_within
from benchmarks.command import options, parsed, publish, tunable
from benchmarks.readme import RESULTS, markdown, provenance, show, spread
from benchmarks.vae_peers import Codec, Run, pythae, tutorial
from gencourse.data import Images, binarised, images, minibatches
from gencourse.evaluation import iwae_bound
from gencourse.models.vae import (
    VAE,
    GaussianMixture,
    bernoulli_log_likelihood,
    importance_log_weights,
    reparameterize,
)
from gencourse.runtime import bfloat16_is_faster, pick_device, seeded

# each is an option of the command
GENCOURSE = {
    "latent_dim": 40,
    "hidden": 512,
    "batch_size": 256,
    "lr": 8e-3,
    "warmup": 0.1,  # the share of the steps over which the rate rises
    "normals": 20,  # in the mixture that becomes the prior; 0 keeps N(0, I)
    "normals_from": 0.6,  # after this share of the steps
    "draws": 3,  # of a code for each image, in the loss
    "draws_from": 0.85,  # after this share of the steps; one until then
}
CODES, EM_STEPS = 10_000, 25  # for the mixture
ROWS_AT_ONCE = 2_000  # images times draws in one pass of a decoder
OUT, OUT_SHIPPED = RESULTS / "vae.json", RESULTS / "vae_shipped.json"


def gencourse(
    data: Images,
    seconds: float,
    seed: int,
    *,
    latent_dim: int,
    hidden: int,
    batch_size: int,
    lr: float,
    warmup: float,
    normals: int,
    normals_from: float,
    draws: int,
    draws_from: float,
) -> Run:
    """The course's VAE, trained by `fit` for as many steps as the budget allows.

    Once, a mixture of normals is fitted to codes of training images and becomes the prior, to which
    the networks then adapt; and the loss of the last part is the importance-weighted bound.
    """

    def along(vae: VAE, share: float) -> None:
        vae.draws = draws if share >= draws_from else 1
        if normals and vae.prior is None and share >= normals_from:
            vae.prior = mixture(vae, data, normals, seed)

    vae, used, steps = train_within(
        lambda: VAE(latent_dim=latent_dim, hidden=hidden, mean_image=data.train.mean(0)),
        lambda: binarised(
            minibatches(data.train_bytes, batch_size=batch_size, seed=seed), seed=seed
        ),
        seconds,
        seed,
        along,
        lr=lr,
        warmup=warmup,
    )
    return Run(Codec(vae.encode, vae.decode, vae.log_prior), used, steps * batch_size)


@torch.no_grad()
def mixture(vae: VAE, data: Images, normals: int, seed: int) -> GaussianMixture:
    """A mixture of normals, fitted to a code of each of CODES training images."""
    batches = binarised(
        minibatches(data.train_bytes, batch_size=min(CODES, len(data.train_bytes)), seed=seed), seed
    )
    q = vae.encode(next(batches).to(pick_device()))
    codes = reparameterize(*q, torch.randn_like(q.mu))
    return GaussianMixture.fit(codes, normals, steps=EM_STEPS, seed=seed)


# --- evaluation


@torch.no_grad()
def bounds(codec: Codec, x: Tensor, K: int) -> tuple[float, float]:
    """The ELBO, as the mean of K log weights, and the IWAE-K bound; both means over x, in nats per
    image.
    """
    generator = seeded(0)

    def log_weights(x: Tensor) -> Tensor:
        return importance_log_weights(
            lambda z, x: bernoulli_log_likelihood(codec.decode(z), x),
            *codec.encode(x),
            x,
            K=K,
            generator=generator,
            log_prior=codec.log_prior,
        )

    log_w = torch.cat([log_weights(batch) for batch in x.split(max(1, ROWS_AT_ONCE // K))], dim=1)
    return log_w.mean().item(), iwae_bound(log_w).mean().item()


def binarised_test(data: Images, n: int | None) -> Tensor:
    """The test images drawn once as 0 or 1, (N, 1, 28, 28): all, or n of them chosen at random,
    always the same.
    """
    x = torch.bernoulli(data.test, generator=seeded(0))
    return (x if n is None else x[torch.randperm(len(x), generator=seeded(0))[:n]]).to(
        pick_device()
    )


# --- comparison


def contestants(settings: dict) -> dict[str, tuple[str, Callable[..., Run] | None]]:
    """By name: what is trained, and how; None in the place of what cannot be imported."""
    ours = (
        "VAE(latent_dim={latent_dim}, hidden={hidden}), `fit` with lr={lr:g} falling to 0, "
        "batches of {batch_size}"
    ).format(**settings)
    if settings.get("warmup"):
        ours += ", warmup={warmup:g}".format(**settings)
    if settings.get("normals"):
        ours += ", a mixture of {normals} normals as the prior".format(**settings)
    if settings.get("draws", 1) > 1:
        ours += ", in the end the IWAE-{draws} bound as the loss".format(**settings)
    ours += ", bfloat16" if bfloat16_is_faster(pick_device()) else ""
    try:
        importlib.import_module("pythae.trainers")
        version, train = metadata.version("pythae"), pythae
        theirs = (
            f"{version}, its VAE (784-512-10) and BaseTrainer at their defaults: Adam 1e-4, "
            "batches of 64; reconstruction_loss='bce'"
        )
    except ImportError:
        theirs, train = (
            "not measured, because it is not installed (`uv run --with pythae` brings it)",
            None,
        )
    return {
        "gencourse": (ours, partial(gencourse, **settings)),
        "tutorial": (
            "784-400-20, ReLU, Adam 1e-3, DataLoader with ToTensor, batches of 128",
            tutorial,
        ),
        "pythae": (theirs, train),
    }


def measure(
    compared: dict, data: Images, test: Tensor, *, seconds: float, seeds: int, k: int
) -> list[dict]:
    """One row per contestant; a row without numbers where there was nothing to train."""
    done = {name: [] for name in compared}
    for seed in range(seeds):
        for name, (_, train) in compared.items():
            if train is not None:
                run = train(data, seconds, seed)
                elbo, iwae = bounds(run.codec, test, k)
                done[name].append((run, elbo, iwae))
                speed = run.images / run.seconds
                print(
                    f"{name}, seed {seed}: ELBO {elbo:.2f}, IWAE-{k} {iwae:.2f}, "
                    f"{run.seconds:.2f} s, {speed:,.0f} images/s",
                    flush=True,
                )
    return [
        {"name": name, "what": what} | summary(done[name]) for name, (what, _) in compared.items()
    ]


def summary(done: list[tuple[Run, float, float]]) -> dict:
    """The numbers of one row, {} if there are none."""
    if not done:
        return {}
    runs, elbos, iwaes = zip(*done, strict=True)
    return {
        "train_seconds": [round(run.seconds, 2) for run in runs],
        "elbo": spread(elbos),
        "iwae": spread(iwaes),
        "images_per_second": round(
            sum(run.images for run in runs) / sum(run.seconds for run in runs)
        ),
    }


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    settings, rows = results["settings"], []
    for row in results["rows"]:
        numbers = ["—"] * 4
        if "elbo" in row:
            used = spread(row["train_seconds"])["mean"]
            numbers = [
                show(row["elbo"], 2),
                show(row["iwae"], 2),
                f"{used:.1f}",
                f"{row['images_per_second']:,}",
            ]
        rows.append([f"**{row['name']}**: {row['what']}", *numbers])
    header = ["VAE", "ELBO", f"IWAE-{settings['k']}", "seconds of training", "images/s"]
    seeds = f"{settings['seeds']} seed{'s' if settings['seeds'] > 1 else ''}"
    below = (
        f"{results['data']['name']}, dynamically binarised; nats per test image, higher is "
        f"better; mean (smallest … largest) of {seeds}; a budget of {settings['seconds']:g} s of "
        f"training each. {provenance(results)}"
    )
    return markdown(header, rows) + "\n\n" + below


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    data = images("mnist", full=args.data is not None, folder=args.data)
    test = binarised_test(data, args.test_images)
    ours = {name: getattr(args, name) for name in GENCOURSE}
    compared = {
        name: value for name, value in contestants(ours).items() if args.only in (None, name)
    }
    counts = f"{len(data.train_bytes):,} / {len(data.test_bytes):,}"
    settings = {name: getattr(args, name) for name in ("seconds", "seeds", "k")}
    return {
        "data": {
            "name": f"full MNIST ({counts})" if args.data else f"shipped ({counts})",
            "train": len(data.train_bytes),
            "test": len(data.test_bytes),
            "evaluated": len(test),
        },
        "settings": settings | {"gencourse": ours},
        "rows": measure(compared, data, test, **settings),
    }


def main() -> None:
    parser = options(
        "The quality of VAEs after an equal time of training.",
        seconds=60,
        seeds=3,
        contestants=("gencourse", "tutorial", "pythae"),
        out=f"{OUT.name} or, without --data, {OUT_SHIPPED.name}",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="the idx files of the full MNIST; the shipped part if not given",
    )
    parser.add_argument("--k", type=int, default=500, help="importance samples")
    parser.add_argument(
        "--test-images", type=int, metavar="N", help="evaluate on N test images, not all"
    )
    tunable(parser, **GENCOURSE)
    args = parsed(parser)
    publish(args, "vae", compare, table, OUT if args.data else OUT_SHIPPED, OUT, OUT_SHIPPED)


if __name__ == "__main__":
    main()
