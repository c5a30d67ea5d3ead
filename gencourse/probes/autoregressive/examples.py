"""The examples on which the toy models with leaks are tried."""

import torch
from torch import Tensor

from gencourse.runtime import seeded

HIGH = torch.tensor([1.0, 1, -1, 1, -1, -1])  # shifted or turned round it never looks the same


def examples(seed: int) -> Tensor:
    """6 examples of 5 numbers away from 0, half of them positive; input 0 is not in the first."""
    signs = torch.stack([-HIGH, HIGH, HIGH.roll(1), HIGH.roll(2), HIGH.roll(3)], 1)
    return (signs * (0.2 + torch.rand(6, 5, generator=seeded(seed)))).double()


def banded(x: Tensor, b: int) -> Tensor:
    """Input b in a band, 0 to 1.4, just where input 0 is negative; above it in the first example.

    A leak that needs a value in the band and a positive input 0 shows when values move from example
    to example; not when all examples get the first, the last, the largest, the smallest, or 0.
    """
    x = x.clone()
    x[:, b] = HIGH * x[:, b].abs()
    x[0, b] += 2
    return x


def rare(x: Tensor, b: int, i: int, other: int) -> Tensor:
    """The examples with input 0 large in example i alone, and input b positive in i and one other.

    A leak that shows where input 0 is large, and knows of input b whether it is positive, shows in
    example i alone, and not at the value that the other has.
    """
    x = x.clone()
    x[i, 0], x[:, b] = 3.0, -x[:, b].abs()
    x[[i, other], b] *= -1
    return x


def late(seed: int, n: int) -> Tensor:
    """n examples of 2 numbers; in the last but one alone both are positive, and input 0 is large.

    A leak that shows where input 0 is large, and knows of input 1 whether it is positive, shows in
    that example alone, whichever other value input 1 gets.
    """
    x = -0.2 - torch.rand(n, 2, generator=seeded(seed)).double()
    x[-2] = torch.tensor([3.0, 1.0])
    return x


def positive(x: Tensor, b: int) -> Tensor:
    """The examples with input b positive in all of them."""
    return torch.cat([x[:, :b], x[:, b : b + 1].abs(), x[:, b + 1 :]], 1)


def tokens() -> Tensor:
    """6 examples of 4 tokens below 6, of which each position has two of its own."""
    high = torch.stack([HIGH, HIGH.roll(2), HIGH.roll(1), HIGH.roll(4)], 1).long()
    return high + torch.arange(1, 5)
