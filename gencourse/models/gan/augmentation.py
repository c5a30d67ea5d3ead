"""Differentiable augmentation: what D sees is moved, shaded and cut at random, real images and
samples alike.

Each function takes images (B, C, H, W) and random numbers, one row per image, and is differentiable
in the images. So the generator's gradients pass through, and it does not learn to make augmented
images. Source: Zhao et al. 2020.
"""

import torch
from torch import Tensor

from gencourse.runtime import drawn_on
from gencourse.validation import require_tensor


def shift_brightness(x: Tensor, u: Tensor) -> Tensor:
    """Add to every pixel of an image one number in [-¼, ¼]: u (B,) in [0, 1]."""
    return x + 0.5 * (u.view(-1, 1, 1, 1) - 0.5)


def translate(x: Tensor, u: Tensor, reach: float = 0.125) -> Tensor:
    """Move each image by whole pixels, at most `reach` of its size, zeros coming in: u (B, 2) in
    [0, 1].
    """
    H, W = x.shape[2:]
    rows, row_inside = moved(H, u[:, 0], reach)
    columns, column_inside = moved(W, u[:, 1], reach)
    # (B, H, W, C)
    gathered = x[
        torch.arange(len(x), device=x.device)[:, None, None],
        :,
        rows[:, :, None],
        columns[:, None, :],
    ]
    inside = row_inside[:, :, None] & column_inside[:, None, :]
    return gathered.permute(0, 3, 1, 2) * inside[:, None]


def moved(size: int, u: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """For each image the source of every row (or column) after a move, and whether it lies inside:
    both (B, size).
    """
    limit = int(size * reach)
    step = (u * (2 * limit + 1)).floor().clamp(max=2 * limit).long() - limit
    source = torch.arange(size, device=u.device) - step[:, None]
    return source.clamp(0, size - 1), (source >= 0) & (source < size)


def cutout(x: Tensor, u: Tensor, share: float = 0.5) -> Tensor:
    """Set a square with sides `share` of the image's to zero, its centre anywhere in the image: u
    (B, 2) in [0, 1]. Of 28 pixels half are 14; what would lie outside of the image is lost.
    """
    H, W = x.shape[2:]
    rows, columns = covered(H, u[:, :1], share), covered(W, u[:, 1:], share)
    return x * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def covered(size: int, u: Tensor, share: float) -> Tensor:
    """Which rows (or columns) of an image a square covers: u (B, 1) -> (B, size), true or false."""
    side = round(share * size)
    places = size + 1 - side % 2  # for an even side the centre lies between two rows
    first = (u * places).floor().clamp(max=places - 1) - side // 2
    row = torch.arange(size, device=u.device)
    return (row >= first) & (row < first + side)


def augment(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Brightness, translation and cut-out at random, drawn anew for every image: (B, C, H, W) ->
    the same shape.
    """
    require_tensor("augment", "x", x)
    u = torch.rand(len(x), 5, generator=generator, device=drawn_on(generator)).to(x)
    return cutout(translate(shift_brightness(x, u[:, 0]), u[:, 1:3]), u[:, 3:])
