"""The guidance explorer: steps and guidance on an exact mixture, so that no network is to blame."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures import PAGE_WIDTH, PALETTE, SMALL, plane_grid
from gencourse.models.diffusion import ExactDiffusion, ddim, even_times, guided_field
from gencourse.runtime import standard_normal
from gencourse.widgets import notebook
from gencourse.widgets.drawing import figure_png
from gencourse.widgets.noise_levels import LIMIT, require_plane
from gencourse.widgets.notebook import ipywidgets, picture

POINTS, CELLS = 400, 61


def guided_samples(
    cond: ExactDiffusion, uncond: ExactDiffusion, steps: int, w: float, n: int = POINTS
) -> Tensor:
    """n samples of the guided exact field by so many Euler steps (DDIM) of equal length in t, from
    the same noise for all settings: (n, 2) on the CPU. w = 1 is the conditional field.
    """
    path = cond.path
    noise = standard_normal(n, 2, seed=0).to(cond.mixture.means)
    start = path.levels(1.0)[1] * noise
    field = guided_field(cond.denoise, uncond.denoise, w)
    return ddim(field, start, path, even_times(steps)).detach().cpu()


def guidance_map(
    cond: ExactDiffusion, uncond: ExactDiffusion, x: Tensor, limit: float, ax: Axes
) -> Axes:
    """Samples (n, 2) over the density of all data (grey) and that of the class (blue contours)."""
    grid, _ = plane_grid(limit, CELLS)
    grid = grid.to(cond.mixture.means)
    everything, wanted = (
        model.log_prob(grid, 0.0).exp().detach().cpu().view(CELLS, CELLS).numpy()
        for model in (uncond, cond)
    )
    reach = (-limit, limit, -limit, limit)
    ax.imshow(everything, origin="lower", extent=reach, cmap="Greys", vmax=2 * everything.max())
    ax.contour(wanted, extent=reach, levels=4, colors=PALETTE[0], linewidths=0.8)
    x1, x2 = x.T.numpy()
    ax.scatter(x1, x2, s=5, color=PALETTE[1], linewidths=0)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="x₁", ylabel="x₂", aspect="equal")
    return ax


def spread(x: Tensor) -> float:
    """√(tr Cov) of points (n, 2)."""
    return x.double().var(0).sum().sqrt().item()


def guidance_strip(
    cond: ExactDiffusion,
    uncond: ExactDiffusion,
    steps: Sequence[int] = (2, 5, 20, 100),
    weights: Sequence[float] = (1.0, 2.0, 4.0),
    limit: float = LIMIT,
) -> Figure:
    """The static guidance explorer: a row for each weight w, a column for each number of steps.
    Above each panel stands the spread of its samples over that of the class itself.
    """
    require_pair("guidance_strip", cond, uncond)
    truth = spread(cond.sample(4000, seed=1).cpu())
    with plt.rc_context(SMALL):
        side = PAGE_WIDTH / len(steps)
        size = (PAGE_WIDTH, side * len(weights) + 0.7)
        figure, axes = plt.subplots(
            len(weights), len(steps), figsize=size, squeeze=False, layout="constrained"
        )
        for row, w in zip(axes, weights, strict=True):
            for ax, n in zip(row, steps, strict=True):
                x = guided_samples(cond, uncond, n, w)
                guidance_map(cond, uncond, x, limit, ax)
                ax.set(title=f"w = {w:g}, {n} steps: {spread(x) / truth:.2f}")
                ax.label_outer()
        figure.suptitle(
            "Samples of the guided exact field (orange) and the class asked for (blue); numbers: "
            "their spread over the class's"
        )
    return figure


def require_pair(where: str, cond: ExactDiffusion, uncond: ExactDiffusion) -> None:
    """Raise unless both are about the plane and on one path."""
    require_plane(where, cond)
    require_plane(where, uncond)
    if cond.path is not uncond.path:
        raise InputError(
            f"{where}: uncond should be on the path of cond, {cond.path.name}, got another, "
            f"{uncond.path.name}. Make the path once and pass it to both."
        )


class GuidanceExplorer:
    """Sliders for the number of steps and the guidance w, and what they sample.

    See `guidance_explorer`. In a notebook the last line of a cell displays it; where widgets cannot
    run the static strip is drawn instead. `show(steps, w)` is what the sliders call,
    `caption(steps, w)` the words above.
    """

    def __init__(self, cond: ExactDiffusion, uncond: ExactDiffusion, limit: float) -> None:
        require_pair("guidance_explorer", cond, uncond)
        self.cond, self.uncond, self.limit, self.box = cond, uncond, limit, None
        self.truth = spread(cond.sample(4000, seed=1).cpu())
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them."""
        shape = {"layout": ipywidgets.Layout(width="420px")}
        self.steps = ipywidgets.IntSlider(value=20, min=1, max=100, description="steps", **shape)
        self.weight = ipywidgets.FloatSlider(
            value=1, min=0, max=8, step=0.25, description="guidance w", **shape
        )
        self.label = ipywidgets.HTML()
        self.image = picture()
        for slider in (self.steps, self.weight):
            slider.observe(lambda change: self.redraw(), names="value")
        self.box = ipywidgets.VBox([self.steps, self.weight, self.label, self.image])
        self.redraw()

    def caption(self, steps: int, w: float) -> str:
        """Mean and spread of the samples beside the class's, in words."""
        x = guided_samples(self.cond, self.uncond, steps, w)
        (m1, m2), share = x.mean(0).tolist(), spread(x) / self.truth
        outside = (x.abs() > self.limit).any(1).sum().item()
        unseen = f"; {outside} of {len(x)} samples lie outside the picture" if outside else ""
        return f"mean ({m1:.2f}, {m2:.2f}); spread {share:.2f} of that of the class{unseen}"

    def show(self, steps: int, w: float) -> bytes:
        """The samples as PNG bytes."""
        with plt.rc_context(SMALL):
            figure = Figure(figsize=(4.8, 4.8), dpi=110)
            ax = figure.add_axes((0.11, 0.1, 0.86, 0.82))
            x = guided_samples(self.cond, self.uncond, steps, w)
            guidance_map(self.cond, self.uncond, x, self.limit, ax)
            ax.set_title(f"w = {w:g}, {steps} Euler step{'s' * (steps != 1)}")
            return figure_png(figure)

    def redraw(self) -> None:
        """Show the settings chosen."""
        steps, w = self.steps.value, round(self.weight.value, 2)
        self.label.value, self.image.value = self.caption(steps, w), self.show(steps, w)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: guidance_strip(self.cond, self.uncond, limit=self.limit)
        )


def guidance_explorer(
    cond: ExactDiffusion, uncond: ExactDiffusion, limit: float = LIMIT
) -> GuidanceExplorer:
    """Choose the number of Euler steps and the guidance w (1: the class itself) for exact fields in
    the plane: `cond` of the class asked for, `uncond` of all data, both on one path.
    """
    return GuidanceExplorer(cond, uncond, limit)
