"""Adam in its fastest form, and several optimizers that step as one."""

from collections.abc import Iterable

import torch
from torch import nn


def adam(
    parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.Adam:
    """Adam, in its fused form (faster, same update) where the parameters' device has one."""
    parameters = list(parameters)
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused)


class JointOptimizer:
    """Several optimizers that step as one, each on its own parameters, where `fit` or a Player
    expects one.
    """

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict]:
        """The groups of all of them; setting a group's "lr" reaches the optimizer that owns it."""
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    @property
    def state(self) -> dict[torch.Tensor, dict]:
        """What each of them holds of its parameters."""
        return {p: held for one in self.optimizers for p, held in one.state.items()}

    def zero_grad(self) -> None:
        """Clear the gradients of all of them."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self) -> None:
        """One step of each."""
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict:
        """The states of all of them, in order."""
        return {"optimizers": [optimizer.state_dict() for optimizer in self.optimizers]}

    def load_state_dict(self, state: dict) -> None:
        """Take up the states that `state_dict` gave."""
        for optimizer, own in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
