"""Two small players that are told a label, and a learner's whole round of their game."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.gan.players import (
    Discriminator,
    Generator,
    afterwards,
    hold_gradients,
    momentum,
    state,
)

CLASSES = 4


class LabelledGenerator(Generator):
    """z (B, up to 3), y (B,) -> z A + c + a row of a table for each label."""

    def __init__(self, shape: tuple[int, ...] = (2,)) -> None:
        super().__init__(shape)
        n = self.c.numel()
        rows = torch.tensor([[0.5, -0.2], [-0.4, 0.3], [0.1, 0.8], [-0.7, -0.6]])
        self.table = nn.Parameter(rows.repeat(1, 2)[:, :n])

    def forward(self, z: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """The samples (B, *shape) for codes (B, up to 3) and labels (B,)."""
        require_labels("G", z, y)
        return super().forward(z) + self.table[y].view(-1, *self.shape)


class LabelledDiscriminator(Discriminator):
    """x (B, *shape), y (B,) -> Discriminator's logits, and x · a row of a table for each label.

    As with the chapter's D, labels may be left out.
    """

    def __init__(self, shape: tuple[int, ...] = (2,), scale: float = 1.0) -> None:
        super().__init__(shape, scale)
        n = self.w.numel()
        rows = torch.tensor([[0.3, 0.6], [-0.5, 0.2], [0.4, -0.7], [-0.1, -0.3]])
        self.table = nn.Parameter(rows.repeat(1, 2)[:, :n])

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        """The logits of examples (B, *shape): (B,)."""
        logits = super().forward(x)
        for y in labels:
            require_labels("D", x, y)
            logits = logits + (self.table[y] * x.flatten(1)).sum(1)
        return logits


def require_labels(who: str, rows: Tensor, y: Tensor) -> None:
    """Raise unless there is one label for each row."""
    if not isinstance(y, Tensor) or y.shape != rows.shape[:1]:
        got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(f"{who} was handed {len(rows)} rows and labels of shape {got}")


def rounds(
    step: Callable,
    x: Tensor,
    y: Tensor,
    noises: Tensor,
    stale: bool = False,
    training: bool = True,
    scale: float = 1.0,
) -> dict[str, object]:
    """One round for each pair of batches of noise (rounds, 2, B, up to 3).

    `stale`: both players held gradients before the first; `training`: the mode in which they come;
    `scale`: what D's logits are multiplied by.
    """
    players = LabelledGenerator(x.shape[1:]), LabelledDiscriminator(x.shape[1:], scale)
    for player in players:
        player.arrive(training)
        if stale:
            hold_gradients(player)
    optimizers, arrived = [momentum(player) for player in players], []
    players[0].table.register_hook(lambda gradient: arrived.append(True))
    for z_d, z_g in noises:
        losses = step(*players, *optimizers, x, y, z_d, z_g)
    d_loss, g_loss = losses
    return {
        "the loss of D": torch.as_tensor(d_loss).detach(),
        "the loss of G": torch.as_tensor(g_loss).detach(),
        "the parameters of D": state(players[1]),
        "the parameters of G": state(players[0]),
        "whether both losses are Python floats": all(isinstance(one, float) for one in losses),
        "whether D judged in three calls a round or fewer": len(players[1].inputs)
        <= 3 * len(noises),
        "how often a gradient came through to G": len(arrived),
        **afterwards(*players),
    }
