"""Diffusion of images: a denoiser of pixels, and the average of its weights."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.models.diffusion.losses import uniform_times
from gencourse.models.diffusion.model import DiffusionModel
from gencourse.models.diffusion.unet import UNet
from gencourse.models.gan.game import ema_update
from gencourse.training import Player, adam
from gencourse.validation import require_images


def centred(x: Tensor) -> Tensor:
    """2x - 1: images in [0, 1] as a diffusion model takes them, around 0. Any shape."""
    return 2 * x - 1


def uncentred(x: Tensor) -> Tensor:
    """(x + 1) / 2, held in [0, 1]: what a diffusion model draws as an image. Any shape."""
    return ((x + 1) / 2).clamp(0, 1)


class Averaged(nn.Module):
    """A diffusion model that `fit` trains, and beside it one whose weights are an average over the
    last steps: `averaged`, which draws.

    After each step average ← decay · average + (1 - decay) · weights; the decay starts small, so
    that the first steps are forgotten. Without it samples change from step to step, as the last few
    batches push each weight back and forth; a learning rate that falls to 0 does much of the same.
    """

    def __init__(self, model: DiffusionModel, ema_decay: float = 0.999) -> None:
        super().__init__()
        if not 0 <= ema_decay < 1:
            raise InputError(
                f"Averaged: ema_decay should lie in [0, 1), got {ema_decay}. Pass 0 for no "
                "average, else 0.999 say."
            )
        self.model, self.averaged = model, copy.deepcopy(model).requires_grad_(False)
        self.ema_decay, self.steps = ema_decay, 0

    def loss(self, x: Tensor, *y: Tensor, **given: Tensor) -> dict[str, Tensor]:
        """{"loss"} of the model that is trained, (B,), for x (B, *shape) and labels y (B,) if its
        network takes them.
        """
        return self.model.loss(x, *y, **given)

    def players(self, lr: float) -> list[Player]:
        """Adam on the model's weights; after each step the average follows."""
        optimizer = adam(self.model.parameters(), lr)
        optimizer.register_step_post_hook(lambda *_: self.update())
        return [Player("", optimizer, self.loss)]

    def update(self) -> None:
        """Move the average towards the weights, by much at first and by 1 - ema_decay later."""
        self.steps += 1
        decay = min(self.ema_decay, self.steps / (self.steps + 10))
        ema_update(self.averaged, self.model, decay)

    def get_extra_state(self) -> int:
        """The steps that the average has followed, for `state_dict`."""
        return self.steps

    def set_extra_state(self, state: int) -> None:
        """Go on with an average that has followed so many steps."""
        self.steps = state

    def sample(self, n: int, **options: Any) -> Tensor:
        """n draws of the averaged model, (n, *shape), with the options of DiffusionModel.sample."""
        return self.averaged.sample(n, **options)


class ImageDiffusion(Averaged):
    """Diffusion of images (C, H, W) in [0, 1]: a U-Net that says x̂, on the linear path, trained
    by |x̂ - x|² on images around 0, with times that `draw_times(n)` draws.

    With num_classes > 0 batches are (x, y), and labels are hidden from a share `drop` of each
    batch, so that one network knows both what is asked for and what is common to all.
    """

    def __init__(
        self, network: UNet, ema_decay: float = 0.999, draw_times: Any = uniform_times
    ) -> None:
        network = network.to(memory_format=torch.channels_last)
        model = DiffusionModel(
            network,
            predict="x",
            draw_times=draw_times,
            shape=network.image_shape,
            num_classes=network.num_classes,
        )
        super().__init__(model, ema_decay)
        self.image_shape = network.image_shape

    def loss(self, x: Tensor, *y: Tensor, **given: Tensor) -> dict[str, Tensor]:
        """{"loss"}: |x̂ - x|² of images around 0, summed over pixels, (B,)."""
        require_images("ImageDiffusion.loss", x, self.image_shape, self)
        return super().loss(centred(x), *y, **given)

    def sample(self, n: int, **options: Any) -> Tensor:
        """n images (n, C, H, W) in [0, 1], by the averaged model, with the options of
        DiffusionModel.sample: steps, seed, labels y (n,), guidance w, times.
        """
        return uncentred(super().sample(n, **options))
