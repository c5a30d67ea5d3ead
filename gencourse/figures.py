"""Figures of the course. A figure takes tensors, draws on the axes it is given or on new ones, and returns the axes.

Colours are told apart by colour-blind readers too (Okabe & Ito), and no figure relies on colour alone.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from gencourse.errors import InputError
from gencourse.validation import require_count, require_tensor

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7F3C8D", "#999999")
DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*Xhp"


def tile(x: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Images (N, C, H, W) laid out row by row with white gaps, missing places white: (H', W') or (H', W', 3)."""
    require_tensor("tile", "x", x)
    if x.ndim != 4 or len(x) == 0 or x.shape[1] not in (1, 3):
        raise InputError(f"tile: x should have shape (N, 1 or 3, H, W) with N ≥ 1, got {tuple(x.shape)}. Reshape or select images.")
    N, C, H, W = x.shape
    rows = -(-N // columns)
    canvas = torch.ones(C, rows * (H + gap) - gap, columns * (W + gap) - gap)
    for i, image in enumerate(x.detach().cpu().float()):
        top, left = (i // columns) * (H + gap), (i % columns) * (W + gap)
        canvas[:, top : top + H, left : left + W] = image
    return canvas[0] if C == 1 else canvas.permute(1, 2, 0)


def image_grid(
    x: Tensor, columns: int = 10, title: str = "", scale: float = 0.6, headings: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """Images (N, C, H, W) in [0, 1] as one picture with `columns` in a row, under their headings; black is 0, white is 1."""
    picture = tile(x, columns)
    if ax is None:
        rows = -(-len(x) // columns)
        _, ax = plt.subplots(figsize=(scale * columns, scale * rows + 0.3), layout="constrained")
    ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_title(title, pad=18 if headings else None)
    for i, heading in enumerate(headings):
        ax.text((i + 0.5) * picture.shape[1] / columns, -2, heading, ha="center", va="bottom", fontsize="small")
    ax.set_axis_off()
    return ax


def image_rows(rows: Mapping[str, Tensor], title: str = "", scale: float = 0.6) -> Sequence[Axes]:
    """One row of images (N, C, H, W) under each name, to be compared column by column."""
    n = max(len(x) for x in rows.values())
    figure, axes = plt.subplots(len(rows), 1, figsize=(scale * n + 1.6, scale * len(rows) + 0.4), squeeze=False, layout="constrained")
    for ax, (name, x) in zip(axes[:, 0], rows.items(), strict=True):
        ax.imshow(tile(x, len(x)).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    figure.suptitle(title)
    return axes[:, 0]


def running_mean(values: Sequence[float], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Running means over `window` values and the step at which each window ends."""
    window = max(1, min(window, len(values)))
    means = np.convolve(values, np.ones(window) / window, mode="valid")
    return np.arange(window, len(values) + 1), means


def training_curves(history, terms: Sequence[str] | None = None, title: str = "Training", ylim=None, ax: Axes | None = None) -> Axes:
    """The recorded terms of a History in nats per example over the steps, as running means over 1/40 of the run."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for i, term in enumerate(terms or history.values):
        steps, means = running_mean(history[term], window=max(1, history.steps // 40))
        ax.plot(steps, means, DASHES[i % 4], color=PALETTE[i % 10], label=term)
    ax.set(xlabel="training step", ylabel="nats per example", title=title, ylim=ylim)
    ax.legend()
    return ax


def curves(x: Tensor, ys: Mapping[str, Tensor], xlabel: str, ylabel: str, title: str, ax: Axes | None = None) -> Axes:
    """Several curves over one axis, told apart by colour and dashes."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for i, (name, y) in enumerate(ys.items()):
        ax.plot(*(torch.as_tensor(values).detach().cpu().numpy() for values in (x, y)), DASHES[i % 4], color=PALETTE[i % 10], label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if len(ys) > 1:
        ax.legend()
    return ax


def log_scale(ax: Axes) -> None:
    """A logarithmic second axis, marked 10, 20, 50, 100 as one reads them."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def latent_scatter(z: Tensor, labels: Tensor, title: str = "", limit: int = 2000, ax: Axes | None = None) -> Axes:
    """Codes (N, 2) as points; a class has a colour and a marker of its own."""
    require_tensor("latent_scatter", "z", z)
    if z.ndim != 2 or z.shape[1] != 2:
        raise InputError(f"latent_scatter: z should have shape (N, 2), got {tuple(z.shape)}. Choose two dimensions: z[:, :2].")
    if ax is None:
        _, ax = plt.subplots(figsize=(5.4, 5), layout="constrained")
    z, labels = z.detach().cpu()[:limit], labels.cpu()[:limit]
    for i in labels.unique().tolist():
        here = z[labels == i]
        ax.scatter(*here.T.numpy(), s=10, color=PALETTE[i % 10], marker=MARKERS[i % 10], alpha=0.6, linewidths=0, label=str(i))
    ax.set(xlabel="z₁", ylabel="z₂", title=title, aspect="equal")
    ax.legend(fontsize="small", markerscale=1.8, handletextpad=0, borderpad=0.3, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def prior_quantile_grid(n: int) -> Tensor:
    """An n × n grid in a 2-D latent space whose cells hold equal prior mass, shape (n, n, 2).

    Coordinate k is the standard normal quantile of (k + ½)/n. Rows go from high z_2 (top) to low, columns from low z_1
    to high, so that printed images lie as in a plot. Source: Kingma & Welling 2014, appendix A.
    """
    require_count("prior_quantile_grid", "n", n)
    quantiles = torch.special.ndtri((torch.arange(n, dtype=torch.float64) + 0.5) / n).float()
    z2, z1 = torch.meshgrid(quantiles.flip(0), quantiles, indexing="ij")
    return torch.stack([z1, z2], dim=-1)


def image_map(x: Tensor, ticks: Tensor, title: str = "", ax: Axes | None = None) -> Axes:
    """Images (n, n, C, H, W) of a 2-D latent grid, with the coordinates of its cells on the axes."""
    n, _, _, H, W = x.shape
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 6), layout="constrained")
    ax.imshow(tile(x.flatten(0, 1), n, gap=0).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    shown = range(0, n, max(1, n // 5))
    ax.set_xticks([W * (i + 0.5) for i in shown], [f"{ticks[i]:.1f}" for i in shown])
    ax.set_yticks([H * (n - 1 - i + 0.5) for i in shown], [f"{ticks[i]:.1f}" for i in shown])
    ax.set(xlabel="z₁", ylabel="z₂", title=title)
    return ax


FAMILIES = {  # what each family of the course can do: the table that the first figure draws
    "": ("how x is made", "p(x) of a given x", "drawing a sample", "codes z of a given x", "training signal"),
    "Variational\nautoencoder": ("z ~ p(z), x ~ p(x given z)", "a lower bound", "one pass", "yes, q(z given x)", "bound on log p(x)"),
    "Adversarial\nnetwork": ("z ~ p(z), x = G(z)", "not available", "one pass", "no", "an opponent"),
    "Autoregressive\nmodel": ("x₁, then x₂ given x₁, ...", "exact", "one pass per element", "no", "log p(x) itself"),
}


def families(ax: Axes | None = None) -> Axes:
    """The three families of generative models side by side: what each of them can do."""
    if ax is None:
        _, ax = plt.subplots(figsize=(9.5, 3.4), layout="constrained")
    shades = {"exact": "#bfe3d3", "yes, q(z given x)": "#bfe3d3", "a lower bound": "#e4f0c8", "one pass": "#bfe3d3", "no": "#f3d3c0"}
    shades |= {"not available": "#f3d3c0", "one pass per element": "#f3e3c0"}
    for column, (name, entries) in enumerate(FAMILIES.items()):
        for row, entry in enumerate((name, *entries)):
            head = row == 0 or column == 0
            ax.add_patch(
                plt.Rectangle((column, -row), 1, 1, facecolor="white" if head else shades.get(entry, "#eef2f6"), edgecolor="white", lw=3)
            )
            ax.text(column + 0.5, -row + 0.5, entry, ha="center", va="center", fontsize=9.5, weight="bold" if head else "normal")
    ax.set(xlim=(0, 4), ylim=(-5, 1), title="Three families of generative models and what each can do")
    ax.set_axis_off()
    return ax


def point_clouds(clouds: Mapping[str, Tensor], title: str, limit: float = 3.0, max_points: int = 1500, ax: Axes | None = None) -> Axes:
    """Several sets of points (N, 2) in the plane, each with a colour and a marker of its own; the last lies on top."""
    if ax is None:
        _, ax = plt.subplots(figsize=(3.6, 3.6), layout="constrained")
    for i, (name, x) in enumerate(clouds.items()):
        shown = x.detach().cpu()[:max_points]
        ax.scatter(*shown.T.numpy(), s=9, color=PALETTE[i % 10], marker=MARKERS[i % 10], alpha=0.5, linewidths=0, label=name)
    ax.set(xlabel="x₁", ylabel="x₂", title=title, aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit))
    if len(clouds) > 1:
        ax.legend(fontsize="small", loc="upper right", markerscale=1.6)
    return ax


def plane_grid(limit: float = 3.0, n: int = 61) -> tuple[Tensor, float]:
    """A square grid over [-limit, limit]² as rows (n · n, 2), and the area of one of its cells."""
    line = torch.linspace(-limit, limit, n)
    x2, x1 = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x1, x2], -1).flatten(0, 1), (2 * limit / (n - 1)) ** 2


def heatmap(
    values: Tensor, title: str, limit: float = 3.0, vmin: float = 0.0, vmax: float = 1.0, label: str = "", ax: Axes | None = None
) -> Axes:
    """Values (n · n,) on `plane_grid(limit, n)` as a map with a colour bar; the ½ contour is drawn where values are probabilities."""
    if ax is None:
        _, ax = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
    n = round(len(values) ** 0.5)
    picture = values.detach().cpu().view(n, n).numpy()
    drawn = ax.imshow(picture, origin="lower", extent=(-limit, limit, -limit, limit), cmap="PuOr", vmin=vmin, vmax=vmax)
    if (vmin, vmax) == (0.0, 1.0) and picture.min() < 0.5 < picture.max():
        ax.contour(picture, levels=[0.5], colors="black", linewidths=1, extent=(-limit, limit, -limit, limit))
    ax.figure.colorbar(drawn, ax=ax, label=label, shrink=0.8)
    ax.set(xlabel="x₁", ylabel="x₂", title=title)
    return ax
