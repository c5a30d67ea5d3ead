"""Training replay: samples of the same codes at several steps of a training, to be looked through
like a film.
"""

from collections.abc import Mapping
from typing import cast

from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures import image_rows
from gencourse.validation import require_tensor
from gencourse.widgets import notebook
from gencourse.widgets.notebook import film_controls, grid_png, ipywidgets


def replay_strip(frames: Mapping[int, Tensor], columns: int = 12, rows: int = 6) -> Figure:
    """The static replay: a row for each of up to `rows` steps, with the first `columns` images of
    each.
    """
    steps = sorted(frames)
    chosen = dict.fromkeys(
        steps[round(i * (len(steps) - 1) / max(1, rows - 1))] for i in range(rows)
    )
    axes = image_rows(
        {f"step {step:,}": frames[step][:columns] for step in chosen},
        title="Samples of the same codes during training",
    )
    return cast(Figure, axes[0].figure)


class ImageReplay:
    """A slider over the steps, a Play button, and the images (N, C, H, W) in [0, 1] of the step
    chosen.

    In a notebook the last line of a cell displays it; where widgets cannot run the static strip is
    drawn instead. `show(step)` is what the slider calls.
    """

    def __init__(self, frames: Mapping[int, Tensor], columns: int, zoom: int) -> None:
        if not frames:
            raise InputError(
                "image_replay: frames should hold at least one step, got none. Keep samples "
                "while training, with on_step."
            )
        for step, x in frames.items():
            require_tensor("image_replay", f"frames[{step}]", x)
            if x.ndim != 4 or x.shape != next(iter(frames.values())).shape:
                raise InputError(
                    f"image_replay: frames[{step}] should have one shape (N, C, H, W) at all "
                    f"steps, got {tuple(x.shape)}. Draw the same codes at every step."
                )
        self.frames, self.steps, self.columns, self.zoom = (
            dict(frames),
            sorted(frames),
            columns,
            zoom,
        )
        self.box = None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them; the last step is shown first."""
        last = len(self.steps) - 1
        self.player, self.position, self.link = film_controls(last, last, 300)
        self.label = ipywidgets.Label()
        self.image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%"))
        self.position.observe(lambda change: self.redraw(), names="value")
        self.box = ipywidgets.VBox(
            [ipywidgets.HBox([self.player, self.position, self.label]), self.image]
        )
        self.redraw()

    def show(self, step: int) -> bytes:
        """The images of one step as PNG bytes."""
        return grid_png(self.frames[step], self.columns, self.zoom)

    def redraw(self) -> None:
        """Show the images of the step chosen."""
        step = self.steps[self.position.value]
        self.label.value, self.image.value = f"step {step:,}", self.show(step)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(self.box, lambda: replay_strip(self.frames, self.columns))


def image_replay(frames: Mapping[int, Tensor], columns: int = 12, zoom: int = 2) -> ImageReplay:
    """Look through samples kept during a training: frames maps a step to images (N, C, H, W) in [0,
    1] of the same codes.
    """
    return ImageReplay(frames, columns, zoom)
