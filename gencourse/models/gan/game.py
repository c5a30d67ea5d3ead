"""The game: two players, whose turn it is, and the average of the generator that samples are drawn
from.
"""

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.models.gan.losses import LOSSES
from gencourse.models.gan.penalties import gradient_penalty, r1_penalty
from gencourse.runtime import standard_normal
from gencourse.training import Player, adam
from gencourse.validation import require_count, require_images, require_indices, require_place


@torch.no_grad()
def ema_update(average: nn.Module, model: nn.Module, decay: float) -> None:
    """average ← decay · average + (1 - decay) · model, for parameters and for floating-point
    buffers (batch norm's).

    A parameter that two layers share moves once, and buffers that no state_dict holds move too.
    """
    pairs = [
        *zip(average.parameters(), model.parameters(), strict=True),
        *zip(average.buffers(), model.buffers(), strict=True),
    ]
    for kept, new in pairs:
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within the block no graph is recorded for the module's parameters; gradients still pass
    through to its input.
    """
    wanted = [p for p in module.parameters() if p.requires_grad]
    for p in wanted:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in wanted:
            p.requires_grad_(True)


def unchanged(x: Tensor) -> Tensor:
    """x: what D sees where nothing is augmented."""
    return x


def takes_labels(network: nn.Module) -> bool:
    """Whether a network has a use for labels as a second argument."""
    parameters = inspect.signature(network.forward).parameters.values()
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters) or len(parameters) > 1
    return several and bool(getattr(network, "num_classes", True))


class GAN(nn.Module):
    """A generator and a discriminator that `fit` trains in turns; `sample` draws from the averaged
    generator.

    `generator(z)` maps codes (B, latent_dim) to data, `discriminator(x)` data to logits (B,); both
    take labels as a second argument if batches carry them. `loss` names one of LOSSES. `r1` weighs
    the penalty ½‖∇D(x)‖² at data, `gp` the gradient penalty of Wasserstein GANs. `d_lr_ratio` is
    D's learning rate as a multiple of G's ("two time scales", Heusel et al. 2017). `ema_decay` is
    the decay of the average, 0 for none; it starts small, so that the first steps are forgotten.
    `augment` is applied to whatever D sees. `betas` are Adam's, short memories, because
    yesterday's gradient answers yesterday's opponent.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: str = "non-saturating",
        r1: float = 0.0,
        gp: float = 0.0,
        d_lr_ratio: float = 1.0,
        ema_decay: float = 0.999,
        betas: tuple[float, float] = (0.0, 0.9),
        augment: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise InputError(
                f"GAN: loss should be one of {', '.join(LOSSES)}, got {loss!r}. Choose one of them."
            )
        if not 0 <= ema_decay < 1:
            raise InputError(
                f"GAN: ema_decay should lie in [0, 1), got {ema_decay}. Pass 0 for no average, "
                "else 0.999 say."
            )
        self.generator, self.discriminator = generator, discriminator
        self.ema_generator = copy.deepcopy(generator).requires_grad_(False)
        self.losses, self.r1, self.gp, self.d_lr_ratio, self.ema_decay, self.betas = (
            LOSSES[loss],
            r1,
            gp,
            d_lr_ratio,
            ema_decay,
            betas,
        )
        self.augment = augment or unchanged
        self.latent_dim, self.steps = cast(int, generator.latent_dim), 0

    def noise(self, n: int) -> Tensor:
        """n codes from N(0, I) where the model is, by the global generator: (n, latent_dim)."""
        own = next(self.parameters())
        return torch.randn(n, self.latent_dim, dtype=own.dtype, device=own.device)

    def discriminator_loss(
        self, x: Tensor, *y: Tensor, z: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What D minimises on data x (B, ...), and the two logits, each (B,).

        G gets no gradient: its samples are given.
        """
        self.require_data(x, *y)
        with torch.no_grad():
            fake = self.generator(self.noise(len(x)) if z is None else z, *y)
        real, fake = self.augment(x), self.augment(fake)
        real_logits, fake_logits = self.discriminator(
            torch.cat([real, fake]), *(labels.repeat(2) for labels in y)
        ).chunk(2)
        loss = self.losses.discriminator(real_logits, fake_logits)
        if self.r1:
            loss = loss + self.r1 * r1_penalty(lambda x: self.discriminator(x, *y), real)
        if self.gp:
            eps = torch.rand(len(x), dtype=x.dtype, device=x.device)
            loss = loss + self.gp * gradient_penalty(
                lambda x: self.discriminator(x, *y), real, fake, eps
            )
        return {"loss": loss, "real_logits": real_logits, "fake_logits": fake_logits}

    def generator_loss(self, x: Tensor, *y: Tensor, z: Tensor | None = None) -> dict[str, Tensor]:
        """What G minimises, (B,); of the data only their number is used.

        D gets no gradient, though it passes through D.
        """
        fake = self.generator(self.noise(len(x)) if z is None else z, *y)
        with frozen(self.discriminator):
            return {"loss": self.losses.generator(self.discriminator(self.augment(fake), *y))}

    def require_data(self, x: Tensor, *y: Tensor) -> None:
        """Raise unless x is a batch that D was made for, and y labels that the networks take."""
        if y and not all(map(takes_labels, (self.generator, self.discriminator))):
            raise InputError(
                f"GAN: batches should hold x alone, since its networks take no labels, got "
                f"{1 + len(y)} parts. Leave the others out: (batch[0] for batch in batches), or "
                "make both networks with num_classes."
            )
        if not y and getattr(self.generator, "num_classes", False):
            raise InputError(
                "GAN: batches should hold x and labels y, since its networks were made with "
                "num_classes, got x alone. Pass minibatches(x, y, ...)."
            )
        if hasattr(self.discriminator, "image_shape"):
            shape = cast(tuple[int, int, int], self.discriminator.image_shape)
            require_images("GAN", x, shape, self)
        else:
            require_place("GAN", "x", x, self)

    def players(self, lr: float) -> list[Player]:
        """The two sides as `fit` wants them: D moves first, then G, and after each move of G its
        average follows.
        """
        d_optimizer = adam(self.discriminator.parameters(), self.d_lr_ratio * lr, self.betas)
        g_optimizer = adam(self.generator.parameters(), lr, self.betas)
        g_optimizer.register_step_post_hook(lambda *_: self.update_ema())
        return [
            Player("D", d_optimizer, self.discriminator_loss),
            Player("G", g_optimizer, self.generator_loss),
        ]

    def update_ema(self) -> None:
        """Move the average towards the generator, by much at first and by 1 - ema_decay later."""
        self.steps += 1
        ema_update(
            self.ema_generator, self.generator, min(self.ema_decay, self.steps / (self.steps + 10))
        )

    def get_extra_state(self) -> int:
        """The steps that the average has followed, for `state_dict`."""
        return self.steps

    def set_extra_state(self, state: int) -> None:
        """Go on with an average that has followed so many steps."""
        self.steps = state

    @torch.no_grad()
    def generate(self, z: Tensor, *y: Tensor) -> Tensor:
        """What the averaged generator makes of codes z (B, latent_dim), in evaluation mode, without
        gradients.
        """
        own = next(self.parameters())
        self.ema_generator.eval()
        return self.ema_generator(z.to(own), *(labels.to(own.device) for labels in y))

    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n samples x = G(z), z ~ N(0, I), from the averaged generator."""
        require_count("GAN.sample", "n", n)
        return self.generate(standard_normal(n, self.latent_dim, seed=seed))


class ConditionalGAN(GAN):
    """A GAN that is asked for a class: batches are (x, y), both networks see the label, `sample`
    takes labels.

    Source: Mirza & Osindero 2014 (arXiv 1411.1784).
    """

    def sample(self, y: Tensor, seed: int = 0) -> Tensor:  # type: ignore[override]
        """One sample for each label of y (n,)."""
        require_indices("ConditionalGAN.sample", "y", y, ndim=1)
        return self.generate(standard_normal(len(y), self.latent_dim, seed=seed), y)
