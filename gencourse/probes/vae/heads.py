"""Splitting the last layer of an encoder into its two heads."""

from collections.abc import Callable

import torch
from torch import Tensor


def unpacked(split: Callable, h: Tensor) -> dict[str, Tensor]:
    """Both heads, by name."""
    heads = split(h)
    if isinstance(heads, dict):  # would be unpacked into its keys
        raise TypeError("the two heads should be returned as mu, logvar, not as a dict.")
    mu, logvar = heads
    return {"mu": mu, "logvar": logvar}


def learned(split: Callable, h: Tensor) -> dict[str, Tensor]:
    """The gradients for h of each head's sum, 0 where none arrives."""
    h = h.clone().requires_grad_()
    mu, logvar = split(h)
    found = {}
    for name, head in (("mu", mu), ("logvar", logvar)):
        if not head.requires_grad:
            found[name] = torch.zeros_like(h)
        else:
            (found[name],) = torch.autograd.grad(head.sum(), h, retain_graph=True)
    return found
