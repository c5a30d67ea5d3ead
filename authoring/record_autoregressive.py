"""Record what chapter 3 shows and does not train itself, as JSON in
gencourse/models/autoregressive/files/, beside the datasheet recorded.md.

    uv run python -m authoring.record_autoregressive [NAME ...]

overfitting: `gencourse train gpt` on a short text, three seeds. digits: a VAE, MADE and PixelCNN as
`gencourse train` trains them, three seeds, all measured on the same images. optimizers: small GPTs
that get equally many steps. tokens, isoflop: networks that get equally many operations. The rates
of optimizers and tokens are chosen on a part of the training text.
"""

import argparse
import itertools
import json
import math
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import torch
from torch import Tensor

from gencourse.data import text, windows
from gencourse.evaluation import dataset_elbo_terms, dataset_iwae_bound
from gencourse.experiments import train
from gencourse.experiments.measures import text_nats
from gencourse.experiments.pictures import binary, pictures
from gencourse.experiments.recipe import recipe
from gencourse.models import autoregressive as m
from gencourse.runtime import global_seed
from gencourse.training import JointOptimizer, Player, adam, fit

FILES = Path(__file__).parents[1] / "gencourse" / "models" / "autoregressive" / "files"
SEEDS = (0, 1, 2)
STEPS = 120  # of each small GPT whose optimizers are compared
OPERATIONS = 1e11  # of each small GPT whose tokens are compared, 6 N D
WIDTHS = (6, 12, 24, 48, 96)
WARM_UP = 20  # steps, where there is one
TUNING = 50_000  # the last characters of the training text, on which rates are chosen
ADAM_RATES, MUON_RATES = (0.0016, 0.0025, 0.004, 0.0064, 0.01), (0.05, 0.08, 0.13)  # to begin with
SIZES = {"layers": 2, "heads": 4, "width": 64}


class GPTWithAdam(m.GPT):
    """The same GPT, every parameter of which is trained by Adam."""

    def players(self, lr: float) -> list[Player]:
        return [Player("", adam(self.parameters(), lr, betas=(0.9, 0.95)), self.loss)]


class GPTWithTwoRates(m.GPT):
    """The same GPT; Adam at `lr` for the matrices of the blocks, and for embeddings and norms at
    the rate that they have beside Muon.
    """

    others = 0.016

    def players(self, lr: float) -> list[Player]:
        matrices = [p for p in self.blocks.parameters() if p.ndim == 2]
        others = [p for p in self.parameters() if not any(p is m for m in matrices)]
        pair = (
            adam(part, rate, betas=(0.9, 0.95))
            for part, rate in ((matrices, lr), (others, self.others))
        )
        return [Player("", JointOptimizer(*pair), self.loss)]


class GPTWithWarmUp(GPTWithTwoRates):
    """The same, and both rates rise to their place in the first WARM_UP steps."""

    def players(self, lr: float) -> list[Player]:
        players = super().players(lr)
        for optimizer in cast(JointOptimizer, players[0].optimizer).optimizers:
            steps = itertools.count(1)

            def lower(optimizer: Any, *_: Any, steps: Any = steps) -> None:
                share = min(1.0, next(steps) / WARM_UP)
                for group in optimizer.param_groups:  # `fit` sets the rate anew before each step
                    group["lr"] *= share

            optimizer.register_step_pre_hook(lower)
        return players


def rotated_by_nothing(x: Tensor, offset: int = 0, base: float = 0.0) -> Tensor:
    return x


def without_positions(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, in which attention knows no positions."""

    def changed(*arguments: Any) -> Any:
        with patch("gencourse.models.autoregressive.attention.apply_rotary", rotated_by_nothing):
            return work(*arguments)

    return changed


def as_it_is(work: Callable[..., Any]) -> Callable[..., Any]:
    return work


def trained(
    kind: type[m.GPT], tokens: Tensor, V: int, lr: float, seed: int, steps: int, block: int = 64
) -> m.GPT:
    """A small GPT after so many steps of 1,024 tokens each."""
    with global_seed(seed):
        model = kind(V, block_size=block, **SIZES)
    batches = windows(tokens, block, 1024 // block, seed=seed)
    fit(model, batches, steps=steps, lr=lr, progress=False)
    return model.eval()


def best_rate(cost: Callable[[float], float], rates: Iterable[float]) -> dict[str, Any]:
    """The rate of the least cost, which is no end of the grid: beyond an end that is best the next
    one is tried; and all costs.
    """
    tuned = {lr: cost(lr) for lr in rates}
    while (best := min(tuned, key=lambda lr: tuned[lr])) in (min(tuned), max(tuned)):
        further = round(best * 1.6 if best == max(tuned) else best / 1.6, 4)
        tuned[further] = cost(further)
    return {"lr": best, "tuning": dict(sorted(tuned.items()))}


def milliseconds(kinds: dict[str, type[m.GPT]], V: int, tokens: Tensor) -> dict[str, float]:
    """Of computing for a step of each kind: the least of rounds in which they take turns."""
    least = dict.fromkeys(kinds, float("inf"))
    for _, (name, kind) in itertools.product(range(8), kinds.items()):
        model, batches = kind(V, block_size=64, **SIZES), windows(tokens, 64, 16, seed=0)
        began = time.process_time()
        fit(model, batches, steps=5, lr=0.001, progress=False)
        least[name] = min(least[name], 200 * (time.process_time() - began))
    return least


def nats(model: m.GPT, tokens: Tensor) -> float:
    with torch.no_grad():
        return text_nats(model, tokens)


WAYS: dict[str, tuple[type[m.GPT], Callable[..., Any], tuple[float, ...]]] = {
    "Muon": (m.GPT, as_it_is, MUON_RATES),
    "Adam": (GPTWithAdam, as_it_is, ADAM_RATES),
    "Adam, two rates": (GPTWithTwoRates, as_it_is, ADAM_RATES),
    "Adam, two rates, warm-up": (GPTWithWarmUp, as_it_is, ADAM_RATES),
    "Muon, no positions": (m.GPT, without_positions, MUON_RATES),
}


def optimizer_row(name: str) -> dict[str, Any]:
    """A way of training with a rate of its own: rates 1.6 apart until the best is inside."""
    data = text("shakespeare")
    V, train_part, tuning = len(data.vocabulary), data.train[:-TUNING], data.train[-TUNING:]
    held_out = torch.cat([data.train[-1:], data.validation])
    kind, work, rates = WAYS[name]
    train_it, price = work(trained), work(nats)

    def cost(lr: float) -> float:
        return price(train_it(kind, train_part, V, lr, 9, STEPS), tuning)

    chosen = best_rate(cost, rates)
    runs = [train_it(kind, data.train, V, chosen["lr"], seed, STEPS) for seed in SEEDS]
    row = chosen | {"nats": [price(model, held_out) for model in runs]}
    print(name, row, flush=True)
    return row


def optimizers() -> dict[str, Any]:
    data = text("shakespeare")
    taken = milliseconds({"Muon": m.GPT, "Adam": GPTWithAdam}, len(data.vocabulary), data.train)
    rows = {name: optimizer_row(name) for name in WAYS}
    if rows["Muon"]["lr"] != 5 * GPTWithTwoRates.others:
        raise RuntimeError("Adam, two rates: others should be a fifth of Muon's rate.")
    for name, each in taken.items():
        rows[name]["milliseconds"] = each
    return {"steps": STEPS, "rows": rows}


def tokens() -> dict[str, Any]:
    """Characters against merges: every held-out byte is predicted once, given what came before it
    in its window.
    """
    data = text("shakespeare")
    V, written = len(data.vocabulary), (data.decode(data.train), data.decode(data.validation))
    tokenizer = m.BPE(m.bpe_train(written[0], merges=512))
    merged = [tokenizer.encode(part) for part in written]
    rows = {}
    for name, (own, held_out), size, block in (
        ("characters, 64", (data.train, data.validation), V, 64),
        ("merges, 64", merged, len(tokenizer), 64),
        ("merges, 32", merged, len(tokenizer), 32),
    ):
        cut, whole = int(len(own) * (1 - TUNING / len(data.train))), torch.cat([own[-1:], held_out])
        N = sum(p.numel() for p in m.GPT(size, block_size=block, **SIZES).parameters())
        steps = round(OPERATIONS / (6 * N * 1024))

        def cost(
            lr: float,
            own: Tensor = own,
            cut: int = cut,
            size: int = size,
            steps: int = steps,
            block: int = block,
        ) -> float:
            model = trained(m.GPT, own[:cut], size, lr, 9, steps, block)
            return nats(model, own[cut:])

        chosen = best_rate(cost, (0.05, 0.08, 0.13))
        runs = [trained(m.GPT, own, size, chosen["lr"], seed, steps, block) for seed in SEEDS]
        per_token = [nats(model, whole) for model in runs]
        ratio = len(written[1].encode()) / len(held_out)
        rows[name] = chosen | {
            "steps": steps,
            "parameters": N,
            "bits_per_byte": [each / ratio / math.log(2) for each in per_token],
            "nats_per_token": per_token,
            "bytes_per_token": ratio,
            "bytes_read": round(steps * 1024 * len(written[0].encode()) / len(own)),
        }
        print(name, rows[name], flush=True)
    return {"operations": OPERATIONS, "rows": rows}


def overfitting() -> dict[str, Any]:
    characters, steps = 10_000, 200
    whole = text("melville")
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "little.txt"
        source.write_text(whole.decode(whole.train[:characters]), "utf-8")
        for seed in SEEDS:
            to = Path(folder) / f"seed_{seed}"
            train("gpt", scale="default", data=source, steps=steps, seed=seed, to=to)
            lines = (to / "metrics.csv").read_text("utf-8").split()
            names, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
            runs.append([dict(zip(names, map(float, row), strict=True)) for row in rows])
    columns = {"training": "train/loss", "held out": "nats"}
    return {
        "characters": characters,
        "command": f"gencourse train gpt --scale default --data FILE --steps {steps} --seed SEED",
        "step": [int(row["step"]) for row in runs[0]],
        **{name: [[row[key] for row in rows] for rows in runs] for name, key in columns.items()},
    }


PAIRS = ("VAE: ELBO (bound)", "VAE: IWAE-500 (bound)", "MADE (exact)", "PixelCNN (exact)")


def digit_model(name: str, seed: int, direct: bool = True) -> Any:
    """A model after the training that `gencourse train NAME` gives it on the digits that ship, but
    for the looks along the way and the choice of the best weights; without `direct`, MADE's direct
    connections stay at zero.
    """
    chosen, parts = recipe(name), pictures("mnist", "shipped")
    training = chosen.training["default"]
    with global_seed(seed):
        model = cast(Any, chosen.model(chosen.settings(parts, "default"), parts))
        if not direct:
            model.direct.weight.requires_grad_(False)
        batches = chosen.batches(model, parts, training.batch_size, seed)
        fit(model, batches, steps=training.steps, lr=training.lr, progress=False)
    return model.eval()


def digit_costs(seed: int) -> dict[str, Tensor]:
    """What each of the same test images costs under the models of a seed, nats, (N,)."""
    x = binary(pictures("mnist", "shipped").test)[::4]
    vae, made, pixelcnn = (digit_model(name, seed) for name in ("vae", "made", "pixelcnn"))
    with torch.no_grad(), global_seed(0):
        bounds = (
            dataset_elbo_terms(vae.loss, x)["elbo"],
            dataset_iwae_bound(vae.log_weights, x, K=500),
        )
        exact = [
            torch.cat([each.log_prob(part) for part in x.split(100)]) for each in (made, pixelcnn)
        ]
        return {name: -each for name, each in zip(PAIRS, (*bounds, *exact), strict=True)}


def digits() -> dict[str, Any]:
    per_seed = []
    for seed in SEEDS:
        per_seed.append(digit_costs(seed))
        print({name: float(each.mean()) for name, each in per_seed[-1].items()}, flush=True)
    x = binary(pictures("mnist", "shipped").test)[::4]
    indirect = digit_model("made", 0, direct=False)
    with torch.no_grad():
        bare = -float(indirect.log_prob(x).mean())
    against = {
        f"{a} - {b}": [per[a] - per[b] for per in per_seed]
        for a, b in itertools.permutations(PAIRS, 2)
    }
    n = len(x)
    return {
        "images": n,
        "made_without_direct_connections": bare,
        "nats": {name: [float(per[name].mean()) for per in per_seed] for name in PAIRS},
        "error": {name: [float(per[name].std() / n**0.5) for per in per_seed] for name in PAIRS},
        "difference": {k: [float(d.mean()) for d in ds] for k, ds in against.items()},
        "difference_error": {k: [float(d.std() / n**0.5) for d in ds] for k, ds in against.items()},
    }


def isoflop_row(C: float, width: int) -> dict[str, float] | None:
    """A GPT of a width, trained for C = 6 N D operations: N parameters, D tokens; None where that
    would be too few steps to be a training, or too many for an evening.
    """
    data = text("shakespeare")
    with global_seed(0):
        model = m.GPT(len(data.vocabulary), block_size=32, layers=2, heads=3, width=width)
    N = sum(p.numel() for p in model.parameters())
    steps = round(C / (6 * N * 32 * 32))
    if not 5 <= steps <= 3000:
        return None
    fit(model, windows(data.train, 32, 32, seed=0), steps=steps, lr=0.03, progress=False)
    return {"C": C, "N": N, "steps": steps, "nats": nats(model.eval(), data.validation)}


def isoflop() -> dict[str, Any]:
    rows = [isoflop_row(*each) for each in itertools.product((5e9, 2e10, 8e10), WIDTHS)]
    return {"rows": [row for row in rows if row]}


def machine() -> str:
    return f"{platform.machine()}, one thread, torch {torch.__version__.split('+')[0]}, float32"


def main(names: Iterable[str]) -> None:
    for name in names:
        began = time.process_time()
        found = MAKERS[name]()
        about: dict[str, Any] = {"made_by": f"python -m authoring.record_autoregressive {name}"}
        about |= {"machine": machine(), "computing_seconds": round(time.process_time() - began)}
        content = json.dumps(about | found, indent=1, ensure_ascii=False)
        (FILES / f"{name}.json").write_text(content + "\n", "utf-8")
        print(f"{name}: {about['computing_seconds']} s of computing", flush=True)


MAKERS = {each.__name__: each for each in (optimizers, tokens, overfitting, digits, isoflop)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="all if none is given")
    torch.set_num_threads(1)
    main(parser.parse_args().names or MAKERS)
