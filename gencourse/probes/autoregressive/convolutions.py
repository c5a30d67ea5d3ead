"""A stack of masked convolutions, with the masks that are usual and with others."""

from collections.abc import Callable

import torch
from torch import Tensor


def raster_mask(kernel: int, kind: str) -> Tensor:
    """1 before the centre in reading order, in kind B also at it."""
    ones = torch.zeros(kernel * kernel)
    ones[: kernel * kernel // 2 + (kind == "B")] = 1
    return ones.view(kernel, kernel)


def turned_mask(kernel: int, kind: str) -> Tensor:
    """The same with rows and columns exchanged."""
    return raster_mask(kernel, kind).T


def logits(stack: Callable, x: Tensor, weights: list[Tensor], turned: bool = False) -> Tensor:
    """The logits of a stack, with the usual masks or, `turned`, with others."""
    return stack(x, weights, turned_mask if turned else raster_mask)


def logits_with_one_kind(stack: Callable, x: Tensor, weights: list[Tensor], kind: str) -> Tensor:
    """The logits of a stack whose layers all get the mask of one kind, which is made but once."""
    made = {w.shape[-1]: raster_mask(w.shape[-1], kind) for w in weights}
    return stack(x, weights, lambda kernel, _: made[kernel])


def moved(stack: Callable, x: Tensor, weights: list[Tensor], row: int, column: int) -> Tensor:
    """Which logits, (B, H, W), move when one pixel of all images changes."""
    changed = x.clone()
    changed[:, :, row, column] += 5
    before, after = stack(x, weights, raster_mask), stack(changed, weights, raster_mask)
    return ((after - before).abs() > 1e-4).any(1)
