"""Images as pictures: grids, rows, and maps of a latent plane."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import ScaledTranslation
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.figures.style import INK, PAGE_WIDTH, PAPER, drawable, panels
from gencourse.validation import require_count, require_tensor

CELL = 0.85  # inches, the largest side of an image in a grid
MARGIN, LABELS = 0.1, 1.45  # inches beside a picture, and for the names of rows
HEADING = 0.22  # inches for headings of one line
GAP = 2  # pixels between images
FAR = 0.5  # outside of [0, 1], from which on it cannot be noise of a decoder or an artist's choice


def tile(x: Tensor, columns: int, gap: int = GAP) -> Tensor:
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


def cell_size(columns: int, taken: float, scale: float | None) -> float:
    """Inches for one of `columns` images beside `taken` inches of something else: `scale`, or as
    large as is seemly, but never more than the page holds.
    """
    return min(CELL if scale is None else scale, (PAGE_WIDTH - taken) / columns)


def image_grid(
    x: Tensor,
    columns: int = 10,
    title: str = "",
    scale: float | None = None,
    headings: Sequence[str] = (),
    ax: Axes | None = None,
) -> Axes:
    """Images (N, C, H, W) in [0, 1] as one picture with `columns` in a row, under their headings;
    black is 0, white is 1. Each is `scale` inches wide, by default what the page allows.
    """
    picture = tile(x, columns)
    if ax is None:
        wide = columns * cell_size(columns, 2 * MARGIN, scale)
        high = wide * picture.shape[0] / picture.shape[1]
        above = MARGIN + 0.28 * bool(title) + height_of(headings)
        figure = plt.figure(figsize=(PAGE_WIDTH, high + above + MARGIN))
        ax = add_axes(figure, (PAGE_WIDTH - wide) / 2, MARGIN, wide, high)
    draw_grey(ax, picture)
    if lost_on_paper(x):
        frame_images(ax, x, columns)
    pad = 20 + 72 * (height_of(headings) - HEADING) if headings else None  # points
    ax.set_title(drawable(title), pad=pad)
    head_columns(ax, headings, picture.shape[1] / columns)
    ax.set_axis_off()
    return ax


def add_axes(figure: Figure, left: float, bottom: float, wide: float, high: float) -> Axes:
    """Axes at a place of a figure that is given in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, wide / width, high / height))


def draw_grey(ax: Axes, picture: Tensor) -> None:
    """Draw a picture (H, W) or (H, W, 3) in [0, 1]; black is 0, white is 1."""
    ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def lost_on_paper(x: Tensor) -> bool:
    """Whether one of the images (N, C, H, W) is white along all of its edge, as the paper is."""
    edges = (x[..., 0, :], x[..., -1, :], x[..., :, 0], x[..., :, -1])
    edge = torch.cat([side.flatten(1) for side in edges], 1).float()
    white = 255 if x.dtype == torch.uint8 else 1
    return bool((edge.mean(1) > 0.95 * white).any())


def frame_images(ax: Axes, x: Tensor, columns: int) -> None:
    """Draw a thin line around each of the images that `tile` has laid out."""
    H, W = x.shape[-2:]
    for i in range(len(x)):
        corner = (i % columns * (W + GAP) - 0.5, i // columns * (H + GAP) - 0.5)
        look = {"edgecolor": plt.rcParams["axes.edgecolor"], "linewidth": 0.8, "clip_on": False}
        ax.add_patch(Rectangle(corner, W, H, fill=False, **look))


def height_of(headings: Sequence[str]) -> float:
    """Inches that headings take above a picture, by the lines of the longest."""
    lines = max((heading.count("\n") + 1 for heading in headings), default=0)
    return HEADING + 0.14 * (lines - 1) if lines else 0.0


def head_columns(ax: Axes, headings: Sequence[str], wide: float) -> None:
    """Write a heading over each column of `wide` pixels."""
    # 3 points above the picture
    above = ax.get_xaxis_transform() + ScaledTranslation(0, 3 / 72, ax.figure.dpi_scale_trans)
    for i, heading in enumerate(headings):
        ax.text(
            (i + 0.5) * wide - 0.5,
            1,
            drawable(heading),
            transform=above,
            ha="center",
            va="bottom",
            fontsize="small",
        )


def image_rows(
    rows: Mapping[str, Tensor],
    title: str = "",
    scale: float | None = None,
    headings: Sequence[str] = (),
) -> Sequence[Axes]:
    """One row of images (N, C, H, W) under each name, to be compared column by column, the columns
    under their headings. Each image is `scale` inches wide, by default what the page allows.
    """
    if not rows:
        raise InputError(
            "image_rows: rows should hold a name with images, got none. Pass {name: x}."
        )
    n = max(len(x) for x in rows.values())
    pictures = {name: tile(x, n) for name, x in rows.items()}
    framed = any(map(lost_on_paper, rows.values()))
    figure = plt.figure(figsize=(PAGE_WIDTH, 1))
    names = [figure.text(0, 0, drawable(name), ha="right", va="center") for name in rows]
    taken = max(LABELS, *(name.get_window_extent().width / figure.dpi for name in names)) + MARGIN
    wide = n * cell_size(n, taken + 2 * MARGIN, scale)
    heights = [wide * picture.shape[0] / picture.shape[1] for picture in pictures.values()]
    above = MARGIN + 0.28 * bool(title) + height_of(headings)
    figure.set_figheight(above + sum(heights) + MARGIN * len(heights))
    axes, top = [], figure.get_figheight() - above
    for name, label, high in zip(rows, names, heights, strict=True):
        label.remove()
        ax = add_axes(figure, taken, top - high, wide, high)
        draw_grey(ax, pictures[name])
        if framed:
            frame_images(ax, rows[name], n)
        ax.set_ylabel(drawable(name), rotation=0, ha="right", va="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        axes.append(ax)
        top -= high + MARGIN
    head_columns(axes[0], headings, next(iter(pictures.values())).shape[1] / n)
    if title:
        middle, line = (taken + wide / 2) / PAGE_WIDTH, 1 - MARGIN / figure.get_figheight()
        figure.suptitle(drawable(title), x=middle, y=line, va="top")
    return axes


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
        _, ax = panels(height=6.4)
    draw_grey(ax, tile(x.flatten(0, 1), n, gap=0))
    ax.spines[:].set_visible(True)
    middle_out = range((n - 1) // 2, -1, -max(1, n // 5))
    shown = sorted({*middle_out, *(n - 1 - i for i in middle_out)})
    rounded = [round(float(ticks[i]), 1) + 0.0 for i in shown]  # + 0.0: never -0.0
    names = [drawable(f"{value:.1f}") for value in rounded]
    ax.set_xticks([W * (i + 0.5) - 0.5 for i in shown], names)
    ax.set_yticks([H * (n - 1 - i + 0.5) - 0.5 for i in shown], names)
    ax.set(xlabel="z₁", ylabel="z₂", title=drawable(title))
    return ax


def map_square(ticks: Tensor, ax: Axes, label: str = "the map") -> Axes:
    """Draw into a scatter of codes the square that `image_map` shows for the same ticks."""
    low, high = float(ticks.min()), float(ticks.max())
    side = high - low
    ax.add_patch(plt.Rectangle((low, low), side, side, fill=False, edgecolor=INK, linewidth=1.4))
    name = ax.annotate(label, (high, high), (-4, -4), textcoords="offset points", fontsize=9)
    name.set(ha="right", va="top", bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})
    return ax
