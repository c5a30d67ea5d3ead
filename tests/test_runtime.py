"""Choices that the environment makes, and what happens when it asks for nonsense."""

import ast
import re
from pathlib import Path

import pytest
import torch

from gencourse import runtime
from gencourse.data import minibatches, points
from gencourse.errors import InputError

ROOT = Path(__file__).parents[1]


def test_scale_changes_sizes_only_and_refuses_other_words(monkeypatch):
    sizes = {"default": 3000, "smoke": 20, "full": 30_000}
    for name, size in sizes.items():
        monkeypatch.setenv("GENCOURSE_SCALE", name)
        assert runtime.scaled(**sizes) == size
    monkeypatch.setenv("GENCOURSE_SCALE", "huge")
    with pytest.raises(
        InputError, match="GENCOURSE_SCALE should be one of smoke, default, full, got 'huge'"
    ):
        runtime.scale()


@pytest.mark.parametrize(
    ("environment", "strict"),
    [
        ({}, False),
        ({"GENCOURSE_STRICT": "0"}, False),
        ({"GENCOURSE_STRICT": "1"}, True),
        ({"NBGRADER_EXECUTION": "autograde"}, True),
        ({"NBGRADER_EXECUTION": "validate", "GENCOURSE_STRICT": "0"}, True),
    ],
)
def test_graders_are_strict_and_so_is_nbgrader(monkeypatch, environment, strict):
    for name in ("GENCOURSE_STRICT", "NBGRADER_EXECUTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert runtime.strict() is strict


def test_device_is_the_cpu_without_a_gpu_and_a_missing_device_is_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("GENCOURSE_DEVICE")
    assert runtime.pick_device() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(runtime, "lacking_kernels", lambda device=0: "")
    assert runtime.pick_device() == torch.device("cuda")
    monkeypatch.setattr(runtime, "lacking_kernels", lambda device=0: "No kernels for it.")
    assert runtime.pick_device() == torch.device("cpu")
    monkeypatch.setenv("GENCOURSE_DEVICE", "tpu")
    with pytest.raises(InputError, match="GENCOURSE_DEVICE should be one of cpu"):
        runtime.pick_device()


def test_mixed_precision_is_used_only_where_asked_or_gained(monkeypatch):
    def product():
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype

    for precision, gains, want in (
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("float32", True, torch.float32),
    ):
        monkeypatch.setattr(runtime, "bfloat16_is_faster", lambda device, gains=gains: gains)
        with runtime.autocast(torch.device("cpu"), precision):
            assert product() == want
    with pytest.raises(
        InputError, match="precision should be auto, bfloat16 or float32, got 'half'"
    ):
        runtime.autocast(torch.device("cpu"), "half")


@pytest.mark.parametrize(
    ("units", "slower", "want"), [(True, 0.5, True), (True, 0.9, False), (False, 0.1, False)]
)
def test_bfloat16_is_for_cpus_whose_products_are_faster_with_it(monkeypatch, units, slower, want):
    seconds = {torch.float32: 1.0, torch.bfloat16: slower}
    monkeypatch.setattr(runtime, "_seconds_of_a_product", seconds.get)
    for unit in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, unit, lambda: units, raising=False)
    runtime._bfloat16_products_are_faster.cache_clear()
    assert runtime.bfloat16_is_faster(torch.device("cpu")) == want
    assert not runtime.bfloat16_is_faster(torch.device("cuda"))
    runtime._bfloat16_products_are_faster.cache_clear()


def test_global_seed_is_put_back():
    before = torch.random.get_rng_state()
    with runtime.global_seed(1):
        first = torch.randn(3)
    with runtime.global_seed(1):
        assert torch.equal(first, torch.randn(3))
    assert torch.equal(before, torch.random.get_rng_state())


def draws():
    """What each way of seeding gives."""
    runtime.manual_seed(3)
    first = torch.randn(4)
    with runtime.global_seed(3):
        second = torch.randn(4)
    return first, second, torch.randn(4, generator=runtime.seeded(3))


def test_one_number_of_the_environment_moves_every_seed(monkeypatch):
    monkeypatch.delenv("GENCOURSE_SEED", raising=False)
    plain = draws()
    assert torch.equal(plain[2], torch.randn(4, generator=torch.Generator().manual_seed(3)))
    assert torch.equal(plain[0], plain[1]) and torch.equal(plain[0], plain[2])
    monkeypatch.setenv("GENCOURSE_SEED", "0")
    assert all(map(torch.equal, plain, draws()))
    monkeypatch.setenv("GENCOURSE_SEED", "1")
    moved = draws()
    assert all(map(torch.equal, moved, draws()))
    assert not any(map(torch.equal, plain, moved))
    monkeypatch.setenv("GENCOURSE_SEED", "2")
    assert not any(map(torch.equal, moved, draws()))


def test_the_seed_leaves_no_batch_and_no_sample_as_it_was(monkeypatch):
    """Twenty seeds in a row are twenty others, not nineteen of the same."""
    monkeypatch.delenv("GENCOURSE_SEED", raising=False)

    def first(seed):
        batch = next(minibatches(torch.arange(1000.0)[:, None], batch_size=8, seed=seed))
        return batch.flatten().tolist(), points("ring").sample(3, seed=seed).tolist()

    plain = [first(seed) for seed in range(20)]
    monkeypatch.setenv("GENCOURSE_SEED", "1")
    moved = [first(seed) for seed in range(20)]
    assert not any(a in [b[i] for b in plain] for one in moved for i, a in enumerate(one))


@pytest.mark.parametrize("value", ["-1", "one", "1.5", ""])
def test_seeds_that_are_no_whole_numbers_are_told(monkeypatch, value):
    monkeypatch.setenv("GENCOURSE_SEED", value)
    with pytest.raises(InputError, match="GENCOURSE_SEED should be a whole number from 0 on"):
        runtime.seeded(0)


def test_chapters_seed_by_runtime_alone():
    """One number moves all of a chapter's draws: no cell seeds in another way."""
    for source in sorted((ROOT / "authoring/chapters").glob("[0-9]*.py")):
        tree = ast.parse(source.read_text("utf-8"))
        calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
        seeding = re.compile(r"\bmanual_seed$|\btorch\.Generator$|random\.seed$|default_rng$")
        assert {name for name in calls if seeding.search(name)} <= {"manual_seed"}, source
