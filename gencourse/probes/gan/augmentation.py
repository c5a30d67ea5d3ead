"""A small discriminator whose images are augmented."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.general import gradients


class ImageDiscriminator(nn.Module):
    """Images x (B, C, H, W) -> logits x w + v |x|², (B,). Of a longer w it uses what it needs."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(w.double()), nn.Parameter(torch.tensor(0.2))

    def forward(self, x: Tensor) -> Tensor:
        """The logits of images (B, C, H, W): (B,)."""
        batch, _, _, _ = x.shape
        x = x.reshape(batch, -1)
        return x @ self.w[: x.shape[1]].to(x.dtype) + self.v * x.square().sum(1)


class Augmentation:
    """x -> ½ x from right to left, plus 0.3; counts what it is given."""

    def __init__(self) -> None:
        self.count = 0
        self.drawn: list[float] = []

    def __call__(self, x: Tensor) -> Tensor:
        """The images augmented, and counted. It notes a number that is drawn at each call."""
        self.count += len(x)
        self.drawn.append(float(torch.rand(())))
        return 0.5 * x.flip(-1) + 0.3


def both_logits(
    logits_of: Callable, real: Tensor, fake: Tensor, w: Tensor, training: bool = True
) -> dict[str, object]:
    """D's logits for data and samples, and how many images were augmented on the way."""
    augment, discriminator = Augmentation(), ImageDiscriminator(w).train(training)
    real_logits, fake_logits = logits_of(discriminator, augment, real, fake)
    return {
        "for the data": real_logits,
        "for the samples": fake_logits,
        "how many images were augmented": augment.count,
        "whether D is in training mode": discriminator.training,
        "whether the augmentation drew the same numbers twice": len(set(augment.drawn))
        < len(augment.drawn),
    }


def gradient_for_samples(logits_of: Callable, real: Tensor, fake: Tensor, w: Tensor) -> Tensor:
    """The gradient of the summed logits for the samples, 0 where none arrives."""
    discriminator = ImageDiscriminator(w)

    def logits(samples: Tensor) -> tuple[Tensor, ...]:
        return tuple(logits_of(discriminator, Augmentation(), real, samples))

    return gradients(logits, fake)[0]


def gradient_for_discriminator(
    logits_of: Callable, real: Tensor, fake: Tensor, w: Tensor
) -> Tensor:
    """The gradient of the summed logits for D's weights, 0 where none arrives."""
    discriminator = ImageDiscriminator(w)
    real_logits, fake_logits = logits_of(discriminator, Augmentation(), real, fake)
    total = real_logits.sum() + fake_logits.sum()
    if total.requires_grad:
        total.backward()
    found = discriminator.w.grad
    return torch.zeros_like(discriminator.w) if found is None else found
