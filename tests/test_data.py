"""Real data that ships, real data that downloads, and files that are missing or damaged."""

import gzip
import hashlib
import http.client
import ssl
import struct
import subprocess
import sys
import time
from itertools import repeat
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from gencourse.data import binarised, downloads, images, minibatches, points
from gencourse.data import images as load
from gencourse.data.batches import unit_range
from gencourse.data.downloads import IDX_FILES
from gencourse.data.images import FASHION
from gencourse.errors import DataUnavailable, InputError, InputTypeError
from gencourse.runtime import data_folder, seeded


def test_shipped_mnist_is_what_the_datasheet_says():
    digits = images("mnist")
    assert digits.train_bytes.shape == (10_000, 1, 28, 28) and digits.test_bytes.shape == (
        2_000,
        1,
        28,
        28,
    )
    assert digits.train_bytes.dtype == torch.uint8 and digits.train_labels.dtype == torch.int64
    assert digits.train.min() == 0 and digits.train.max() == 1
    assert digits.train_labels.bincount().min() > 850 and digits.test_labels.bincount().min() > 150
    assert 0.12 < digits.train.mean() < 0.14  # the known mean of MNIST is 0.1307
    digest = hashlib.sha256(
        digits.train_bytes.numpy().tobytes() + digits.test_bytes.numpy().tobytes()
    ).hexdigest()
    assert digest[:16] == "37e19d26fac67e14"


def test_shipped_fashion_mnist_is_what_the_datasheet_says():
    clothes = images("fashion-mnist")
    assert clothes.train_bytes.shape == (10_000, 1, 28, 28) and clothes.test_bytes.shape == (
        2_000,
        1,
        28,
        28,
    )
    assert (
        clothes.train_labels.bincount().min() > 930 and clothes.test_labels.bincount().min() > 170
    )
    assert 0.28 < clothes.train.mean() < 0.29  # the known mean of Fashion-MNIST is 0.286
    assert clothes.label_names[9] == "Ankle boot" and len(clothes.label_names) == 10
    digest = hashlib.sha256(
        clothes.train_bytes.numpy().tobytes() + clothes.test_bytes.numpy().tobytes()
    ).hexdigest()
    assert digest[:16] == "332fb0a5bce2aa5e"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_no_test_image_is_a_training_image(name):
    digits = images(name)
    seen = {row.numpy().tobytes() for row in digits.train_bytes}
    assert not any(row.numpy().tobytes() in seen for row in digits.test_bytes)


def write_idx(path, array):
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    data = header + array.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for i, (key, stem) in enumerate(IDX_FILES.items()):
        n = 6 if key.startswith("train") else 4
        shape = (n, 28, 28) if key.endswith("bytes") else (n,)
        write_idx(
            tmp_path / (stem + (".gz" if i % 2 else "")), rng.integers(0, 10, shape, dtype=np.uint8)
        )
    return tmp_path


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_any_folder_of_idx_files_will_do(folder, name):
    data = load(name, full=True, folder=folder)
    assert data.train_bytes.shape == (6, 1, 28, 28) and data.test_labels.shape == (4,)
    assert data.label_names[0] == ("0" if name == "mnist" else "T-shirt/top")


def test_half_a_file_is_named_and_not_used(folder):
    plain = folder / IDX_FILES["train_bytes"]
    plain.write_bytes(plain.read_bytes()[:-100])
    with pytest.raises(
        DataUnavailable,
        match=r"train-images-idx3-ubyte should be a whole idx file, "
        r"got [\d,]+ bytes instead of [\d,]+",
    ):
        load("mnist", full=True, folder=folder)


def test_half_a_gzip_file_is_named_and_not_used(folder):
    packed = folder / (IDX_FILES["train_labels"] + ".gz")
    packed.write_bytes(packed.read_bytes()[:-5])
    with pytest.raises(
        DataUnavailable, match=r"train-labels-idx1-ubyte\.gz should be a whole gzip file"
    ):
        load("mnist", full=True, folder=folder)


def test_file_that_is_no_idx_file_is_named(folder):
    (folder / IDX_FILES["train_bytes"]).write_text("<html>Too many requests</html>", "utf-8")
    with pytest.raises(DataUnavailable, match="got no idx header"):
        load("mnist", full=True, folder=folder)


def test_images_and_labels_of_different_number_are_refused(folder):
    write_idx(folder / IDX_FILES["train_bytes"], np.zeros((5, 28, 28), np.uint8))
    with pytest.raises(DataUnavailable, match="differ in number"):
        load("mnist", full=True, folder=folder)


def test_missing_file_says_where_to_put_it_and_what_ships(folder):
    (folder / IDX_FILES["train_bytes"]).unlink()
    with pytest.raises(
        DataUnavailable,
        match=r"train-images-idx3-ubyte or .*\.gz in .*which ships with the package",
    ):
        load("mnist", full=True, folder=folder)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_offline_without_a_cache_is_one_sentence(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path))
    with pytest.raises(
        DataUnavailable, match=r"images\('mnist'\), which ships with the package"
    ) as caught:
        images(name, full=True)
    assert str(tmp_path) in str(caught.value)


def test_damaged_download_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"half a file")
    with pytest.raises(DataUnavailable, match=r"train-images-idx3-ubyte\.gz is damaged"):
        images("mnist", full=True)


def test_download_is_kept_and_read(folder, tmp_path, monkeypatch):
    """With torchvision's downloader replaced by a copy: the files arrive in the cache and are read
    from there.
    """
    asked = []
    cache = tmp_path / "cache"
    monkeypatch.setenv("GENCOURSE_DATA", str(cache))

    def copy(url, root, filename, md5):
        asked.append((url, md5))
        source = folder / filename.removesuffix(".gz")
        raw = (
            source.read_bytes()
            if source.exists()
            else gzip.decompress((folder / filename).read_bytes())
        )
        (cache / "mnist").mkdir(parents=True, exist_ok=True)
        (cache / "mnist" / filename).write_bytes(gzip.compress(raw))

    monkeypatch.setattr(downloads, "download_url", copy)
    assert len(images("mnist", full=True).train_bytes) == 6
    assert len(asked) == 4 and all(len(md5) == 32 for _, md5 in asked)


def test_second_mirror_is_tried(tmp_path, monkeypatch):
    tried = []

    def fail(url, root, filename, md5):
        tried.append(url)
        raise URLError("down")

    monkeypatch.setattr(downloads, "download_url", fail)
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable):
        images("mnist", full=True)
    assert len(tried) == len(downloads.datasets.MNIST.mirrors) > 1


def test_unknown_name_lists_the_names():
    with pytest.raises(
        InputError, match="name should be one of mnist, fashion-mnist, cifar10, got 'minst'"
    ):
        images("minst")


def test_minibatches_show_every_example_once_per_pass_and_repeat_with_the_seed():
    x, y = torch.arange(10.0)[:, None], torch.arange(10)
    stream = minibatches(x, y, batch_size=5, seed=0)
    first = [next(stream) for _ in range(4)]
    for half in (first[:2], first[2:]):
        assert sorted(torch.cat([labels for _, labels in half]).tolist()) == list(range(10))
    assert all(torch.equal(rows[:, 0].long(), labels) for rows, labels in first)
    assert not torch.equal(first[0][1], first[2][1]), "each pass has an order of its own"
    again = next(minibatches(x, y, batch_size=5, seed=0))
    assert torch.equal(again[1], first[0][1])


def test_minibatches_scale_bytes_and_leave_floats():
    bytes_ = torch.tensor([[0, 255, 51]], dtype=torch.uint8)
    assert next(minibatches(bytes_, batch_size=1, seed=0)).tolist() == [
        [0.0, 1.0, pytest.approx(0.2)]
    ]
    floats = torch.tensor([[0.25, 3.0]])
    assert torch.equal(next(minibatches(floats, batch_size=1, seed=0)), floats)


def test_minibatches_refuse_at_the_call():
    with pytest.raises(
        InputError, match="batch_size should be at most the number of rows, 3, got 4"
    ):
        minibatches(torch.zeros(3, 1), batch_size=4, seed=0)
    with pytest.raises(InputError, match="should have 3 rows, got 2"):
        minibatches(torch.zeros(3, 1), torch.zeros(2), batch_size=1, seed=0)
    with pytest.raises(InputTypeError, match=r"torch\.Tensor"):
        minibatches([1, 2], batch_size=1, seed=0)


def test_binarised_pixels_follow_their_grey_value_and_keep_labels():
    grey, y = torch.full((4000, 1), 0.3), torch.arange(4000)
    x, labels = next(binarised(minibatches(grey, y, batch_size=4000, seed=0), seed=1))
    assert set(x.unique().tolist()) == {0.0, 1.0} and x.mean().item() == pytest.approx(
        0.3, abs=0.03
    )
    assert sorted(labels.tolist()) == y.tolist()


@pytest.mark.parametrize("name", ["ring", "grid", "two", "spiral"])
def test_density_integrates_to_one_and_matches_its_samples(name):
    mixture = points(name)
    line = torch.linspace(-6, 6, 601)
    grid = torch.cartesian_prod(line, line)
    density = mixture.log_prob(grid).double().exp()
    assert (density.sum() * 0.02**2).item() == pytest.approx(1, abs=1e-3)
    drawn = mixture.sample(40_000, seed=0)
    mean = (density[:, None] * grid).sum(0) * 0.02**2
    second = (density[:, None] * grid**2).sum(0) * 0.02**2
    torch.testing.assert_close(drawn.double().mean(0), mean, atol=0.04, rtol=0)
    torch.testing.assert_close(drawn.double().square().mean(0), second, atol=0.08, rtol=0)
    assert torch.equal(mixture.sample(5, seed=1), mixture.sample(5, seed=1))


def test_points_refuse_other_shapes_and_names():
    with pytest.raises(InputError, match=r"x should have shape \(B, 2\), got \(4, 3\)"):
        points("ring").log_prob(torch.zeros(4, 3))
    with pytest.raises(InputError, match="ring, grid, two, spiral"):
        points("rings")


def test_seeded_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    torch.randn(3, generator=seeded(0))
    assert torch.equal(before, torch.random.get_rng_state())


def test_damaged_cifar10_file_is_named(tmp_path):
    base = tmp_path / "cifar-10-batches-py"
    base.mkdir()
    (base / "data_batch_3").write_bytes(b"half a file")
    with pytest.raises(DataUnavailable, match="these files are damaged: data_batch_3"):
        images("cifar10", full=True, folder=tmp_path)


def test_names_of_the_clothes_are_torchvisions():
    from torchvision.datasets import FashionMNIST

    assert tuple(FashionMNIST.classes) == FASHION


@pytest.mark.slow
def test_importing_the_course_does_not_wait_for_torchvision():
    """torchvision takes seconds to import, and only the whole data sets need it."""
    code = (
        "import sys; from gencourse import checks, data, evaluation, figures, models, training, "
        "widgets; print('torchvision' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        ).stdout.strip()
        == "False"
    )


def test_cifar10_is_read_as_channels_first_bytes(tmp_path, monkeypatch):
    """torchvision's pickles written by us, with its checksums replaced by theirs: pixel (row,
    column, channel) keeps its place.
    """
    import pickle

    from torchvision.datasets import CIFAR10

    base = tmp_path / CIFAR10.base_folder
    base.mkdir()
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (2, 3072), dtype=np.uint8)

    def written(name, content):
        data = pickle.dumps(content)
        (base / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    batches = [
        written(name, {"data": rows, "labels": [3, 7]})
        for name, _ in (*CIFAR10.train_list, *CIFAR10.test_list)
    ]
    name, digest = written(
        CIFAR10.meta["filename"], {"label_names": [f"class {i}" for i in range(10)]}
    )
    monkeypatch.setattr(CIFAR10, "train_list", batches[:5])
    monkeypatch.setattr(CIFAR10, "test_list", batches[5:])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"filename": name, "md5": digest})
    data = images("cifar10", full=True, folder=tmp_path)
    assert data.train_bytes.shape == (10, 3, 32, 32) and data.train_bytes.dtype == torch.uint8
    assert torch.equal(data.test_bytes[1], torch.from_numpy(rows[1]).view(3, 32, 32))
    assert data.test_labels.tolist() == [3, 7] and data.label_names[7] == "class 7"


@pytest.mark.parametrize(
    "fault",
    [
        "raise ModuleNotFoundError('No module named torchvision')",
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "raise OSError('libcudart.so.12: cannot open shared object file')",
    ],
)
def test_torchvision_that_is_missing_or_does_not_fit_is_a_sentence(fault, tmp_path, monkeypatch):
    """A stand-in that fails as the real one does when it is imported."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(fault, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "gencourse.data.downloads", raising=False)
    monkeypatch.delattr("gencourse.data.downloads", raising=False)
    for ask in (lambda: images("mnist", full=True), lambda: images("cifar10")):
        with pytest.raises(DataUnavailable, match=r"fits torch 2\..*uv sync --reinstall"):
            ask()
    assert len(images("mnist").train)


def moved(folder, place):
    """The four files of a folder, each moved to place(stem)."""
    for path in sorted(folder.glob("*-ubyte*")):
        target = folder / place(path.name.removesuffix(".gz"))
        target.mkdir(parents=True, exist_ok=True)
        path.rename(target / "moving")
        (target / "moving").rename(target / path.name)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("mnist", lambda stem: "MNIST/raw"),  # torchvision's root, or a folder in it
        ("fashion-mnist", lambda stem: "FashionMNIST/raw"),
        ("mnist", lambda stem: "raw"),
        ("mnist", lambda stem: f"{stem}.folder"),  # each file in a folder of its own
        ("mnist", lambda stem: f"archive/{stem}.folder"),
        ("fashion-mnist", lambda stem: "fashion-mnist-master/data"),
    ],
)
def test_files_in_folders_below_are_found(folder, name, place):
    moved(folder, place)
    assert load(name, folder=folder).train_bytes.shape == (6, 1, 28, 28)
    assert load(name, folder=str(folder)).name == name


def test_a_folder_of_the_files_own_name_is_looked_into(folder):
    """Kaggle's archive: train-images-idx3-ubyte/train-images-idx3-ubyte."""
    moved(folder, lambda stem: f"{stem}.d")
    for path in folder.glob("*.d"):
        path.rename(path.with_suffix(""))
    assert load("mnist", folder=folder).test_labels.shape == (4,)


def test_the_data_set_that_was_named_is_taken(folder):
    """A root of torchvision's holds several data sets whose files have the same names."""
    import shutil

    moved(folder, lambda stem: "MNIST/raw")
    for other in ("FashionMNIST", "KMNIST"):
        shutil.copytree(folder / "MNIST", folder / other)
        for path in (folder / other / "raw").iterdir():
            path.write_bytes(b"another data set")
    assert load("mnist", folder=folder).train_bytes.shape == (6, 1, 28, 28)
    with pytest.raises(DataUnavailable, match="FashionMNIST"):
        load("fashion-mnist", folder=folder)
    shutil.copytree(folder / "MNIST", folder / "again")
    with pytest.raises(DataUnavailable, match=r"once, got it in .*MNIST.*again|again.*MNIST"):
        load("mnist", folder=folder)


def test_folders_are_found_by_the_path_that_people_type(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    monkeypatch.chdir(folder.parent)
    for path in (f"~/{folder.name}", folder.name, f"{folder.name}/{IDX_FILES['test_labels']}.gz"):
        assert load("mnist", folder=path).train_bytes.shape == (6, 1, 28, 28)
    with pytest.raises(DataUnavailable, match="got no such folder"):
        load("mnist", folder="~/elsewhere")
    monkeypatch.setenv("GENCOURSE_DATA", "~/data")
    assert data_folder() == folder.parent / "data"


NETWORK = [
    http.client.IncompleteRead(b"half"),
    http.client.BadStatusLine("nonsense"),
    http.client.RemoteDisconnected("gone"),
    URLError("down"),
    TimeoutError("slow"),
    ssl.SSLError("a certificate"),
    ConnectionResetError(),
    ValueError("unknown url type: 'proxy'"),
    UnicodeError("label too long"),
    RuntimeError("File not found or corrupted."),
    EOFError(),
]


@pytest.mark.parametrize("fault", NETWORK, ids=lambda f: type(f).__name__)
def test_every_fault_of_the_network_is_one_sentence_and_the_next_mirror_is_tried(
    fault, tmp_path, monkeypatch
):
    tried = []

    def fail(url, *_):
        tried.append(url)
        raise fault

    monkeypatch.setattr(downloads, "download_url", fail)
    monkeypatch.setattr(
        downloads.datasets.CIFAR10, "download", lambda self: fail(self.url), raising=True
    )
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path))
    with pytest.raises(DataUnavailable, match=type(fault).__name__):
        images("mnist", full=True)
    assert len(tried) == len(downloads.datasets.MNIST.mirrors) > 1
    with pytest.raises(DataUnavailable, match=type(fault).__name__):
        images("cifar10")


def test_the_archive_of_cifar10_is_not_taken_for_its_folder(tmp_path):
    (tmp_path / downloads.datasets.CIFAR10.filename).write_bytes(b"an archive")
    with pytest.raises(DataUnavailable, match=r"got its archive\. Unpack it"):
        images("cifar10", folder=tmp_path)


def test_batches_of_a_dataloader_are_drawn():
    """Its batches are lists: one part comes alone, several as a tuple."""
    x, y = torch.rand(6, 3), torch.arange(6)
    (alone,) = binarised(DataLoader(TensorDataset(x), 6), seed=0)
    ((drawn, labels),) = binarised(DataLoader(TensorDataset(x, y), 6), seed=0)
    assert torch.equal(alone, drawn) and set(alone.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(labels, y)
    (bytes_,) = binarised([torch.tensor([[0, 255]], dtype=torch.uint8)], seed=0)
    assert bytes_.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"image": torch.rand(2, 3)}, "got a dict with 'image'"),
        (torch.tensor([[-0.4, 2.8]]), r"x should lie in \[0, 1\], got \[-0.4, 2.8\]"),
        (torch.tensor([[float("nan")]]), r"x should lie in \[0, 1\]"),
        (torch.tensor([[0, 1]]), "should be floats in"),
        ([[0.1, 0.2]], r"torch\.Tensor"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(batch, words):
    with pytest.raises((InputError, InputTypeError), match=words):
        next(binarised([batch], seed=0))


@pytest.mark.parametrize("given", [[torch.zeros(3, 1)], {"x": torch.zeros(3, 1)}, torch.zeros(())])
def test_minibatches_want_tensors_one_by_one(given):
    with pytest.raises((InputError, InputTypeError), match="minibatches: "):
        minibatches(given, batch_size=1, seed=0)


def test_bytes_are_drawn_with_their_grey_values_as_probabilities():
    n = 40_000
    grey = torch.arange(256, dtype=torch.uint8).repeat(n, 1).view(n, 1, 16, 16)
    ones = next(binarised([grey], seed=0)).double().mean(0).flatten()
    expected = torch.arange(256, dtype=torch.float64) / 255
    assert ones[0] == 0 and ones[255] == 1
    deviation = (ones - expected) / (expected * (1 - expected) / n).sqrt().clamp_min(1e-9)
    assert deviation.abs().max() < 5 and 0.8 < deviation[1:255].std() < 1.2


def test_bytes_are_drawn_faster_than_floats():
    x = images("mnist").train_bytes[:128]

    def seconds(batches):
        drawing, began = binarised(batches, seed=0), time.process_time()
        for _ in range(50):
            next(drawing)
        return time.process_time() - began

    pairs = [  # in turns, so that what else the machine does slows both
        (seconds(minibatches(x, batch_size=128, seed=0)), seconds(map(unit_range, repeat(x))))
        for _ in range(12)
    ]
    as_bytes, as_floats = map(min, zip(*pairs, strict=True))
    assert as_bytes < 0.75 * as_floats
