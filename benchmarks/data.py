"""How fast batches come: `minibatches` over bytes in memory, beside the two usual DataLoaders.

    python -m benchmarks.data
        measure, save results/data.json, put the table into benchmarks/README.md
    python -m benchmarks.data --table-only     make the table anew from the saved file

Each way delivers shuffled float batches (128, 1, 28, 28) in [0, 1], the DataLoaders with labels, as
is their habit. The ways take turns, and a ratio compares neighbours of one round, so that a busy
machine slows both alike.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import datasets
from torchvision.transforms import ToTensor

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
from gencourse.data import Images, images, minibatches

BATCH_SIZE = 128


class TorchvisionMNIST(datasets.MNIST):
    """torchvision's MNIST on images already in memory: each item goes through its own PIL image and
    transform.
    """

    def __init__(self, data: Tensor, targets: Tensor, transform: Callable):
        """data (N, H, W) uint8, targets (N,)."""
        datasets.VisionDataset.__init__(self, root="", transform=transform)
        self.data, self.targets = data, targets


def tutorial_loader(data: Images, batch_size: int = BATCH_SIZE) -> DataLoader:
    """What a tutorial writes: DataLoader(MNIST(transform=ToTensor()), shuffle=True), in the main
    process.
    """
    dataset = TorchvisionMNIST(data.train_bytes[:, 0], data.train_labels, ToTensor())
    return DataLoader(dataset, batch_size=batch_size, shuffle=True)


def endless(loader: Iterable) -> Iterator:
    """Pass after pass over a loader."""
    while True:
        yield from loader


def ways(data: Images) -> dict[str, tuple[str, Iterator]]:
    """What is compared, by name: a description, and the batches."""
    tensors: Dataset = TensorDataset(data.train, data.train_labels)
    return {
        "gencourse": (
            "`minibatches(data.train_bytes, ...)`",
            minibatches(data.train_bytes, batch_size=BATCH_SIZE, seed=0),
        ),
        "tensors": (
            "`DataLoader(TensorDataset(...))`",
            endless(DataLoader(tensors, batch_size=BATCH_SIZE, shuffle=True)),
        ),
        "tutorial": ("`DataLoader(MNIST(transform=ToTensor()))`", endless(tutorial_loader(data))),
    }


def rate(batches: Iterator, seconds: float) -> float:
    """Images per second, measured for about so many seconds after a short start."""
    for _ in itertools.islice(batches, 10):
        pass
    start, seen = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        batch = next(batches)
        seen += len(batch if isinstance(batch, Tensor) else batch[0])
    return seen / passed


def measure(data: Images, seconds: float, rounds: int) -> list[dict]:
    """One row per way; `ratio` is gencourse's rate over its own, round by round."""
    compared = ways(data)
    rates = {name: [] for name in compared}
    for _ in range(rounds):
        for name, (_, batches) in compared.items():
            rates[name].append(rate(batches, seconds))
    ratios = {
        name: [ours / theirs for ours, theirs in zip(rates["gencourse"], rates[name], strict=True)]
        for name in rates
    }
    return [
        {
            "name": name,
            "what": what,
            "images_per_second": spread(rates[name]),
            "ratio": spread(ratios[name]),
        }
        for name, (what, _) in compared.items()
    ]


def table(results: dict) -> str:
    """The results as a table in markdown, with a sentence on where they come from."""
    rows = [
        [row["what"], show(row["images_per_second"], 0), show(row["ratio"], 1)]
        for row in results["rows"]
    ]
    rows[0][-1] = "—"  # itself
    settings = results["settings"]
    below = (
        f"Batches of {settings['batch_size']}, {results['data']['name']}; mean (smallest … "
        f"largest) of {settings['rounds']} rounds. {provenance(results)}"
    )
    return (
        markdown(["batches from", "images/s", "`minibatches` is faster by"], rows) + "\n\n" + below
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Images per second of three ways to make batches.")
    parser.add_argument("--seconds", type=float, default=2, help="for each way in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="threads of torch; its own choice if not given")
    parser.add_argument("--out", type=Path, default=RESULTS / "data.json")
    parser.add_argument(
        "--table-only", action="store_true", help="measure nothing, make the page's table anew"
    )
    args = parser.parse_args()
    if not args.table_only:
        if args.threads:
            torch.set_num_threads(args.threads)
        torch.manual_seed(0)
        data = images("mnist")
        results = origin() | {
            "data": {
                "name": f"shipped ({len(data.train_bytes):,} / {len(data.test_bytes):,})",
                "train": len(data.train_bytes),
                "test": len(data.test_bytes),
            },
            "settings": {"batch_size": BATCH_SIZE, "seconds": args.seconds, "rounds": args.rounds},
            "rows": measure(data, args.seconds, args.rounds),
        }
        save(results, args.out)
        print(table(results))
    rewrite(
        "data", {path: table(results) for path, results in stored(RESULTS / "data.json").items()}
    )


if __name__ == "__main__":
    main()
