"""Endless seeded batches of tensors that are already in memory."""

from collections.abc import Iterable, Iterator
from typing import Any, overload

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_tensor


@overload
def minibatches(x: Tensor, *, batch_size: int, seed: int) -> Iterator[Tensor]: ...


@overload
def minibatches(x: Tensor, /, *others: Tensor, batch_size: int, seed: int) -> Iterator[Any]: ...


def minibatches(
    x: Tensor, *others: Tensor, batch_size: int, seed: int
) -> Iterator[Tensor | tuple[Tensor, ...]]:
    """Shuffle, cut into batches, and start again, for ever.

    `x` (N, ...) and any `others` (N, ...), labels for example, are indexed together: one tensor in,
    tensors out; several in, tuples out. Every example occurs once per pass; the last N mod
    batch_size of a pass are left out. Bytes become floats in [0, 1]. One gather per batch is all
    the work, so no worker processes are needed (benchmarks/data.py measures it beside a
    DataLoader).
    """
    require_count("minibatches", "batch_size", batch_size)
    for i, tensor in enumerate((x, *others)):
        require_tensor("minibatches", f"argument {i}", tensor)
        if len(tensor) != len(x):
            raise InputError(
                f"minibatches: all tensors should have {len(x)} rows, got {len(tensor)}. Select "
                "the same rows."
            )
    if not 0 < batch_size <= len(x):
        raise InputError(
            f"minibatches: batch_size should be at most the number of rows, {len(x)}, got "
            f"{batch_size}. Lower it."
        )
    # a generator of its own, so that mistakes show here and now
    return _batches((x, *others), batch_size, seed)


def _batches(
    tensors: tuple[Tensor, ...], batch_size: int, seed: int
) -> Iterator[Tensor | tuple[Tensor, ...]]:
    N, generator = len(tensors[0]), seeded(seed)
    while True:
        order = torch.randperm(N, generator=generator)
        for start in range(0, N - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            batch = tuple(unit_range(tensor[rows]) for tensor in tensors)
            yield batch if len(batch) > 1 else batch[0]


def unit_range(x: Tensor) -> Tensor:
    """Bytes as floats in [0, 1]; everything else as it is."""
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def binarised(batches: Iterable, seed: int) -> Iterator:
    """Draw each pixel anew as 0 or 1 with its grey value as the probability ("dynamic
    binarisation").

    x ~ Bernoulli(grey). Source: Salakhutdinov & Murray 2008; drawn anew at each pass, as in Burda
    et al. 2016.
    """
    generator = seeded(seed)
    for batch in batches:
        if isinstance(batch, tuple):
            yield torch.bernoulli(batch[0], generator=generator), *batch[1:]
        else:
            yield torch.bernoulli(batch, generator=generator)
