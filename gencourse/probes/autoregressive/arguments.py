"""What a call leaves of its arguments, and whether the result shares memory with them.

An answer gets copies of its tensors. Parameters alone reach it as they are, so here tensors come as
parameters that ask for no gradient: what is written into them can be seen afterwards.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.stress import strided


class Uncopied(list):
    """A list that reaches the answer as it is, and what it holds too."""


def uncopied(value: Any) -> Any:
    """The same data in a form of which the answer gets no copy."""
    if isinstance(value, Tensor):
        return nn.Parameter(value.clone(), requires_grad=False)
    if isinstance(value, list):
        return Uncopied(x.clone() for x in value)
    return value


def as_it_is(tensor: Tensor) -> Tensor:
    """A tensor of which the answer gets no copy, and which keeps what hangs on it.

    torch takes a tensor with this mark for a parameter, and parameters are not copied.
    """
    tensor._is_param = True
    return tensor


def in_slices(answer: Callable, *inputs: Any) -> bool:
    """Whether slices of longer tensors, which no `view` can join, give what whole ones give."""

    def cut(x: Any) -> Any:
        return as_it_is(strided(x)) if isinstance(x, Tensor) else x

    whole = torch.as_tensor(answer(*map(uncopied, inputs)))
    return torch.allclose(torch.as_tensor(answer(*map(cut, inputs))), whole, atol=1e-5)


def same(before: Any, after: Any) -> bool:
    """Whether a tensor, or a list of tensors, holds what it held."""
    if isinstance(before, Tensor):
        return torch.equal(before, after)
    return len(before) == len(after) and all(map(torch.equal, before, after))


def unchanged(answer: Callable, *inputs: Any, at: int = 0) -> bool:
    """Whether the argument at this position is after the call what it was before."""
    given = [uncopied(x) for x in inputs]
    answer(*given)
    return same(inputs[at], given[at])


def afterwards(answer: Callable, *inputs: Any, at: int = 0) -> object:
    """The argument at this position as it is after the call."""
    given = [uncopied(x) for x in inputs]
    answer(*given)
    return given[at]


def independent(answer: Callable, *inputs: Any, at: int = 0) -> bool:
    """Whether that argument keeps its numbers when the result is filled with 7 afterwards."""
    given = [uncopied(x) for x in inputs]
    result = answer(*given)
    with torch.inference_mode():  # the result may have been made in it
        torch.as_tensor(result)[...] = 7.0
    return same(inputs[at], given[at])
