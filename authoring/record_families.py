"""Record gencourse/models/diffusion/files/families.json: the four families of the course on the
digits that ship, with equal seconds, under one judge.

    uv run python -m authoring.record_families [--seconds 40] [--seeds 3]

Each training gets so many seconds of one thread's computing time; its number of steps is found by
timing some. Chapter 4 shows the table, and files/recorded.md says what it is.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.data import binarised, images, minibatches
from gencourse.evaluation import feature_network, frechet_distance, precision_recall
from gencourse.experiments.datasheet import processor
from gencourse.experiments.pictures import binary
from gencourse.models import diffusion
from gencourse.models.autoregressive import PixelCNN
from gencourse.models.gan import GAN, Discriminator, Generator
from gencourse.models.vae import VAE, Autoencoder, GaussianMixture, reparameterize
from gencourse.runtime import global_seed, seeded, standard_normal
from gencourse.training import fit

FILE = Path(__file__).parents[1] / "gencourse" / "models" / "diffusion" / "files" / "families.json"
SAMPLES, AT_ONCE = 2000, 100
TRIED = 12  # steps, whose speed is measured
VAE_SHARE = 0.4  # of the seconds, where a flow follows
Draw = Callable[[int, int], Tensor]  # (n, seed) -> images


def trained(
    make: Callable[[], nn.Module],
    batches: Callable[[], Iterable],
    seconds: float,
    seed: int,
    **options: Any,
) -> Any:
    """A model after so many seconds of computing."""

    def run(steps: int) -> tuple[nn.Module, float]:
        with global_seed(seed):
            model, stream = make(), batches()
            begun = time.process_time()
            fit(model, stream, steps=steps, progress=False, **options)
        return model, time.process_time() - begun

    run(3)  # what only the first steps of a process pay
    _, used = run(TRIED)
    model, used = run(max(1, int(seconds * TRIED / used)))
    print(f"  {type(model).__name__}: {used:.0f} s", flush=True)
    return model


@torch.no_grad()
def codes_of(model: VAE | Autoencoder, x: Tensor) -> Tensor:
    """A code for each binary image: the encoder's, or a draw of q."""
    encoded = model.encode(x)
    if isinstance(encoded, Tensor):
        return encoded
    return reparameterize(*encoded, torch.randn(encoded.mu.shape, generator=seeded(0)))


def fresh_codes(model: VAE, x: Tensor, scale: Tensor, size: int, seed: int) -> Iterator[Tensor]:
    """Batches of codes over their scale, each drawn anew from q."""
    with torch.no_grad():
        q = model.encode(x)
    generator = seeded(seed)
    for mu, logvar in minibatches(q.mu, q.logvar, batch_size=size, seed=seed):
        eps = torch.randn(mu.shape, generator=generator)
        yield reparameterize(mu, logvar, eps) / scale


@torch.no_grad()
def decoded(model: VAE | Autoencoder, z: Tensor) -> Tensor:
    """Images of codes."""
    return model.decode(z).sigmoid()


def contestants(seconds: float, seed: int) -> Iterator[tuple[str, Draw, bool]]:
    """Name, what draws, and whether it draws binary images, for each."""
    data = images("mnist")
    grey = data.train_bytes
    mean_image = data.train.mean(0)

    def stream(size: int) -> Iterator:
        return minibatches(grey, batch_size=size, seed=seed)

    def bits(size: int) -> Iterator:
        return binarised(stream(size), seed=seed + 1)

    def vae() -> VAE:
        return VAE(16, mean_image=mean_image)

    train = binary(grey)
    model = trained(vae, lambda: bits(128), seconds, seed, lr=4e-3)
    yield "VAE, its prior", lambda n, s: model.sample(n, seed=s), False
    mixture = GaussianMixture.fit(codes_of(model, train), 40)
    yield "VAE, 40 normals", lambda n, s: decoded(model, mixture.sample(n, seed=s)), False
    auto = trained(lambda: Autoencoder(16), lambda: bits(128), seconds, seed, lr=4e-3)
    other = GaussianMixture.fit(codes_of(auto, train), 40)
    yield "autoencoder, 40 normals", lambda n, s: decoded(auto, other.sample(n, seed=s)), False
    gan = trained(
        lambda: GAN(Generator(64, 24), Discriminator(24), d_lr_ratio=2.0),
        lambda: stream(32),
        seconds,
        seed,
        lr=8e-3,
    )
    yield "GAN", lambda n, s: gan.sample(n, seed=s), False
    cnn = trained(
        lambda: PixelCNN(channels=16, kernel=7, layers=3, mean_image=mean_image),
        lambda: bits(8),
        seconds,
        seed,
        lr=8e-3,
    )
    yield "PixelCNN, binary", lambda n, s: cnn.sample(n, seed=s), True
    pixels = trained(
        lambda: diffusion.ImageDiffusion(diffusion.UNet(), 0.99),
        lambda: stream(64),
        seconds,
        seed,
        lr=2e-3,
    )
    yield "diffusion of pixels", lambda n, s: pixels.sample(n, steps=25, seed=s), False
    short = trained(vae, lambda: bits(128), VAE_SHARE * seconds, seed, lr=4e-3)
    scale = codes_of(short, train).std()
    flow = trained(
        lambda: diffusion.code_flow(diffusion.CodeNetwork(16, width=192, blocks=2), 0.99),
        lambda: fresh_codes(short, train, scale, 512, seed),
        (1 - VAE_SHARE) * seconds,
        seed,
        lr=6e-3,
        precision="float32",
    )

    @torch.no_grad()
    def from_flow(n: int, s: int) -> Tensor:
        eps = standard_normal(n, 16, seed=s)
        z = diffusion.heun(flow.averaged.velocity, eps, diffusion.even_times(13))
        return decoded(short, scale * z)

    yield "diffusion of codes", from_flow, False


def seconds_of(draw: Callable[[], Tensor], repeats: int = 3) -> float:
    """The shortest of several times of one call."""
    found = []
    for _ in range(repeats):
        begun = time.perf_counter()
        draw()
        found.append(time.perf_counter() - begun)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="The four families on equal terms.")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    judge, data = feature_network("mnist"), images("mnist")
    real = {False: judge.features(data.test), True: judge.features(binary(data.test_bytes))}
    rows: dict[str, dict[str, Any]] = {}
    begun = time.process_time()
    for seed in range(args.seeds):
        for name, draw, bits in contestants(args.seconds, seed):
            row = rows.setdefault(name, {"frechet": [], "recall": [], "precision": []})
            parts = [draw(500, 100 * seed + i) for i in range(SAMPLES // 500)]
            found = judge.features(torch.cat(parts))
            n = min(len(found), len(real[bits]))
            shares = precision_recall(real[bits][:n], found[:n])
            row["frechet"].append(round(frechet_distance(found, real[bits]), 2))
            row["precision"].append(round(shares.precision, 4))
            row["recall"].append(round(shares.recall, 4))
            if seed == 0:
                row["milliseconds"] = round(1000 * seconds_of(partial(draw, 1, 0)), 2)
                row["per_second"] = round(AT_ONCE / seconds_of(partial(draw, AT_ONCE, 0), 2), 1)
            print(f"seed {seed} {name}: {row}", flush=True)
    content = {
        "made_by": "python -m authoring.record_families "
        f"--seconds {args.seconds:g} --seeds {args.seeds}",
        "seconds": args.seconds,
        "samples": SAMPLES,
        "machine": f"{processor()}, {torch.get_num_threads()} thread",
        "computing_seconds": round(time.process_time() - begun),
        "rows": rows,
    }
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
