"""Arguments that a right answer takes as easily as the first ones, and that break a fragile one.

A stress transforms the arguments of one call: `transform(call, args, kwargs) -> (args, kwargs,
changed)`, where `call` is the answer itself. The whole trial is run again with it, on the attempt
and on the reference, and what the two yield is compared. So a stress need not know what the right
value is, only that the reference's is right.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SMALL = 10  # numbers in an example of which there can be MANY
MANY, WIDE = 131, 70  # not multiples of 4, 8, 16, at which somebody might cut
Altered = tuple[tuple, dict, bool]  # args, kwargs, and whether a stress changed any of them
Stress = Callable[[Callable, tuple, dict], Altered]


def mapped(function: Callable[[Tensor], object], value: Any) -> Any:
    """A function applied to every tensor in an argument that is data."""
    if isinstance(value, nn.Parameter):
        return value
    if isinstance(value, Tensor):
        return function(value)
    if type(value) in (list, tuple):
        return type(value)(mapped(function, item) for item in value)
    if type(value) is dict:
        return {key: mapped(function, item) for key, item in value.items()}
    return value


def by_tensor(function: Callable[[Tensor], Tensor]) -> Stress:
    """The stress that applies a function to every tensor.

    A function that returns its argument itself changed nothing.
    """

    def transform(call: Callable, args: tuple, kwargs: dict) -> Altered:
        changed = False

        def counted(tensor: Tensor) -> Tensor:
            nonlocal changed
            result = function(tensor)
            changed = changed or result is not tensor
            return result

        return mapped(counted, args), mapped(counted, kwargs), changed

    return transform


def strided(x: Tensor) -> Tensor:
    """The same numbers, every second place in memory, cut out of a tensor longer everywhere.

    So no two dimensions can be joined by `view`, as in a slice x[:, 1:].
    """
    if x.numel() <= 1:
        return x
    longer = nn.functional.pad(x, (0, 1) * x.ndim)
    spaced = torch.stack([longer, torch.zeros_like(longer)], -1)[..., 0]
    return spaced[tuple(slice(n) for n in x.shape)]


def double(x: Tensor) -> Tensor:
    """The same numbers in float64."""
    return x.double() if x.dtype == torch.float32 else x


def batch_size(tensors: list[Tensor]) -> int:
    """The length that most tensors have as their first dimension; of several such the first."""
    lengths = Counter(len(x) for x in tensors if x.ndim > 0)
    return lengths.most_common(1)[0][0] if lengths else 0


def listed(value: object) -> list[Tensor]:
    """The tensors in arguments that are data, in lists, tuples and dicts too."""
    found: list[Tensor] = []
    mapped(found.append, value)
    return found


def batched(function: Callable[[Tensor, int], Tensor]) -> Stress:
    """The stress that applies a function to those arguments whose first dimension is the batch.

    The function is also given how many numbers the largest example has.
    """

    def transform(call: Callable, args: tuple, kwargs: dict) -> Altered:
        tensors = listed([*args, *kwargs.values()])
        size = batch_size(tensors)
        numbers = max((x[0].numel() for x in tensors if x.ndim and len(x) == size > 0), default=0)
        changed = False

        def applied(x: Tensor) -> Tensor:
            nonlocal changed
            result = x if x.ndim == 0 or len(x) != size else function(x, numbers)
            changed = changed or result is not x
            return result

        return mapped(applied, args), mapped(applied, kwargs), changed

    return transform


def one_row(x: Tensor, numbers: int) -> Tensor:
    """The first example alone."""
    return x if len(x) == 1 else x[:1].clone()


def more_rows(x: Tensor, numbers: int) -> Tensor:
    """Further examples, three for each, or where examples are small, as many as make 131."""
    extra = 3 * len(x) if numbers > SMALL else max(3 * len(x), MANY - len(x))
    return x if len(x) < 2 else torch.cat([x, between(x, extra)])


def between(x: Tensor, number: int) -> Tensor:
    """New entries of the first dimension, drawn between those that are there; never a copy.

    Whole numbers stay among those there.
    """
    n = len(x)
    generator = torch.Generator().manual_seed(7)
    one = torch.randint(n, (number,), generator=generator)
    # another row, never itself
    other = (one + torch.randint(1, n, (number,), generator=generator)) % n
    first, second = x[one], x[other]
    share = 0.1 + 0.8 * torch.rand(number, *[1] * (x.ndim - 1), generator=generator)
    whole = bool((x == x.round()).all()) if x.is_floating_point() else True
    if not whole or (x.ndim > 1 and distributions(x)):
        # an infinity between two numbers would be NaN
        finite = first.isfinite() & second.isfinite()
        drawn = torch.lerp(first.double(), second.double(), share.double()).to(x.dtype)
        return torch.where(finite, drawn, first)
    return torch.where(torch.rand(first.shape, generator=generator) < 0.5, first, second)


def by_column(function: Callable[[Tensor], Tensor]) -> Stress:
    """The stress that applies a function to those arguments that have the usual second dimension.

    That is the length which most tensors have there: T positions, or D dimensions.
    """

    def transform(call: Callable, args: tuple, kwargs: dict) -> Altered:
        tensors = [x for x in listed([*args, *kwargs.values()]) if x.ndim > 1]
        lengths = Counter(x.shape[1] for x in tensors)
        width = lengths.most_common(1)[0][0] if lengths else 0

        def applied(x: Tensor) -> Tensor:
            return x if width <= 1 or x.ndim < 2 or x.shape[1] != width else function(x)

        return mapped(applied, args), mapped(applied, kwargs), width > 1

    return transform


def first_column(x: Tensor) -> Tensor:
    """The second dimension cut to its first entry."""
    if x.is_floating_point() and not bool(x[:, :1].isfinite().all()):
        return x.amax(1, keepdim=True)  # a single logit of -∞ would be no distribution
    return torch.ones_like(x[:, :1]) if distributions(x) else x[:, :1].clone()


def more_columns(x: Tensor) -> Tensor:
    """The second dimension made 70 long, by entries between those that are there."""
    if x.shape[1] >= WIDE:
        return x
    longer = torch.cat([x, between(x.transpose(0, 1), WIDE - x.shape[1]).transpose(0, 1)], 1)
    return longer / longer.sum(1, keepdim=True) if distributions(x) else longer


def larger(x: Tensor) -> Tensor:
    """Twelve times as large, in float64, so that nothing is lost by rounding.

    Probabilities and whole numbers stay.
    """
    if not x.is_floating_point() or bool(((x >= 0) & (x <= 1)).all()):
        return x.double() if x.dtype == torch.float32 else x
    return 12 * x.double()


def distributions(x: Tensor) -> bool:
    """Whether x holds probabilities that sum to 1 along its second dimension."""
    if not x.is_floating_point() or not bool((x >= 0).all()):
        return False
    total = x.sum(1)
    return torch.allclose(total, torch.ones_like(total), atol=1e-4)


def twice(call: Callable, args: tuple, kwargs: dict) -> Altered:
    """A first call with the same tensors upside down, whose result should stay as it is.

    Modules and generators would be changed by it.
    """
    values = [*args, *kwargs.values()]
    if any(isinstance(x, nn.Module | torch.optim.Optimizer | torch.Generator) for x in values):
        return args, kwargs, False
    with torch.random.fork_rng(devices=[]):
        call(*mapped(upside_down, args), **mapped(upside_down, kwargs))
    return args, kwargs, True


def upside_down(x: Tensor) -> Tensor:
    """A copy with the first dimension in reverse."""
    return x.flip(0) if x.ndim else x.clone()


def unaltered(call: Callable, args: tuple, kwargs: dict) -> Altered:
    """The arguments as they are, for the stress that is another seed of torch's global generator.

    Whoever starts the trial sets that seed.
    """
    return args, kwargs, True


def with_frozen_layer(call: Callable, args: tuple, kwargs: dict) -> Altered:
    """Modules whose first parameter does not learn, as when a part of a network is kept."""
    first = [next(module.parameters(), None) for module in modules(args, kwargs)]
    frozen = [p for p in first if p is not None]
    for p in frozen:
        p.requires_grad_(False)
        p.grad = None
    return args, kwargs, bool(frozen)


def evaluated(call: Callable, args: tuple, kwargs: dict) -> Altered:
    """Modules in evaluation mode."""
    training = [module for module in modules(args, kwargs) if module.training]
    for module in training:
        module.eval()
    return args, kwargs, bool(training)


def modules(args: tuple, kwargs: dict) -> list[nn.Module]:
    """The arguments that are modules."""
    return [x for x in [*args, *kwargs.values()] if isinstance(x, nn.Module)]


STRESSES: dict[str, Stress] = {
    "memory that is not contiguous": by_tensor(strided),
    "float64": by_tensor(double),
    "one example": batched(one_row),
    "more examples": batched(more_rows),
    "one column": by_column(first_column),
    "more columns": by_column(more_columns),
    "larger numbers": by_tensor(larger),
    "a frozen layer": with_frozen_layer,
    "a network in evaluation mode": evaluated,
    "a second call": twice,
    "another global seed": unaltered,
}
