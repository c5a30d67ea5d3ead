"""Causal attention, alone and inside of several heads."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.probes.autoregressive.arguments import in_slices, uncopied
from gencourse.probes.general import gradients


def same_before(
    attention: Callable, t: int, q: Tensor, k: Tensor, v: Tensor, *later: Tensor
) -> bool:
    """Whether the outputs before position t stay what they are when all from it on is `later`'s."""
    before = attention(q, k, v)
    changed = [
        torch.cat([x[:, :, :t], y[:, :, t:]], 2) for x, y in zip((q, k, v), later, strict=True)
    ]
    after = attention(*changed)
    return torch.equal(before[:, :, :t], after[:, :, :t])


def exchanged(attention: Callable, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The output for q, k, v (B, heads, T, d) that lie in memory as (B, T, heads, d)."""
    return attention(*(x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)))


def unaltered(attention: Callable, *inputs: Tensor) -> Tensor:
    """The output for just these q, k and v, which no stress alters: numbers between would be near.

    Where two scores of thousands are near, the weights depend on how they are rounded.
    """
    return attention(*map(uncopied, inputs))


def in_half_precision(attention: Callable, q: Tensor, k: Tensor, v: Tensor) -> dict[str, bool]:
    """Whether the output has half precision, and whether it is that in single precision, nearly.

    Nearly is within 1 % of the largest value.
    """
    half = unaltered(attention, q.half(), k.half(), v.half())  # no stress makes it double
    single = unaltered(attention, q, k, v)
    near = 0.01 * float(v.abs().max())
    return {
        "whether half precision comes out": half.dtype == torch.half,
        "whether two digits are right": bool((half.float() - single).abs().max() < near),
    }


def ordinary(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention for q, k, v (..., T, d)."""
    hidden = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).triu(1)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v


def unmasked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """An attention without mask and scale."""
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v


def with_heads(
    multi_head: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int, masked: bool = True
) -> Tensor:
    """The output of several heads, each a causal attention or, not `masked`, another one."""
    return multi_head(ordinary if masked else unmasked, q, k, v, heads)


def in_slices_with_heads(multi_head: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int) -> bool:
    """Whether q, k and v that are slices of longer tensors give what whole ones give."""
    return in_slices(lambda *qkv: multi_head(ordinary, *qkv, heads), q, k, v)


def gradients_with_heads(
    multi_head: Callable, q: Tensor, k: Tensor, v: Tensor, heads: int
) -> list[Tensor]:
    """The gradients of the output of several heads, summed with different weights, for q, k, v."""

    def weighted(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        output = multi_head(ordinary, q, k, v, heads)
        return output * torch.linspace(-1, 2, output.numel()).view(output.shape)

    return gradients(weighted, q, k, v)


def turned_products(
    rotary: Callable, q: Tensor, k: Tensor, of_q: list[int], of_k: list[int]
) -> list[Tensor]:
    """The products of a query and a key, (..., 1, d), turned to several pairs of positions.

    They are equal where the distance is.
    """
    return [
        (rotary(q, torch.tensor([t]), 100.0) * rotary(k, torch.tensor([s]), 100.0)).sum()
        for t, s in zip(of_q, of_k, strict=True)
    ]


def two_heads(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention in two halves of the channels: q, k, v (B, T, C) -> (B, T, C)."""
    parts = [torch.stack(x.chunk(2, dim=-1), 1) for x in (q, k, v)]
    return torch.cat(ordinary(*parts).unbind(1), -1)


def block_output(block: Callable, x: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """What a block with two heads makes of x (B, T, C)."""
    return block(x, weights, two_heads)


def block_gradients(block: Callable, x: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    """The gradients of a block's output for x, and for the weights in the order of their dict.

    Each number of the output counts differently.
    """

    def weighted(x: Tensor, *values: Tensor) -> Tensor:
        output = block(x, dict(zip(weights, values, strict=True)), two_heads)
        return output * torch.linspace(-1, 2, output.numel()).view(output.shape)

    return gradients(weighted, x, *weights.values())
