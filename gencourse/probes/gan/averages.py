"""A network and its moving average, and a learner's updates of it."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Parameters and buffers of several kinds, at the root and in nested blocks."""

    centre: Tensor
    scale: Tensor
    running_steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3, affine=False))
        self.first = nn.Linear(2, 2)
        self.body = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Sequential(block))
        self.gain = nn.Parameter(torch.ones(2))
        self.offset = nn.Parameter(torch.zeros(()))
        self.register_buffer("centre", torch.zeros(4))
        self.register_buffer("scale", torch.zeros((), dtype=torch.float64))
        self.register_buffer("running_steps", torch.zeros(2, dtype=torch.int32))


class Shared(nn.Module):
    """A weight and a buffer that two layers share, and a buffer that no state_dict holds."""

    passing: Tensor

    def __init__(self, weight: Tensor, passing: Tensor, common: Tensor) -> None:
        super().__init__()
        self.first, self.second = (nn.Linear(2, 2, bias=False) for _ in range(2))
        self.first.weight.data.copy_(weight.view(2, 2))
        self.second.weight = self.first.weight
        common = common.clone()
        self.first.register_buffer("common", common)
        self.second.register_buffer("common", common)
        self.register_buffer("passing", passing.clone(), persistent=False)


def running(network: Network) -> list[Tensor]:
    """The running means and variances."""
    return [b for name, b in network.named_buffers() if name.endswith(("_mean", "_var"))]


def floating(network: Network) -> list[Tensor]:
    """The other buffers of floating-point numbers."""
    return [network.centre, network.scale]


def counters(network: Network) -> list[Tensor]:
    """The batch norms' counts of batches."""
    return [b for name, b in network.named_buffers() if name.endswith("_tracked")]


def tensors(network: Network) -> Iterator[Tensor]:
    """All parameters and buffers."""
    yield from network.parameters()
    yield from network.buffers()


def network(numbers: Tensor, count: int) -> Network:
    """A network that holds these numbers, and whole numbers from `count` on."""
    made, done = Network(), 0
    for value in tensors(made):
        n = value.numel()
        if value.is_floating_point():
            value.data.copy_(numbers[done : done + n].view_as(value))
        else:
            value.data.copy_(count + done + torch.arange(n).view_as(value))
        done += n
    return made


def copies(values: list[Tensor]) -> list[Tensor]:
    """Copies that later changes do not reach."""
    return [value.detach().clone() for value in values]


def contents(average: Network) -> dict[str, object]:
    """What an average holds, by kinds."""
    return {
        "the parameters of the average": copies(list(average.parameters())),
        "the average's running means and variances": copies(running(average)),
        "the average's other floating-point buffers": copies(floating(average)),
        "the average's counts of batches, which are integers": copies(counters(average)),
        "the average's other buffer of integers": average.running_steps.clone(),
    }


def updates(
    update: Callable, start: Tensor, *models: Tensor, decays: tuple[float, ...]
) -> dict[str, object]:
    """The average after one update for each model, with a decay of its own.

    The first layer of each model is frozen. The first model has counted less than the average, the
    second more.
    """
    average = network(start, 10).requires_grad_(False)
    for i, (numbers, decay) in enumerate(zip(models, decays, strict=True)):
        model = network(numbers, 3 + 68 * i)
        model.first.requires_grad_(False)
        update(average, model, decay)
    return contents(average)


def shared(update: Callable, start: Tensor, numbers: Tensor, decay: float) -> dict[str, Tensor]:
    """What one update makes of what has two names, and of a buffer that is never saved."""
    average, model = (Shared(x[:4], x[4:6], x[6:8]) for x in (start, numbers))
    update(average.requires_grad_(False), model, decay)
    return {
        "the average's weight that two of its layers share": average.first.weight.detach().clone(),
        "the average's buffer that no state_dict holds": average.passing.clone(),
        "the average's buffer that two of its layers share": next(average.first.buffers()).clone(),
    }


def left_alone(update: Callable, start: Tensor, numbers: Tensor, decay: float) -> dict[str, bool]:
    """What one update does to the model, gradients that it holds included.

    And whether the average, in evaluation mode, stays in it.
    """
    average, model = network(start, 10).requires_grad_(False).eval(), network(numbers, 31)
    for p in model.parameters():
        p.grad = torch.full_like(p, 2.0)
    before = copies(list(tensors(model)))
    update(average, model, decay)
    same = [torch.equal(a, b) for a, b in zip(tensors(model), before, strict=True)]
    grads = [p.grad is not None and bool((p.grad == 2).all()) for p in model.parameters()]
    return {
        "whether the model is as it was": all(same),
        "whether the model holds the gradients that it held": all(grads),
        "whether the model is in training mode": model.training,
        "whether the average is still in evaluation mode": not average.training,
        "whether all its parameters can still learn": all(
            p.requires_grad for p in model.parameters()
        ),
    }


def whose_tensors(
    update: Callable, start: Tensor, numbers: Tensor, decay: float
) -> dict[str, bool]:
    """Whether the average's tensors are its own ones, and hold no graph."""
    average, model = network(start, 10).requires_grad_(False), network(numbers, 31)
    for p in model.parameters():
        p.grad = torch.full_like(p, 2.0)
    held, own = list(tensors(average)), list(average.parameters())
    buffers = list(average.buffers())
    update(average, model, decay)
    every = [*held, *tensors(average)]
    asking = any(t.requires_grad and t.is_leaf for t in every)
    same = all(p is q for p, q in zip(average.parameters(), own, strict=True))
    for value in tensors(model):
        value.data.fill_(7)
    shared = any(bool((value == 7).any()) for value in tensors(average))
    return {
        "whether the average changes when the model does later": shared,
        "whether the average holds a graph": any(t.grad_fn is not None for t in every),
        "whether the average asks for gradients": asking,
        "whether the average holds gradients": any(
            p.grad is not None for p in average.parameters()
        ),
        "whether the average's parameters are the ones that it had, moved in place": same,
        "whether its buffers are the ones that it had": all(
            b is c for b, c in zip(average.buffers(), buffers, strict=True)
        ),
    }
