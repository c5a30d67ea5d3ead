"""Scores, denoisers and velocities that a learner's answer is given, and what it makes of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.general import gradients

Field = Callable[[Tensor, object], Tensor]


class ToyField(nn.Module):
    """f(x, t), (B, ...) -> (B, ...): a function of x and of the time of each row, in which no
    entry, no row and no time can stand for another. One parameter.

    t is a number or (B,). `mixes`: each number of a row depends on its neighbours too, so that the
    Jacobian is not diagonal. It notes the times that it was asked for.
    """

    def __init__(self, mixes: bool = True) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.8))
        self.mixes = mixes
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor, t: object = 0.0) -> Tensor:
        """f(x, t)."""
        time = torch.as_tensor(t, dtype=x.dtype)
        self.asked.append(time.detach())
        time = time.reshape(-1, *[1] * (x.ndim - 1)) if time.ndim else time
        place = torch.arange(x.shape[-1], dtype=x.dtype)
        # a parameter is float32, and a factor of the precision of x keeps all digits
        own = torch.sin(x * (1 + 0.3 * place) + 0.5 * time) - (0.4 + 0.2 * time) * x
        if self.mixes and x.shape[-1] > 1:
            own = own + 0.7 * x.roll(1, -1) * torch.cos(place)
        return self.gain.to(x.dtype) * own


def per_point(loss: Callable, x: Tensor) -> Tensor:
    """What is returned for a score s(x) without a time, at points x (B, D)."""
    return loss(ToyField(), x)


def taught(loss: Callable, x: Tensor) -> Tensor:
    """The gradient of the summed loss for the parameter of a score; 0 where none arrives."""
    score = ToyField()
    return learned_by(score, loss(score, x))


def learned_by(field: nn.Module, result: Tensor) -> Tensor:
    """The gradient of a sum for the one parameter of a field; 0 where none arrives."""
    if not result.requires_grad:
        return torch.zeros(())
    (found,) = torch.autograd.grad(result.sum(), list(field.parameters()), allow_unused=True)
    return torch.zeros(()) if found is None else found


def levels(t: Tensor) -> tuple[Tensor, Tensor]:
    """Some α and σ of times, which are on no path that has a name."""
    return (1 - 0.8 * t**2), 1.7 * t + 0.1 * t**2


def denoising(
    loss: Callable, x: Tensor, eps: Tensor, t: Tensor, weight: Tensor | float | None = None
) -> dict[str, object]:
    """The loss of a denoiser, the gradient for its parameter, and how it was asked.

    weight=None: none is given.
    """
    field = ToyField()
    given = () if weight is None else (weight,)
    result = loss(field, x, eps, t, levels, *given)
    times = [time.shape for time in field.asked]
    return {
        "": result,
        "the gradient that training sends to the denoiser": learned_by(field, result),
        "how often the denoiser is called": len(times),
    }


def gradients_of_data(
    loss: Callable, x: Tensor, eps: Tensor, t: Tensor, weight: Tensor
) -> dict[str, Tensor]:
    """The gradients of the summed loss of a denoiser for data, and for noise."""
    field = ToyField()
    found = gradients(lambda x, eps: loss(field, x, eps, t, levels, weight), x, eps)
    return dict(zip(("for x", "for eps"), found, strict=True))


def stepped(step: Callable, x: Tensor, t: float, s: float) -> dict[str, object]:
    """A step by a velocity, and at which times it was asked for."""
    field = ToyField()
    result = step(field, x, t, s)
    return {
        "": result.detach(),
        "the gradient that reaches the velocity": learned_by(field, result),
        "how often the velocity is asked for": len(field.asked),
    }


def gradients_of_start(step: Callable, x: Tensor, t: float, s: float) -> Tensor:
    """The gradients of the sum of a step's end for its beginning."""
    field = ToyField()
    return gradients(lambda x: step(field, x, t, s), x)[0]


def towards_zero(step: Callable, x: Tensor, t: float) -> Tensor:
    """A step to time 0 by a velocity that is not defined there: x/t, divided by 0 at 0."""

    def velocity(x: Tensor, time: object) -> Tensor:
        time = torch.as_tensor(time, dtype=x.dtype)
        return x.sin() / (time.reshape(-1, *[1] * (x.ndim - 1)) if time.ndim else time)

    return step(velocity, x, t, 0.0)


def log_likelihood(function: Callable, x: Tensor, times: Tensor) -> dict[str, object]:
    """log p(x) by a velocity that mixes the dimensions, along the times; and whether a graph is
    left, of a velocity that has a parameter.
    """
    result = function(ToyField(), x, times)
    return {"": result.detach(), "whether it still holds a graph": result.requires_grad}


def log_likelihood_of_a_diagonal(function: Callable, x: Tensor, times: Tensor) -> Tensor:
    """log p(x) by a velocity in which each dimension is on its own."""
    return function(ToyField(mixes=False), x, times).detach()


def traced(estimate: Callable, x: Tensor, t: Tensor, probe: Tensor) -> Tensor:
    """An estimate of the divergence of a velocity."""
    return estimate(ToyField(), x, t, probe).detach()


def trace_gradient(estimate: Callable, x: Tensor, t: Tensor, probe: Tensor) -> Tensor:
    """The gradient of the summed estimates for the velocity's parameter."""
    field = ToyField()
    return learned_by(field, estimate(field, x, t, probe))
