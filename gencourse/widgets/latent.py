"""The latent explorer: sliders for dimensions of a code, and the image that the decoder makes of
it.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures import PALETTE, image_rows
from gencourse.widgets import notebook
from gencourse.widgets.notebook import button, image_png, ipywidgets, picture

STOPS = 9  # images in a row of the strip
CELL, TALLEST = 0.8, 5.0  # inches: the largest image, and all rows of a strip together
ROWS = 8  # of the static figure, and of sliders in a column
REACH = 4.0  # of a slider, at least


def latent_strip(
    decode: Callable[[Tensor], Tensor],
    centre: Tensor,
    dims: tuple[int, ...] = (0, 1, 2),
    reach: float = 2.5,
) -> Figure:
    """The static latent explorer: one row per dimension, which moves from -reach to reach; the
    others stay as in `centre`, whose own value is marked.

    decode: codes (B, D), where `centre` is, -> images (B, C, H, W) in [0, 1]; centre (D,) is the
    code to start from.
    """
    stops = torch.linspace(-reach, reach, STOPS, device=centre.device)
    rows = {}
    for d in dims:
        z = centre.detach().repeat(STOPS, 1)
        z[:, d] = stops
        rows[f"$z_{{{d + 1}}}$"] = decode(z)
    axes = image_rows(
        rows,
        title="One latent number at a time; ▲ marks where the image itself lies",
        scale=min(CELL, TALLEST / max(1, len(dims))),
        headings=[f"{stop:.3g}" for stop in stops.tolist()],
    )
    for d, ax, x in zip(dims, axes, rows.values(), strict=True):
        mark_value(ax, centre[d].item(), reach, x.shape[-1])
    return cast(Figure, axes[0].figure)


def mark_value(ax: Axes, value: float, reach: float, width: int) -> None:
    """Mark a value between -reach and reach below a row of images, each `width` pixels wide; at the
    row's end where it lies beyond.
    """
    share = (min(max(value, -reach), reach) / reach + 1) / 2
    step = (ax.get_xlim()[1] + 0.5 - width) / (STOPS - 1)
    below = ax.get_xaxis_transform() + ScaledTranslation(0, -3 / 72, ax.figure.dpi_scale_trans)
    ax.plot(
        [share * (STOPS - 1) * step + (width - 1) / 2],
        [0],
        ">" if value > reach else "<" if value < -reach else "^",
        color=PALETTE[1],
        markersize=6,
        transform=below,
        clip_on=False,
        zorder=4,
    )


class LatentExplorer:
    """Sliders for latent dimensions and the image that the decoder makes of them.

    decode: codes (B, D) -> images (B, C, H, W) in [0, 1]; centre (D,) is the code to start from. In
    a notebook the last line of a cell displays it; where widgets cannot run the static strip is
    drawn instead. `code` (D,) is the present code, `move(z)` goes to another, and `show(z)` is what
    a slider calls.
    """

    def __init__(
        self,
        decode: Callable[[Tensor], Tensor],
        centre: Tensor,
        dims: tuple[int, ...],
        zoom: int = 9,
    ) -> None:
        if centre.ndim != 1 or len(centre) == 0:
            raise InputError(
                f"latent_explorer: centre should have shape (D,), got {tuple(centre.shape)}. "
                "Choose one code: mu[0]."
            )
        if not dims or not all(0 <= d < len(centre) for d in dims):
            raise InputError(
                f"latent_explorer: dims should lie in 0..{len(centre) - 1}, got {dims}. Choose "
                "some of those."
            )
        self.decode, self.centre, self.dims, self.zoom = (
            decode,
            centre.detach().clone(),
            dims,
            zoom,
        )
        self.code = self.centre.clone()
        self.sliders: list[Any] = []
        self.picture: Any = None
        self.distance: Any = None
        self.box: Any = None
        self.moving = False
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them."""
        reach = max(REACH, math.ceil(self.centre.abs().max().item()))
        self.sliders = [
            ipywidgets.FloatSlider(
                min=-reach,
                max=reach,
                step=0.1,
                description=f"z{d + 1}",
                layout=ipywidgets.Layout(width="260px"),
            )
            for d in self.dims
        ]
        self.picture = picture()
        self.distance = ipywidgets.HTML()
        for d, slider in zip(self.dims, self.sliders, strict=True):
            slider.observe(lambda change, d=d: self.set(d, change["new"]), names="value")
        start = button("back to the start", "the code that it began with", width="150px")
        zero = button("all to zero", "the densest point of the prior", width="110px")
        random = button("draw from the prior", "a whole code from N(0, I)", width="150px")
        start.on_click(lambda _: self.move(self.centre))
        zero.on_click(lambda _: self.move(torch.zeros_like(self.centre)))
        random.on_click(lambda _: self.move(torch.randn(self.centre.shape, device="cpu")))
        columns = "auto auto" if len(self.sliders) > ROWS else "auto"
        grid = ipywidgets.Layout(grid_template_columns=columns, max_height="340px", overflow="auto")
        sliders = ipywidgets.GridBox(self.sliders, layout=grid)
        buttons = ipywidgets.HBox([start, zero, random])
        wrap = ipywidgets.Layout(display="flex", flex_flow="row wrap", align_items="flex-start")
        self.box = ipywidgets.Box(
            [
                ipywidgets.VBox([sliders, buttons]),
                ipywidgets.VBox([self.picture, self.distance]),
            ],
            layout=wrap,
        )
        self.move(self.centre)

    def set(self, d: int, value: float) -> None:
        """Give number d of the code a value, as its slider does, and show the image."""
        self.code[d] = value
        if not self.moving:
            self.redraw()

    def move(self, code: Tensor) -> None:
        """Go to a whole code (D,). What has a slider is rounded to its stops."""
        self.moving = True
        self.code = code.detach().to(self.centre).clone()
        for d, slider in zip(self.dims, self.sliders, strict=True):
            slider.value = round(min(max(code[d].item(), slider.min), slider.max), 1)
            self.code[d] = slider.value
        self.moving = False
        self.redraw()

    def show(self, z: Tensor) -> bytes:
        """The image at one code (1, D), as PNG bytes."""
        with torch.no_grad():
            return image_png(self.decode(z)[0].float().cpu(), self.zoom)

    def redraw(self) -> None:
        """Show the image of the present code, and how far it lies from zero."""
        self.picture.value = self.show(self.code[None])
        length = torch.linalg.vector_norm(self.code).item()
        self.distance.value = (
            f"|z| = {length:.1f}; draws from the prior lie at about "
            f"√{len(self.code)} = {len(self.code) ** 0.5:.1f}"
        )

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: latent_strip(self.decode, self.centre, self.dims[:ROWS])
        )


def latent_explorer(
    decode: Callable[[Tensor], Tensor], centre: Tensor, dims: tuple[int, ...] | None = None
) -> LatentExplorer:
    """Explore what a decoder makes of codes, from `centre` (D,) on: sliders for `dims`, for all
    numbers of the code if not given, and buttons that move the whole code: back to the start, to
    zero, to a draw from the prior N(0, I). With centre=torch.zeros(D) it starts at zero.
    """
    return LatentExplorer(decode, centre, tuple(range(len(centre))) if dims is None else dims)
