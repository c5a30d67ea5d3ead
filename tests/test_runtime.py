"""Choices that the environment makes, and what happens when it asks for nonsense."""

import pytest
import torch

from gencourse import runtime
from gencourse.errors import InputError


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


def test_global_seed_is_put_back():
    before = torch.random.get_rng_state()
    with runtime.global_seed(1):
        first = torch.randn(3)
    with runtime.global_seed(1):
        assert torch.equal(first, torch.randn(3))
    assert torch.equal(before, torch.random.get_rng_state())
