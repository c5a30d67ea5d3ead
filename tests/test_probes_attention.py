"""Probes of the last exercises of chapter 3, and accepted answers that are handed to others."""

import itertools

import pytest
import torch

from gencourse.checks import autoregressive as check
from gencourse.probes.autoregressive import caches, convolutions, dependence, examples, masks
from gencourse.probes.autoregressive.attention import ordinary
from gencourse.runtime import seeded


def forms(exercise):
    """The reference and the registered right forms."""
    return [exercise.reference, *exercise.right_forms]


PAIRS = list(itertools.product(forms(check.causal_attention), forms(check.multi_head)))


@pytest.mark.parametrize(("attention", "multi_head"), PAIRS)
def test_every_accepted_attention_works_in_every_accepted_multi_head(attention, multi_head):
    def attend(q, k, v):  # as in the last section of the exercises
        leading, (T, d) = q.shape[:-2], q.shape[-2:]
        four = (part.reshape(-1, 1, T, d) for part in (q, k, v))
        return attention(*four).reshape(*leading, T, d)

    q, k, v = torch.randn(2, 5, 36, generator=seeded(0)).chunk(3, -1)
    expected = check.multi_head.reference(ordinary, q, k, v, 3)
    torch.testing.assert_close(multi_head(attend, q, k, v, 3), expected)


PIXELS = list(itertools.product(forms(check.pixelcnn_mask), forms(check.masked_stack)))


@pytest.mark.parametrize(("mask", "stack"), PIXELS)
def test_every_accepted_mask_works_in_every_accepted_stack(mask, stack):
    def floating(kernel, kind):  # as in the cell that looks for leaks
        return mask(kernel, kind).double()

    x = torch.rand(2, 1, 5, 5, generator=seeded(0)).double()
    sizes = ((3, 1, 3, 3), (1, 3, 3, 3))
    weights = [torch.randn(size, generator=seeded(i)).double() for i, size in enumerate(sizes)]
    expected = check.masked_stack.reference(x, weights, convolutions.raster_mask)
    torch.testing.assert_close(stack(x, weights, floating), expected)


@pytest.mark.parametrize(
    ("make", "there"),
    [
        (lambda T, device: torch.ones(T, T, device=device).tril(), True),
        (lambda T, device: torch.ones(T, T).to(device), True),
        (lambda T, device: torch.stack(list(torch.arange(T, device=device))), True),
        (lambda T, device: torch.ones(T, T), False),
        (lambda T, device: torch.ones(T, T, device=device).cpu(), False),
    ],
)
def test_a_device_that_this_machine_lacks_is_played(make, there):
    assert masks.made_elsewhere(make, 3, by_name=True) is there
    assert masks.made_elsewhere(make, 3, by_name=False) is there


def test_tensors_of_two_devices_do_not_mix():
    with masks.Elsewhere() as elsewhere, pytest.raises(RuntimeError, match="one device"):
        torch.ones(3, device=elsewhere.device) + torch.ones(3)


@pytest.mark.parametrize("leak", dependence.LEAKS)
def test_a_leak_is_just_what_the_model_leaks(leak):
    x, weights = examples.examples(0), torch.ones(5).double()
    if leak == "rare":
        x = examples.rare(x, 3, 4, 2)
    inputs = {"a": 1, "b": 3}
    found = dependence.found(check.depends_on.reference, x, weights, 5, leak, **inputs)
    causal = dependence.found(check.depends_on.reference, x, weights, 5)
    assert torch.equal(causal, torch.ones(5, 5, dtype=torch.bool).tril(-1))
    assert (found != causal).nonzero().tolist() == [[1, 3]]


def test_rows_follow_the_cache():
    x = torch.arange(2.0)
    assert caches.fitting(x, torch.zeros(5, 1)).tolist() == [0, 1, 0, 1, 0]
    assert caches.fitting(x, torch.zeros(1, 1)).tolist() == [0]
