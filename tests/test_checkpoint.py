"""Trainings that are cut off and gone on with end where undisturbed ones end, to the last bit."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from gencourse import runtime
from gencourse.data import binarised, minibatches, windows
from gencourse.errors import InputError
from gencourse.models.autoregressive import GPT
from gencourse.models.gan import GAN, Discriminator, Generator
from gencourse.models.vae import VAE
from gencourse.runtime import global_seed, seeded
from gencourse.training import checkpoint, fit

ROOT = Path(__file__).parents[1]
STEPS = 12
IMAGES = torch.randint(0, 256, (100, 1, 28, 28), generator=seeded(0), dtype=torch.uint8)
TOKENS = torch.randint(0, 9, (400,), generator=seeded(1))


class Tied(nn.Module):
    """Two names for one matrix."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(9, 6), nn.Linear(6, 9, bias=False)
        self.head.weight = self.embedding.weight
        self.dropout = nn.Dropout(0.2)

    def loss(self, x, y):
        logits = self.head(self.dropout(self.embedding(x)))
        return {"loss": nn.functional.cross_entropy(logits.mT, y, reduction="none").mean(1)}


class ByChannels(nn.Module):
    """A convolution whose numbers lie by channels in memory, as a U-Net's on a CPU."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding=1).to(memory_format=torch.channels_last)

    def loss(self, x):
        y = self.conv(x.view(len(x), 4, 14, 14))
        return {"loss": (y**2).flatten(1).mean(1)}


def grey():
    return binarised(minibatches(IMAGES, batch_size=32, seed=3), seed=4)


def endless():
    generator = seeded(5)
    while True:
        yield torch.rand(8, 1, 28, 28, generator=generator).round()


CASES = {
    "vae": (lambda: VAE(latent_dim=4, hidden=16), grey),
    "gan with an average": (
        lambda: GAN(Generator(latent_dim=4, width=4), Discriminator(width=4, spectral=True)),
        lambda: minibatches(IMAGES, batch_size=8, seed=3),
    ),
    "gpt, two optimizers": (
        lambda: GPT(9, block_size=8, layers=1, heads=1, width=8),
        lambda: windows(TOKENS, 8, 4, seed=0),
    ),
    "a layout by channels": (ByChannels, grey),
    "tied weights": (Tied, lambda: windows(TOKENS, 8, 4, seed=0)),
    "a DataLoader that shuffles": (
        lambda: VAE(latent_dim=4, hidden=16),
        lambda: DataLoader(IMAGES / 255, batch_size=8, shuffle=True),
    ),
    "a generator": (lambda: VAE(latent_dim=4, hidden=16), endless),
}


def trained(make, batches, path=None, stop=None, seed=0, **options):
    """The model and history of a training that begins with the same random numbers each time."""

    def on_step(step):
        if step == stop:
            raise KeyboardInterrupt

    with global_seed(seed):
        model = make()
        settings = {"steps": STEPS, "progress": False, "on_step": on_step} | options
        return model, fit(model, batches, checkpoint=path, **settings)


def tensors(model):
    return {name: x for name, x in model.state_dict().items() if isinstance(x, torch.Tensor)}


def same(one, other):
    return all(torch.equal(x, tensors(other)[name]) for name, x in tensors(one).items())


def differing(one, other):
    """The first step at which two records differ, by name; None where they do not."""

    def first(pairs):
        return next((step for step, (a, b) in enumerate(pairs) if a != b), None)

    return {name: first(zip(one[name], other[name], strict=False)) for name in one if name in other}


@pytest.fixture
def often(monkeypatch):
    """Every step is written."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)


@pytest.mark.parametrize("case", CASES)
def test_resumed_equals_undisturbed(case, often, tmp_path, capsys):
    make, batches = CASES[case]
    path = tmp_path / "run.safetensors"
    whole, history = trained(make, batches())
    trained(make, batches(), path, stop=3)
    trained(make, batches(), path, stop=8, seed=1)
    model, resumed = trained(make, batches(), path, seed=2)
    assert same(whole, model) and resumed.values == history.values
    assert "goes on at step 8 of 12" in capsys.readouterr().out
    again, finished = trained(make, batches(), path, seed=3)
    assert same(whole, again) and finished.values == history.values
    assert "complete" in capsys.readouterr().out


def test_the_first_stop_ends_after_the_step_and_is_written(tmp_path):
    before = signal.getsignal(signal.SIGINT)  # a shell's background jobs ignore it
    make, batches = CASES["gan with an average"]
    path, whole = tmp_path / "run", trained(*[f() if f is batches else f for f in (make, batches)])

    def stop(step):
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    _, cut = trained(make, batches(), path, on_step=stop)
    assert cut.interrupted and cut.steps == 6  # the step was ended, and nothing of the next begun
    model, history = trained(make, batches(), path)
    assert same(whole[0], model) and not history.interrupted
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("case", ["vae", "gan with an average", "gpt, two optimizers"])
def test_precision_is_settled_once_in_a_training(case, often, tmp_path, monkeypatch):
    """Whether bfloat16 is faster is measured by each process, and a busy machine may err."""
    make, batches = CASES[case]
    path, answers = tmp_path / "run", {}
    for faster in (False, True):
        monkeypatch.setattr(runtime, "bfloat16_is_faster", lambda device, faster=faster: faster)
        answers[faster] = trained(make, batches())
    assert not same(answers[False][0], answers[True][0])
    trained(make, batches(), path, stop=5)
    monkeypatch.setattr(runtime, "bfloat16_is_faster", lambda device: False)
    model, history = trained(make, batches(), path)
    assert same(answers[True][0], model) and history.values == answers[True][1].values
    exact = trained(make, batches(), precision="float32")[0]
    assert same(answers[False][0], exact), "what is asked for holds for optimizers too"


def test_another_training_is_refused_with_what_differs(often, tmp_path):
    make, batches = CASES["vae"]
    path = tmp_path / "run"
    trained(make, batches(), path, stop=3)
    for options, words in (
        ({"steps": 20}, "steps 12 there and 20 here"),
        ({"lr": 0.5}, "lr 0.001 there and 0.5 here"),
        ({"decay": False}, "decay True there and False here"),
    ):
        with pytest.raises(InputError, match=words):
            trained(make, batches(), path, **options)
    with pytest.raises(InputError, match=r"parameters .* there and .* here"):
        trained(lambda: VAE(latent_dim=5, hidden=16), batches(), path)
    with pytest.raises(InputError, match="model VAE there and GAN here"):
        trained(CASES["gan with an average"][0], batches(), path)


def test_begun_and_other_batches_are_refused(often, tmp_path):
    make, batches = CASES["a generator"]
    path = tmp_path / "run"
    trained(make, batches(), path, stop=3)
    begun = batches()
    next(begun)
    for other in (begun, iter([]), itertools.repeat(torch.ones(8, 1, 28, 28))):
        with pytest.raises(InputError, match="batches should begin as they did"):
            trained(make, other, path)
    course = grey()
    trained(make, course, tmp_path / "course", stop=3)
    next(course)  # the course's batches go where they are told
    _, history = trained(make, course, tmp_path / "course")
    assert history.values == trained(make, grey())[1].values


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_torn_file_is_not_used_and_the_one_before_is(share, often, tmp_path):
    make, batches = CASES["vae"]
    path = tmp_path / "run"
    trained(make, batches(), path, stop=6)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert checkpoint.read(path)["step"] == 5
    changed = bytearray(data)
    changed[-1 - int(share * 1000)] ^= 1
    path.write_bytes(changed)
    assert checkpoint.read(path)["step"] == 5
    model, _ = trained(make, batches(), path)
    assert same(model, trained(make, batches())[0])


def test_a_full_disk_is_said_once_and_training_goes_on(often, tmp_path, monkeypatch):
    make, batches = CASES["vae"]
    path = tmp_path / "run"
    trained(make, batches(), path, stop=4)

    def full(fd):
        os.truncate(fd, 1000)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.warns(UserWarning, match="could not be written .*No space left") as said:
        model, history = trained(make, batches(), path)
    assert len(said) == 1 and history.steps == STEPS
    assert same(model, trained(make, batches())[0])
    assert checkpoint.read(path)["step"] == 4


def test_nested_data_comes_back(tmp_path):
    content = {
        "step": 3,
        "state": {0: {"exp_avg": torch.ones(2, 3), "step": torch.tensor(5.0)}, 1: {}},
        "a/b": [1.5, None, True, "text", float("1e-300"), torch.zeros(0, 2), [torch.tensor(1)]],
        "half": torch.ones(3, dtype=torch.bfloat16),
    }
    checkpoint.write(tmp_path / "deep" / "file", content)
    back = checkpoint.read(tmp_path / "deep" / "file")
    assert back.keys() == content.keys() and back["state"].keys() == {0, 1}
    assert torch.equal(back["state"][0]["exp_avg"], torch.ones(2, 3))
    assert back["a/b"][:5] == content["a/b"][:5] and back["a/b"][5].shape == (0, 2)
    assert back["half"].dtype == torch.bfloat16


SCRIPT = """
import sys, torch
from gencourse.training import checkpoint, fit
from tests.test_checkpoint import CASES
torch.set_num_threads(1)
checkpoint.SECONDS = 0.2
make, batches = CASES[sys.argv[1]]
torch.manual_seed(0)
model = make()
calls = []
def on_step(step):
    calls.append(step)
    if len(calls) == 2:  # the first step has imported what it needed
        print("begins", flush=True)
steps = int(sys.argv[2])
fit(model, batches(), steps=steps, progress=False, checkpoint=sys.argv[3], on_step=on_step)
print("ends", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "times", "steps"),
    [("vae", 10, 3000), ("gan with an average", 4, 1200), ("gpt, two optimizers", 4, 1200)],
)
def test_killed_again_and_again(case, times, steps, tmp_path):
    path, chance = tmp_path / "run", random.Random(0)
    line = [sys.executable, "-c", SCRIPT, case, str(steps)]
    torch.set_num_threads(1)
    with global_seed(0):
        make, batches = CASES[case]
        whole = make()
        undisturbed = fit(whole, batches(), steps=steps, progress=False)
    reached, kills = [], 0
    for _ in range(times):
        process = subprocess.Popen(
            [*line, str(path)], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
        )
        while (line_read := process.stdout.readline()) not in ("begins\n", "ends\n", ""):
            pass  # what `fit` says of the file
        assert line_read
        time.sleep(chance.uniform(0.1, 0.6))
        process.kill()
        rest = process.communicate()[0]
        kills += "ends" not in line_read + rest
        for extra in ("new", "before") if chance.random() < 0.3 else ():  # torn at a random byte
            file = checkpoint.beside(path, extra)
            last = (checkpoint.whole(path) or {}).get("step", 0)
            # not what was written last and had not come to its place
            if (checkpoint.whole(file) or {}).get("step", last + 1) <= last:
                file.write_bytes(file.read_bytes()[: chance.randrange(file.stat().st_size)])
        reached.append(kept["step"] if (kept := checkpoint.read(path)) else 0)
    assert reached == sorted(reached) and reached[-1] > 0 and kills >= times / 3
    model = make()
    history = fit(model, batches(), steps=steps, progress=False, checkpoint=path)
    apart = differing(history.values, undisturbed.values)
    assert history.values == undisturbed.values, (reached, apart)
    assert same(whole, model)
