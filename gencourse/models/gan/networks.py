"""The players: small networks for points in the plane, and DCGAN-like convolutional ones for
images.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from gencourse.errors import InputError
from gencourse.runtime import global_seed, on_cpu
from gencourse.validation import require_count, require_indices, require_place


def dcgan_init(module: nn.Module) -> None:
    """DCGAN's start, for `network.apply(dcgan_init)`: weights N(0, 0.02²), batch-norm scales N(1,
    0.02²), biases 0.

    Source: Radford et al. 2016, section 4; the scales as in the authors' code.
    """
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


class PointGenerator(nn.Sequential):
    """Codes (B, latent_dim) -> points (B, 2)."""

    def __init__(self, latent_dim: int = 2, hidden: int = 128) -> None:
        layers = [
            nn.Linear(latent_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        ]
        super().__init__(*layers)
        self.latent_dim = latent_dim


class PointDiscriminator(nn.Sequential):
    """Points (B, 2) -> logits (B,)."""

    def __init__(self, hidden: int = 128) -> None:
        layers = [
            nn.Linear(2, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        ]
        super().__init__(*layers, nn.Flatten(0))


class Generator(nn.Module):
    """Codes (B, latent_dim) -> images (B, C, H, W) in [0, 1], H and W multiples of 4; DCGAN's
    rules.

    A linear layer makes a small picture of many channels; batch norm, ReLU and a transposed
    convolution double its size, twice; a sigmoid ends it (DCGAN's tanh, for images in [0, 1]). With
    num_classes > 0 the label y (B,) is a second argument: its one-hot vector joins the code.
    """

    def __init__(
        self,
        latent_dim: int = 64,
        width: int = 64,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        C, H, W = image_shape
        require_count("Generator", "latent_dim", latent_dim)
        if H % 4 or W % 4:
            raise InputError(
                "Generator: image_shape should have H and W that 4 divides, got "
                f"{tuple(image_shape)}. Pad the images."
            )
        self.latent_dim, self.num_classes, self.image_shape = (
            latent_dim,
            num_classes,
            tuple(image_shape),
        )
        self.base_shape = (2 * width, H // 4, W // 4)
        self.project = nn.Linear(
            latent_dim + num_classes, 2 * width * (H // 4) * (W // 4), bias=False
        )
        self.stages = nn.Sequential(
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, C, 4, stride=2, padding=1),
        )
        self.apply(dcgan_init)

    def forward(self, z: Tensor, *y: Tensor) -> Tensor:
        """Images of codes z, and of labels y if the network was made with num_classes."""
        require_place("Generator", "z", z, self)
        require_labels("Generator", y, self.num_classes, self)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise InputError(
                f"Generator: z should have shape (B, {self.latent_dim}), got {tuple(z.shape)}. "
                "One row per code."
            )
        h = self.project(
            torch.cat([z, *(F.one_hot(each.long(), self.num_classes).to(z) for each in y)], 1)
        )
        h = h.unflatten(1, self.base_shape).contiguous(memory_format=torch.channels_last)
        return self.stages(h).to(z.dtype).sigmoid()


class Discriminator(nn.Module):
    """Images (B, C, H, W) in [0, 1] -> logits (B,): strided convolutions, leaky ReLU, spectral
    normalisation.

    With num_classes > 0 the label y (B,) is a second argument, and the logit gains <embedding of y,
    features of x> (projection discriminator: Miyato & Koyama 2018, arXiv 1802.05637).
    """

    def __init__(
        self,
        width: int = 32,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        num_classes: int = 0,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        self.options = {
            "width": width,
            "image_shape": tuple(image_shape),
            "num_classes": num_classes,
            "spectral": spectral,
        }
        C, H, W = image_shape
        normalised = spectral_norm if spectral else (lambda layer: layer)
        self.image_shape, self.num_classes = tuple(image_shape), num_classes
        self.features_dim = 2 * width * -(-H // 4) * -(-W // 4)
        first, second = (
            nn.Conv2d(C, width, 4, stride=2, padding=1),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        )
        head = nn.Linear(self.features_dim, 1)
        for layer in (first, second, head):
            dcgan_init(layer)
        self.features = nn.Sequential(
            normalised(first),
            nn.LeakyReLU(0.2),
            normalised(second),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
        )
        self.head = normalised(head)
        if num_classes:
            self.embedding = normalised(nn.Embedding(num_classes, self.features_dim))

    def forward(self, x: Tensor, *y: Tensor) -> Tensor:
        """Logits: high for an image taken for real."""
        require_place("Discriminator", "x", x, self)
        require_labels("Discriminator", y, self.num_classes, self)
        if x.shape[1:] != self.image_shape:  # no check of the range: augmentation may leave [0, 1]
            raise InputError(
                "Discriminator: x should have shape (B, "
                f"{', '.join(map(str, self.image_shape))}), got {tuple(x.shape)}. Reshape it."
            )
        h = self.features((2 * x - 1).contiguous(memory_format=torch.channels_last))
        logits = self.head(h)[:, 0]
        for labels in y:
            logits = logits + (self.embedding(labels.long()) * h).sum(1)
        return logits.to(x.dtype)

    def __getstate__(self) -> dict[str, Any]:  # layers that torch normalises cannot be pickled
        wanted = [p.requires_grad for p in self.parameters()]
        return {
            "options": self.options,
            "state": self.state_dict(),
            "training": self.training,
            "requires_grad": wanted,
        }

    def __setstate__(self, kept: dict[str, Any]) -> None:
        first = next(iter(kept["state"].values()))
        with global_seed(0), on_cpu():
            self.__init__(**kept["options"])  # type: ignore[misc]
        self.to(first.device, first.dtype).train(kept["training"])
        self.load_state_dict(kept["state"])
        for p, wanted in zip(self.parameters(), kept["requires_grad"], strict=True):
            p.requires_grad_(wanted)


def require_labels(where: str, y: tuple[Tensor, ...], num_classes: int, model: nn.Module) -> None:
    """Raise unless y is empty, or holds the labels (B,) of classes that the network was made for,
    where it is.
    """
    if y and not num_classes:
        raise InputError(
            f"{where}: y should be left out, got labels for a network without classes. Make it "
            "with num_classes=10, say."
        )
    for labels in y:
        require_place(where, "y", labels, model)
        require_indices(where, "y", labels, num_classes, ndim=1)
