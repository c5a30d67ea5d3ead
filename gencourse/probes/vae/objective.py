"""The loss and the bound, the weight of the KL, and steps of training on a small model."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
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


def as_float(weight: Callable, *arguments: Any) -> object:
    """The number returned, as Python's; a text or an array that holds one number as it is."""
    found = weight(*arguments)
    return found if isinstance(found, str) or getattr(found, "ndim", 0) > 0 else float(found)


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


class Convolutional(nn.Module):
    """A model of images (B, 1, 3, 3) with codes (B, 2).

    Like batch norm it counts the batches that it is given. Its -log p is that of a density, and
    negative; its KL is small.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.linspace(-0.6, 0.9, 8).view(2, 1, 2, 2))
        self.heads = nn.Parameter(torch.linspace(-0.04, 0.05, 32).view(4, 8))
        self.decoder = nn.Parameter(torch.linspace(-0.7, 0.6, 18).view(9, 2))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor, eps: Tensor) -> dict[str, Tensor]:
        """Reconstruction and KL, by name: (B,) each."""
        self.get_buffer("batches").add_(1)
        h = F.conv2d(x, self.kernel.to(x.dtype)).tanh().flatten(1)
        mu, logvar = F.linear(h, self.heads.to(x.dtype)).chunk(2, 1)
        pixels = F.linear(mu + (0.5 * logvar).exp() * eps, self.decoder.to(x.dtype))
        reconstruction = (x.flatten(1) - pixels).square().sum(1) - 100
        return {
            "reconstruction": reconstruction,
            "kl": 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1),
        }


class Layered(nn.Module):
    """A model of images (B, 1, 3, 3) with codes (B, 2), with a batch norm and a dropout.

    Whether dropout was at work is noted at each call; it has no part in the values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dropout = nn.BatchNorm2d(1), nn.Dropout(0.5)
        self.decoder = nn.Parameter(torch.linspace(-0.7, 0.6, 18).view(9, 2))
        self.dropped: list[bool] = []

    def forward(self, x: Tensor, eps: Tensor) -> dict[str, Tensor]:
        """Reconstruction and KL, by name: (B,) each."""
        self.dropped.append(bool((self.dropout(torch.ones(64)) == 0).any()))
        h = self.norm(x.float() + 1).flatten(1)
        z = h[:, :2] + eps.float()
        reconstruction = (h - F.linear(z, self.decoder)).square().sum(1)
        return {"reconstruction": reconstruction, "kl": 0.5 * z.square().sum(1)}


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
) -> dict[str, object]:
    """One step for each batch of noise; `stale`: the parameters held gradients before the first."""
    model = Toy()
    # a group for each parameter, as where learning rates differ
    groups = [{"params": [model.a]}, {"params": [model.b], "lr": 0.07}]
    moves = OPTIMIZERS[optimizer](groups)
    if stale:
        model.a.grad, model.b.grad = torch.tensor(2.0), torch.tensor(-0.005)
    losses = [step(model, moves, x, eps, beta) for eps in noises]
    return {
        **{f"the loss of step {i}": torch.as_tensor(y).detach() for i, y in enumerate(losses, 1)},
        "the first parameter": model.a.item(),
        "the second parameter": model.b.item(),
    }


def train_one_of_two(step: Callable, x: Tensor, eps: Tensor, beta: float) -> dict[str, object]:
    """One step of an optimizer that holds the second parameter of the model alone."""
    model = Toy()
    step(model, torch.optim.SGD([model.b], lr=0.05), x, eps, beta)
    return {"the first parameter": model.a.item(), "the second parameter": model.b.item()}


def train_network(step: Callable, x: Tensor, eps: Tensor, beta: float) -> dict[str, object]:
    """One step of a Convolutional by SGD with weight decay."""
    model = Convolutional()
    moves = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.5)
    loss = step(model, moves, x, eps, beta)
    return {
        "the loss": torch.as_tensor(loss).detach(),
        **{f"the parameters {name}": value.detach() for name, value in model.named_parameters()},
        "how often the model was called": model.get_buffer("batches"),
    }


def train_layers(
    step: Callable, x: Tensor, eps: Tensor, beta: float, evaluated: tuple[str, ...] = ()
) -> dict[str, object]:
    """One step of a Layered whose named parts, "" being the model itself, are in evaluation mode.

    The others are in training mode.
    """
    model = Layered()
    for name in evaluated:
        model.get_submodule(name).training = False
    loss = step(model, torch.optim.SGD(model.parameters(), lr=0.05), x, eps, beta)
    return {
        "whether dropout was at work": any(model.dropped),
        "how many batches the batch norm has counted": model.norm.num_batches_tracked,
        "the mean that the batch norm has in store": model.norm.running_mean,
        "the loss": torch.as_tensor(loss).detach(),
        **{f"the parameters {name}": value.detach() for name, value in model.named_parameters()},
    }


def train_with_a_pause(
    step: Callable, x: Tensor, *noises: Tensor, beta: float
) -> dict[str, object]:
    """Three steps of Adam, of which the second finds the first parameter frozen.

    It is frozen while it holds a gradient, and learns again in the third.
    """
    model = Toy()
    moves = OPTIMIZERS["Adam"](model.parameters())
    places, losses = [], []
    for i, eps in enumerate(noises):
        if i == 1:
            model.a.grad = torch.tensor(-0.5)
        model.a.requires_grad_(i != 1)
        losses.append(step(model, moves, x, eps, beta))
        places.append(model.a.item())
    return {
        "how far the frozen parameter moved": places[1] - places[0],
        "whether it moves when it is no longer frozen": places[2] != places[1],
        **{f"the loss of step {i}": torch.as_tensor(y).detach() for i, y in enumerate(losses, 1)},
        "the first parameter": places[-1],
        "the second parameter": model.b.item(),
    }


def kind_of_loss(step: Callable, x: Tensor, eps: Tensor, beta: float) -> dict[str, bool]:
    """What sort of thing a step returns."""
    model = Toy()
    loss = step(model, torch.optim.SGD(model.parameters(), lr=0.05), x, eps, beta)
    return {
        "whether a Python float is returned": isinstance(loss, float),
        "whether what is returned holds the graph": bool(getattr(loss, "requires_grad", False)),
    }
