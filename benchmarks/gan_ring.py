"""Whether a GAN finds all eight modes of a ring of Gaussians: the course's settings, and settings
that fail.

    python -m benchmarks.gan_ring
        ten seeds of each, save results/gan_ring.json, put the table into benchmarks/README.md
    python -m benchmarks.gan_ring --table-only     make the table anew from the saved file

Every setting trains the same two networks on the same points, each of which is seen once: as many
are drawn as the training looks at. A mode counts as found if it holds at least a fifth of its fair
share of 10,000 samples.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.readme import (
    RESULTS,
    markdown,
    origin,
    provenance,
    rewrite,
    save,
    show,
    spread,
    stored,
)
from gencourse.data import minibatches, points
from gencourse.evaluation import mode_coverage
from gencourse.models.gan import GAN, PointDiscriminator, PointGenerator
from gencourse.runtime import pick_device
from gencourse.training import fit

HIDDEN, LATENT_DIM, BATCH_SIZE, STEPS, SAMPLES = 128, 2, 256, 2_000, 10_000
OUT = RESULTS / "gan_ring.json"


class Setting(NamedTuple):
    """One way to train: a description, and the arguments of `GAN` and of `fit`."""

    what: str
    gan: dict
    fit: dict


SETTINGS = {
    "reference": Setting(
        '`GAN(loss="non-saturating", r1=0.1, d_lr_ratio=2)`, `fit` with lr=0.002',
        {"loss": "non-saturating", "r1": 0.1, "d_lr_ratio": 2.0},
        {"lr": 2e-3, "precision": "float32"},
    ),
    "slow discriminator": Setting(
        "the same, but d_lr_ratio=0.1: G outruns D, so all samples crowd where D is fooled at "
        "the moment, and D chases them round the ring",
        {"loss": "non-saturating", "r1": 0.1, "d_lr_ratio": 0.1},
        {"lr": 2e-3, "precision": "float32"},
    ),
}


def train(setting: Setting, seed: int) -> tuple[GAN, float]:
    """The game after its last step, and the seconds that `fit` took."""
    torch.manual_seed(seed)
    gan = GAN(PointGenerator(LATENT_DIM, HIDDEN), PointDiscriminator(HIDDEN), **setting.gan).to(
        pick_device()
    )
    x = points("ring").sample(STEPS * BATCH_SIZE, seed=seed)
    history = fit(
        gan,
        minibatches(x, batch_size=BATCH_SIZE, seed=seed),
        steps=STEPS,
        progress=False,
        **setting.fit,
    )
    return gan, history.seconds


def width(x: Tensor) -> float:
    """The root of the mean squared distance of points x (N, 2) from their mean: 2.0 for the whole
    ring, little for a clump.
    """
    return (x - x.mean(0)).square().sum(1).mean().sqrt().item()


def measure(seeds: int) -> list[dict]:
    """One row per setting: modes found, share of samples near a mode, width, and seconds, each a
    list with one entry per seed.
    """
    ring, done = points("ring"), {name: [] for name in SETTINGS}
    for seed in range(seeds):
        for name, setting in SETTINGS.items():
            gan, seconds = train(setting, seed)
            x = gan.sample(SAMPLES).cpu()
            modes, share = mode_coverage(x, ring.centres, ring.stds)
            done[name].append(
                {
                    "modes": modes,
                    "share": round(share, 3),
                    "width": round(width(x), 3),
                    "seconds": round(seconds, 1),
                }
            )
            print(
                f"{name}, seed {seed}: {modes} modes, {share:.0%} of the samples near one, "
                f"{seconds:.1f} s",
                flush=True,
            )
    columns = {
        name: {key: [run[key] for run in runs] for key in runs[0]} for name, runs in done.items()
    }
    return [
        {"name": name, "what": setting.what} | columns[name] for name, setting in SETTINGS.items()
    ]


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    K, rows = len(points("ring").centres), []
    for row in results["rows"]:
        whole = f"{sum(modes == K for modes in row['modes'])} of {len(row['modes'])}"
        modes = " ".join(str(modes) for modes in row["modes"])
        numbers = [
            show(spread(row[key]), digits)
            for key, digits in (("share", 2), ("width", 2), ("seconds", 1))
        ]
        rows.append([f"**{row['name']}**: {row['what']}", whole, modes, *numbers])
    header = [
        "GAN on the ring",
        f"seeds with all {K} modes",
        "modes, seed by seed",
        "share near a mode",
        "width of the samples",
        "seconds",
    ]
    settings = results["settings"]
    below = (
        f"{settings['steps']:,} steps of {settings['batch_size']} points; "
        f"{settings['samples']:,} samples, those within three standard deviations of a centre "
        "are near it (0.99 of the data are); width is the root mean square distance from the "
        f"mean (2.0 for the data); mean (smallest … largest). {provenance(results)}"
    )
    return markdown(header, rows) + "\n\n" + below


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Modes of a ring of eight Gaussians that GANs find."
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, help="threads of torch; its own choice if not given")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, make the page's table anew"
    )
    args = parser.parse_args()
    if not args.table_only:
        if args.threads:
            torch.set_num_threads(args.threads)
        settings = {
            "seeds": args.seeds,
            "steps": STEPS,
            "batch_size": BATCH_SIZE,
            "samples": SAMPLES,
        }
        results = origin() | {
            "data": {"name": "ring of eight Gaussians"},
            "settings": settings,
            "rows": measure(args.seeds),
        }
        save(results, args.out)
        print(table(results))
    rewrite("gan_ring", {path: table(results) for path, results in stored(OUT).items()})


if __name__ == "__main__":
    main()
