"""How answers are called:

with copies, transformed by a stress, watched for harm, in every form that a function has.
"""

import asyncio
import warnings

import pytest
import torch
from torch import nn

from gencourse import stress
from gencourse.harm import HARMS, Watch
from gencourse.runner import NotAttempted, Opaque, Raised, run
from gencourse.runtime import seeded


def outcome(answer, *args, probe=None, kind="", **kwargs):
    return run(probe, answer, args, kwargs, kind)


def test_tensors_in_lists_tuples_and_dicts_are_copied():
    def greedy(inputs):
        for part in inputs:
            (part["x"] if isinstance(part, dict) else part[0]).zero_()
        inputs[0].append(torch.ones(2))
        return inputs

    given = [[torch.ones(2)], (torch.ones(3), "text", None), {"x": torch.ones(4)}]
    found = outcome(greedy, given)
    assert [len(part) for part in found.value] == [2, 3, 1] and not found.value[2]["x"].any()
    assert len(given[0]) == 1 and all(
        bool(t.all()) for t in (given[0][0], given[1][0], given[2]["x"])
    )
    assert found.harm == (("changed", "0"),)


def test_exception_of_the_answer_is_a_value_and_one_of_the_probe_speaks_of_what_was_returned():
    def broken(x):
        return x @ x.undefined

    def halved(answer, x):
        return answer(x).mean() / 2

    assert outcome(broken, torch.ones(2)).value.kind == "AttributeError"
    said = outcome(lambda x: "text", torch.ones(2), probe=halved).value
    assert said.kind == "Unusable" and "type str" in said.message
    assert "None" in outcome(lambda x: None, torch.ones(2), probe=halved).value.message
    assert outcome(lambda x: None, torch.ones(2), probe=halved).empty


def test_fault_of_a_probe_is_no_value():
    def careless(answer, x):
        return answer(x[99])

    with pytest.raises(IndexError):
        outcome(lambda x: x, torch.ones(2), probe=careless)


def test_stub_is_told_from_other_errors():
    def stub(x):
        raise NotImplementedError()

    def torchs(x):
        raise NotImplementedError("this operator is not implemented for your layout")

    with pytest.raises(NotAttempted):
        outcome(stub, 1)
    assert outcome(torchs, 1).value.kind == "NotImplementedError"


async def coroutine(x):
    return x


def yielding(x):
    yield x


def test_generators_and_coroutines_are_opaque_and_leave_no_warning(recwarn):
    assert outcome(yielding, 1).value == Opaque("generator")
    assert outcome(coroutine, 1).value == Opaque("coroutine")
    assert not recwarn.list and asyncio.iscoroutinefunction(coroutine)


def test_exit_and_endless_text_are_values():
    assert outcome(lambda: exit()).value.kind == "SystemExit"

    def talkative():
        raise ValueError("x" * 100_000)

    assert len(outcome(talkative).value.message) < 400
    assert isinstance(outcome(talkative).value, Raised)


def test_view_of_an_argument_is_a_value_of_its_own():
    x = torch.ones(3)
    value = outcome(lambda x: x, x).value
    value.zero_()
    assert x.all()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.drop = nn.Linear(2, 2), nn.Dropout()
        self.register_buffer("count", torch.zeros(()))


def after(change):
    model, generator, x = Model(), seeded(3), torch.ones(2)
    watch = Watch((model, x), {"generator": generator})
    with torch.random.fork_rng():
        change(model, x, generator)
        found = watch.harm((model, x), {"generator": generator})
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(False)
    return found


def renewed(layer):
    layer.weight = nn.Parameter(layer.weight.detach().clone())


HARM = {
    ("changed", "1"): lambda model, x, generator: x.add_(1),
    ("weights", "0"): lambda model, x, generator: model.count.add_(1),
    ("training mode", "0"): lambda model, x, generator: model.drop.eval(),
    ("requires_grad", "0"): lambda model, x, generator: model.layer.requires_grad_(False),
    ("reseeded", "generator"): lambda model, x, generator: generator.manual_seed(4),
    ("reseeded", "torch"): lambda model, x, generator: torch.manual_seed(4),
    ("replaced", "0"): lambda model, x, generator: renewed(model.layer),
    ("hooks", "0"): lambda model, x, generator: model.drop.register_forward_hook(print),
    ("settings", "0"): lambda model, x, generator: setattr(model.drop, "p", 0.1),
    ("mode", "anomaly mode"): lambda *_: torch.autograd.set_detect_anomaly(True),
    ("mode", "default dtype"): lambda model, x, generator: torch.set_default_dtype(torch.float64),
    ("mode", "gradient mode"): lambda model, x, generator: torch.set_grad_enabled(False),
}


@pytest.mark.parametrize("found", HARM, ids=" ".join)
def test_harm_is_seen_and_only_that(found):
    def change(model, x, generator):
        torch.rand(1, generator=generator)
        HARM[found](model, x, generator)

    assert after(change) - {("unused", "generator")} == {found}
    assert found[0] in HARMS


@pytest.mark.parametrize(
    "change",
    [
        lambda optimizer, extra: optimizer.add_param_group({"params": [extra]}),
        lambda optimizer, extra: optimizer.param_groups[0]["params"].reverse(),
        lambda optimizer, extra: optimizer.param_groups[0].update(lr=0.2),
    ],
)
def test_a_changed_optimizer_is_seen(change):
    layer, extra = nn.Linear(2, 2), nn.Parameter(torch.ones(1))
    layer(torch.ones(1, 2)).sum().backward()
    optimizer = torch.optim.Adam(layer.parameters())
    watch = Watch((optimizer,), {})
    optimizer.step()
    assert watch.harm((optimizer,), {}) == set()
    change(optimizer, extra)
    assert watch.harm((optimizer,), {}) == {("optimizer", "0")}


def test_unused_generator_is_seen_and_its_use_is_no_harm():
    assert after(lambda model, x, generator: None) == {("unused", "generator")}
    assert after(lambda model, x, generator: torch.rand(1, generator=generator)) == set()
    assert (
        after(lambda model, x, generator: (torch.rand(1), torch.rand(1, generator=generator)))
        == set()
    )


def stressed(kind, *args):
    seen = []
    stress.STRESSES[kind](lambda *args: seen.append(args), args, {})
    new, _, changed = stress.STRESSES[kind](lambda *args: seen.append(args), args, {})
    return new, changed


def test_stresses_alter_what_they_name():
    x, y = torch.rand(4, 3), torch.arange(4)
    (a, b), changed = stressed("memory that is not contiguous", x, y)
    assert changed and not a.is_contiguous() and torch.equal(a, x) and torch.equal(b, y)
    (a, b), changed = stressed("float64", x, y)
    assert changed and a.dtype == torch.float64 and b.dtype == torch.int64
    (a, b), changed = stressed("one example", x, y)
    assert changed and a.shape == (1, 3) and b.shape == (1,)
    (a, b), changed = stressed("more examples", x, y)
    assert (
        changed
        and a.shape == (131, 3)
        and set(b.tolist()) <= set(range(4))
        and b.dtype == torch.int64
    )
    assert torch.equal(a[:4], x) and len({tuple(row) for row in a.tolist()}) == 131, "no row twice"
    (a, _), _ = stressed("more examples", torch.rand(4, 3, 5), y)
    assert a.shape == (16, 3, 5), "large examples: three more for each"
    (a, b), changed = stressed("one column", x, y)
    assert changed and a.shape == (4, 1) and b is y
    (a, b), changed = stressed("more columns", x, y)
    assert changed and a.shape == (4, 70) and b is y and torch.equal(a[:, :3], x)
    assert len({tuple(column) for column in a.T.tolist()}) == 70, "no column twice"
    (a, b, c), _ = stressed("larger numbers", 3 * x - 1, y, x)
    assert torch.equal(a, 12 * (3 * x - 1).double()) and b is y and torch.equal(c, x.double())
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    (same, _), changed = stressed("a frozen layer", model, x)
    assert changed and same is model
    assert [p.requires_grad for p in model.parameters()] == [False, True, True, True]
    (same, _), changed = stressed("a network in evaluation mode", model.train(), x)
    assert same is model and not any(part.training for part in model.modules())
    assert stress.evaluated(model, (nn.Linear(2, 2),), {})[2]
    assert not stress.evaluated(model, (nn.Linear(2, 2).eval(), x), {})[2]


def test_no_view_joins_dimensions_of_memory_that_is_not_contiguous():
    x = torch.rand(4, 3, 5, requires_grad=True)
    (a,), changed = stressed("memory that is not contiguous", x)
    assert changed and torch.equal(a, x)
    for shape in ((60,), (12, 5), (4, 15)):
        with pytest.raises(RuntimeError, match="view"):
            a.view(shape)
    assert a.view(4, 3, 5, 1).shape == (4, 3, 5, 1), "a dimension can be split"
    (3 * a).sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 3)), "gradients arrive"


def test_further_examples_stay_of_their_kind():
    p = torch.rand(6, 5).softmax(1)
    binary = (torch.rand(6, 1, 4, 4) < 0.5).float()
    (more, images), _ = stressed("more examples", p, binary)
    (certain,), _ = stressed("more examples", torch.eye(3))
    assert torch.allclose(certain.sum(1), torch.ones(131)) and bool((certain >= 0).all())
    assert torch.allclose(more.sum(1), torch.ones(24)) and set(images.unique().tolist()) <= {
        0.0,
        1.0,
    }


def test_further_columns_stay_of_their_kind():
    (more, ids), _ = stressed("more columns", torch.rand(6, 5).softmax(1), torch.ones(6, 5).long())
    assert torch.allclose(more.sum(1), torch.ones(6)) and bool((more > 0).all())
    assert ids.shape == (6, 70) and bool((ids == 1).all())
    logits = torch.tensor([[0.0, -float("inf"), 2.0]])
    (longer,), _ = stressed("more columns", logits.repeat(3, 1))
    assert not longer.isnan().any()


def test_one_column_of_probabilities_is_certainty():
    p, x = torch.rand(6, 5).softmax(1), torch.rand(6, 5)
    (certain, cut), _ = stressed("one column", p, x)
    assert torch.equal(certain, torch.ones(6, 1)) and torch.equal(cut, x[:, :1])


def test_second_call_sees_what_an_answer_remembers():
    seen = []

    def remembers(x):
        seen.append(1)
        return x * len(seen)

    assert outcome(remembers, torch.ones(2), kind="a second call").value[0] == 2
    state = torch.random.get_rng_state()
    outcome(lambda x: torch.rand(2), torch.ones(2), kind="a second call")
    assert not torch.equal(state, torch.random.get_rng_state()), "drawn once, as without the stress"


def test_models_are_passed_as_they_are():
    model = Model()
    found = outcome(lambda m, x: m is model, model, torch.ones(3, 2), kind="a second call")
    assert found.value is True and not found.stressed


def test_no_warning_comes_from_inside_a_check(recwarn):
    def answer(x):
        warnings.warn("a warning of torch", UserWarning, stacklevel=1)
        return x.mT.T if x.ndim == 3 else x.t()

    run(None, answer, (torch.ones(2, 3),), {})
    assert not recwarn.list
    warnings.warn("outside of it", UserWarning, stacklevel=1)
    assert len(recwarn.list) == 1
