"""What a network is told beside x_t, and one step of its training with an average that follows."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


def columns(embed: Callable, t: Tensor, width: int, scale: float) -> dict[str, object]:
    """An embedding of times, its columns in an order that only their numbers decide, since a
    network does not mind which stands where.
    """
    result = embed(t, width, scale)
    shape: dict[str, object] = {"the shape": list(result.shape)}
    if result.ndim != 2:
        return shape
    weights = (1.0 + 2.3 * torch.arange(len(result), dtype=torch.float64)).cos()
    key = (weights[:, None] * result.detach().double()).sum(0)
    return shape | {"the columns, in whatever order": result[:, key.argsort()]}


def labels(hide: Callable, y: Tensor, u: Tensor, p: float, num_classes: int) -> dict[str, object]:
    """The labels that are left, and whether they can be looked up."""
    result = hide(y, u, p, num_classes)
    whole = isinstance(result, Tensor) and not result.is_floating_point()
    return {"": result, "whether they are whole numbers": whole and result.dtype != torch.bool}


class Velocity(nn.Module):
    """u(x_t (B, ...), t (B,)) -> (B, ...): two small layers, the same each time it is made. It
    counts how often it is asked.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width + 1, 4), nn.Linear(4, width)
        for i, p in enumerate(self.parameters()):
            places = torch.arange(p.numel(), dtype=torch.float32).view_as(p)
            p.data.copy_(0.6 * torch.sin(1.3 * places + i))
        self.calls = 0

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """The velocity at x_t and t."""
        self.calls += 1
        rows = torch.cat([x_t.flatten(1), t[:, None]], 1)
        return self.second(self.first(rows).tanh()).view_as(x_t)


def pair_of(x: Tensor) -> tuple[Velocity, Velocity]:
    """A model for such data, and an average of earlier ones that asks for no gradients."""
    model = Velocity(x[0].numel())
    average = copy.deepcopy(model).requires_grad_(False)
    for p in average.parameters():
        p.mul_(0.5).add_(0.3)
    return model, average


def optimizer_of(model: nn.Module, name: str) -> torch.optim.Optimizer:
    """An optimizer by name."""
    if name == "Adam":
        return torch.optim.Adam(model.parameters(), lr=0.05)
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)


def trained(
    step: Callable,
    x: Tensor,
    noises: list[Tensor],
    t: Tensor,
    decay: float,
    optimizer: str = "SGD",
    stale: bool = False,
) -> dict[str, object]:
    """A step for each of the noises: what is returned, the model and its average afterwards.
    `stale`: the parameters hold gradients before.
    """
    model, average = pair_of(x)
    chosen = optimizer_of(model, optimizer)
    if stale:
        for p in model.parameters():
            p.grad = torch.full_like(p, 0.7)
    losses = [step(model, average, chosen, x, eps, t, decay) for eps in noises]
    return {
        "what it returns": losses,
        "the model's parameters": [p.detach().clone() for p in model.parameters()],
        "the average's parameters": [p.detach().clone() for p in average.parameters()],
        "how often the model is asked": model.calls,
        "how often the average is asked": average.calls,
    }


def left_behind(step: Callable, x: Tensor, eps: Tensor, t: Tensor, decay: float) -> dict[str, bool]:
    """What kind of thing a step returns, and whose tensors the average holds afterwards."""
    model, average = pair_of(x)
    own = list(average.parameters())
    result = step(model, average, optimizer_of(model, "SGD"), x, eps, t, decay)
    held = [*own, *average.parameters()]
    same = all(p is q for p, q in zip(average.parameters(), own, strict=True))
    for p in model.parameters():
        p.data.fill_(7.0)
    return {
        "whether a Python float is returned": isinstance(result, float),
        "whether the average holds a graph": any(p.grad_fn is not None for p in held),
        "whether the average asks for gradients": any(p.requires_grad and p.is_leaf for p in held),
        "whether the average's parameters are the ones that it had": same,
        "whether the average changes when the model does later": any(
            bool((p == 7).any()) for p in average.parameters()
        ),
    }
