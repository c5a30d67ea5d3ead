"""The asking explorer: steps and guidance, and the images of a class that a diffusion model draws
with them.
"""

from collections.abc import Sequence
from typing import cast

import torch
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures import image_rows
from gencourse.models.diffusion import ImageDiffusion
from gencourse.widgets import notebook
from gencourse.widgets.notebook import grid_png, ipywidgets, picture

IMAGES = 8  # of a class


def asked_images(
    model: ImageDiffusion, labels: Tensor, steps: int, w: float, seed: int = 0
) -> Tensor:
    """An image for each label (n,), from the same noise for all settings: (n, C, H, W) in [0, 1] on
    the CPU.
    """
    return model.sample(len(labels), steps=steps, y=labels, w=w, seed=seed).float().cpu()


def asking_strip(
    model: ImageDiffusion,
    names: Sequence[str],
    settings: Sequence[tuple[int, float]] = ((25, 1.0), (25, 2.0), (25, 5.0), (5, 2.0), (2, 2.0)),
) -> Figure:
    """The static asking explorer: a column for each class, a row for each (steps, w)."""
    labels = torch.arange(len(names), device="cpu")
    pictures = {
        f"{steps} steps, w = {w:g}": asked_images(model, labels, steps, w) for steps, w in settings
    }
    axes = image_rows(pictures, title="The same noise; other steps, other guidance", headings=names)
    return cast(Figure, axes[0].figure)


class AskingExplorer:
    """A class to choose, sliders for steps and guidance w, and eight images from the same noise.

    See `asking_explorer`. In a notebook the last line of a cell displays it; where widgets cannot
    run the static strip is drawn instead. `show(label, steps, w)` is what the sliders call.
    """

    def __init__(self, model: ImageDiffusion, names: Sequence[str], zoom: int = 3) -> None:
        classes = model.averaged.num_classes
        if len(names) != classes or not classes:
            raise InputError(
                f"asking_explorer: names should hold one name for each of the model's {classes} "
                f"classes, got {len(names)}. Name them all, of a model that has classes."
            )
        self.model, self.names, self.zoom, self.box = model, list(names), zoom, None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them."""
        shape = {"layout": ipywidgets.Layout(width="420px"), "continuous_update": False}
        options = [(name, i) for i, name in enumerate(self.names)]
        self.label = ipywidgets.Dropdown(options=options, value=0, description="class")
        self.steps = ipywidgets.IntSlider(value=15, min=1, max=50, description="steps", **shape)
        self.weight = ipywidgets.FloatSlider(
            value=1, min=0, max=8, step=0.5, description="guidance w", **shape
        )
        self.image = picture()
        for control in (self.label, self.steps, self.weight):
            control.observe(lambda change: self.redraw(), names="value")
        self.box = ipywidgets.VBox([self.label, self.steps, self.weight, self.image])
        self.redraw()

    def show(self, label: int, steps: int, w: float) -> bytes:
        """Eight images of a class as PNG bytes."""
        labels = torch.full((IMAGES,), label, device="cpu")
        return grid_png(asked_images(self.model, labels, steps, w), IMAGES, self.zoom)

    def redraw(self) -> None:
        """Show the settings chosen."""
        w = round(self.weight.value, 2)
        self.image.value = self.show(self.label.value, self.steps.value, w)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(self.box, lambda: asking_strip(self.model, self.names))


def asking_explorer(model: ImageDiffusion, names: Sequence[str]) -> AskingExplorer:
    """Ask a diffusion model of images for a class: choose the class, the number of DDIM steps, and
    the guidance w (1: the network's own answer, 0: the class is ignored). names: one for each
    class.
    """
    return AskingExplorer(model, names)
