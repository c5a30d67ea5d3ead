"""The loss and the bound, the weight of the KL, and steps of training on a small model."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def bound(terms_of: Callable, log_likelihood: Tensor, kl: Tensor, beta: float) -> Tensor:
    """The bound alone."""
    return terms_of(log_likelihood, kl, beta)["elbo"]


def gradients_of_loss(
    terms_of: Callable, log_likelihood: Tensor, kl: Tensor, beta: float
) -> dict[str, Tensor]:
    """The gradients of the summed loss for log-likelihood and KL, 0 where none arrives."""
    names = ("for log_likelihood", "for kl")
    inputs = [log_likelihood.clone().requires_grad_(), kl.clone().requires_grad_()]
    total = torch.as_tensor(terms_of(*inputs, beta)["loss"]).sum()
    if not total.requires_grad:
        return {name: torch.zeros_like(x) for name, x in zip(names, inputs, strict=True)}
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return {
        name: torch.zeros_like(x) if g is None else g
        for name, x, g in zip(names, inputs, found, strict=True)
    }


def as_float(weight: Callable, *arguments: Any) -> float:
    """The number returned, as Python's."""
    return float(weight(*arguments))


class Toy(nn.Module):
    """A model of two parameters: code a x + exp(b) eps, reconstruction and KL (B,)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(-0.3))

    def forward(self, x: Tensor, eps: Tensor) -> dict[str, Tensor]:
        """Reconstruction |x - z|² and KL of z = a x + exp(b) eps, by name: (B,) each."""
        z = self.a * x + self.b.exp() * eps
        kl = 0.5 * (z.square() + self.b.square()).sum(1)
        return {"reconstruction": (x - z).square().sum(1), "kl": kl}


OPTIMIZERS = {
    "SGD": lambda groups: torch.optim.SGD(groups, lr=0.05),
    "SGD with momentum": lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9),
    "Adam": lambda groups: torch.optim.Adam(groups, lr=0.1, betas=(0.7, 0.9)),
}


def train(
    step: Callable,
    x: Tensor,
    *noises: Tensor,
    beta: float,
    optimizer: str = "SGD",
    stale: bool = False,
) -> dict[str, list]:
    """One step for each batch of noise; `stale`: the parameters held gradients before the first."""
    model = Toy()
    # a group for each parameter, as where learning rates differ
    groups = [{"params": [model.a]}, {"params": [model.b], "lr": 0.07}]
    moves = OPTIMIZERS[optimizer](groups)
    if stale:
        model.a.grad, model.b.grad = torch.tensor(2.0), torch.tensor(-3.0)
    losses = [step(model, moves, x, eps, beta) for eps in noises]
    return {
        "the losses": [torch.as_tensor(loss).detach() for loss in losses],
        "the parameters": [model.a.item(), model.b.item()],
    }


def kind_of_loss(step: Callable, x: Tensor, eps: Tensor, beta: float) -> dict[str, bool]:
    """What sort of thing a step returns."""
    model = Toy()
    loss = step(model, torch.optim.SGD(model.parameters(), lr=0.05), x, eps, beta)
    return {
        "whether a Python float is returned": isinstance(loss, float),
        "whether what is returned holds the graph": bool(getattr(loss, "requires_grad", False)),
    }
