"""Small critics, and a penalty on their slopes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.gan.notes import Noting


class LinearCritic(Noting):
    """x (B, N) -> x w, (B,), with the first N numbers of w: its slope is |w| everywhere."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w.double())

    def forward(self, x: Tensor) -> Tensor:
        """The values x w of examples (B, N): (B,)."""
        self.note(x)
        return x @ self.slopes(x)

    def slopes(self, x: Tensor) -> Tensor:
        """As many numbers of w as an example has, in the dtype of x: (N,)."""
        return self.w[: x.shape[1]].to(x.dtype)


class CurvedCritic(LinearCritic):
    """x (B, N) -> sin(x w) + x² |w|, (B,)."""

    def forward(self, x: Tensor) -> Tensor:
        """The values sin(x w) + x² |w| of examples (B, N): (B,)."""
        self.note(x)
        return (x @ self.slopes(x)).sin() + x.square() @ self.slopes(x).abs()


class ShapedCritic(CurvedCritic):
    """The same for examples with more axes than one, as convolutions expect them.

    Images it reads column by column: their gradients' memory is not contiguous.
    """

    def __init__(self, w: Tensor, axes: int) -> None:
        super().__init__(w)
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        """The values of examples with `axes` axes in all: (B,)."""
        if x.ndim != self.axes:
            raise ValueError(f"the critic expects {self.axes} axes, got {tuple(x.shape)}")
        return super().forward((x.mT if x.ndim > 3 else x).reshape(len(x), -1))


def critic_of(kind: str, w: Tensor, x: Tensor) -> LinearCritic:
    """A critic of that kind, with the parameter w, for examples like those in x."""
    if kind == "shaped":
        return ShapedCritic(w, x.ndim)
    return {"linear": LinearCritic, "curved": CurvedCritic}[kind](w)


def penalties(penalty: Callable, kind: str, w: Tensor, real: Tensor, *others: Tensor) -> object:
    """The penalties of a critic at data, and at what else the penalty is told: samples, eps."""
    return penalty(critic_of(kind, w, real), real, *others)


def pull_on_critic(
    penalty: Callable, kind: str, w: Tensor, real: Tensor, *others: Tensor
) -> Tensor:
    """The gradient of the summed penalties for the critic's parameter, 0 where none arrives."""
    critic = critic_of(kind, w, real)
    return pull(critic, penalty(critic, real, *others))


def pull(critic: LinearCritic, penalties: Tensor) -> Tensor:
    """The gradient of these penalties' sum for the critic's parameter, 0 where none arrives."""
    total = penalties.sum()
    if not total.requires_grad or not critic.w.requires_grad:
        return torch.zeros_like(critic.w)
    (found,) = torch.autograd.grad(total, critic.w, allow_unused=True)
    return torch.zeros_like(critic.w) if found is None else found


def at_a_flat_critic(
    penalty: Callable, w: Tensor, real: Tensor, fake: Tensor, eps: Tensor
) -> dict[str, object]:
    """What penalties a critic without any slope gets, and which gradient.

    A small constant under the root may be left in them.
    """
    critic = critic_of("linear", 0 * w, real)
    values = penalty(critic, real, fake, eps)
    return {
        "whether the penalties are 1, to within 1%": bool(((values - 1).abs() < 0.01).all()),
        "their gradient for the parameter": pull(critic, values),
    }


def left_behind(
    penalty: Callable, kind: str, w: Tensor, real: Tensor, *others: Tensor
) -> dict[str, bool]:
    """How a critic is asked, and left once its penalties are computed.

    It held no gradients before, then some; and it comes once in evaluation mode.
    """
    critic = critic_of(kind, w, real)
    penalty(critic, real, *others)
    left = critic.w.grad is not None and bool((critic.w.grad != 0).any())
    kept = critic.kept_its_modes()
    critic.noted.clear()
    critic.arrive(False)
    critic.w.grad = torch.full_like(critic.w, 2.0)
    penalty(critic, real, *others)
    return {
        "whether it is left with gradients": left,
        "whether the gradients that it held are still there": critic.w.grad is not None
        and bool((critic.w.grad == 2).all()),
        "whether its parameters can learn": critic.w.requires_grad,
        "whether it and its layers kept their modes whenever it was called": kept
        and critic.kept_its_modes(),
    }
