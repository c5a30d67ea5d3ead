"""One match between two small networks in the plane, played move by move."""

import math

import torch
from torch import Tensor

from gencourse.data import minibatches
from gencourse.errors import InputError, TrainingStopped
from gencourse.gan_lab.observe import JUDGED, Frame, Observer
from gencourse.gan_lab.settings import Settings
from gencourse.models.gan import GAN, LOSSES, PointDiscriminator, PointGenerator, gradient_penalty
from gencourse.runtime import global_seed, plain_torch, seeded
from gencourse.training import adam

POOL = 20_000  # data points that batches are drawn from


def draw_codes(noise: str, n: int, generator: torch.Generator) -> Tensor:
    """n codes z from N(0, I) or from the uniform distribution on [-1, 1]²: (n, 2), or (n, 1) for
    "normal 1-D".
    """
    if noise == "uniform 2-D":
        return 2 * torch.rand(n, 2, generator=generator) - 1
    return torch.randn(n, 1 if noise == "normal 1-D" else 2, generator=generator)


def make_optimizer(name: str, network: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    """Adam as in the loop that the chapter writes by hand (betas 0.5 and 0.99), or plain gradient
    descent.
    """
    return (
        adam(network.parameters(), lr, (0.5, 0.99))
        if name == "Adam"
        else torch.optim.SGD(network.parameters(), lr)
    )


class Match:
    """A game under way: two networks, their optimizers, and random numbers of its own, all decided
    by the settings.

    `step` plays a round, `step_discriminator` and `step_generator` a single move; each of the three
    adds 1 to `steps`. `adopt` changes the rules while the game goes on, `observe` looks at it
    without changing anything. All of it happens on the CPU.
    """

    @plain_torch()
    def __init__(self, settings: Settings) -> None:
        seed = settings.seed
        self.settings, self.steps, self.random = settings, 0, seeded(seed)
        density = settings.density
        with global_seed(seed):
            self.gan = GAN(
                PointGenerator(settings.latent_dim, settings.hidden),
                PointDiscriminator(settings.hidden),
                ema_decay=0,
            )
        self.batches = minibatches(
            density.sample(POOL, seed=seed), batch_size=settings.batch_size, seed=seed
        )
        self.observer = Observer(
            density,
            settings.noise,
            draw_codes(settings.noise, JUDGED, seeded(seed + 1)),
            seed=seed + 1,
        )
        self.make_optimizers()
        self.adopt(settings)

    def make_optimizers(self) -> None:
        """Fresh optimizers: what the old ones remember is forgotten."""
        name, lr = self.settings.optimizer, self.settings.lr
        self.g_optimizer = make_optimizer(name, self.gan.generator, lr)
        self.d_optimizer = make_optimizer(
            name, self.gan.discriminator, lr * self.settings.d_lr_ratio
        )

    def adopt(self, settings: Settings) -> None:
        """Go on under new settings.

        Those that decide the data or the networks must be as they were.
        """
        if self.settings.needs_new_match(settings):
            raise InputError(
                "Match.adopt: settings should keep data, noise, hidden, batch_size and seed, got "
                "others. Make a new Match."
            )
        renewed = settings.optimizer != self.settings.optimizer
        self.settings = settings
        if renewed:
            self.make_optimizers()
        self.gan.losses = LOSSES[settings.loss]
        self.gan.r1 = settings.penalty_weight if settings.penalty == "R1" else 0.0
        for optimizer, lr in (
            (self.g_optimizer, settings.lr),
            (self.d_optimizer, settings.lr * settings.d_lr_ratio),
        ):
            for group in optimizer.param_groups:
                group["lr"] = lr

    @plain_torch()
    def step(self) -> None:
        """One round: D's moves, then G's."""
        for _ in range(self.settings.d_steps):
            self.move_discriminator()
        for _ in range(self.settings.g_steps):
            self.move_generator()
        self.steps += 1

    @plain_torch()
    def step_discriminator(self) -> None:
        """One move of D; G stays as it is."""
        self.move_discriminator()
        self.steps += 1

    @plain_torch()
    def step_generator(self) -> None:
        """One move of G; D stays as it is."""
        self.move_generator()
        self.steps += 1

    def move_discriminator(self) -> None:
        """One step of D on a fresh batch."""
        x, z = next(self.batches), self.codes()
        loss = self.gan.discriminator_loss(x, z=z)["loss"]
        # here, not in the GAN, which would draw eps by the global generator
        if self.settings.penalty == "gradient penalty":
            with torch.no_grad():
                fake = self.gan.generator(z)
            eps = torch.rand(len(x), generator=self.random)
            loss = loss + self.settings.penalty_weight * gradient_penalty(
                self.gan.discriminator, x, fake, eps
            )
        self.move(self.d_optimizer, loss)

    def move_generator(self) -> None:
        """One step of G on fresh codes."""
        z = self.codes()
        self.move(self.g_optimizer, self.gan.generator_loss(z, z=z)["loss"])

    def codes(self) -> Tensor:
        """A fresh batch of codes (B, latent_dim)."""
        return draw_codes(self.settings.noise, self.settings.batch_size, self.random)

    def move(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """One step down the mean of `loss` (B,); a loss that is not finite does not reach the
        parameters.
        """
        mean = loss.mean()
        self.require_finite(mean.item())
        optimizer.zero_grad()
        mean.backward()
        optimizer.step()

    @plain_torch()
    def observe(self) -> Frame:
        """How the game stands, seen on the same data and codes every time."""
        frame = self.observer.look(self.gan, self.settings.loss, self.steps)
        self.require_finite(frame.scores.d_loss + frame.scores.g_loss + frame.scores.push)
        return frame

    def require_finite(self, value: float) -> None:
        """Raise TrainingStopped unless `value` is finite."""
        if not math.isfinite(value):
            raise TrainingStopped(
                f"Match: the losses should be finite, got {value} after {self.steps} rounds. "
                "Lower the learning rate or add a penalty, and press Reset."
            )
