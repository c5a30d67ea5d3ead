"""The whole image data sets, read from their original files or downloaded through torchvision."""

import gzip
import zlib
from pathlib import Path
from urllib.error import URLError

import numpy as np
import torch

from gencourse import runtime
from gencourse.errors import DataUnavailable

try:
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity, download_url
except (ImportError, RuntimeError, OSError) as error:  # it is not there, or made for another torch
    raise DataUnavailable(
        f"images: whole data sets should come through the torchvision that fits torch "
        f"{torch.__version__}, got {str(error).splitlines()[0]!r}. In the folder of the clone run "
        '`uv sync --reinstall`, or `python -m pip install --upgrade -e ".[lab]"`; '
        "images('mnist') ships with the package and needs none."
    ) from None

# keyed by the part that the file holds; the names are those of the original distribution
IDX_FILES = {
    "train_bytes": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_bytes": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def load(name: str, folder: Path | None) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The four parts of a data set, and the names of its classes where its files hold them."""
    return _cifar10(name, folder) if name == "cifar10" else (_idx_set(name, folder), ())


def _idx_set(name: str, folder: Path | None) -> dict[str, np.ndarray]:
    """MNIST or Fashion-MNIST in full, from a folder of idx files or torchvision's mirrors."""
    dataset = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[name]
    if folder is None:
        folder = runtime.data_folder() / name
        for filename, md5 in dataset.resources:
            _download(name, folder, filename, md5, dataset.mirrors)
    parts = {key: _read_idx(name, folder, stem) for key, stem in IDX_FILES.items()}
    for key in ("train", "test"):
        if len(parts[f"{key}_bytes"]) != len(parts[f"{key}_labels"]):
            raise DataUnavailable(
                f"images: {key} images and labels in {folder} differ in number. Fetch the four "
                "files again."
            )
    parts |= {key: value[:, None] for key, value in parts.items() if value.ndim == 3}
    parts |= {key: value.astype(np.int64) for key, value in parts.items() if value.ndim == 1}
    return parts


def _download(name: str, folder: Path, filename: str, md5: str, mirrors: list[str]) -> None:
    """Fetch one file unless a sound copy is there; a damaged copy is fetched again."""
    damaged = (folder / filename).exists() and not check_integrity(folder / filename, md5)
    failure = None
    for mirror in mirrors:
        try:
            # keeps a sound copy
            download_url(mirror.rstrip("/") + "/" + filename, str(folder), filename, md5)
            return
        except (URLError, OSError, RuntimeError) as error:
            failure = error
    what = (
        f"{folder / filename} is damaged and" if damaged else f"{filename} is not in {folder} and"
    )
    raise DataUnavailable(
        f"images: {name} in full should be on this machine or downloadable, but {what} could not "
        f"be fetched ({failure}). Without a network use images('mnist'), which ships with the "
        "package (10,000 train, 2,000 test), or put the files in that folder, or pass "
        "folder=... ."
    )


def _read_idx(name: str, folder: Path, stem: str) -> np.ndarray:
    """One idx file, compressed or not: two zero bytes, a type, the number of dimensions, their
    sizes, the data.
    """
    candidates = [folder / stem, folder / f"{stem}.gz", folder / stem.replace("-idx", ".idx")]
    path = next((p for p in candidates if p.is_file()), None)
    if path is None:
        raise DataUnavailable(
            f"images: {name} should have the file {stem} or {stem}.gz in {folder}, got none. Put "
            "it there, or use images('mnist'), which ships with the package (10,000 train, "
            "2,000 test)."
        )
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataUnavailable(
            f"images: {path} should be a whole gzip file, got a damaged one ({error}). Fetch it "
            "again."
        ) from None
    ndim = raw[3] if len(raw) >= 4 and raw[:3] == b"\x00\x00\x08" else 0
    sizes = np.frombuffer(raw, ">i4", ndim, 4).tolist() if ndim and len(raw) >= 4 + 4 * ndim else []
    expected = 4 + 4 * ndim + int(np.prod(sizes)) if sizes else -1
    if len(raw) != expected:
        what = f"{len(raw):,} bytes instead of {expected:,}" if sizes else "no idx header"
        raise DataUnavailable(
            f"images: {path} should be a whole idx file, got {what}. Fetch it again."
        )
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(sizes).copy()


def _cifar10(name: str, folder: Path | None) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """CIFAR-10 through torchvision, which verifies the checksum of every file."""
    download = folder is None
    folder = folder or runtime.data_folder() / name
    try:
        train = datasets.CIFAR10(str(folder), train=True, download=download)
        test = datasets.CIFAR10(str(folder), train=False, download=download)
    except (URLError, OSError, RuntimeError) as error:
        base = folder / datasets.CIFAR10.base_folder
        damaged = [
            n
            for n, md5 in _cifar10_files()
            if (base / n).exists() and not check_integrity(base / n, md5)
        ]
        what = (
            f"these files are damaged: {', '.join(damaged)}"
            if damaged
            else f"it is not in {folder}"
        )
        raise DataUnavailable(
            f"images: cifar10 should be on this machine or downloadable, but {what} ({error}). "
            "Without a network use images('mnist'), which ships with the package, or put the "
            f"folder {datasets.CIFAR10.base_folder} there."
        ) from None
    parts = {
        "train_bytes": np.ascontiguousarray(train.data.transpose(0, 3, 1, 2)),
        "train_labels": np.asarray(train.targets, np.int64),
        "test_bytes": np.ascontiguousarray(test.data.transpose(0, 3, 1, 2)),
        "test_labels": np.asarray(test.targets, np.int64),
    }
    return parts, tuple(train.classes)


def _cifar10_files() -> list[list[str]]:
    return [*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list]
