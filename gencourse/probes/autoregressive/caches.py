"""Attention one position at a time, step after step."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gencourse.probes.autoregressive.arguments import as_it_is

Caches = Sequence[Tensor]  # of keys and of values, (B, t, C) each


NAMES = ("the output", "the cache of keys", "the cache of values")


def one_step(step: Callable, *inputs: Tensor) -> object:
    """What a single step returns, by name; as it is where that is not three things."""
    result = step(*inputs)
    if not isinstance(result, tuple | list) or len(result) != len(NAMES):
        return result
    return dict(zip(NAMES, result, strict=True))


def fitting(x: Tensor, cache: Tensor) -> Tensor:
    """As many rows of x as the cache has, from the first on and again from there."""
    return x[torch.arange(len(cache)) % len(x)]


def steps(
    step: Callable, text: Tensor, positions: Tensor, weights: Tensor, caches: Caches
) -> tuple[list[Tensor], Caches]:
    """A text (B, T, C) position by position: all outputs, and the caches after the last step."""
    outputs = []
    for place in range(text.shape[1]):
        x = fitting(text[:, place], caches[0])
        output, *caches = step(x, positions, weights, *caches)
        outputs.append(output)
    return outputs, caches


def empty(text: Tensor) -> Caches:
    """Caches that hold no position."""
    return text[:, :0], text[:, :0]


def one_text(step: Callable, text: Tensor, positions: Tensor, weights: Tensor) -> dict[str, object]:
    """All steps of a text, beginning with empty caches."""
    outputs, (cache_k, cache_v) = steps(step, text, positions, weights, empty(text))
    return {
        "the outputs": outputs,
        "the cache of keys after the last step": cache_k,
        "the cache of values after the last step": cache_v,
    }


def in_turns(
    step: Callable, first: Tensor, second: Tensor, positions: Tensor, weights: Tensor
) -> list[Tensor]:
    """The outputs for two texts of which each has its own caches, one step of each in turn."""
    caches, outputs = [empty(first), empty(second)], []
    for place in range(first.shape[1]):
        for i, text in enumerate((first, second)):
            now = text[:, place : place + 1]
            output, caches[i] = steps(step, now, positions, weights, caches[i])
            outputs += output
    return outputs


def both_from_the_last_row(
    step: Callable, first: Tensor, second: Tensor, positions: Tensor, weights: Tensor
) -> list[Tensor]:
    """The outputs when all rows continue the caches of the last."""
    _, (cache_k, cache_v) = steps(step, first, positions, weights, empty(first))
    rows = [-1] * len(cache_k)
    return steps(step, second, positions, weights, (cache_k[rows], cache_v[rows]))[0]


def continued_twice(
    step: Callable, start: Tensor, first: Tensor, second: Tensor, positions: Tensor, weights: Tensor
) -> dict[str, object]:
    """Two texts that continue the caches of their common start, in turns, with no cache copied."""
    _, caches = steps(step, start, positions, weights, empty(start))
    begun = [as_it_is(cache) for cache in caches]
    outputs, own = [], [begun, begun]
    for place in range(first.shape[1]):
        for i, text in enumerate((first, second)):
            x = fitting(text[:, place], own[i][0])
            output, *longer = step(x, positions, weights, *own[i])
            own[i] = [as_it_is(cache) for cache in longer]
            outputs.append(output)
    return {"the outputs": outputs, "the first text's caches": own[0], "the start's caches": begun}
