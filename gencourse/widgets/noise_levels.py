"""The noise explorer: what one noise level does to a sample, to the marginal density and to its
score field.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.figures import PAGE_WIDTH, PALETTE, SMALL, plane_grid, vector_field
from gencourse.models.diffusion import ExactDiffusion
from gencourse.runtime import standard_normal
from gencourse.widgets import notebook
from gencourse.widgets.drawing import figure_png
from gencourse.widgets.notebook import ipywidgets, picture

POINTS, CELLS, ARROWS = 300, 61, 13  # shown; per side of the map; per side of the field
LIMIT = 3.5


def noisy_points(exact: ExactDiffusion, t: float, n: int = POINTS) -> Tensor:
    """x_t = α(t) x + σ(t) ε of the same n pairs (x, ε) for every t, so that a point moves on a line
    as t does: (n, 2) on the CPU.
    """
    x = exact.sample(n, seed=0)
    eps = standard_normal(*x.shape, seed=1).to(x)
    return exact.path.perturb(x, eps, t).detach().cpu()


def marginal_map(exact: ExactDiffusion, t: float, limit: float, ax: Axes) -> Axes:
    """The density p_t on [-limit, limit]², dark where it is high, each map with its own scale, and
    some points x_t on it.
    """
    grid, _ = plane_grid(limit, CELLS)
    p = exact.log_prob(grid.to(exact.mixture.means), t).exp().detach().cpu()
    reach = (-limit, limit, -limit, limit)
    ax.imshow(p.view(CELLS, CELLS).numpy(), origin="lower", extent=reach, cmap="Blues")
    x1, x2 = noisy_points(exact, t).T.numpy()
    ax.scatter(x1, x2, s=4, color=PALETTE[1], linewidths=0)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="x₁", ylabel="x₂")
    return ax


def score_map(exact: ExactDiffusion, t: float, limit: float, ax: Axes) -> Axes:
    """The field ∇ log p_t as arrows on [-limit, limit]², of length |s| / (1 + |s|): so that all can
    be seen, long ones are shortened.
    """
    grid, cell = plane_grid(0.9 * limit, ARROWS)
    score = exact.score(grid.to(exact.mixture.means), t)
    return vector_field(grid.to(score), score, "", limit, longest=cell**0.5, ax=ax)


def noise_strip(
    exact: ExactDiffusion,
    times: Sequence[float] = (0.02, 0.25, 0.5, 0.75, 1.0),
    limit: float = LIMIT,
) -> Figure:
    """The static noise explorer: a column for each time, with points on the marginal density above
    and the score field below. `exact` in the plane.
    """
    require_plane("noise_strip", exact)
    with plt.rc_context(SMALL):
        size = (PAGE_WIDTH, 2 * PAGE_WIDTH / len(times) + 0.6)
        figure, axes = plt.subplots(
            2, len(times), figsize=size, squeeze=False, layout="constrained"
        )
        for column, t in enumerate(times):
            upper = marginal_map(exact, t, limit, axes[0, column])
            lower = score_map(exact, t, limit, axes[1, column])
            upper.set(title=f"t = {t:g}", xlabel="")
            if column:
                upper.set_ylabel("")
                lower.set_ylabel("")
        figure.suptitle("Points on their marginal density (above), and its score field (below)")
    return figure


def require_plane(where: str, exact: ExactDiffusion) -> None:
    """Raise unless `exact` is about points in the plane."""
    if exact.mixture.means.shape[1] != 2:
        raise InputError(
            f"{where}: exact should be about points in the plane, got means of "
            f"{describe(exact.mixture.means)}. Use a mixture with means (K, 2)."
        )


class NoiseExplorer:
    """A slider over the time t from data to noise, and what it does to points, density and score.

    See `noise_explorer`. In a notebook the last line of a cell displays it; where widgets cannot
    run the static strip is drawn instead. `show(t)` is what the slider calls, `caption(t)` the
    words above.
    """

    def __init__(self, exact: ExactDiffusion, limit: float) -> None:
        require_plane("noise_explorer", exact)
        self.exact, self.limit, self.box = exact, limit, None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets and connect them."""
        self.time = ipywidgets.FloatSlider(
            value=0.3, min=0, max=1, step=0.02, description="time t",
            layout=ipywidgets.Layout(width="420px"),
        )  # fmt: skip
        self.label = ipywidgets.HTML()
        self.image = picture()
        self.time.observe(lambda change: self.redraw(), names="value")
        self.box = ipywidgets.VBox([self.time, self.label, self.image])
        self.redraw()

    def caption(self, t: float) -> str:
        """The levels at time t, in words."""
        alpha, sigma = (level.item() for level in self.exact.path.levels(t))
        ratio = f"{alpha**2 / sigma**2:.3g}" if sigma else "infinite"
        return f"α = {alpha:.3f}, σ = {sigma:.3f}; signal-to-noise ratio {ratio}"

    def show(self, t: float) -> bytes:
        """Both maps at time t as PNG bytes."""
        with plt.rc_context(SMALL):
            figure = Figure(figsize=(8.2, 4.2), dpi=110)
            left, right = (figure.add_axes((x, 0.12, 0.4, 0.78)) for x in (0.07, 0.57))
            marginal_map(self.exact, t, self.limit, left).set_title("points $x_t$ on their density")
            right = score_map(self.exact, t, self.limit, right)
            right.set_title("score field, long arrows shortened")
            return figure_png(figure)

    def redraw(self) -> None:
        """Show the time chosen."""
        t = round(self.time.value, 2)
        self.label.value, self.image.value = self.caption(t), self.show(t)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: noise_strip(self.exact, limit=self.limit)
        )


def noise_explorer(exact: ExactDiffusion, limit: float = LIMIT) -> NoiseExplorer:
    """Move the noise level over a mixture in the plane: the same points with more and more of the
    same noise, their exact marginal density p_t, and its score field.
    """
    return NoiseExplorer(exact, limit)
