"""Models one can count or write down: bigrams, and a Markov source whose entropy is known."""

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.models.autoregressive.tokens import require_sequence
from gencourse.runtime import on_cpu, seeded
from gencourse.validation import require_count, require_tensor


def bigram_counts(tokens: Tensor, V: int) -> Tensor:
    """How often token j follows token i: tokens (N,) -> whole numbers counts[i, j], (V, V)."""
    require_count("bigram_counts", "V", V)
    require_sequence("bigram_counts", tokens, V)
    return torch.bincount(tokens[:-1] * V + tokens[1:], minlength=V * V).view(V, V)


def bigram_probs(counts: Tensor, alpha: float = 0.0) -> Tensor:
    """p(j given i) = (counts[i, j] + α) / Σ_j (counts[i, j] + α): counts (V, V) -> rows that sum to
    1.

    With α = 0 that is the maximum-likelihood estimate; a row without counts is then uniform.
    Source: add-α smoothing, Lidstone 1920.
    """
    require_tensor("bigram_probs", "counts", counts)
    if not alpha >= 0:
        raise InputError(
            f"bigram_probs: alpha should be at least 0, got {alpha}. It is added to every count."
        )
    smoothed = counts.cpu().double() + alpha  # in this order: mps has no float64
    total = smoothed.sum(1, keepdim=True)
    probs = torch.where(total > 0, smoothed / total.clamp(min=1e-300), 1 / counts.shape[1])
    return probs.float().to(counts.device)


def bigram_nll(probs: Tensor, tokens: Tensor) -> float:
    """-(1/(N-1)) Σ_t log p(x_t given x_{t-1}), nats per token, of tokens (N,) under probs (V, V);
    infinite if a pair has p = 0.
    """
    require_tensor("bigram_nll", "probs", probs)
    require_sequence("bigram_nll", tokens, len(probs))
    if len(tokens) < 2:
        raise InputError(
            f"bigram_nll: tokens should be at least two, which make a pair, got {len(tokens)}. "
            "Pass a longer text."
        )
    tokens = tokens.to(probs.device)
    return -probs[tokens[:-1], tokens[1:]].log().mean().item()


class MarkovSource:
    """A source of tokens that remembers one: p(x_t = j given x_{t-1} = i) = P[i, j].

    `entropy` is its entropy rate in nats per token, -Σ_i π_i Σ_j P_ij log P_ij with π = π P: no
    model of its output can have a smaller expected loss. Source: Shannon 1948.
    """

    def __init__(self, P: Tensor) -> None:
        require_tensor("MarkovSource", "P", P)
        if (
            P.ndim != 2
            or P.shape[0] != P.shape[1]
            or (P < 0).any()
            or not torch.allclose(P.sum(1), torch.ones_like(P[0]))
        ):
            raise InputError(
                "MarkovSource: P should be square with rows that sum to 1, got "
                f"{tuple(P.shape)}. Normalise its rows."
            )
        P = P.cpu().double()
        self.P = P / P.sum(1, keepdim=True)

    @property
    @on_cpu()
    def stationary(self) -> Tensor:
        """π (V,) with π = π P and Σ π = 1: how often each token occurs in a long run."""
        V = len(self.P)
        equations = torch.cat([self.P.T - torch.eye(V).double(), torch.ones(1, V).double()])
        return torch.linalg.lstsq(equations, torch.eye(V + 1)[-1:].T.double()).solution[:, 0]

    @property
    def entropy(self) -> float:
        """The entropy rate, nats per token."""
        return (self.stationary[:, None] * torch.special.entr(self.P)).sum().item()

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n tokens (n,), the first drawn from the stationary distribution."""
        require_count("MarkovSource.sample", "n", n)
        u = torch.rand(n, generator=seeded(seed), dtype=torch.float64, device="cpu")
        below = [row.tolist() for row in self.P.cumsum(1)]
        tokens = [min(int(torch.searchsorted(self.stationary.cumsum(0), u[0])), len(self.P) - 1)]
        for value in u[1:].tolist():
            tokens.append(
                next(
                    (j for j, limit in enumerate(below[tokens[-1]]) if value < limit),
                    len(self.P) - 1,
                )
            )
        return torch.tensor(tokens, device="cpu")
