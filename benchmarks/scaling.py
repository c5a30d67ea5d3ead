"""How a training step grows: seconds and memory over batch, width, context, pixels, threads and
processes, beside the counted multiplications and this machine's measured peak.

    python -m benchmarks.scaling                 measure, save results/scaling.json and scaling.png,
                                                 tables into benchmarks/README.md
    python -m benchmarks.scaling --table-only    make tables and figure anew from the saved file

Each point is measured in a process of its own, so that its peak of memory is its own. A step is
that of `fit`: loss, gradients, optimizer, for each player. Multiplications are counted by torch's
FlopCounterMode, in products and convolutions of one step, forward and backward.
"""

# POSIX: the peak of memory of a process, and processes that are forked

import argparse
import itertools
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import NullFormatter
from torch import Tensor, distributed, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.command import publish
from benchmarks.readme import RESULTS, markdown, provenance
from gencourse.models import gan, vae
from gencourse.models.autoregressive import GPT, PixelCNN
from gencourse.runtime import seeded
from gencourse.training import fit

OUT, FIGURE = RESULTS / "scaling.json", RESULTS / "scaling.png"
DAY, SHARE, TOKENS = 86_400, 0.4, 20  # seconds; of the peak, assumed; a parameter, Hoffmann 2022
BYTES = 16  # a parameter in float32 with its gradient and Adam's two averages
ON_PAPER = {  # operations a second as their makers state them, and bytes of memory
    "T4": (65e12, 16e9),
    "H100": (989e12, 80e9),
    "eight H100": (8 * 989e12, 8 * 80e9),
}
SECONDS = 1.0  # of steps at each point, at least
PLACES = {"threads": 1, "processes": 1}


def pictures(batch: int, side: int) -> Tensor:
    """Binary images (batch, 1, side, side)."""
    return torch.bernoulli(torch.full((batch, 1, side, side), 0.2), generator=seeded(0))


@dataclass(frozen=True)
class Family:
    """A model and its batches by sizes, the sizes to begin with, and those along each axis."""

    make: Callable[[dict], nn.Module]
    batch: Callable[[dict], Tensor | tuple[Tensor, ...]]
    base: dict[str, int]
    axes: dict[str, tuple[int, ...]]


FAMILIES = {
    "VAE": Family(
        lambda s: vae.VAE(16, s["width"], (1, s["side"], s["side"])),
        lambda s: pictures(s["batch"], s["side"]),
        {"width": 512, "batch": 128, "side": 28},
        {"width": (128, 256, 512, 1024), "batch": (16, 64, 256, 1024), "side": (14, 28, 56)},
    ),
    "GAN": Family(
        lambda s: gan.GAN(
            gan.Generator(64, s["width"], (1, s["side"], s["side"])),
            gan.Discriminator(s["width"], (1, s["side"], s["side"])),
        ),
        lambda s: pictures(s["batch"], s["side"]),
        {"width": 24, "batch": 32, "side": 28},
        {"width": (12, 24, 48), "batch": (8, 32, 128), "side": (28, 56)},
    ),
    "PixelCNN": Family(
        lambda s: PixelCNN(s["width"], 7, 3, (1, s["side"], s["side"])),
        lambda s: pictures(s["batch"], s["side"]),
        {"width": 16, "batch": 8, "side": 28},
        {"width": (8, 16, 32), "batch": (4, 8, 16, 32), "side": (14, 28, 56)},
    ),
    "GPT": Family(
        lambda s: GPT(65, s["context"], 4, 3, s["width"]),
        lambda s: tuple(
            torch.randint(65, (s["batch"], s["context"]), generator=seeded(i)) for i in (0, 1)
        ),
        {"width": 96, "batch": 24, "context": 64},
        {"width": (48, 96, 192, 384), "batch": (6, 24, 96), "context": (32, 64, 128, 256)},
    ),
}


def points() -> list[tuple[str, str, dict]]:
    """Family, axis and sizes of all that is measured."""
    found = []
    for name, family in FAMILIES.items():
        for axis, values in {**family.axes, "threads": (1, 2), "processes": (1, 2)}.items():
            found += [(name, axis, {**PLACES, **family.base, axis: value}) for value in values]
    return found


def measured(name: str, sizes: dict) -> dict[str, float]:
    """Seconds a step, the peak of memory beyond what torch takes, and multiplications a step."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory() as folder, context.Pool(sizes["processes"]) as pool:
        work = [(name, sizes, rank, folder) for rank in range(sizes["processes"])]
        return pool.starmap(of_process, work, chunksize=1)[0]


def of_process(name: str, sizes: dict, rank: int, folder: str) -> dict[str, float]:
    """What one process measures."""
    family, count = FAMILIES[name], sizes["processes"]
    torch.set_num_threads(sizes["threads"])
    if count > 1:
        meeting = f"file://{folder}/meeting"
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
    began_with = peak_mib()
    torch.manual_seed(0)
    model, batch = family.make(sizes), family.batch(sizes)

    def seconds(steps: int) -> float:
        began = time.perf_counter()
        fit(
            model,
            itertools.repeat(batch),
            steps=steps,
            progress=False,
            precision="float32",
            lr=1e-4,
        )
        return (time.perf_counter() - began) / steps

    with FlopCounterMode(display=False) as counter:
        seconds(1)
    once = seconds(2)
    if count > 1:  # all of them make as many steps
        agreed = torch.tensor(once)
        distributed.all_reduce(agreed)
        once = float(agreed) / count
    steps = max(2, math.ceil(SECONDS / 3 / once))
    taken = min(seconds(steps) for _ in range(3))
    return {
        "seconds": float(f"{taken:.4g}"),
        "mib": round(peak_mib() - began_with, 1),
        "multiplications": counter.get_total_flops() * count // 2,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def peak_mib() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak(threads: int, n: int = 1024) -> float:
    """Multiplications a second in the product of two matrices n × n, float32."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, taken = torch.randn(n, n, generator=seeded(0)), []
    for _ in range(20):
        began = time.perf_counter()
        a @ a
        taken.append(time.perf_counter() - began)
    torch.set_num_threads(before)
    return float(f"{n**3 / min(taken):.4g}")


def exponent(values: list[float], sizes: list[float]) -> float:
    """The slope b of log value = a + b log size, by least squares."""
    x, y = (torch.tensor(v, dtype=torch.float64).log() for v in (sizes, values))
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / x.square().sum())


def growth(rows: list[dict]) -> list[list[str]]:
    """For each family and axis: by which power seconds, memory and multiplications grow."""
    lines = []
    for name, family in FAMILIES.items():
        for axis in family.axes:
            mine = [row for row in rows if (row["family"], row["axis"]) == (name, axis)]
            sizes = [row["sizes"][axis] for row in mine]
            powers = [
                exponent([row[key] for row in mine], sizes)
                for key in ("seconds", "mib", "multiplications")
            ]
            said = f"{sizes[0]:,} to {sizes[-1]:,}"
            lines.append([name, axis, said, *(f"{power:.2f}" for power in powers)])
    return lines


def bases(results: dict) -> list[list[str]]:
    """For each family: its step at the sizes of the chapters, and what a second core brings."""
    lines = []
    for name in FAMILIES:
        mine = [row for row in results["rows"] if row["family"] == name]
        one, two = (row for row in mine if row["axis"] == "threads")
        _, shared = (row for row in mine if row["axis"] == "processes")
        share = one["multiplications"] / one["seconds"] / results["peak"]["1"]
        lines.append(
            [
                name,
                ", ".join(f"{k} {v}" for k, v in FAMILIES[name].base.items()),
                f"{1e3 * one['seconds']:.1f}",
                f"{one['mib']:.0f}",
                f"{one['multiplications'] / 1e9:.2f}",
                f"{100 * share:.0f} %",
                f"{one['seconds'] / two['seconds']:.2f}",
                f"{one['seconds'] / shared['seconds']:.2f}",
            ]
        )
    return lines


def largest(operations: float, memory: float) -> tuple[float, float]:
    """Parameters N of the language model that a day of this machine trains best, and its tokens.

    Compute C = 6 N D with D = 20 N tokens (Hoffmann et al. 2022), so N = √(C / 120); no more than
    half of the memory holds, since the rest is for what the layers keep.
    """
    compute = SHARE * operations * DAY
    N = min(math.sqrt(compute / (6 * TOKENS)), memory / 2 / BYTES)
    return N, TOKENS * N


def on_paper(results: dict) -> list[list[str]]:
    """For each machine: the largest sensible language model, and the text that it needs."""
    here = 2 * results["peak"]["2"]  # a multiplication and an addition
    machines = {"these two threads": (here, math.inf), **ON_PAPER}
    lines = []
    for name, (operations, memory) in machines.items():
        N, D = largest(operations, memory)
        lines.append([name, f"{operations / 1e12:.3g}", f"{N / 1e6:,.0f}", f"{D / 1e9:,.1f}"])
    return lines


def table(results: dict) -> str:
    """The results as three tables in markdown, a figure, and where they come from."""
    base = markdown(
        [
            "model", "sizes", "ms a step", "MiB", "10⁹ multiplications", "of the peak",
            "2 threads: faster by", "2 processes: faster by",
        ],
        bases(results), 2,
    )  # fmt: skip
    powers = markdown(
        ["model", "what grows", "from … to", "seconds", "memory", "multiplications"],
        growth(results["rows"]), 3,
    )  # fmt: skip
    paper = markdown(
        ["a day of", "peak, 10¹² operations a second", "10⁶ parameters", "10⁹ tokens"],
        on_paper(results), 1,
    )  # fmt: skip
    below = (
        "The first table: one thread, float32, a step of `fit`; memory is the peak beyond that of "
        "an imported torch; the peak is that of a product of two matrices, "
        f"{results['peak']['1'] / 1e9:.0f} · 10⁹ multiplications a second. The second: the power "
        "of its size with which each quantity grows, by least squares on the measured points, all "
        "else as in the first table. The third is on paper, and nobody has run it: a language "
        f"model with {TOKENS} tokens for each parameter, {100 * SHARE:.0f} % of the peak, two "
        f"operations for a multiplication; the peak of GPUs as stated for 16 bits. "
        f"{provenance(results)}"
    )
    figure = "![Seconds a step over counted multiplications](results/scaling.png)"
    return "\n\n".join([base, powers, figure, paper, below])


def draw(results: dict, path: Path) -> None:
    """Seconds a step over counted multiplications, one panel for each family."""
    figure, axes = plt.subplots(1, len(FAMILIES), figsize=(13, 3.4), layout="constrained")
    for ax, (name, family) in zip(axes, FAMILIES.items(), strict=True):
        for axis in family.axes:
            mine = [row for row in results["rows"] if (row["family"], row["axis"]) == (name, axis)]
            x = [row["multiplications"] for row in mine]
            ax.loglog(x, [row["seconds"] for row in mine], marker="o", label=axis)
        every = [row["multiplications"] for row in results["rows"] if row["family"] == name]
        ends = [min(every), max(every)]
        at_peak = [n / results["peak"]["1"] for n in ends]
        ax.loglog(ends, at_peak, color="black", linewidth=1, linestyle=":", label="at the peak")
        for one in (ax.xaxis, ax.yaxis):
            one.set_minor_formatter(NullFormatter())
        ax.set(title=name, xlabel="multiplications in a step", ylabel="seconds a step")
        ax.legend(fontsize="small")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def compare(args: argparse.Namespace) -> dict:
    """Everything that is measured, in the form of the file of results."""
    rows = []
    for name, axis, sizes in points():
        rows.append({"family": name, "axis": axis, "sizes": sizes, **measured(name, sizes)})
        print(rows[-1], flush=True)
    return {"peak": {str(threads): peak(threads) for threads in (1, 2)}, "rows": rows}


def shown(results: dict) -> str:
    """The tables; the figure is drawn beside them."""
    draw(results, FIGURE)
    return table(results)


def main() -> None:
    parser = argparse.ArgumentParser(description="How a step grows with its sizes.")
    parser.add_argument("--threads", type=int, default=1, help="for the machine's own entry")
    parser.add_argument("--out", type=Path, help=f"the JSON file; {OUT.name}")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, make the tables anew"
    )
    publish(parser.parse_args(), "scaling", compare, shown, OUT, OUT)


if __name__ == "__main__":
    main()
