"""Diffusion of codes: a small network on the codes of chapter 1's VAE."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError, describe
from gencourse.models.diffusion.images import Averaged
from gencourse.models.diffusion.losses import logit_normal_times
from gencourse.models.diffusion.model import DiffusionModel
from gencourse.models.diffusion.networks import time_embedding
from gencourse.models.vae.equations import reparameterize
from gencourse.models.vae.networks import VAE
from gencourse.training import Player, adam
from gencourse.validation import require_count, require_indices, require_place

TIME_WIDTH = 32  # numbers of a time's embedding


class CodeNetwork(nn.Module):
    """(z_t (B, dim), t (B,)) -> (B, dim): residual blocks h + linear(silu(linear(silu(h)))) of
    `width` numbers, each of which sees the time, and with num_classes > 0 the label y (B,).

    Label num_classes, the default, stands for "no label".
    """

    def __init__(
        self, dim: int = 16, width: int = 256, blocks: int = 3, num_classes: int = 0
    ) -> None:
        super().__init__()
        require_count("CodeNetwork", "dim", dim)
        require_count("CodeNetwork", "blocks", blocks)
        self.dim, self.num_classes = dim, num_classes
        self.enter, self.leave = nn.Linear(dim, width), nn.Linear(width, dim)
        self.time = nn.Linear(TIME_WIDTH, width)
        self.labels = nn.Embedding(num_classes + 1, width) if num_classes else None
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(width, width) for _ in range(2)]) for _ in range(blocks)
        )

    def forward(self, z_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """What the network says at z_t (B, dim) and t (B,), for labels y (B,) if it has classes."""
        require_place("CodeNetwork", "z_t", z_t, self)
        if z_t.ndim != 2 or z_t.shape[1] != self.dim or t.shape != (len(z_t),):
            raise InputError(
                f"CodeNetwork: z_t and t should have shapes (B, {self.dim}) and (B,), got "
                f"{describe(z_t)} and {describe(t)}. One time per code."
            )
        told = self.time(time_embedding(t.to(z_t), TIME_WIDTH, scale=30.0))
        if self.labels is not None:
            if y is None:
                y = torch.full((len(z_t),), self.num_classes, device=z_t.device)
            require_indices("CodeNetwork", "y", y, self.num_classes + 1, ndim=1)
            told = told + self.labels(y)
        elif y is not None:
            raise InputError(
                "CodeNetwork: y should be left away, as the network has no classes, got labels. "
                "Make it with num_classes."
            )
        h = self.enter(z_t)
        for block in self.blocks:
            first, second = cast(nn.ModuleList, block)
            h = h + second(F.silu(first(F.silu(h)) + told))
        return self.leave(F.silu(h))


class LatentDiffusion(nn.Module):
    """A flow on the codes of a VAE whose decoder is given and stays as it is: an encoder is fitted
    to that decoder by the ELBO, and beside it a flow to draws of q(z given x), in one training.

    `fit` takes batches (x, y) of images (B, C, H, W) and labels (B,). `flow` is an Averaged
    DiffusionModel of codes, which says the velocity, with logit-normal times.
    """

    def __init__(self, vae: VAE, network: CodeNetwork, ema_decay: float = 0.999) -> None:
        super().__init__()
        self.vae = vae
        self.vae.decoder.requires_grad_(False)
        self.flow = code_flow(network, ema_decay)

    def encoder_loss(self, x: Tensor, *y: Tensor) -> dict[str, Tensor]:
        """-ELBO and its terms, (B,), nats, of images x (B, C, H, W)."""
        return self.vae.loss(x)

    def flow_loss(self, x: Tensor, *y: Tensor) -> dict[str, Tensor]:
        """|u - (ε - z)|², (B,), at draws z of q(z given x)."""
        with torch.no_grad():
            mu, logvar = self.vae.encode(x)
            z = reparameterize(mu, logvar, torch.randn_like(mu))
        return self.flow.loss(z, *(y if self.flow.model.num_classes else ()))

    def players(self, lr: float) -> list[Player]:
        """The encoder, then the flow on its codes."""
        (flow,) = self.flow.players(lr)
        encoder = adam(self.vae.encoder.parameters(), lr)
        return [
            Player("encoder", encoder, self.encoder_loss),
            Player("flow", flow.optimizer, self.flow_loss),
        ]

    @torch.no_grad()
    def sample(self, n: int, **options: Any) -> Tensor:
        """n images (n, C, H, W) in [0, 1]: codes of the flow, decoded; with the options of
        DiffusionModel.sample.
        """
        return self.vae.decode_mean(self.flow.sample(n, **options))


def code_flow(network: CodeNetwork, ema_decay: float = 0.999) -> Averaged:
    """A flow on codes (B, dim), to be trained: it says the velocity on the linear path, and its
    times are logit-normal.
    """
    model = DiffusionModel(
        network,
        predict="u",
        draw_times=logit_normal_times,
        shape=(network.dim,),
        num_classes=network.num_classes,
    )
    return Averaged(model, ema_decay)
