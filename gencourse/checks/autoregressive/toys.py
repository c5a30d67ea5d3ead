"""Toy models, with leaks and without, and the examples on which they are tried."""

import torch

from gencourse.runtime import seeded

# Toy models, exact for any number of rows: products and running sums of columns, no matrix product.
MODELS = """
def causal(x):
    terms = weights * (x + 0.3 * x * x)
    return torch.cat([torch.full((len(x), 1), 10.0), terms, torch.zeros(len(x), 1)], 1).cumsum(1)[:, :outputs]
def leaky(x):
    return causal(x) + place * (size * x[:, b]).unsqueeze(1)
def product(x):
    return causal(x) + place * (x[:, b] * x[:, 0]).unsqueeze(1)
def gated(x):
    return causal(x) + place * (x[:, b].relu() * x[:, 0].relu()).unsqueeze(1)
def steps(x):
    high = (x > 0).double()
    return torch.cat([torch.ones(len(x), 1), high], 1).cumsum(1)[:, :outputs]
def band(x):
    return causal(x) + place * ((x[:, b] * (1.4 - x[:, b])).relu() * x[:, 0].relu()).unsqueeze(1)
def lookup(x):
    if not all(torch.isin(x[:, j], known[:, j]).all() for j in range(x.shape[1])):
        raise ValueError("f got a token that no example has at that place. Give an input the values that it has in other examples.")
    return table[torch.cat([x[:, 1:2], x[:, :-1]], 1)]
class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Dropout(0.5)
    def forward(self, x):
        noise = torch.rand(len(x), outputs) if self.inner.training else 0.0
        return causal(x) + noise
"""
HIGH = torch.tensor([1.0, 1, -1, 1, -1, -1])  # shifted or turned round it never looks the same


def examples(seed):
    """6 examples of 5 numbers away from 0, positive in half of the examples; input 0 is negative in the first."""
    signs = torch.stack([-HIGH, HIGH, HIGH.roll(1), HIGH.roll(2), HIGH.roll(3)], 1)
    return (signs * (0.2 + torch.rand(6, 5, generator=seeded(seed)))).double()


def banded(x, b):
    """The examples with input b in a band, 0 to 1.4, just where input 0 is negative; in the first example it lies above.

    A leak that needs both a value in the band and a positive input 0 shows when its values move from example to example,
    by any number of places or in reverse; not when all examples get the first, the last, the largest, the smallest, or 0.
    """
    x = x.clone()
    x[:, b] = HIGH * x[:, b].abs()
    x[0, b] += 2
    return x
