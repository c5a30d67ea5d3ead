"""A training by two processes takes the steps of one."""

# POSIX: the processes meet in a file

import functools
import os
import tempfile
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing

from gencourse.data import binarised, minibatches, windows
from gencourse.errors import InputError
from gencourse.models import autoregressive as ar
from gencourse.models import gan, vae
from gencourse.runtime import global_seed, seeded
from gencourse.training import Player, adam, fit
from gencourse.training.processes import Processes, SharedNoise

pytestmark = pytest.mark.posix
SHAPE = (1, 8, 8)


def pictures():
    return (255 * torch.rand(64, *SHAPE, generator=seeded(1)).square()).to(torch.uint8)


def small_vae():
    model = vae.VAE(3, 16, SHAPE)
    return model, binarised(minibatches(pictures(), batch_size=8, seed=0), seed=1), 1e-3


def small_gan():
    points = torch.randn(64, 2, generator=seeded(2), dtype=torch.float64)
    game = gan.GAN(gan.PointGenerator(), gan.PointDiscriminator(), r1=0.1)
    return game, minibatches(points, batch_size=8, seed=0), 1e-4


def small_gpt():
    tokens = torch.randint(11, (300,), generator=seeded(3))
    return ar.GPT(11, 8, 2, 2, 16), windows(tokens, 8, 8, seed=0), 1e-2


MODELS = {"vae": small_vae, "gan": small_gan, "gpt": small_gpt}


def trained(name, steps, dtype=torch.float64, checkpoint=None):
    """What was recorded, and the weights, of a training that begins the same everywhere."""
    with global_seed(0):
        model, batches, lr = MODELS[name]()
        model.to(dtype)
        if dtype == torch.float64:
            batches = Doubled(batches)
        history = fit(
            model, batches, steps=steps, lr=lr, precision="float32", progress=False,
            checkpoint=checkpoint,
        )  # fmt: skip
    return history.values, model.state_dict()


class Doubled:
    """Batches in float64."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        for batch in self.batches:
            yield batch.double() if isinstance(batch, torch.Tensor) else batch


def one_of_several(rank, count, folder, work):
    """The start of a process: meet the others, do the work, leave what came of it."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count
    )
    torch.manual_seed(rank)  # they begin as differently as processes do
    torch.save(work(), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def in_processes(count, work):
    """What a function returns in each of several processes."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # also where there is no other network
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(one_of_several, (count, folder, work), nprocs=count)
        return [torch.load(f"{folder}/{rank}.pt", weights_only=True) for rank in range(count)]


def largest_gap(one, other):
    return max(
        abs(a - b) / max(1, abs(b))
        for term in other
        for a, b in zip(one[term], other[term], strict=True)
    )


def everything():
    """Of each model what was recorded and the weights, and the first gradients."""
    return {name: (*trained(name, 200), first_gradients(name)) for name in MODELS}


@pytest.fixture(scope="module")
def shared():
    """What each of two processes gives."""
    return in_processes(2, everything)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_two_processes_take_the_steps_of_one(name, shared):
    alone, weights = trained(name, 200)
    for values, theirs, _ in (one[name] for one in shared):
        assert values.keys() == alone.keys() and len(values[min(values)]) == 200
        assert largest_gap(values, alone) < 1e-8
        for key, value in weights.items():
            if isinstance(value, torch.Tensor):
                assert torch.allclose(theirs[key], value, rtol=1e-6, atol=1e-8), key


def forgetful():
    """A training whose processes forget to average."""
    Processes.average = lambda self, parameters: None
    return trained("vae", 200)


@pytest.mark.slow
def test_processes_that_forget_to_average_would_be_noticed():
    alone, _ = trained("vae", 200)
    values, _ = in_processes(2, forgetful)[0]
    assert largest_gap(values, alone) > 1e-5


def first_gradients(name):
    """The gradients of the first step, in float32."""
    with global_seed(0):
        model, batches, _ = MODELS[name]()
        kept = {}

        def keep(step):
            if step == 1:
                kept.update({k: p.grad.clone() for k, p in model.named_parameters()
                             if p.grad is not None})  # fmt: skip

        if name == "gan":
            batches = (batch.float() for batch in batches)
        fit(model, batches, steps=2, lr=0.0, on_step=keep, precision="float32", progress=False)
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_the_first_step_agree_in_float32(name, shared):
    alone = first_gradients(name)
    assert alone
    for *_, theirs in (one[name] for one in shared):
        for key, gradient in alone.items():
            assert torch.allclose(theirs[key], gradient, rtol=1e-4, atol=1e-6), key


@pytest.mark.slow
def test_a_training_goes_on_with_another_number_of_processes(tmp_path):
    alone, weights = trained("vae", 60)
    path = tmp_path / "training"
    one_then_stop(path)
    for values, theirs in in_processes(2, functools.partial(trained, "vae", 60, checkpoint=path)):
        assert largest_gap(values, alone) < 1e-8
        assert all(torch.allclose(theirs[key], weights[key], atol=1e-8) for key in weights)


def one_then_stop(path: Path):
    """A training of which one process does the first 30 of 60 steps."""
    with global_seed(0):
        model, batches, lr = MODELS["vae"]()
        model.double()

        def stop(step):
            if step == 30:
                import signal

                signal.raise_signal(signal.SIGINT)

        fit(model, Doubled(batches), steps=60, lr=lr, precision="float32", progress=False,
            checkpoint=path, on_step=stop)  # fmt: skip


class Two(Processes):
    """The second of two, for what needs no others."""

    def __init__(self):
        self.count, self.rank = 2, 1


def test_rows_are_shared_evenly_or_a_sentence():
    assert Two().rows(8) == slice(4, 8)
    with pytest.raises(InputError, match="multiple of their number"):
        Two().rows(7)


def test_noise_for_a_share_is_cut_from_that_of_the_whole():
    mu = torch.zeros(4, 3, dtype=torch.float64)
    draws = (
        lambda n, like: torch.randn_like(like),
        lambda n, like: torch.rand(n, 5),
        lambda n, like: torch.randn((n, 2), dtype=torch.float64),
        lambda n, like: torch.rand(n, generator=seeded(3)),
    )
    for draw in draws:
        with global_seed(0):
            whole = draw(8, mu.repeat(2, 1))
        with global_seed(0), SharedNoise(Two(), 4):
            part = draw(4, mu)
        assert torch.equal(part, whole[4:])
    with global_seed(0):
        plain = torch.randn(3, 2)
    with global_seed(0), SharedNoise(Two(), 4):
        assert torch.equal(torch.randn(3, 2), plain), "what is no share stays"


def test_alone_nothing_is_wrapped():
    model = torch.nn.Linear(2, 1)
    player = Player("", adam(model.parameters(), 1e-3), lambda x: {"loss": model(x)[:, 0]})
    assert Processes().count == 1 and not isinstance(Processes().noise(4), SharedNoise)
    assert player.optimizer.param_groups
