"""Causal self-attention: the mask, the equation, and the layer with heads and a cache."""

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.validation import require_count, require_tensor


def causal_mask(T: int, device: torch.device | str = "cpu") -> Tensor:
    """Which keys a query may see: (T, T) bool, True at [t, s] for s ≤ t."""
    require_count("causal_mask", "T", T)
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()


def attention_weights(q: Tensor, k: Tensor) -> Tensor:
    """softmax over s of q_t · k_s / √d with -∞ where s lies after t: q (..., T, d), k (..., S, d)
    -> (..., T, S).

    The T queries are the last T of the S positions: T = S for a whole sequence, T = 1 for a new
    token and a cache of S - 1. Source: Vaswani et al. 2017, equation 1 (arXiv 1706.03762).
    """
    T, S = q.shape[-2], k.shape[-2]
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if T > 1:  # one new token may see everything
        scores = scores.masked_fill(~causal_mask(S, q.device)[S - T :], -torch.inf)
    return scores.softmax(-1)


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Σ_s w_ts v_s with the weights of `attention_weights`: q (..., T, d), k and v (..., S, d) ->
    (..., T, d).
    """
    require_tensor("causal_attention", "q", q)
    require_tensor("causal_attention", "k", k)
    require_tensor("causal_attention", "v", v)
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2] or q.shape[-2] > k.shape[-2]:
        raise InputError(
            "causal_attention: k should be (..., S, d) with S ≥ T for q (..., T, d) and v (..., "
            f"S, d), got {tuple(k.shape)}, {tuple(q.shape)}, {tuple(v.shape)}. Positions are the "
            "last dimension but one."
        )
    return attention_weights(q, k) @ v


class KVCache:
    """The keys and values of one attention layer for up to `capacity` positions; `len` says how
    many are there.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0

    def __len__(self) -> int:
        return self.length

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values of new positions, (B, heads, T, d) each, and return all so far,
        (B, heads, t, d).
        """
        if self.length == 0:
            self.k, self.v = (
                part.new_empty(*part.shape[:2], self.capacity, part.shape[-1]) for part in (k, v)
            )
        start, length = self.length, self.length + k.shape[-2]
        if length > self.capacity:
            raise InputError(
                f"KVCache.append: k should fit into {self.capacity} positions, {start} of them "
                f"taken, got {k.shape[-2]} more. Make a new KVCache."
            )
        self.length = length
        self.k[:, :, start : self.length], self.v[:, :, start : self.length] = k, v
        return self.k[:, :, : self.length], self.v[:, :, : self.length]


def apply_rotary(x: Tensor, offset: int = 0, base: float = 1000.0) -> Tensor:
    """Turn the pair (x_i, x_{i+d/2}) of position t by the angle t · base^(-2i/d): x (..., T, d) ->
    the same shape.

    The product of a turned query at t and a turned key at s depends on the positions through t - s
    alone. `offset` is the number of the first position. Source: Su et al. 2021 (arXiv 2104.09864),
    whose base is 10,000; contexts here are short.
    """
    if x.shape[-1] % 2:
        raise InputError(
            "apply_rotary: x should have an even last dimension, whose halves are pairs, got "
            f"{tuple(x.shape)}. Choose an even width."
        )
    half = x.shape[-1] // 2
    cos, sin = rotary_table(x.shape[-2], half, offset, base, x.device)
    # (b, a) · (-sin, sin) + (a, b) · (cos, cos): few operations, since each token starts them anew
    return (x.roll(half, -1) * sin + x * cos).to(x.dtype)


@functools.lru_cache(256)
@torch.inference_mode(False)
def rotary_table(
    T: int, half: int, offset: int, base: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """(cos, cos) and (-sin, sin) of t · base^(-i/half), each (T, 2 half), for T positions t from
    `offset` on.

    They are the same in every layer and step, so they are kept.
    """
    rates = base ** (-torch.arange(half, dtype=torch.float32, device=device) / half)
    positions = torch.arange(offset, offset + T, dtype=torch.float32, device=device)
    angles = torch.outer(positions, rates)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


class CausalSelfAttention(nn.Module):
    """Several attentions side by side, each on its own part of the width: out(concat_h
    attention(q_h, k_h, v_h)).

    Queries and keys know their positions by rotation (see `apply_rotary`).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % (2 * heads):
            raise InputError(
                f"CausalSelfAttention: width should be a multiple of 2 · heads = {2 * heads}, "
                f"got {width}. Change one of them."
            )
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))

    def qkv(self, x: Tensor, offset: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, rotated, and values of x (B, T, C) at the positions from `offset`: (B,
        heads, T, C/heads) each.
        """
        weight = torch.cat([self.q.weight, self.k.weight, self.v.weight])  # one product, not three
        parts = F.linear(x, weight).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = apply_rotary(parts[:2], offset)
        return q, k, parts[2]

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C).

        With a cache, x holds the positions after those in the cache.
        """
        q, k, v = self.qkv(x, 0 if cache is None else len(cache))
        if cache is not None:
            k, v = cache.append(k, v)
        return self.out(causal_attention(q, k, v).transpose(1, 2).flatten(2))
