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
from gencourse.widgets.film import Film
from gencourse.widgets.notebook import grid_png


def replay_strip(frames: Mapping[int, Tensor], columns: int = 14, rows: int = 6) -> Figure:
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


class ImageReplay(Film):
    """A slider over the steps, a Play button, and the images (N, C, H, W) in [0, 1] of the step
    chosen, the last one first. `show(step)` are the images of a step.
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
        last = len(self.steps) - 1
        self.open(last, first=last, interval=300)

    def show(self, step: int) -> bytes:
        """The images of one step as PNG bytes."""
        return grid_png(self.frames[step], self.columns, self.zoom)

    def moment(self, i: int) -> tuple[str, bytes]:
        """The i-th of the steps, and its images as PNG bytes."""
        step = self.steps[i]
        return f"step {step:,}", self.show(step)

    def strip(self) -> Figure:
        """The static replay."""
        return replay_strip(self.frames, self.columns)


def image_replay(frames: Mapping[int, Tensor], columns: int = 14, zoom: int = 2) -> ImageReplay:
    """Look through samples kept during a training: frames maps a step to images (N, C, H, W) in [0,
    1] of the same codes.
    """
    return ImageReplay(frames, columns, zoom)
