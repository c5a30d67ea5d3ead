"""Muon: gradient descent with momentum whose step for a matrix moves all directions about equally.

torch.optim.Muon is the same optimizer, but has a weight decay of 0.1 unless told otherwise, and is
always in bfloat16: on a CPU without units for it a step then takes many times as long as in
float32. This one has no weight decay, and keeps its matrices' precision unless torch.autocast says
otherwise, as `fit` does where it gains. Source: Jordan et al. 2024.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from gencourse.errors import InputError


def orthogonalize(G: Tensor, steps: int = 5) -> Tensor:
    """About U Vᵀ for a matrix G = U S Vᵀ: its singular vectors, with singular values near 1 (0.7 to
    1.2, tiny ones less).

    G (..., m, n) -> the same shape, each matrix by itself. Newton-Schulz iteration X ← a X + b (X
    Xᵀ) X + c (X Xᵀ)² X on G / ‖G‖, which turns each singular value s into a s + b s³ + c s⁵ and
    needs no decomposition; the coefficients are those of Jordan et al. 2024.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G.mT if G.shape[-2] > G.shape[-1] else G  # the shorter side first, for a small X Xᵀ
    X = X / torch.linalg.matrix_norm(X, keepdim=True).clamp(min=1e-7)
    kind = G.device.type
    X = X.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else X
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * (A @ A)) @ X
    return (X.mT if G.shape[-2] > G.shape[-1] else X).to(G.dtype)


class Muon(torch.optim.Optimizer):
    """For matrices (m, n): W ← W - lr · max(1, m/n)^½ · orthogonalize(update), the update a
    Nesterov momentum.

    buffer ← μ buffer + (1 - μ) gradient, update = μ buffer + (1 - μ) gradient, μ = `momentum`.
    Embeddings, gains and biases belong to another optimizer.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})
        for p in (p for group in self.param_groups for p in group["params"]):
            if p.ndim != 2:
                raise InputError(
                    f"Muon: parameters should be matrices, got one of shape {tuple(p.shape)}. "
                    "Give it to Adam."
                )

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; matrices of one shape go through the iteration
        together.
        """
        for group in self.param_groups:
            updates: dict[torch.Size, dict[nn.Parameter, Tensor]] = defaultdict(dict)
            for p in (p for p in group["params"] if p.grad is not None):
                if p not in self.state:
                    self.state[p]["momentum"] = torch.zeros_like(p)
                buffer = self.state[p]["momentum"]
                buffer.lerp_(p.grad, 1 - group["momentum"])
                updates[p.shape][p] = p.grad.lerp(buffer, group["momentum"])
            for (m, n), update in updates.items():
                for p, change in zip(
                    update, orthogonalize(torch.stack(list(update.values()))), strict=True
                ):
                    p.add_(change, alpha=-group["lr"] * max(1, m / n) ** 0.5)
