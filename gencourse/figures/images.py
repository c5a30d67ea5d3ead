"""Images as pictures: grids, rows, and maps of a latent plane."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.figures.style import drawable
from gencourse.validation import require_count, require_tensor

FAR = 0.5  # outside of [0, 1], from which on it cannot be noise of a decoder or an artist's choice


def tile(x: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Images (N, C, H, W) laid out row by row with white gaps, missing places white: (H', W') or
    (H', W', 3). Bytes become floats in [0, 1].
    """
    require_tensor("tile", "x", x)
    if x.ndim != 4 or len(x) == 0 or x.shape[1] not in (1, 3):
        raise InputError(
            f"tile: x should have shape (N, 1 or 3, H, W) with N ≥ 1, got {tuple(x.shape)}. "
            "Reshape or select images."
        )
    require_count("tile", "columns", columns)
    require_drawable(x)
    x = x.float() / 255 if x.dtype == torch.uint8 else x
    N, C, H, W = x.shape
    rows = -(-N // columns)
    size = (C, rows * (H + gap) - gap, columns * (W + gap) - gap)
    canvas = torch.ones(size, device="cpu")
    for i, image in enumerate(x.detach().cpu().float()):
        top, left = (i // columns) * (H + gap), (i % columns) * (W + gap)
        canvas[:, top : top + H, left : left + W] = image
    return canvas[0] if C == 1 else canvas.permute(1, 2, 0)


def require_drawable(x: Tensor) -> None:
    """Raise for images that would be drawn black and white all over: their values lie far outside
    [0, 1].
    """
    if x.dtype in (torch.uint8, torch.bool) or not x.numel():
        return
    low, high = x.detach().min().item(), x.detach().max().item()
    if low < -FAR or high > 1 + FAR:
        raise InputError(
            f"tile: x should lie in [0, 1], got {describe(x)} in [{low:.3g}, {high:.3g}]. Divide "
            "bytes by 255, and undo any mean/std normalising."
        )


def image_grid(
    x: Tensor,
    columns: int = 10,
    title: str = "",
    scale: float = 0.6,
    headings: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Images (N, C, H, W) in [0, 1] as one picture with `columns` in a row, under their headings;
    black is 0, white is 1.
    """
    picture = tile(x, columns)
    if ax is None:
        rows = -(-len(x) // columns)
        _, ax = plt.subplots(figsize=(scale * columns, scale * rows + 0.3), layout="constrained")
    ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(drawable(title), pad=18 if headings else None)
    for i, heading in enumerate(headings):
        ax.text(
            (i + 0.5) * picture.shape[1] / columns,
            -2,
            drawable(heading),
            ha="center",
            va="bottom",
            fontsize="small",
        )
    ax.set_axis_off()
    return ax


def image_rows(rows: Mapping[str, Tensor], title: str = "", scale: float = 0.6) -> Sequence[Axes]:
    """One row of images (N, C, H, W) under each name, to be compared column by column."""
    if not rows:
        raise InputError(
            "image_rows: rows should hold a name with images, got none. Pass {name: x}."
        )
    n = max(len(x) for x in rows.values())
    figure, axes = plt.subplots(
        len(rows),
        1,
        figsize=(scale * n + 1.6, scale * len(rows) + 0.4),
        squeeze=False,
        layout="constrained",
    )
    for ax, (name, x) in zip(axes[:, 0], rows.items(), strict=True):
        ax.imshow(tile(x, len(x)).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_ylabel(drawable(name), rotation=0, ha="right", va="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    figure.suptitle(drawable(title))
    return list(axes[:, 0])


def prior_quantile_grid(n: int) -> Tensor:
    """An n × n grid in a 2-D latent space whose cells hold equal prior mass, shape (n, n, 2).

    Coordinate k is the standard normal quantile of (k + ½)/n. Rows go from high z_2 (top) to low,
    columns from low z_1 to high, so that printed images lie as in a plot. Source: Kingma & Welling
    2014, appendix A.
    """
    require_count("prior_quantile_grid", "n", n)
    places = (torch.arange(n, dtype=torch.float64, device="cpu") + 0.5) / n
    quantiles = torch.special.ndtri(places).float()
    z2, z1 = torch.meshgrid(quantiles.flip(0), quantiles, indexing="ij")
    return torch.stack([z1, z2], dim=-1)


def image_map(x: Tensor, ticks: Tensor, title: str = "", ax: Axes | None = None) -> Axes:
    """Images (n, n, C, H, W) of a 2-D latent grid, the coordinates of its cells on the axes."""
    require_tensor("image_map", "x", x)
    if x.ndim != 5 or x.shape[0] != x.shape[1] or len(ticks) != len(x):
        raise InputError(
            f"image_map: x should have shape (n, n, C, H, W) for {len(ticks)} ticks, got "
            f"{tuple(x.shape)}. Decode a square grid: x.unflatten(0, (n, n))."
        )
    n, _, _, H, W = x.shape
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 6), layout="constrained")
    ax.imshow(
        tile(x.flatten(0, 1), n, gap=0).numpy(),
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    shown = range(0, n, max(1, n // 5))
    ax.set_xticks([W * (i + 0.5) for i in shown], [f"{ticks[i]:.1f}" for i in shown])
    ax.set_yticks([H * (n - 1 - i + 0.5) for i in shown], [f"{ticks[i]:.1f}" for i in shown])
    ax.set(xlabel="z₁", ylabel="z₂", title=drawable(title))
    return ax
