"""Image data sets as bytes in memory: parts of MNIST and Fashion-MNIST ship, the whole sets
download through torchvision.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gencourse.data.batches import unit_range
from gencourse.errors import DataUnavailable, InputError
from gencourse.runtime import typed_path

PARTS = ("train_bytes", "train_labels", "test_bytes", "test_labels")
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
LABEL_NAMES = {"mnist": tuple("0123456789"), "fashion-mnist": FASHION}


@dataclass(frozen=True)
class Images:
    """A data set in memory.

    train_bytes (N, C, H, W) uint8, train_labels (N,) int64; test_bytes and test_labels the same.
    `train` and `test` are fresh float copies in [0, 1]; give the bytes to `minibatches` where
    memory counts.
    """

    name: str
    train_bytes: Tensor
    train_labels: Tensor
    test_bytes: Tensor
    test_labels: Tensor
    label_names: tuple[str, ...]

    @property
    def train(self) -> Tensor:
        """Training images, (N, C, H, W) float in [0, 1]."""
        return unit_range(self.train_bytes)

    @property
    def test(self) -> Tensor:
        """Test images, (N, C, H, W) float in [0, 1]."""
        return unit_range(self.test_bytes)

    def __repr__(self) -> str:
        C, H, W = self.train_bytes.shape[1:]
        return (
            f"Images({self.name!r}: {len(self.train_bytes):,} train, {len(self.test_bytes):,} "
            f"test, {C}×{H}×{W})"
        )


def images(name: str = "mnist", full: bool = False, folder: str | Path | None = None) -> Images:
    """Load a data set: "mnist" or "fashion-mnist" (each ships: 10,000 train, 2,000 test), or
    "cifar10", or one in full.

    The full sets are read from `folder` if it is given, else from the course's data folder, where
    torchvision downloads them once and verifies its checksums. For MNIST and Fashion-MNIST `folder`
    may be any folder with the four idx files, compressed or not, in it or up to two folders below:
    torchvision's own and Kaggle's archive will do. `~` is the home folder.

    Raises DataUnavailable, with the way out, where a set cannot be had or a file of it is damaged.
    """
    names = (*LABEL_NAMES, "cifar10")
    if name not in names:
        raise InputError(
            f"images: name should be one of {', '.join(names)}, got {name!r}. Choose one of them."
        )
    if name in LABEL_NAMES and not full and folder is None:
        return shipped(name)
    try:
        from gencourse.data import downloads  # brings torchvision, whose import takes seconds
    except (ImportError, RuntimeError) as error:  # it is missing, or made for another torch
        raise DataUnavailable(
            f"images: {name} in full should be read by torchvision, and that cannot be imported "
            f"({str(error).splitlines()[0]}). Install the torchvision that belongs to torch "
            f"{torch.__version__.partition('+')[0]}: in the course's folder run `uv "
            "sync`, or `python -m pip install --upgrade torch torchvision`."
        ) from error

    parts, label_names = downloads.load(name, None if folder is None else typed_path(folder))
    return Images(
        name,
        **{key: torch.from_numpy(parts[key]) for key in PARTS},
        label_names=label_names or LABEL_NAMES[name],
    )


def shipped(name: str) -> Images:
    """The part of a data set that ships with the package (gencourse/data/files/NAME.md is its
    datasheet).
    """
    source = resources.files("gencourse.data") / "files" / f"{name}.npz"
    with source.open("rb") as stream, np.load(stream) as arrays:
        parts = {key: torch.from_numpy(arrays[key]) for key in PARTS}
    for key in ("train_bytes", "test_bytes"):
        parts[key] = parts[key][:, None]
    for key in ("train_labels", "test_labels"):
        parts[key] = parts[key].long()
    return Images(name, **parts, label_names=LABEL_NAMES[name])
