"""A small discriminator whose images are augmented."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.gan.notes import Noting
from gencourse.probes.general import gradients


class Doubling(nn.Module):
    """x -> 2 x in training mode, x in evaluation mode: a layer that knows its mode, as dropout."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same."""
        return 2 * x if self.training else x


class ImageDiscriminator(Noting):
    """Images x (B, C, H, W) -> logits x w + v |x|², (B,), twice as large in training mode.

    Of a longer w it uses what it needs. `seen` holds all that it was shown.
    """

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w, self.v = nn.Parameter(w.double()), nn.Parameter(torch.tensor(0.2))
        self.last = Doubling()
        self.seen: set[tuple[float, ...]] = set()

    def forward(self, x: Tensor) -> Tensor:
        """The logits of images (B, C, H, W): (B,)."""
        batch, _, _, _ = x.shape
        self.note(x)
        self.seen |= rows(x)
        x = x.reshape(batch, -1)
        return self.last(x @ self.w[: x.shape[1]].to(x.dtype) + self.v * x.square().sum(1))


def rows(x: Tensor) -> set[tuple[float, ...]]:
    """The examples of a batch, as plain numbers."""
    return set(map(tuple, x.detach().reshape(len(x), -1).tolist()))


class Augmentation:
    """x -> ½ x from right to left, plus 0.3; counts what it is given, and keeps what it made."""

    def __init__(self) -> None:
        self.count = 0
        self.drawn: list[float] = []
        self.made: set[tuple[float, ...]] = set()

    def __call__(self, x: Tensor) -> Tensor:
        """The images augmented, and counted. It notes a number that is drawn at each call."""
        self.count += len(x)
        self.drawn.append(float(torch.rand(())))
        made = 0.5 * x.flip(-1) + 0.3
        self.made |= rows(made)
        return made


def both_logits(
    logits_of: Callable, real: Tensor, fake: Tensor, w: Tensor, training: bool = True
) -> dict[str, object]:
    """D's logits for data and samples, what it was shown, and how many images were augmented.

    D holds gradients from before. The question is asked twice, for the numbers that are drawn, and
    then twice with the same tensors.
    """
    augment, discriminator = Augmentation(), ImageDiscriminator(w)
    discriminator.arrive(training)
    for p in discriminator.parameters():
        p.grad = torch.full_like(p, 2.0)
    result = logits_of(discriminator, augment, real, fake)
    found: dict[str, object] = {"whether two tensors came back, for data and for samples": False}
    if isinstance(result, Tensor) or len(both := tuple(result)) != 2:
        return found
    count, judged = augment.count, tuple(discriminator.inputs)
    logits_of(discriminator, augment, real, fake)
    again, held = Augmentation(), [nn.Parameter(x, requires_grad=False) for x in (real, fake)]
    for _ in range(2):  # parameters are handed on as they are, and not as copies
        logits_of(ImageDiscriminator(w), again, *held)
    return dict.fromkeys(found, True) | {
        "for the data": both[0],
        "for the samples": both[1],
        "how many images were augmented": count,
        "how many images were augmented when the same ones came twice": again.count,
        "whether D saw only what came from the augmentation": discriminator.seen <= augment.made,
        "how many images D judged": sum(judged),
        "whether D was asked in one call or two": len(judged) <= 2,
        "whether D and its layers kept their modes whenever it was called": (
            discriminator.kept_its_modes()
        ),
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
