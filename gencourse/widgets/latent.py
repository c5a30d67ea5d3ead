"""The latent explorer: sliders for dimensions of a code, and the image that the decoder makes of
it.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures import image_rows
from gencourse.widgets import notebook
from gencourse.widgets.notebook import image_png, ipywidgets


def latent_strip(
    decode: Callable[[Tensor], Tensor],
    centre: Tensor,
    dims: tuple[int, ...] = (0, 1, 2),
    reach: float = 2.5,
) -> Figure:
    """The static latent explorer: one row per dimension, which moves from -reach to reach; the
    others stay as in `centre`.

    decode: codes (B, D), where `centre` is, -> images (B, C, H, W) in [0, 1]; centre (D,) is the
    code to start from.
    """
    stops = torch.linspace(-reach, reach, 9, device=centre.device)
    rows = {}
    for d in dims:
        z = centre.detach().repeat(len(stops), 1)
        z[:, d] = stops
        rows[f"z{d + 1}"] = decode(z)
    axes = image_rows(
        rows, title=f"One latent dimension at a time, from -{reach:g} (left) to {reach:g} (right)"
    )
    return cast(Figure, axes[0].figure)


class LatentExplorer:
    """Sliders for latent dimensions and the image that the decoder makes of them.

    decode: codes (B, D) -> images (B, C, H, W) in [0, 1]; centre (D,) is the code to start from. In
    a notebook the last line of a cell displays it; where widgets cannot run the static strip is
    drawn instead. `show(z)` is what a slider calls.
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
        self.sliders: list[Any] = []
        self.picture: Any = None
        self.box: Any = None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them."""
        self.sliders = [
            ipywidgets.FloatSlider(
                value=round(self.centre[d].item(), 1),
                min=-3,
                max=3,
                step=0.1,
                description=f"z{d + 1}",
            )
            for d in self.dims
        ]
        self.picture = ipywidgets.Image(value=self.show(self.codes()), format="png")
        start = ipywidgets.Button(
            description="back to the start", tooltip="set every slider as it was at first"
        )
        random = ipywidgets.Button(
            description="draw from the prior", tooltip="move the sliders to a draw from N(0, 1)"
        )
        for slider in self.sliders:
            slider.observe(lambda change: self.redraw(), names="value")
        start.on_click(lambda button: self.move(self.centre[list(self.dims)]))
        random.on_click(lambda button: self.move(torch.randn(len(self.dims))))
        controls = ipywidgets.VBox([*self.sliders, ipywidgets.HBox([start, random])])
        self.box = ipywidgets.HBox([controls, self.picture])

    def codes(self) -> Tensor:
        """The sliders' positions as a code (1, D); dimensions without a slider are as in the
        centre.
        """
        z = self.centre[None].clone()
        for d, slider in zip(self.dims, self.sliders, strict=True):
            z[0, d] = slider.value
        return z

    def show(self, z: Tensor) -> bytes:
        """The image at one code (1, D), as PNG bytes."""
        with torch.no_grad():
            return image_png(self.decode(z)[0].float().cpu(), self.zoom)

    def redraw(self) -> None:
        """Show the image at the sliders' positions."""
        self.picture.value = self.show(self.codes())

    def move(self, values: Tensor) -> None:
        """Set the sliders; each redraws."""
        for slider, value in zip(self.sliders, values.clamp(-3, 3).tolist(), strict=True):
            slider.value = round(value, 1)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: latent_strip(self.decode, self.centre, self.dims)
        )


def latent_explorer(
    decode: Callable[[Tensor], Tensor], centre: Tensor, dims: tuple[int, ...] | None = None
) -> LatentExplorer:
    """Explore what a decoder makes of codes near `centre` (D,): sliders for `dims`, the first eight
    if not given.
    """
    return LatentExplorer(
        decode, centre, tuple(range(min(8, len(centre)))) if dims is None else dims
    )
