"""Probes of the last exercises of chapter 3, and accepted answers that are handed to others."""

import itertools

import pytest
import torch

from gencourse.checks import autoregressive as check
from gencourse.probes.autoregressive import (
    attention,
    caches,
    convolutions,
    dependence,
    examples,
    masks,
    pixels,
)
from gencourse.probes.autoregressive.attention import ordinary
from gencourse.runner import run
from gencourse.runtime import seeded


def forms(exercise):
    """The reference and the registered right forms."""
    return [exercise.reference, *exercise.right_forms]


PAIRS = list(itertools.product(forms(check.causal_attention), forms(check.multi_head)))


@pytest.mark.parametrize(("attend_causally", "multi_head"), PAIRS)
def test_every_accepted_attention_works_in_every_accepted_multi_head(attend_causally, multi_head):
    def attend(q, k, v):  # as in the last section of the exercises
        leading, (T, d) = q.shape[:-2], q.shape[-2:]
        four = (part.reshape(-1, 1, T, d) for part in (q, k, v))
        return attend_causally(*four).reshape(*leading, T, d)

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


def test_a_later_block_knows_what_was_made_on_the_device():
    tables = {}

    def kept(T, device):
        made = tables.setdefault(str(device), torch.ones(T, T, device=device))
        return made.clone()

    assert all(masks.made_elsewhere(kept, 3, by_name) for by_name in (True, False))
    on_cpu = torch.ones(3)
    assert masks.made_elsewhere(lambda T, device: on_cpu.to(device), 3, by_name=True)
    assert not masks.made_elsewhere(lambda T, device: on_cpu, 3, by_name=True)


@pytest.mark.parametrize("by_name", [True, False])
def test_no_error_names_the_device_that_is_played(by_name):
    def refusing(T, device):
        raise ValueError(f"unknown device {device}")

    with pytest.raises(ValueError, match=r"^unknown device the device$"):
        masks.made_elsewhere(refusing, 3, by_name)


def test_a_stress_leaves_scores_of_thousands_alone():
    q = torch.tensor([[[[1.0], [2.0]]]])
    found = run(attention.unaltered, lambda q, k, v: q, (q, q, q), {}, "larger numbers")
    assert torch.equal(found.value, q)
    assert not found.stressed


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


def test_an_infinite_output_is_no_change():
    x, weights = examples.examples(0), torch.ones(5).double()
    found = dependence.found_beside_infinity(check.depends_on.reference, x, weights)
    expected = torch.ones(5, 5, dtype=torch.bool).tril(-1)
    expected[1] = False
    assert torch.equal(found, expected)
    subtracted = dependence.found_beside_infinity(
        lambda f, x: torch.stack([(f(x.roll(1, 0)) - f(x) != 0).any(0)] * 5, 1), x, weights
    )
    assert subtracted[1].all()


def test_models_that_are_tried_refuse_another_type():
    x, weights, find = examples.examples(0), torch.ones(5).double(), check.depends_on.reference
    for given in (x, x.float()):
        right = run(dependence.found_in_module, find, (given, weights, 5, False), {}).value
        assert torch.equal(right["the answer"], torch.ones(5, 5, dtype=torch.bool).tril(-1))

    def in_float64(f, x):
        return find(f, x.double())

    cases = ((dependence.found_in_module, (x.float(), weights, 5, False)),)
    cases += ((dependence.found_in_tokens, (examples.tokens(),)),)
    for probe, inputs in cases:
        assert run(probe, in_float64, inputs, {}).value.kind == "RuntimeError"


def test_masks_of_one_kind_are_made_once():
    seen = []

    def stack(x, weights, mask):
        seen.extend(mask(3, kind) for kind in "AB")
        return x

    convolutions.logits_with_one_kind(stack, torch.ones(1), [torch.ones(1, 1, 3, 3)], "B")
    assert seen[0] is seen[1]
    assert torch.equal(seen[0], convolutions.raster_mask(3, "B"))


def with_spare_room(x, positions, weights, cache_k, cache_v):
    """A step whose longer caches lie in the memory of the former ones, where there is room."""
    output, *longer = check.cached_attention_step.reference(x, positions, weights, cache_k, cache_v)
    grown = []
    for cache, whole in zip((cache_k, cache_v), longer, strict=True):
        room = getattr(cache, "room", None)
        if room is None:
            room = torch.cat([whole, torch.zeros(len(x), 9, x.shape[-1])], 1)
        room[:, : whole.shape[1]] = whole
        grown.append(room[:, : whole.shape[1]])
        grown[-1].room = room
    return output, *grown


def test_caches_that_share_memory_are_seen_where_a_text_is_continued_twice():
    start, first, second = torch.randn(3, 2, 2, 4, generator=seeded(0))
    layer = torch.randn(9, 4, generator=seeded(1)), torch.randn(3, 4, 4, generator=seeded(2))
    inputs = (start, first, second, *layer)
    own, shared = (
        run(caches.continued_twice, step, inputs, {}).value
        for step in (check.cached_attention_step.reference, with_spare_room)
    )
    assert torch.equal(own["the first text's caches"][0][:, :2], own["the start's caches"][0])
    expected, got = own["the first text's caches"][0], shared["the first text's caches"][0]
    assert got.shape == expected.shape
    assert not torch.allclose(got, expected)


def test_rows_follow_the_cache():
    x = torch.arange(2.0)
    assert caches.fitting(x, torch.zeros(5, 1)).tolist() == [0, 1, 0, 1, 0]
    assert caches.fitting(x, torch.zeros(1, 1)).tolist() == [0]


def test_images_and_their_kinds_are_told_apart():
    sample, u = check.raster_sample.reference, torch.rand(2, 1, 2, 3, generator=seeded(0))
    assert list(pixels.kinds(sample, u).values()) == [True] * 3
    assert list(pixels.kinds(lambda model, u: model(u) > 0, u).values()) == [True, True, False]
    found = pixels.kinds(lambda model, u: model(u.double()), u)
    assert list(found.values()) == [True, False, True]
    found = pixels.from_layer(sample, u, torch.zeros(1, 1, 3, 3), 50.0)
    assert found["the images"].all()
    assert not found["the images after it has learned"].any()
