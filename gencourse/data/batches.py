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
    return Minibatches((x, *others), batch_size, seed)


class Minibatches(Iterator[Any]):
    """What `minibatches` gives: endless, and it knows where it is (`state_dict`)."""

    def __init__(self, tensors: tuple[Tensor, ...], batch_size: int, seed: int) -> None:
        self.tensors, self.batch_size, self.generator = tensors, batch_size, seeded(seed)
        self.next_pass()

    def next_pass(self) -> None:
        """Shuffle."""
        self.shuffled_at = self.generator.get_state()
        self.order = torch.randperm(len(self.tensors[0]), generator=self.generator)
        self.start = 0

    def __next__(self) -> Tensor | tuple[Tensor, ...]:
        if self.start + self.batch_size > len(self.order):
            self.next_pass()
        rows = self.order[self.start : self.start + self.batch_size]
        self.start += self.batch_size
        batch = tuple(unit_range(tensor[rows]) for tensor in self.tensors)
        return batch if len(batch) > 1 else batch[0]

    def state_dict(self) -> dict[str, Any]:
        """The generator before the present pass, and how far the pass has come."""
        return {"shuffled_at": self.shuffled_at, "start": self.start}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.generator.set_state(state["shuffled_at"])
        self.next_pass()
        self.start = state["start"]


def unit_range(x: Tensor) -> Tensor:
    """Bytes as floats in [0, 1]; everything else as it is."""
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def binarised(batches: Iterable, seed: int) -> Iterator:
    """Draw each pixel anew as 0 or 1 with its grey value as the probability ("dynamic
    binarisation").

    x ~ Bernoulli(grey). Source: Salakhutdinov & Murray 2008; drawn anew at each pass, as in Burda
    et al. 2016.
    """
    return Binarised(batches, seed)


class Binarised(Iterator[Any]):
    """What `binarised` gives: it knows where it is if the batches under it do (`state_dict`)."""

    def __init__(self, batches: Iterable, seed: int) -> None:
        self.batches, self.rest, self.generator = batches, iter(batches), seeded(seed)

    def __next__(self) -> Tensor | tuple[Tensor, ...]:
        batch = next(self.rest)
        if isinstance(batch, tuple):
            return torch.bernoulli(batch[0], generator=self.generator), *batch[1:]
        return torch.bernoulli(batch, generator=self.generator)

    def state_dict(self) -> dict[str, Any] | None:
        """The generator, and the position of the batches; None if they do not know theirs."""
        if not hasattr(self.batches, "state_dict"):
            return None
        return {"generator": self.generator.get_state(), "batches": self.batches.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.generator.set_state(state["generator"])
        self.batches.load_state_dict(state["batches"])  # type: ignore[attr-defined]
        self.rest = iter(self.batches)
