"""The whole image data sets, read from their original files or downloaded through torchvision."""

import gzip
import http.client
import pickle
import re
import tarfile
import zlib
from pathlib import Path

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
OTHER_SETS = {"kmnist", "emnist", "qmnist"}  # whose files have the same names
# what fetching and unpacking can end in: the network (URLError and timeouts are OSErrors), a proxy
# or server that speaks no HTTP, an address that is none, a checksum, a damaged file
FAULTS = (
    OSError,
    http.client.HTTPException,
    ValueError,
    RuntimeError,
    EOFError,
    zlib.error,
    tarfile.TarError,
    pickle.UnpicklingError,
)


def load(name: str, folder: Path | None) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The four parts of a data set, and the names of its classes where its files hold them."""
    if folder is not None and folder.is_file():  # one of the files was named
        folder = folder.parent
    return _cifar10(name, folder) if name == "cifar10" else (_idx_set(name, folder), ())


def _idx_set(name: str, folder: Path | None) -> dict[str, np.ndarray]:
    """MNIST or Fashion-MNIST in full, from a folder with idx files or torchvision's mirrors."""
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
    damaged = is_damaged(folder / filename, md5)
    failure: Exception | None = None
    for mirror in mirrors:
        try:
            # keeps a sound copy
            download_url(mirror.rstrip("/") + "/" + filename, str(folder), filename, md5)
            return
        except FAULTS as error:
            failure = error
    what = (
        f"{folder / filename} is damaged and" if damaged else f"{filename} is not in {folder} and"
    )
    raise DataUnavailable(
        f"images: {name} in full should be on this machine or downloadable, but {what} could not "
        f"be fetched ({told(failure)}). Without a network use images('mnist'), which ships with "
        "the package (10,000 train, 2,000 test), or put the files in that folder, or pass "
        "folder=... ."
    )


def is_damaged(path: Path, md5: str) -> bool:
    """Whether a file is there and is not what it should be, or cannot be read."""
    try:
        return path.exists() and not check_integrity(path, md5)
    except OSError:
        return True


def told(failure: Exception | None) -> str:
    """What an error says, and its kind, since some say nothing that a reader understands."""
    return f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__


def find(name: str, folder: Path, stem: str) -> Path:
    """Where a file of a data set lies: in the folder, or up to two folders below it.

    So a folder of torchvision's (MNIST/raw below it) and an archive of Kaggle's, in which each file
    has a folder of its name, do as well. The highest place counts.
    """
    dotted = stem.replace("-idx", ".idx")
    endings = (stem, f"{stem}.gz", dotted, f"{dotted}.gz")
    for depth in ("", "*/", "*/*/"):
        found: dict[Path, Path] = {}
        for ending in endings:
            for path in sorted(folder.glob(depth + ending)):
                if path.is_file() and belongs(name, path.parent.relative_to(folder).parts):
                    found.setdefault(path.parent, path)
        if len(found) > 1:
            places = ", ".join(str(place) for place in found)
            raise DataUnavailable(
                f"images: {folder} should hold {stem} once, got it in {places}. Pass the one that "
                "you mean."
            )
        if found:
            return next(iter(found.values()))
    got = "none" if folder.is_dir() else "no such folder"
    raise DataUnavailable(
        f"images: {name} should have the file {stem} or {stem}.gz in {folder}, or up to two "
        f"folders below it, got {got}. Put it there, or use images('mnist'), which ships with the "
        "package (10,000 train, 2,000 test)."
    )


def belongs(name: str, folders: tuple[str, ...]) -> bool:
    """Whether folders of these names may hold this data set, and not another one of that form."""
    words = {word for part in folders for word in re.split(r"[^a-z0-9]+", part.lower())}
    fashion = any("fashion" in word for word in words)
    named = any("mnist" in word for word in words)
    return not words & OTHER_SETS and (not named or fashion == (name == "fashion-mnist"))


def _read_idx(name: str, folder: Path, stem: str) -> np.ndarray:
    """One idx file, compressed or not: two zero bytes, a type, the number of dimensions, their
    sizes, the data.
    """
    path = find(name, folder, stem)
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except PermissionError as error:
        raise DataUnavailable(
            f"images: {path} should be a file that can be read, got: {error.strerror}. Change its "
            "rights."
        ) from None
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
    if not download:
        folder = cifar10_root(folder)
    try:
        train = datasets.CIFAR10(str(folder), train=True, download=download)
        test = datasets.CIFAR10(str(folder), train=False, download=download)
    except (*FAULTS, KeyError) as error:
        base = folder / datasets.CIFAR10.base_folder
        damaged = [n for n, md5 in _cifar10_files() if is_damaged(base / n, md5)]
        what = (
            f"these files are damaged: {', '.join(damaged)}"
            if damaged
            else f"it is not in {folder}"
        )
        raise DataUnavailable(
            f"images: cifar10 should be on this machine or downloadable, but {what} "
            f"({told(error)}). "
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


def cifar10_root(folder: Path) -> Path:
    """The folder in which torchvision's folder of CIFAR-10 lies: this one, or one above or below
    it. Says so where only the archive is there.
    """
    base = datasets.CIFAR10.base_folder
    places = [folder, folder.parent, *sorted(p.parent for p in folder.glob(f"*/{base}"))]
    found = next((place for place in places if (place / base).is_dir()), folder)
    archive = folder / datasets.CIFAR10.filename
    if archive.is_file() and not (found / base).is_dir():
        raise DataUnavailable(
            f"images: {folder} should hold the folder {base}, got its archive. Unpack it: "
            f'tarfile.open(r"{archive}").extractall(r"{folder}")'
        )
    return found


def _cifar10_files() -> list[list[str]]:
    return [*datasets.CIFAR10.train_list, *datasets.CIFAR10.test_list]
