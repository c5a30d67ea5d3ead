"""The course on a GPU, on Apple's mps, and under another default device, on devices that are
pretended (tests/pretended/device.py).

Every public name is called on the device; its result lies where it should and has the CPU's value.
"""

import contextlib
import io
import json
import pickle
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from gencourse import gan_lab, runner, runtime
from gencourse.checks._trial import locally
from gencourse.claims import claim
from gencourse.data import minibatches, windows
from gencourse.errors import InputError
from gencourse.models import gan, vae
from gencourse.runtime import seeded
from gencourse.training import fit
from gencourse.training.loop import READ_EVERY
from tests import lanes
from tests.pretended import table
from tests.pretended.device import Pretended, pretended

pytestmark = pytest.mark.slow
plt.switch_backend("agg")
ROOT = Path(__file__).parents[1]
KINDS = ("cuda", "mps")
NAMES = [entry.name for entry in table.ENTRIES]


@pytest.fixture(autouse=True)
def default_device_is_the_cpu():
    yield
    torch.set_default_device(None)
    plt.close("all")


@pytest.fixture(params=KINDS)
def device(request):
    with pretended(request.param) as device:
        yield device


# the table


def leaves(value: object) -> list:
    return tree_flatten(value)[0]


def same(found: object, wanted: object) -> None:
    """Raise unless two results have the same values, wherever they lie."""
    assert len(leaves(found)) == len(leaves(wanted))
    for a, b in zip(leaves(found), leaves(wanted), strict=True):
        if isinstance(b, Tensor):
            torch.testing.assert_close(
                a.detach().cpu(), b.detach(), rtol=1e-4, atol=1e-5, equal_nan=True
            )
        elif isinstance(b, float):
            assert a == pytest.approx(b, rel=1e-4, abs=1e-5)
        else:
            assert a == b


def places(value: object) -> set[str]:
    return {part.device.type for part in leaves(value) if isinstance(part, Tensor)}


def lies(entry: table.Entry, value: object, kind: str) -> None:
    """Raise unless all tensors of a result are where the entry says."""
    assert places(value) <= {kind if entry.lies == "there" else "cpu"}, entry.name


EXPECTED: dict[str, object] = {}


def expected(entry: table.Entry) -> object:
    """The result on the CPU."""
    if entry.name not in EXPECTED:
        EXPECTED[entry.name] = entry.call("cpu")
    return EXPECTED[entry.name]


def test_every_public_name_has_an_entry():
    covered = {name for entry in table.ENTRIES for name in entry.names} | table.DATA
    assert covered == table.public_names()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entry", table.ENTRIES, ids=NAMES)
def test_name_works_on_a_device(entry, kind):
    wanted = expected(entry)
    with pretended(kind):
        value = entry.call(kind)
        lies(entry, value, kind)
        same(value, wanted)


@pytest.mark.parametrize("entry", table.ENTRIES, ids=NAMES)
def test_name_works_where_new_tensors_are_made_on_a_gpu(entry):
    wanted = expected(entry)
    with pretended("cuda"):
        torch.set_default_device("cuda")
        value = entry.call("cuda")
        lies(entry, value, "cuda")
        same(value, wanted)
        torch.set_default_device(None)


@pytest.mark.parametrize(("name", "calls"), table.REFUSED, ids=[name for name, _ in table.REFUSED])
def test_tensors_of_another_device_are_refused_in_a_sentence(name, calls, device):
    for call in calls(device.kind):
        with pytest.raises(InputError, match=r"should be on .* device.*\.to\("):
            call()


@pytest.mark.parametrize("at", ["cpu", "cuda"])
def test_numbers_out_of_range_are_refused_before_a_kernel_sees_them(at):
    def asked():
        gpt, ngram = table.small_gpt(at), table.made(at, lambda: table.ar.NeuralNgram(10, 3, 4, 8))
        logits, game, x = table.normal(at, 2, 3, 5), table.image_gan(at, 4), table.pictures(at)
        bad = torch.full((2, 3), 10, device=at)
        yield from (lambda: gpt(bad), lambda: gpt(-bad), lambda: gpt.generate(bad, 2))
        yield from (lambda: gpt.attention_maps(bad), lambda: ngram(bad), lambda: ngram(-bad))
        yield from (lambda: table.ar.sequence_nll(logits, bad), lambda: game.sample(bad[0]))
        yield lambda: game.discriminator(x, torch.full((4,), 4, device=at))
        yield lambda: game.generator(table.normal(at, 4, 3), torch.full((4,), -1, device=at))
        yield lambda: table.conditional_vae(at).sample(bad[0])

    with pretended("cuda"):
        for call in asked():
            with pytest.raises(InputError, match=r"should lie in 0\.\.\d"):
                call()


# what is touched, and what is waited for


def test_no_gpu_is_looked_at_that_is_not_used(device, monkeypatch):
    monkeypatch.setenv("GENCOURSE_DEVICE", "cpu")
    exercise = lanes.exercises()["vae.reparameterize"]
    assert exercise.judge(exercise.reference).status == "right"
    gan_lab.Match(gan_lab.Settings()).step()
    model, x = table.small_vae("cpu"), table.pictures("cpu")
    table.evaluation.dataset_elbo_terms(model.loss, x)
    assert runtime.pick_device().type == "cpu"
    assert (device.woken, device.kernels) == (0, 0)


def test_global_seed_gives_back_the_generator_of_the_device_that_is_used(device):
    before = torch.get_rng_state()
    with runtime.global_seed(3, device.kind):
        first = torch.randn(2, device=device.kind)
    with runtime.global_seed(3, device.kind):
        same(torch.randn(2, device=device.kind), first.cpu())
    assert torch.equal(before, torch.get_rng_state())
    assert device.woken == 2


def test_two_bounds_in_a_training_leave_its_noise_as_it_would_be(device):
    model, x = table.small_vae(device.kind), table.pictures(device.kind)
    drawn = []
    torch.manual_seed(0)
    for _ in "ab":
        table.evaluation.dataset_elbo_terms(model.loss, x)
        drawn.append(torch.randn(4, device=device.kind).cpu())
    assert not torch.equal(*drawn)


TOKENS = (table.whole("cpu", 10, 4, 6),) * 2
LABELS = table.whole("cpu", 4, 4)
FEW = (table.uniform("cpu", 4, 1, 6, 6) > 0.5).float()
TRAININGS = {
    "vae": (table.small_vae, (table.pictures("cpu"),)),
    "conditional vae": (table.conditional_vae, (table.pictures("cpu"), LABELS)),
    "autoencoder": (
        lambda at: table.made(at, lambda: vae.Autoencoder(2, 16, table.SHAPE)),
        (table.pictures("cpu"),),
    ),
    "gan": (table.image_gan, (table.pictures("cpu"),)),
    "conditional gan": (lambda at: table.image_gan(at, 4), (table.pictures("cpu"), LABELS)),
    "gpt": (table.small_gpt, TOKENS),
    "n-gram": (lambda at: table.made(at, lambda: table.ar.NeuralNgram(10, 3, 4, 8)), TOKENS),
    "made": (lambda at: table.made(at, lambda: table.ar.MADE((1, 6, 6), 8)), (FEW,)),
    "pixelcnn": (table.small_pixelcnn, (FEW,)),
}


def waits_and_copies(name, steps):
    """What a training of so many steps waits for on the device, and copies to it."""
    make, parts = TRAININGS[name]
    with pretended("cuda") as device, runtime.global_seed(1):
        model, begun = make("cuda"), device.counts()
        batches = minibatches(*parts, batch_size=len(parts[0]) // 2, seed=0)
        fit(model, batches, steps=steps, progress=False, precision="float32")
        return {key: n - begun[key] for key, n in device.counts().items()}


@pytest.mark.parametrize("name", TRAININGS)
def test_step_of_training_neither_waits_nor_copies(name):
    """Twenty steps more are one reading more, and no copy but the order of the next passes."""
    short, long = waits_and_copies(name, READ_EVERY), waits_and_copies(name, 2 * READ_EVERY)
    assert long["syncs"] - short["syncs"] == 1
    assert long["copies"] - short["copies"] == READ_EVERY // 2  # two batches a pass
    assert short["syncs"] <= 8 and short["copies"] <= 4 + READ_EVERY // 2


def test_windows_of_a_text_are_drawn_where_the_text_is():
    tokens = table.whole("cpu", 10, 50)

    def copies(steps):
        with pretended("cuda") as device:
            model, begun = table.small_gpt("cuda"), device.copies
            fit(model, windows(tokens, 6, 4, seed=0), steps=steps, progress=False)
            return device.copies - begun

    assert copies(30) == copies(10)


def test_samplers_do_not_wait_and_generating_waits_thrice_a_token():
    with pretended("cuda") as device:
        model, gpt = table.small_pixelcnn("cuda"), table.small_gpt("cuda")
        begun = device.syncs
        model.sample(2)
        assert device.syncs - begun <= 2
        begun = device.syncs
        gpt.generate(table.whole("cuda", 10, 2, 3), 4)
        assert device.syncs - begun <= 1 + 4 * 3


# which device, which precision


def test_gpu_without_kernels_is_passed_over_in_a_sentence(monkeypatch):
    monkeypatch.delenv("GENCOURSE_DEVICE", raising=False)
    wheel = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
    usable = {(6, 0): False, (7, 0): False, (7, 5): True, (8, 9): True, (9, 0): True}
    usable |= {(12, 1): True, (13, 0): False}
    for capability, there in usable.items():
        with pretended("cuda", capability):
            monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: wheel)
            told = io.StringIO()
            with redirect_stdout(told):
                assert runtime.pick_device().type == ("cuda" if there else "cpu"), capability
            assert ("no kernels" in told.getvalue()) is not there
            monkeypatch.setenv("GENCOURSE_DEVICE", "cuda")
            if not there:
                with pytest.raises(InputError, match=r"no kernels for the GPU.*Set it to cpu"):
                    runtime.pick_device()
            monkeypatch.delenv("GENCOURSE_DEVICE")
            monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_50", "compute_60"])
            assert not runtime.lacking_kernels()  # compiled for it when it is first used


@pytest.mark.parametrize("asked", ["cuda:7", "cuda:x", "cuda:-1", "mps", "gpu", ""])
def test_device_that_is_not_there_is_a_sentence(asked, monkeypatch):
    monkeypatch.setenv("GENCOURSE_DEVICE", asked)
    with pretended("cuda"), pytest.raises(InputError, match="one of cpu, cuda, cuda:0, got"):
        runtime.pick_device()


def test_device_that_is_there_can_be_asked_for(device, monkeypatch):
    for asked in ("cpu", device.kind, f"{device.kind}:0"):
        monkeypatch.setenv("GENCOURSE_DEVICE", asked)
        assert str(runtime.pick_device()) == asked


def test_precision_on_a_gpu_is_float32_unless_bfloat16_is_asked_for(device):
    assert not runtime.bfloat16_is_faster(torch.device(device.kind))


def test_claim_about_speed_speaks_of_the_cpu(monkeypatch, capsys):
    monkeypatch.setenv("GENCOURSE_SCALE", "default")
    monkeypatch.setenv("GENCOURSE_STRICT", "1")
    claim("sampler_gain", 1.5, device="cuda")
    assert capsys.readouterr().out == "sampler gain: 1.5\n"
    with pytest.raises(AssertionError):
        claim("sampler_gain", 1.5, device="cpu")


# double precision and pickling


def test_models_work_in_double_precision():
    x, y = table.pictures("cpu").double(), LABELS
    for model, batch in (
        (table.small_vae("cpu"), (x,)),
        (table.conditional_vae("cpu"), (x, y)),
        (table.made("cpu", lambda: vae.Autoencoder(2, 16, table.SHAPE)), (x,)),
    ):
        terms = model.double().loss(*batch)
        assert all(value.dtype == torch.float64 for value in terms.values())
    game = table.image_gan("cpu", 4, gp=0.1, r1=0.1, augment=gan.augment).double()
    assert game.discriminator_loss(x, y)["loss"].dtype == torch.float64
    assert game.sample(y).dtype == table.small_vae("cpu").double().sample(2).dtype == torch.float64
    with pytest.raises(InputError, match="x should have the model's precision, float64, got flo"):
        table.small_vae("cpu").double().loss(x.float())


@pytest.mark.parametrize("classes", [0, 4])
def test_gan_can_be_saved_as_a_whole(classes):
    game, labels = table.image_gan("cpu", classes), [LABELS] * bool(classes)
    game.discriminator(table.pictures("cpu"), *labels)
    before = torch.get_rng_state()
    stream = io.BytesIO()
    torch.save(game, stream)
    stream.seek(0)
    loaded = torch.load(stream, weights_only=False)
    again = pickle.loads(pickle.dumps(game))
    assert torch.equal(before, torch.get_rng_state())
    x = table.pictures("cpu")
    for other in (loaded, again):
        assert not other.discriminator.training
        same(other.discriminator(x, *labels), game.discriminator(x, *labels))


# chapters and exercises


@pytest.mark.parametrize("chapter", ["01_vae", "02_gan", "03_autoregressive"])
def test_chapter_runs_on_a_gpu(chapter, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    cells = json.loads((ROOT / "notebooks" / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    monkeypatch.setenv("GENCOURSE_DEVICE", "cuda")
    monkeypatch.setenv("GENCOURSE_SCALE", "smoke")
    shell = InteractiveShell()
    with pretended("cuda") as device:
        for cell in cells:
            if cell["cell_type"] == "code":
                with redirect_stdout(io.StringIO()):
                    shell.run_cell("".join(cell["source"])).raise_error()
                plt.close("all")
    assert device.kernels > 10_000, "the chapter computes on the CPU"


# torch's forward-mode derivatives end the process where a tensor is a wrapper, as here
NO_WRAPPERS = {"diffusion.mean_flow_target"}


@pytest.mark.parametrize("name", sorted(set(lanes.exercises()) - NO_WRAPPERS))
def test_reference_is_right_where_new_tensors_are_made_on_a_gpu(name):
    exercise = lanes.exercises()[name]
    wanted = exercise.expected(exercise.reference, 0)
    with pretended("cuda") as device:
        torch.set_default_device("cuda")
        seen = exercise.observe(locally(exercise.reference), 0)
        assert torch.get_default_device().type == "cuda"
        torch.set_default_device(None)
    assert exercise.same(seen.values, wanted.values)
    assert (seen.harm, device.kernels) == (wanted.harm, 0)


@pytest.mark.parametrize("name", ["vae.suspects", "vae.reparameterize"])
def test_verdict_is_right_where_new_tensors_are_made_on_a_gpu(name):
    exercise = lanes.exercises()[name]
    with pretended("cuda") as device:
        torch.set_default_device("cuda")
        verdict = exercise.judge(exercise.reference, seeds=(0,))
        torch.set_default_device(None)
    assert (verdict.status, device.kernels) == ("right", 0), verdict


@pytest.mark.parametrize("name", ["vae.reparameterize", "vae.kl_to_standard_normal"])
def test_result_on_a_gpu_is_told_that_the_grader_has_none(name):
    exercise = lanes.exercises()[name]

    def answer(*args):
        return exercise.reference(*args).to("cuda")

    with pretended("cuda"), mock.patch.object(runner, "_plain_tensor", lambda x: x.detach().cpu()):
        verdict = exercise.judge(answer, seeds=(0,))
    assert verdict.status == "wrong"
    assert "it lies on cuda:0, and where answers are graded there is no GPU" in verdict.message


# the pretence bites: each is a mistake that a GPU refuses, and what torch says of it there


class ForgottenBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.mask = nn.Linear(3, 3), torch.ones(3)

    def forward(self, x):
        return self.layer(x) * self.mask


def picture(kind: str) -> None:
    plt.subplots()[1].imshow(torch.ones(2, 2, device=kind))


def default_randperm(kind: str) -> None:
    torch.set_default_device(kind)
    torch.randperm(3, generator=seeded(0))


MISTAKES = {
    "an operand of the CPU": (lambda at: torch.ones(2, device=at) + torch.ones(2), "two devices"),
    "a forgotten buffer": (
        lambda at: ForgottenBuffer().to(at)(torch.ones(2, 3, device=at)), "two devices"
    ),
    "a model that was not moved": (
        lambda at: nn.Linear(3, 3)(torch.ones(2, 3, device=at)), "two devices"
    ),
    "targets of the CPU": (
        lambda at: nn.functional.cross_entropy(torch.ones(2, 3, device=at), torch.tensor([0, 1])),
        "two devices",
    ),
    "tokens of the CPU": (lambda at: nn.Embedding(3, 2).to(at)(torch.tensor([0])), "two devices"),
    "an index of the device into the CPU's tensor": (
        lambda at: torch.ones(3)[torch.tensor([0, 1], device=at)], "two devices"
    ),
    "a written value of the CPU": (
        lambda at: torch.ones(3, device=at).index_put_(
            (torch.tensor([0, 1], device=at),), torch.ones(2)
        ),
        "two devices",
    ),
    "cat of two devices": (
        lambda at: torch.cat([torch.ones(2, device=at), torch.ones(2)]), "two devices"
    ),
    "where of two devices": (
        lambda at: torch.where(torch.ones(2, device=at) > 0, torch.ones(2), 0.0), "two devices"
    ),
    "in place, of two devices": (lambda at: torch.ones(2).add_(torch.ones(2, device=at)), "two de"),
    "a generator of the CPU": (
        lambda at: torch.rand(2, device=at, generator=seeded(0)), "device type for generator"
    ),
    "a generator of the device": (
        lambda at: torch.rand(2, generator=seeded(0, at)), "device type for generator"
    ),
    "a coin of the device with a generator of the CPU": (
        lambda at: torch.bernoulli(torch.ones(2, device=at), generator=seeded(0)), "generator"
    ),
    "a shuffle under a default device": (default_randperm, "device type for generator"),
    "numpy of the device": (lambda at: torch.ones(2, device=at).numpy(), "can't convert"),
    "a picture of the device": (picture, "can't convert"),
    "plotting the device": (lambda at: plt.plot(torch.ones(2, device=at)), "can't convert"),
    "a second GPU": (lambda at: torch.ones(2, device=f"{at}:1"), "ordinal"),
    "another kind": (
        lambda at: torch.ones(2, device=KINDS[1 - KINDS.index(at)]), "not compiled with"
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_refused_as_on_a_real_device(mistake, device):
    make, said = MISTAKES[mistake]
    with pytest.raises((RuntimeError, TypeError), match=said):
        make(device.kind)


def test_double_precision_is_refused_by_mps_alone():
    with pretended("cuda"):
        assert torch.ones(2, device="cuda").double().dtype == torch.float64
    for make in (
        lambda: torch.ones(2, device="mps").double(),
        lambda: torch.ones(2).double().to("mps"),
    ):
        with (
            pretended("mps"),
            pytest.raises(TypeError, match="MPS framework doesn't support float64"),
        ):
            make()


def test_what_a_device_allows_is_allowed(device):
    at = device.kind
    x = torch.ones(3, device=at, requires_grad=True)
    ((x * torch.tensor(2.0)).square() + 1).sum().backward()  # a scalar of the CPU
    assert isinstance(x.grad, Pretended) and x.grad.device == x.device == torch.device(at, 0)
    assert x.detach()[torch.tensor([0, 1])].tolist() == [1, 1]  # indices of the CPU
    assert torch.arange(4, device=at)[[3, 1]].tolist() == [3, 1]
    assert torch.ones(2).copy_(x.detach()[:2]).device.type == "cpu"
    layer = nn.Linear(3, 2)
    weight = layer.weight
    assert layer.to(at).weight is weight and weight.device.type == at
    assert torch.zeros(2).to(x.device).device == x.device
    assert f"{x.sum():.1f}" == "3.0"


def test_waiting_and_copying_are_counted(device):
    x = torch.ones(3).to(device.kind)
    assert device.counts() == {"kernels": 0, "syncs": 0, "copies": 1}
    for read in (
        lambda: x.sum().item(), lambda: x.cpu(), lambda: x.tolist(), lambda: bool(x[0] > 0),
        lambda: x[x > 0], lambda: x.nonzero(), lambda: x.max().item(),
    ):  # fmt: skip
        begun = device.syncs
        read()
        assert device.syncs == begun + 1
    begun = device.syncs
    (x + 1).exp_().cumsum(0)
    assert device.syncs == begun


# what a notebook may have set in torch


def test_gan_lab_plays_whatever_a_notebook_has_set():
    settings = gan_lab.Settings()

    def played():
        match = gan_lab.Match(settings)
        match.step()
        match.observe()
        return [p.detach() for p in match.gan.parameters()]

    wanted = played()
    for setting in (double_precision(), torch.no_grad(), torch.inference_mode()):
        with setting:
            same(played(), wanted)


@contextlib.contextmanager
def double_precision():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def test_training_without_gradients_is_refused_in_a_sentence():
    model = table.small_vae("cpu")
    for setting in (torch.no_grad(), torch.inference_mode()):
        with setting, pytest.raises(InputError, match="gradients should be recorded"):
            fit(model, [table.pictures("cpu")], steps=1)
