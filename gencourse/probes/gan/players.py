"""Two small players, and a learner's turns in their game."""

import torch
from torch import Tensor, nn


class Generator(nn.Module):
    """z (B, 3) -> z A + c, (B, 2)."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([[0.6, -0.4], [0.3, 0.8], [-0.5, 0.2]]))
        self.c = nn.Parameter(torch.tensor([0.2, -0.1]))

    def forward(self, z):
        return z @ self.a + self.c


class Discriminator(nn.Module):
    """x (B, 2) -> x w + v |x|², (B,)."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.7, -0.5]))
        self.v = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        return x @ self.w + self.v * x.square().sum(1)


def state(player: nn.Module) -> list[Tensor]:
    """Copies of a player's parameters."""
    return [p.detach().clone() for p in player.parameters()]


def moved(player: nn.Module, before: list[Tensor]) -> bool:
    """Whether any parameter is no longer what it was."""
    return any(bool((p != b).any()) for p, b in zip(player.parameters(), before, strict=True))


def hold_gradients(player: nn.Module) -> None:
    """Leave gradients in a player, as the other one's turn does."""
    for p in player.parameters():
        p.grad = torch.full_like(p, 2.0)


def can_learn(**players: nn.Module) -> dict[str, bool]:
    """Whether each player's parameters ask for gradients, and whether it is in training mode."""
    found = {}
    for name, player in players.items():
        able = all(p.requires_grad for p in player.parameters())
        found[f"whether all parameters of {name} can learn"] = able
        found[f"whether {name} is in training mode"] = player.training
    return found


def discriminator_turn(
    step, real: Tensor, *noises: Tensor, stale: bool = False
) -> dict[str, object]:
    """One step of D for each batch of noise; `stale`: D held gradients before the first."""
    generator, discriminator = Generator(), Discriminator()
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=0.1, momentum=0.5)
    if stale:
        hold_gradients(discriminator)
    before = state(generator)
    for z in noises:
        loss = step(generator, discriminator, optimizer, real, z)
    held = any(p.grad is not None and bool((p.grad != 0).any()) for p in generator.parameters())
    return {
        "the loss": torch.as_tensor(loss).detach(),
        "the parameters of D": state(discriminator),
        "whether the generator moved": moved(generator, before),
        "whether the generator holds gradients": held,
        **can_learn(G=generator, D=discriminator),
        "whether a Python float is returned": isinstance(loss, float),
        "whether what is returned holds the graph": bool(getattr(loss, "requires_grad", False)),
    }
