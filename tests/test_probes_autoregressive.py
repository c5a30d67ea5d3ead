"""The probes of chapter 3 that run beside answers on text, cost, counting and sampling."""

import torch

from gencourse.probes.autoregressive import arguments, filters, tokens, writing
from gencourse.runner import run


def probed(probe, answer, *inputs, **named):
    """What a probe gives when the engine runs it, which copies the arguments of each call."""
    return run(probe, answer, inputs, named).value


def test_a_change_in_place_is_seen_though_arguments_are_copied():
    x = torch.tensor([1.0, 2.0])
    assert probed(arguments.unchanged, lambda x: x * 2, x)
    assert not probed(arguments.unchanged, lambda x: x.mul_(2), x)
    assert not probed(arguments.unchanged, lambda xs: xs.reverse(), [x, x + 1])
    assert not probed(arguments.unchanged, lambda xs: xs[0].zero_(), [x, x + 1])
    assert probed(arguments.unchanged, lambda x, y: x.zero_(), x, x + 1, at=1)
    assert x.tolist() == [1.0, 2.0]


def test_a_result_that_is_the_argument_is_seen():
    x = torch.tensor([1.0, 2.0])
    assert probed(arguments.independent, lambda x: x.clone(), x)
    assert probed(arguments.independent, torch.inference_mode()(lambda x: x + 0), x)
    assert not probed(arguments.independent, lambda x: x, x)
    assert not probed(arguments.independent, lambda x: x[:1], x)


def test_a_view_that_joins_dimensions_of_a_slice_is_seen():
    x, whole = torch.arange(12.0).view(2, 3, 2), arguments.in_slices
    assert probed(whole, lambda x: x.reshape(-1, 2), x)
    assert not probed(whole, lambda x: torch.tensor(float(x.is_contiguous())), x)
    for shape in ((-1,), (-1, 2), (2, -1)):
        assert probed(whole, lambda x, s=shape: x.view(s), x).kind == "RuntimeError"


def test_kinds_of_whole_numbers_are_told_apart():
    documents, table = [torch.tensor([0, 1])], torch.zeros(3, 2)
    for dtype, whole, room in ((torch.long, 1, 1), (torch.int16, 1, 0), (torch.float32, 0, 1)):
        found = probed(tokens.kind_of_table, lambda d, V, t=dtype: table.to(t), documents, 2)
        assert list(found.values()) == [True, bool(whole), bool(room)]
    pair = probed(tokens.kinds_of_windows, lambda t, b: (t.numpy(), t.numpy()), torch.arange(5), 4)
    assert list(pair.values()) == [False, True]


def test_a_constant_has_no_slope():
    logits = torch.zeros(1, 2, 3)
    assert probed(tokens.has_slope, lambda logits, _: logits.sum(), logits, 0)
    assert not probed(tokens.has_slope, lambda logits, _: torch.tensor(0.0), logits, 0)


def test_masses_of_tokens_are_not_cut_by_a_stress():
    tied = torch.tensor([[1.0, 0.0, 1.0]])
    found = run(
        filters.mass_together, lambda x, T: x.softmax(-1), (tied, 1, [0, 2]), {}, "one column"
    )
    assert found.value["the mass of these tokens together"].shape == (1,)
    assert not found.stressed


def loop(model, idx, n, block, T, generator):
    """A loop that forgets modes and graphs."""
    for _ in range(n):
        probs = (model(idx[:, -block:])[:, -1] / T).softmax(-1)
        idx = torch.cat([idx, torch.multinomial(probs, 1, generator=generator)], 1)
    return idx


def test_the_model_that_writes_keeps_a_diary():
    found = probed(writing.writing, loop, torch.tensor([[1, 2]]), 3, 4, 1.0, 0)
    assert found["the text"].tolist() == [[1, 2, 4, 2, 5]]
    assert found["the longest context that the model was given"] == 4
    assert found["whether a graph was recorded in the model"]
    assert found["whether a part of the model was in training mode when it was called"]


def test_draws_look_like_the_temperature_that_was_used():
    logits = torch.tensor([0.6, 0.3, 0.1]).log()
    tables = {f"{t:g}": (logits / t).softmax(0) for t in (0.25, 1.0, 4.0)}
    for T in (0.25, 1.0, 4.0):
        found = probed(writing.draws, loop, logits, T, 200, 0, tables["1"], tables)
        assert found["the temperature at which such tokens are likeliest"] == T
        often = "whether likely, middling and unlikely tokens come as often as they should"
        assert found[often] is (T == 1.0)


def greedy(model, idx, n, block, T, generator):
    """A loop that takes the most likely token."""
    for _ in range(n):
        idx = torch.cat([idx, model(idx[:, -block:])[:, -1:].argmax(-1)], 1)
    return idx


def test_a_model_that_has_learned_writes_another_text():
    found = probed(writing.after_learning, greedy, torch.tensor([[1]]), 2, 3, 0)
    assert [text.tolist() for text in found] == [[[1, 5, 5]], [[1, 2, 2]]]


def test_texts_that_are_alike_or_leave_tokens_out_are_seen():
    assert list(probed(writing.spread, loop, 600, 12, 0).values()) == [True, True]
    assert list(probed(writing.spread, greedy, 600, 12, 0).values()) == [False, False]


def test_who_writes_into_logits_changes_the_model_that_owns_them():
    def in_place(model, idx, n, block, T, generator):
        with torch.no_grad():
            model(idx).mul_(2)
        return idx

    found = run(writing.spread, in_place, (6, 2, 0), {})
    assert ("weights", "0") in found.harm
