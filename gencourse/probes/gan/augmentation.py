"""A small discriminator whose images are augmented."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.general import gradients


class Doubling(nn.Module):
    """x -> 2 x in training mode, x in evaluation mode: a layer that knows its mode, as dropout."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return 2 * x if self.training else x


class ImageDiscriminator(nn.Module):
    """Images x (B, C, H, W) -> logits x w + v |x|², (B,), twice as large in training mode.

    Of a longer w it uses what it needs.
    """

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(w.double()), nn.Parameter(torch.tensor(0.2))
        self.last = Doubling()

    def forward(self, x: Tensor) -> Tensor:
        """The logits of images (B, C, H, W): (B,)."""
        batch, _, _, _ = x.shape
        x = x.reshape(batch, -1)
        return self.last(x @ self.w[: x.shape[1]].to(x.dtype) + self.v * x.square().sum(1))


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
    """D's logits for data and samples, and how many images were augmented on the way.

    D holds gradients from before. The question is asked twice, for the numbers that are drawn.
    """
    augment, discriminator = Augmentation(), ImageDiscriminator(w).train(training)
    for p in discriminator.parameters():
        p.grad = torch.full_like(p, 2.0)
    result = logits_of(discriminator, augment, real, fake)
    found: dict[str, object] = {"whether two tensors came back, for data and for samples": False}
    if isinstance(result, Tensor) or len(both := tuple(result)) != 2:
        return found
    count = augment.count
    logits_of(discriminator, augment, real, fake)
    return dict.fromkeys(found, True) | {
        "for the data": both[0],
        "for the samples": both[1],
        "how many images were augmented": count,
        "whether D is in training mode": discriminator.training,
        "whether the augmentation drew the same numbers twice": len(set(augment.drawn))
        < len(augment.drawn),
        "whether D holds the gradients that it held": all(
            p.grad is not None and bool((p.grad == 2).all()) for p in discriminator.parameters()
        ),
        "whether all parameters of D can learn": all(
            p.requires_grad for p in discriminator.parameters()
        ),
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
