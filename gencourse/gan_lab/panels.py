"""The panels of the lab's picture.

Each is set up once on its axes and then shows one moment after another.

Data are blue circles and samples orange triangles, so that nothing relies on colour alone. Where D
takes a point for data the plane is blue, where for a sample orange, and white where it cannot tell.
"""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.contour import QuadContourSet
from torch import Tensor

from gencourse.data import GaussianMixture
from gencourse.figures import PALETTE
from gencourse.gan_lab.observe import REACH, Frame, best_surface, cell_centres
from gencourse.runtime import on_cpu

BLUE, ORANGE, GREEN, PINK = PALETTE[:4]
BELIEF = LinearSegmentedColormap.from_list(
    "belief", ["#F0A070", "#FBE6D8", "#FFFFFF", "#D9E8F4", "#78B0DA"]
)
LAYERS = {  # what can be shown or hidden -> whether it is at first
    "data": True,
    "samples": True,
    "D's belief": True,
    "pushes": True,
    "grid of codes": True,
    "best possible D": False,
}


def arrow_lines(starts: Tensor, arrows: Tensor) -> np.ndarray:
    """Arrows as polylines (n, 5, 2): shaft and two barbs.

    A push g is drawn 0.7 ‖g‖ / (‖g‖ + ½) long, so 0.7 at most, and not below 0.01.
    """
    norm = arrows.norm(dim=1, keepdim=True)
    way, length = arrows / norm.clamp_min(1e-12), 0.7 * norm / (norm + 0.5)
    side, barb = torch.stack([-way[:, 1], way[:, 0]], dim=1), (0.35 * length).clamp_max(0.12)
    tip = starts + length * way
    left, right = (tip - barb * way + sign * 0.6 * barb * side for sign in (1, -1))
    return torch.stack([starts, tip, left, tip, right], dim=1)[length[:, 0] > 0.01].numpy()


def set_up_plane(ax: Axes, title: str, numbers: bool = True) -> None:
    """A square window on the plane of the data, with the names of its axes, and their numbers if
    these are wanted.
    """
    ticks = range(-2, 3, 2) if numbers else []
    ax.set(
        xlim=(-REACH, REACH),
        ylim=(-REACH, REACH),
        aspect="equal",
        xticks=ticks,
        yticks=ticks,
        title=title,
    )
    ax.tick_params(length=2.5, pad=2)
    ax.spines[:].set_visible(True)
    ax.annotate("x₁", (1, 0), (-2, -5), "axes fraction", "offset points", ha="right", va="top")
    ax.annotate("x₂", (0, 1), (-4, -1), "axes fraction", "offset points", ha="right", va="top")


class PlanePanel:
    """Data, samples, where D believes what, and where each sample is pushed."""

    def __init__(self, ax: Axes, title: str = "", size: float = 5.0, numbers: bool = True) -> None:
        set_up_plane(ax, title, numbers)
        self.ax, window = ax, (-REACH, REACH, -REACH, REACH)
        self.surface = ax.imshow(
            np.full((2, 2), 0.5),
            cmap=BELIEF,
            vmin=0,
            vmax=1,
            origin="lower",
            extent=window,
            interpolation="bilinear",
        )
        self.border: QuadContourSet | None = None
        self.data = ax.plot(
            [], [], "o", color=BLUE, ms=size, mfc="none", mew=0.9, alpha=0.8, label="data"
        )[0]
        self.samples = ax.plot(
            [], [], "^", color=ORANGE, ms=size + 0.5, mec="white", mew=0.4, label="samples"
        )[0]
        self.pushes = LineCollection(
            [], colors="black", linewidths=0.22 * size, zorder=3, label="push"
        )
        ax.add_collection(self.pushes)

    def artists(self) -> list[Artist]:
        """What `show` changes, from the bottom up."""
        return [
            self.surface,
            *([self.border] if self.border else []),
            self.data,
            self.samples,
            self.pushes,
        ]

    def show(self, frame: Frame, layers: Mapping[str, bool], density: GaussianMixture) -> None:
        """Draw one moment of a match on data of this density; layers that are off are hidden."""
        best = layers["best possible D"]
        with on_cpu():
            surface = (best_surface(density, frame.fake) if best else frame.surface).numpy()
        self.surface.set_data(surface)
        self.surface.set_visible(best or layers["D's belief"])
        if self.border is not None:
            self.border.remove()
        self.border = None
        if self.surface.get_visible() and surface.min() < 0.5 < surface.max():
            ticks = cell_centres().numpy()
            self.border = self.ax.contour(
                ticks,
                ticks,
                surface,
                [0.5],
                colors="#555555",
                linewidths=1,
                linestyles="--",
                zorder=1.5,
            )
        for line, x, name in (
            (self.data, frame.real, "data"),
            (self.samples, frame.fake, "samples"),
        ):
            line.set_data(*x.T.numpy())
            line.set_visible(layers[name])
        self.pushes.set_segments(
            list(arrow_lines(frame.fake[: len(frame.arrows)], frame.arrows))
            if layers["pushes"]
            else []
        )


class SheetPanel:
    """Where G puts a regular grid of codes.

    Every cell gets the same share of the samples, so a small cell is dark.
    """

    def __init__(self, ax: Axes, title: str) -> None:
        set_up_plane(ax, title)
        self.data = ax.plot([], [], "o", color=BLUE, ms=2.5, mfc="none", mew=0.6, alpha=0.5)[0]
        self.cells = PolyCollection([], edgecolors=ORANGE, linewidths=0.5)
        self.line = LineCollection([], linewidths=2)
        ax.add_collection(self.cells)
        ax.add_collection(self.line)

    def artists(self) -> list[Artist]:
        """What `show` changes, from the bottom up."""
        return [self.data, self.cells, self.line]

    def show(self, frame: Frame, layers: Mapping[str, bool]) -> None:
        """Draw the sheet, or the line for codes of length 1."""
        self.data.set_data(*frame.real.T.numpy())
        self.data.set_visible(layers["data"])
        sheet = frame.sheet.numpy() if layers["grid of codes"] else np.empty((0, 0, 2))
        if len(sheet) == 1:
            pieces = np.stack([sheet[0, :-1], sheet[0, 1:]], axis=1)
            self.line.set(
                segments=pieces,
                color=shades(np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1), 0.02),
            )
            self.cells.set_verts([])
            return
        corners = [sheet[:-1, :-1], sheet[:-1, 1:], sheet[1:, 1:], sheet[1:, :-1]]
        quads = np.stack(corners, axis=2).reshape(-1, 4, 2)
        x, y = quads[..., 0], quads[..., 1]
        # the shoelace formula
        area = 0.5 * np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1))
        self.cells.set(verts=quads, facecolor=shades(area, 0.01))
        self.line.set_segments([])


def shades(size: np.ndarray, typical: float) -> np.ndarray:
    """Orange for each cell, the more opaque the smaller it is: (n, 4)."""
    colours = np.tile(to_rgba(ORANGE), (len(size), 1))
    colours[:, 3] = 0.08 + 0.82 * typical / (typical + size)
    return colours
