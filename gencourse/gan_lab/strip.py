"""Whole runs on paper: the plane at several moments side by side, and the curves."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gencourse.figures import PAGE_WIDTH, SMALL, panels
from gencourse.gan_lab.curves import DistancePanel, LossPanel
from gencourse.gan_lab.panels import LAYERS, PlanePanel
from gencourse.gan_lab.recording import Recording
from gencourse.validation import require_count

ARROWS_SHOWN = 20  # more are a black knot on small panels


def film_strip(
    recording: Recording, columns: int = 6, title: str | None = None, curves: bool = True
) -> Figure:
    """A run on paper: `columns` moments, evenly spaced from first to last, and below them the
    curves.

    Data are blue circles, samples orange triangles, arrows the pushes on samples; the plane is blue
    where D takes a point for data, orange where for a sample. `title` stands above them; without it
    the name of the data, and no word on how the run went.
    """
    require_count("film_strip", "columns", columns, at_least=2)
    frames, last, density = recording.frames, len(recording.frames) - 1, recording.density
    with plt.rc_context(SMALL):
        heights = [PAGE_WIDTH / columns + 0.6] + [1.9] * curves
        figure = plt.figure(figsize=(PAGE_WIDTH, sum(heights)), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=heights) if curves else [figure]
        for i, ax in enumerate(parts[0].subplots(1, columns)):
            frame = frames[round(i * last / (columns - 1))]
            panel = PlanePanel(
                ax, f"after {frame.scores.step:,.0f} rounds", size=2.8, numbers=False
            )
            panel.show(frame._replace(arrows=frame.arrows[:ARROWS_SHOWN]), LAYERS, density)
        parts[0].suptitle(recording.settings.data if title is None else title)
        if curves:
            curves_of(recording, parts[1].subplots(1, 2))
    return figure


def curves_of(recording: Recording, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """The losses (left), and the divergence and covered modes (right) of a run, over its rounds."""
    if axes is None:
        _, axes = panels(2, height=2.4)
    scores = [frame.scores for frame in recording.frames]
    losses, distance = LossPanel(axes[0]), DistancePanel(axes[1])
    losses.show(scores, recording.settings.loss, recent=len(scores))
    distance.show(scores, len(recording.density.centres))
    for ax in axes:
        ax.set_xlim(0, max(1, scores[-1].step))
    return axes
