"""The network for pictures: a small U-Net with a dense middle."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError, describe
from gencourse.models.diffusion.networks import time_embedding
from gencourse.runtime import full_precision
from gencourse.validation import require_count, require_indices, require_place

TIME_WIDTH, CONDITION = 32, 128  # numbers of a time's embedding, and of what the blocks are told


class Modulated(nn.Module):
    """h · (1 + scale) + shift, with one scale and one shift for each channel, a linear function of
    the condition (B, CONDITION): how t and the label enter. Starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(CONDITION, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """h (B, channels, ...) -> the same shape."""
        scale, shift = self.linear(condition).chunk(2, dim=1)
        wide = (slice(None), slice(None)) + (None,) * (h.ndim - 2)
        return h * (1 + scale[wide]) + shift[wide]


class ConvBlock(nn.Module):
    """h + conv(silu(modulated(conv(silu(h))))), both 3 × 3: (B, channels, H, W) to the same shape.
    The last convolution starts at 0, so the block as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulated = Modulated(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """What is left of h, and what the block adds."""
        return h + self.second(F.silu(self.modulated(self.first(F.silu(h)), condition)))


class DenseBlock(nn.Module):
    """h + what three linear layers make of all of h at once, so that places far apart can agree:
    (B, channels, H, W) to the same shape. A 1 × 1 convolution first keeps `narrow` channels.
    """

    def __init__(self, channels: int, side: tuple[int, int], narrow: int, width: int) -> None:
        super().__init__()
        numbers = narrow * side[0] * side[1]
        self.narrow, self.wide = nn.Conv2d(channels, narrow, 1), nn.Conv2d(narrow, channels, 1)
        self.layers = nn.ModuleList(
            [nn.Linear(numbers, width), nn.Linear(width, width), nn.Linear(width, numbers)]
        )
        self.modulated = nn.ModuleList([Modulated(width), Modulated(width)])

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        """What is left of h, and what the block adds."""
        small = F.silu(self.narrow(h))
        m = small.flatten(1)
        for layer, modulated in zip(self.layers, self.modulated, strict=False):
            m = F.silu(modulated(layer(m), condition))
        return h + self.wide(self.layers[-1](m).view_as(small))


class UNet(nn.Module):
    """(x_t (B, C, H, W), t (B,)) -> (B, C, H, W), H and W multiples of 4; with num_classes > 0 the
    label y (B,) may be a third argument, and num_classes, the default, stands for "no label".

    Four pixels become one place with 4 C channels (28 × 28 is 14 × 14). Down: a block of `width`
    channels there, one of `deep` at half the side. Middle: a dense block of `dense` numbers, which
    sees all places at once. Up: a block at each size again, to which what the way down had at that
    size is added (the skips). t and y enter each block by scales and shifts of its channels.

    Meant to say x̂: that is smooth, noise is not, and a narrow middle cannot carry it. Source:
    Ronneberger et al. 2015 (U-Net, arXiv 1505.04597), Ho et al. 2020.
    """

    def __init__(
        self,
        width: int = 16,
        deep: int = 64,
        dense: int = 384,
        num_classes: int = 0,
        image_shape: tuple[int, int, int] = (1, 28, 28),
        narrow: int = 16,
    ) -> None:
        super().__init__()
        C, H, W = image_shape
        require_count("UNet", "width", width)
        if H % 4 or W % 4:
            raise InputError(
                f"UNet: image_shape should have H and W that 4 divides, got {tuple(image_shape)}. "
                "Pad the images."
            )
        self.image_shape, self.num_classes = (C, H, W), num_classes
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, CONDITION), nn.SiLU())
        self.labels = nn.Embedding(num_classes + 1, CONDITION) if num_classes else None
        self.mix = nn.Sequential(nn.Linear(CONDITION, CONDITION), nn.SiLU())
        self.enter = nn.Conv2d(4 * C, width, 3, padding=1)
        self.down = nn.Conv2d(width, deep, 2, stride=2)
        self.up = nn.Conv2d(deep, 4 * width, 1)
        self.leave = nn.Conv2d(width, 4 * C, 3, padding=1)
        self.first, self.last = ConvBlock(width), ConvBlock(width)
        self.second, self.third = ConvBlock(deep), ConvBlock(deep)
        self.middle = DenseBlock(deep, (H // 4, W // 4), narrow, dense)

    def condition(self, t: Tensor, y: Tensor | None, like: Tensor) -> Tensor:
        """What the blocks are told of times t (B,) and labels y (B,): (B, CONDITION)."""
        told = self.time(time_embedding(t.to(like), TIME_WIDTH, scale=30.0))
        if self.labels is not None:
            if y is None:
                y = torch.full((len(t),), self.num_classes, device=like.device)
            require_indices("UNet", "y", y, self.num_classes + 1, ndim=1)
            told = told + self.labels(y)
        elif y is not None:
            raise InputError(
                "UNet: y should be left away, as the network has no classes, got labels. Make it "
                "with num_classes."
            )
        return self.mix(told)

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """What the network says at x_t (B, C, H, W) and t (B,), for labels y (B,)."""
        require_place("UNet", "x_t", x_t, self)
        if x_t.shape[1:] != self.image_shape or t.shape != (len(x_t),):
            raise InputError(
                f"UNet: x_t and t should have shapes (B, {', '.join(map(str, self.image_shape))}) "
                f"and (B,), got {describe(x_t)} and {describe(t)}. One time per picture."
            )
        told = self.condition(t, y, x_t)
        places = F.pixel_unshuffle(x_t, 2).contiguous(memory_format=torch.channels_last)
        fine = self.first(self.enter(places), told)
        coarse = self.second(self.down(fine), told)
        h = self.third(coarse + self.middle(coarse, told), told)
        h = self.last(fine + F.pixel_shuffle(self.up(h), 2), told)
        return full_precision(F.pixel_shuffle(self.leave(h), 2).contiguous())
