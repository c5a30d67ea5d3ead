"""Endless seeded batches of tensors that are already in memory."""

from collections.abc import Iterable, Iterator
from typing import Any, overload

import torch
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.runtime import seeded
from gencourse.validation import batch_parts, require_count


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
    for tensor in (x, *others):
        if isinstance(tensor, tuple | list):
            raise InputTypeError(
                "minibatches: each argument should be a torch.Tensor, got a "
                f"{type(tensor).__name__}. Give tensors one by one: minibatches(x, y, ...)."
            )
    for tensor in batch_parts("minibatches", (x, *others)):
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
        """Shuffle: the same order whatever the device."""
        self.shuffled_at = self.generator.get_state()
        order = torch.randperm(len(self.tensors[0]), generator=self.generator, device="cpu")
        self.order, self.start = order.to(self.tensors[0].device), 0

    def to(self, device: torch.device) -> "Minibatches":
        """Move the tensors, so that no batch has to be; `fit` does it."""
        self.tensors = tuple(tensor.to(device) for tensor in self.tensors)
        self.order = self.order.to(device)
        return self

    def rows(self) -> tuple[Tensor, ...]:
        """The next batch as the tensors hold it, bytes as bytes."""
        if self.start + self.batch_size > len(self.order):
            self.next_pass()
        rows = self.order[self.start : self.start + self.batch_size]
        self.start += self.batch_size
        return tuple(tensor.index_select(0, rows.to(tensor.device)) for tensor in self.tensors)

    def __next__(self) -> Tensor | tuple[Tensor, ...]:
        batch = tuple(map(unit_range, self.rows()))
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

    x ~ Bernoulli(grey). Of a tuple or a list, as a DataLoader makes them, the first part is drawn
    and the others stay; one part comes alone, several as a tuple. A byte b is 1 with the
    probability b/255.
    Source: Salakhutdinov & Murray 2008; drawn anew at each pass, as in Burda et al. 2016.
    """
    return Binarised(batches, seed)


class Binarised(Iterator[Any]):
    """What `binarised` gives: it knows where it is if the batches under it do (`state_dict`)."""

    def __init__(self, batches: Iterable, seed: int) -> None:
        self.batches, self.rest, self.seed = batches, iter(batches), seed
        self.generator: torch.Generator | None = None  # of the device on which the images are
        self.state: Tensor | None = None

    def to(self, device: torch.device) -> "Binarised":
        """Move the data and draw there."""
        if hasattr(self.batches, "to"):
            self.batches.to(device)
        return self

    def __next__(self) -> Tensor | tuple[Tensor, ...]:
        batch = self.rest.rows() if isinstance(self.rest, Minibatches) else next(self.rest)
        grey, *others = batch_parts("binarised", batch)
        if self.generator is None:
            self.generator = seeded(self.seed, grey.device)
            if self.state is not None:
                self.generator.set_state(self.state)
        x = drawn(grey, self.generator)
        return (x, *map(unit_range, others)) if others else x

    def state_dict(self) -> dict[str, Any] | None:
        """The generator, and the position of the batches; None if they do not know theirs."""
        if not hasattr(self.batches, "state_dict"):
            return None
        state = self.state if self.generator is None else self.generator.get_state()
        return {"generator": state, "batches": self.batches.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.generator, self.state = None, state["generator"]
        self.batches.load_state_dict(state["batches"])  # type: ignore[attr-defined]
        self.rest = iter(self.batches)


def drawn(grey: Tensor, generator: torch.Generator) -> Tensor:
    """Zeros and ones whose means are the grey values, bytes over 255 or floats."""
    if grey.dtype == torch.uint8:  # of 255 equally probable numbers, b are below b
        uniform = torch.empty_like(grey, memory_format=torch.contiguous_format)
        return (uniform.random_(0, 255, generator=generator) < grey).float()
    return torch.bernoulli(probabilities(grey), generator=generator)


def probabilities(grey: Tensor) -> Tensor:
    """The grey values as they are if they can be probabilities, else an error."""
    if not grey.is_floating_point():
        raise InputTypeError(
            f"binarised: x should be floats in [0, 1] or bytes, got {describe(grey)}. Use .float()."
        )
    if grey.numel() and not bool(((grey >= 0) & (grey <= 1)).all()):
        raise InputError(
            f"binarised: x should lie in [0, 1], got [{grey.min():.3g}, {grey.max():.3g}]. Divide "
            "by 255, and leave out any mean/std normalising."
        )
    return grey
