"""Play the games of chapter 2 that a reader does not wait for, and write what is measured into
gencourse/models/gan/files/games.json, from which the chapter draws its figures.

    uv run python -m authoring.measure_gan_games [NAME ...]     all, or some of GAMES

    remedies       the collapsing game of section 2.8, as it is and with one change each
    two by two     plain networks on digits, two losses, without and with R1 (section 2.9)
    equal seconds  the convolutional GAN of section 2.10 under other rules, all equally long
    scarce         500 digits, without and with augmentation (section 2.14)

Each game is played with three seeds on one thread (equal seconds: one seed, 700 steps of the rules
of section 2.10); a row holds the numbers of one game and seed. Another machine rounds otherwise,
and games magnify that.
"""

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from gencourse import evaluation as ev
from gencourse.data import images, minibatches, points
from gencourse.models import gan as m
from gencourse.runtime import manual_seed
from gencourse.training import fit

FILE = Path(__file__).parents[1] / "gencourse/models/gan/files/games.json"
SEEDS, STEPS = (0, 1, 2), 700  # of the equally long games
softplus = nn.functional.softplus


class Remedied(m.GAN):
    """A GAN whose D sees data and samples apart, with two rules that `GAN` does not have.

    paired: the losses are softplus(D(G(z)) - D(x)) and softplus(D(x) - D(G(z))), so that D compares
    (relativistic pairing). r2 weighs the penalty of R1 at the samples.
    """

    def __init__(self, *networks: nn.Module, paired: bool = False, r2: float = 0.0, **rules: Any):
        super().__init__(*networks, **rules)
        self.paired, self.r2 = paired, r2

    def discriminator_loss(self, x: Tensor, *y: Tensor, z: Tensor | None = None) -> dict:
        """What D minimises."""
        with torch.no_grad():
            fake = self.generator(self.noise(len(x)) if z is None else z)
        real_logits, fake_logits = self.discriminator(x), self.discriminator(fake)
        loss = self.losses.discriminator(real_logits, fake_logits)
        if self.paired:
            loss = softplus(fake_logits - real_logits)
        for weight, place in ((self.r1, x), (self.r2, fake)):
            loss = loss + weight * m.r1_penalty(self.discriminator, place) if weight else loss
        return {"loss": loss}

    def generator_loss(self, x: Tensor, *y: Tensor, z: Tensor | None = None) -> dict:
        """What G minimises."""
        fake_logits = self.discriminator(self.generator(self.noise(len(x)) if z is None else z))
        if self.paired:
            return {"loss": softplus(self.discriminator(x) - fake_logits)}
        return {"loss": self.losses.generator(fake_logits)}


class BatchAware(nn.Module):
    """A D for points that also sees how much its features vary over the batch."""

    def __init__(self, hidden: int = 128) -> None:
        super().__init__()
        self.body = nn.Sequential(*list(m.PointDiscriminator(hidden))[:4])
        self.head = nn.Linear(hidden + 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,)."""
        h = self.body(x)
        spread = (h.var(0, unbiased=False) + 1e-8).sqrt().mean().expand(len(h), 1)
        return self.head(torch.cat([h, spread], 1))[:, 0]


def remedies() -> Iterator[dict]:
    """The collapsing game, 1,000 rounds at constant rates; two of the games also 4,000."""
    ring = points("ring")
    changes: dict[str, tuple[Callable[[], nn.Module], dict]] = {
        "as it is": (m.PointDiscriminator, {}),
        "R1": (m.PointDiscriminator, {"r1": 0.1}),
        "relativistic": (m.PointDiscriminator, {"paired": True}),
        "relativistic, R1 and R2": (m.PointDiscriminator, {"paired": True, "r1": 0.1, "r2": 0.1}),
        "batch statistics": (BatchAware, {}),
        "D as fast as G": (m.PointDiscriminator, {"d_lr_ratio": 1.0}),
    }
    played = [(name, name, 1000) for name in changes]
    played += [(f"{name}, 4 × as long", name, 4000) for name in ("as it is", "D as fast as G")]
    for seed in SEEDS:
        for name, change, rounds in played:
            judge, rules = changes[change]
            manual_seed(seed)
            rules = {"d_lr_ratio": 50.0, "betas": (0.5, 0.99), "ema_decay": 0} | rules
            game = Remedied(m.PointGenerator(), judge(), **rules)
            players = game.players(lr=1e-4)
            data = minibatches(ring.sample(20_000, seed=seed), batch_size=256, seed=seed)
            for x in islice(data, rounds):
                for player in players:
                    player.optimizer.zero_grad()
                    player.loss(x)["loss"].mean().backward()
                    player.optimizer.step()
            made = game.sample(4000, seed=1)
            covered = ev.mode_coverage(made, ring.centres, ring.stds)
            yield {
                "game": name,
                "seed": seed,
                "modes": covered.modes,
                "share": round(covered.share, 3),
            }


@cache
def judge() -> tuple[ev.FeatureNetwork, Tensor]:
    """The classifier of digits, and the features of the test images."""
    network = ev.feature_network("mnist")
    return network, network.features(images("mnist").test)


def scores(samples: Tensor) -> dict[str, float]:
    """Fréchet distance, precision and recall of samples of digits, as the chapter measures them."""
    network, test = judge()
    features = network.features(samples)
    n = min(1000, len(features))
    measured = ev.precision_recall(test[:n], features[:n])
    return {
        "frechet": round(ev.frechet_distance(features, test), 2),
        "precision": round(measured.precision, 3),
        "recall": round(measured.recall, 3),
    }


class PixelGenerator(nn.Sequential):
    """The plain generator of section 2.9."""

    latent_dim = 64

    def __init__(self) -> None:
        super().__init__(
            nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid(),
            nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip


def pixel_discriminator() -> nn.Module:
    """The plain discriminator of section 2.9."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1), nn.Flatten(0)
    )


def two_by_two() -> Iterator[dict]:
    """Plain networks on digits, 600 steps."""
    digits = images("mnist")
    for seed in SEEDS:
        for loss in ("saturating", "non-saturating"):
            for r1 in (0.0, 1.0):
                manual_seed(seed)
                game = m.GAN(
                    PixelGenerator(), pixel_discriminator(), loss=loss, r1=r1, d_lr_ratio=10.0
                )
                data = minibatches(digits.train_bytes, batch_size=32, seed=seed)
                fit(game, data, steps=600, lr=8e-4, progress=False)
                made = game.sample(2000, seed=5)
                spread = round(made.std(0).mean().item(), 4)
                yield {"game": loss, "r1": r1, "seed": seed, "spread": spread} | scores(made)


def equal_seconds() -> Iterator[dict]:
    """The convolutional GAN under other rules, each for as many seconds of the processor."""
    rules: dict[str, dict[str, Any]] = {
        "as above": {},
        "twice as long": {"long": 2.0},
        "relativistic, R1 and R2": {
            "paired": True, "r1": 1.0, "r2": 1.0, "spectral": False, "lr": 4e-3
        },
        "both rates halved": {"lr": 4e-3},
        "batches of 64": {"batch_size": 64},
        "batches of 16": {"batch_size": 16},
        "hinge": {"loss": "hinge"},
    }  # fmt: skip
    for name, rule in rules.items():
        yield {"game": name, "seed": 0} | convolutional(**rule)


def convolutional(long: float = 1.0, **rule: Any) -> dict[str, float]:
    """One game on digits, as long as STEPS steps under the rules of the chapter, times `long`."""
    steps = round(STEPS * long / cost(**rule)) if rule else round(STEPS * long)
    made = play(steps, **rule).sample(2000, seed=5)
    return {"steps": steps, "long": long} | scores(made)


def cost(**rule: Any) -> float:
    """The seconds of a step as a multiple of the chapter's, played in turns, since other programs
    may be running.
    """

    def seconds(**rule: Any) -> float:
        start = time.process_time()
        play(15, **rule)
        return time.process_time() - start

    pairs = [(seconds(**rule), seconds()) for _ in range(6)][1:]
    return median(own / usual for own, usual in pairs)


def play(
    steps: int,
    batch_size: int = 32,
    lr: float = 8e-3,
    spectral: bool = True,
    **rules: Any,
) -> m.GAN:
    """A convolutional GAN after so many steps."""
    manual_seed(0)
    judge = m.Discriminator(width=24, spectral=spectral)
    game = Remedied(m.Generator(width=24), judge, d_lr_ratio=2.0, **rules)
    data = minibatches(images("mnist").train_bytes, batch_size=batch_size, seed=0)
    fit(game, data, steps=steps, lr=lr, progress=False)
    return game


def scarce() -> Iterator[dict]:
    """Five hundred digits, 2,000 steps, looked at now and then."""
    digits = images("mnist")
    few = digits.train[::20]
    near_test, _ = ev.nearest_neighbours(digits.test, few)

    def move(x: Tensor) -> Tensor:
        return m.translate(x, torch.rand(len(x), 2))

    def look(rows: list, about: dict, game: m.GAN, step: int) -> None:
        if step % 250:
            return
        with torch.no_grad():
            seen, new = (
                100 * torch.cat([game.discriminator(part).sigmoid() for part in x.split(500)])
                for x in (few, digits.test)
            )
        made = game.sample(2000, seed=5)
        near, _ = ev.nearest_neighbours(made, few)
        rows.append(
            about
            | {"step": step, "gap": round((seen.mean() - new.mean()).item(), 2)}
            | {"distance": round((near.median() / near_test.median()).item(), 3)}
            | scores(made)
        )

    for seed in SEEDS:
        for name, augment in (("without", None), ("with", move)):
            manual_seed(seed)
            game = m.GAN(
                m.Generator(width=24), m.Discriminator(width=24, spectral=False),
                d_lr_ratio=2.0, augment=augment,
            )  # fmt: skip
            rows: list[dict] = []
            data = minibatches((few * 255).round().byte(), batch_size=32, seed=seed)
            watch = partial(look, rows, {"game": name, "seed": seed}, game)
            fit(game, data, steps=2000, lr=4e-3, on_step=watch, progress=False)
            watch(2000)
            yield from rows


GAMES = {
    "remedies": remedies,
    "two by two": two_by_two,
    "scarce": scarce,
    "equal seconds": equal_seconds,
}


def main() -> None:
    """Play the games named, or all, and write the file; what is not played stays as it is."""
    torch.set_num_threads(1)
    for name in sys.argv[1:] or GAMES:
        rows = []
        for row in GAMES[name]():
            print(name, row, flush=True)
            rows.append(row)
        kept = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
        where = f"{platform.machine()}, one thread, torch {torch.__version__.split('+')[0]}"
        kept[name] = {"by": f"python -m authoring.{Path(__file__).stem}", "on": where, "rows": rows}
        text = json.dumps(kept, ensure_ascii=False)
        FILE.write_text(text.replace('{"game"', '\n{"game"') + "\n", "utf-8")


if __name__ == "__main__":
    main()
