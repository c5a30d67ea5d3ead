"""A moment of a match as one picture, redrawn quickly."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from gencourse.figures import SMALL
from gencourse.gan_lab.curves import DistancePanel, LossPanel, round_up
from gencourse.gan_lab.observe import Frame, Scores
from gencourse.gan_lab.panels import BELIEF, LAYERS, PlanePanel, SheetPanel
from gencourse.gan_lab.settings import Settings

# inches, and more dots than SHOWN_WIDTH needs, for sharp screens
WIDTH, HEIGHT, DPI = (
    6.9,
    5.75,
    150,
)
SHOWN_WIDTH = "690px"
PLACES = {  # left, bottom, width, height in inches
    "plane": (0.4, 2.42, 3.0, 3.0),
    "sheet": (3.8, 2.42, 3.0, 3.0),
    "belief": (4.4, 1.99, 1.8, 0.1),
    "losses": (0.5, 0.4, 2.8, 1.15),
    "distance": (3.95, 0.4, 2.55, 1.15),
}


class Picture:
    """The lab's picture: the plane and the sheet of codes, below them the curves.

    What stays the same from one moment to the next is drawn once and kept (the text takes most of
    the time), and drawn again only when an axis changes.
    """

    def __init__(self) -> None:
        self.figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
        self.canvas = FigureCanvasAgg(self.figure)
        self.kept: tuple | None = None
        self.background: Any = None
        with mpl.rc_context(SMALL):
            self.plane = PlanePanel(self.place("plane"), "", size=3.6)
            self.clock = self.plane.ax.set_title("", y=1.0)
            self.sheet = SheetPanel(
                self.place("sheet"), "where the generator takes a grid of codes"
            )
            self.losses, self.distance = (
                LossPanel(self.place("losses")),
                DistancePanel(self.place("distance")),
            )
            self.add_key()
        for artist in [self.clock, *self.artists()]:
            artist.set_animated(True)

    def place(self, name: str) -> Axes:
        """New axes at their place."""
        left, bottom, width, height = PLACES[name]
        return self.figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))

    def add_key(self) -> None:
        """What marks and colours mean, below the plane."""
        push = Line2D(
            [],
            [],
            color="black",
            marker="$\\rightarrow$",
            ms=11,
            ls="",
            mew=0.3,
            label="push on a sample",
        )
        handles = [self.plane.data, self.plane.samples, push]
        self.figure.legend(
            handles=handles,
            loc="center left",
            bbox_to_anchor=(0.4 / WIDTH, 2.02 / HEIGHT),
            ncols=3,
            frameon=False,
            fontsize=8,
            handletextpad=0.3,
        )
        bar = self.figure.colorbar(
            ScalarMappable(cmap=BELIEF),
            cax=self.place("belief"),
            orientation="horizontal",
            ticks=[0, 0.5, 1],
        )
        bar.ax.set_xticklabels(["sample", "cannot tell", "data"], fontsize=8)
        bar.ax.tick_params(length=2, pad=1)
        bar.ax.set_title("the discriminator takes a point there for", fontsize=8, pad=2)

    def artists(self) -> list:
        """Everything that changes from one moment to the next."""
        return [
            artist
            for panel in (self.plane, self.sheet, self.losses, self.distance)
            for artist in panel.artists()
        ]

    def draw(
        self,
        frame: Frame,
        scores: Sequence[Scores],
        settings: Settings,
        layers: Mapping[str, bool] = LAYERS,
        until: float = 0,
    ) -> bytes:
        """The picture of `frame`, whose scores end the list `scores`, as PNG bytes.

        The axes reach to `until` rounds at least.
        """
        density = settings.density
        self.plane.show(frame, layers, density)
        self.sheet.show(frame, layers)
        self.losses.show(scores, settings.loss)
        self.distance.show(scores, len(density.centres))
        step = frame.scores.step
        self.clock.set_text(f"after {step:,.0f} round{'s' * (step != 1)}")
        end = until or round_up(max(10, scores[-1].step))
        for ax in (self.losses.ax, self.distance.ax):
            ax.set_xlim(0, end)
        self.paint((end, self.losses.ax.get_ylim(), settings.loss, density.centres.shape))
        stream = io.BytesIO()
        Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB").save(
            stream, "PNG", compress_level=1
        )
        return stream.getvalue()

    def paint(self, axes: tuple) -> None:
        """Bring what changes onto the canvas; the rest as well if `axes` is not what it was."""
        if axes != self.kept:
            self.canvas.draw()
            self.kept, self.background = axes, self.canvas.copy_from_bbox(self.figure.bbox)
        self.canvas.restore_region(self.background)
        for artist in [*self.artists(), self.clock, *self.plane.ax.spines.values()]:
            if artist.get_visible():
                artist.axes.draw_artist(artist)
