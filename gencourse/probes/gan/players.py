"""Two small players, and a learner's turns in their game."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.gan.notes import Noting

TINY = 1e-30  # e^-100 is not 0 in one form of a loss, and 0 in another that is as right


class Player(Noting):
    """A network for examples of a shape that notes how it was called."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = tuple(shape)


class Generator(Player):
    """z (B, up to 3) -> z A + c, reshaped to (B, *shape), of two or of four numbers each.

    In training mode the codes lose half of their mean first: examples see each other there, as with
    batch norm.
    """

    def __init__(self, shape: tuple[int, ...] = (2,), shift: float = 1.0) -> None:
        super().__init__(shape)
        n = math.prod(shape)
        a = [[0.6, -0.4, 0.5, 0.1], [0.3, 0.8, -0.2, 0.7], [-0.5, 0.2, 0.4, -0.6]]
        self.a = nn.Parameter(torch.tensor(a)[:, :n].clone())
        self.c = nn.Parameter(shift * torch.tensor([0.2, -0.1, 0.3, 0.0])[:n])

    def forward(self, z: Tensor) -> Tensor:
        """The samples (B, *shape) for codes (B, up to 3)."""
        self.note(z)
        if self.training:
            z = z - 0.5 * z.mean(0)
        return (z @ self.a[: z.shape[-1]]).view(-1, *self.shape) + self.c.view(self.shape)


class Discriminator(Player):
    """x (B, *shape) -> scale · (x w + v |x|²), (B,)."""

    def __init__(self, shape: tuple[int, ...] = (2,), scale: float = 1.0) -> None:
        super().__init__(shape)
        n = math.prod(shape)
        self.w = nn.Parameter(scale * torch.tensor([0.7, -0.5, 0.4, 0.6])[:n].clone())
        self.v = nn.Parameter(torch.tensor(0.3 * scale))

    def forward(self, x: Tensor) -> Tensor:
        """The logits of examples (B, *shape): (B,)."""
        self.note(x)
        if tuple(x.shape[1:]) != self.shape:
            got = tuple(x.shape[1:])
            raise ValueError(f"D judges examples of shape {self.shape}, and was handed {got}")
        x = x.flatten(1)
        return x @ self.w + self.v * x.square().sum(1)


def state(player: nn.Module) -> list[Tensor]:
    """Copies of a player's parameters."""
    return [p.detach().clone() for p in player.parameters()]


def moved(player: nn.Module, before: list[Tensor]) -> bool:
    """Whether any parameter is no longer what it was."""
    return any(bool((p != b).any()) for p, b in zip(player.parameters(), before, strict=True))


def hold_gradients(player: nn.Module, frozen: bool = False) -> None:
    """Leave gradients in a player, as the other one's turn does.

    Its first parameter gets none: under a stress it is frozen. `frozen`: it cannot learn any more,
    and holds one from the time when it could.
    """
    first, *others = player.parameters()
    for p in [first, *others] if frozen else others:
        p.grad = torch.full_like(p, 2.0)
    first.requires_grad_(not frozen)


def momentum(player: nn.Module, decay: float = 0.0) -> torch.optim.Optimizer:
    """An optimizer with a memory, and weight decay, for a player's parameters, in two groups."""
    first, *others = player.parameters()
    groups = [{"params": [first]}, {"params": others}]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.5, weight_decay=decay)


def settings(optimizer: torch.optim.Optimizer) -> list[dict]:
    """What an optimizer's groups hold beside their parameters, such as the learning rate."""
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]


def afterwards(generator: Generator, discriminator: Discriminator) -> dict[str, object]:
    """Whether each player's parameters can learn, in which mode it is, whether a layer of it was in
    another one meanwhile, and how much it was asked.
    """
    found: dict[str, object] = {
        "how many samples G made": sum(generator.inputs),
        "how many examples D judged": sum(discriminator.inputs),
    }
    for name, player in (("G", generator), ("D", discriminator)):
        able = all(p.requires_grad for p in player.parameters())
        found[f"whether {name} itself was called"] = bool(player.inputs)
        found[f"whether all parameters of {name} can learn"] = able
        found[f"whether {name} is in training mode"] = player.training
        found[f"whether {name} and its layers kept their modes whenever it was called"] = (
            player.kept_its_modes()
        )
    return found


def returned(loss: object) -> dict[str, bool]:
    """What sort of thing a step returns."""
    return {
        "whether a Python float is returned": isinstance(loss, float),
        "whether what is returned holds the graph": bool(getattr(loss, "requires_grad", False)),
    }


def discriminator_turn(
    step: Callable,
    real: Tensor,
    *noises: Tensor,
    stale: bool = False,
    scale: float = 1.0,
    training: bool = True,
    part: bool = True,
    frozen: bool = False,
) -> dict[str, object]:
    """One step of D for each batch of noise.

    `stale`: D held gradients before the first; `frozen`: so did a parameter that cannot learn,
    and weights decay;
    `training`: the mode in which both networks arrive, `part`: in which their batch norms do.
    """
    generator, discriminator = Generator(real.shape[1:]), Discriminator(real.shape[1:], scale)
    for player in (generator, discriminator):
        player.arrive(training, part)
    optimizer = momentum(discriminator, decay=0.1 * frozen)
    if stale or frozen:
        hold_gradients(discriminator, frozen)
    before, set_to = state(generator), settings(optimizer)
    for z in noises:
        loss = step(generator, discriminator, optimizer, real, z)
    held = any(p.grad is not None and bool((p.grad != 0).any()) for p in generator.parameters())
    return {
        "the loss": torch.as_tensor(loss).detach(),
        "the parameters of D": state(discriminator),
        "whether the generator moved": moved(generator, before),
        "whether the generator holds gradients": held,
        "whether D was asked once or twice in a step": len(discriminator.inputs) <= 2 * len(noises),
        "whether the optimizer's settings are as they were": settings(optimizer) == set_to,
        **afterwards(generator, discriminator),
        **returned(loss),
    }


def generator_turn(
    step: Callable,
    *noises: Tensor,
    stale: bool = False,
    scale: float = 1.0,
    shape: tuple[int, ...] = (2,),
    shift: float = 1.0,
    training: bool = True,
    part: bool = True,
    frozen: bool = False,
) -> dict[str, object]:
    """One step of G for each batch of noise.

    `stale`: G held gradients before the first; `frozen`: so did a parameter that cannot learn,
    and weights decay;
    `training`: the mode in which both networks arrive, `part`: in which their batch norms do;
    `shift` multiplies what G adds to every sample.
    """
    generator, discriminator = Generator(shape, shift), Discriminator(shape, scale)
    for player in (generator, discriminator):
        player.arrive(training, part)
    optimizer = momentum(generator, decay=0.1 * frozen)
    if stale or frozen:
        hold_gradients(generator, frozen)
    arrived, before, opposite = [], state(generator), state(discriminator)
    set_to = settings(optimizer)
    for p in filter(lambda p: p.requires_grad, generator.parameters()):
        p.register_hook(lambda gradient: arrived.append(bool((gradient.abs() > TINY).any())))
    for z in noises:
        loss = step(generator, discriminator, optimizer, z)
    came = any(arrived) or moved(generator, before)
    return {
        "the loss": torch.as_tensor(loss).detach(),
        "whether a gradient arrived at G, or moved it": came,
        "the parameters of G": state(generator),
        "whether the discriminator moved": moved(discriminator, opposite),
        "in how many calls D judged the samples": len(discriminator.inputs),
        "whether the optimizer's settings are as they were": settings(optimizer) == set_to,
        **afterwards(generator, discriminator),
        **returned(loss),
    }
