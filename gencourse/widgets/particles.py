"""The flow replay: a grid of particles carried through the plane from noise to data."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.figures import PAGE_WIDTH, PALETTE, SMALL, plane_grid
from gencourse.models.diffusion import even_times, heun
from gencourse.models.diffusion.losses import Field
from gencourse.validation import require_count, require_tensor
from gencourse.widgets.drawing import figure_png
from gencourse.widgets.film import Film

SIDE, REACH, STEPS, LIMIT = 16, 2.1, 60, 3.5


def carried_grid(
    velocity: Field, like: Tensor, side: int = SIDE, reach: float = REACH, steps: int = STEPS
) -> Tensor:
    """The grid of side² particles over [-reach, reach]² at t = 1, and where the velocity has taken
    it by Heun's steps at each of steps + 1 even times down to 0: (steps + 1, side², 2) on the CPU.

    `like` is any tensor of the precision and device that the velocity takes.
    """
    start = plane_grid(reach, side)[0].to(like)
    with torch.no_grad():
        return heun(velocity, start, even_times(steps), keep=True).float().cpu()


def particle_map(particles: Tensor, limit: float, ax: Axes, dot: float = 1.6) -> Axes:
    """Particles (side², 2) of a grid, as dots of so many points, with lines between neighbours:
    blue along what was a row, orange along what was a column.
    """
    side = round(len(particles) ** 0.5)
    grid = particles.view(side, side, 2).numpy()
    for i in range(side):
        ax.plot(*grid[i].T, color=PALETTE[0], linewidth=0.7)
        ax.plot(*grid[:, i].T, "--", color=PALETTE[1], linewidth=0.7)
    ax.plot(*particles.T.numpy(), "o", color=PALETTE[6], markersize=dot)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="x₁", ylabel="x₂", aspect="equal")
    return ax


def flow_strip(
    frames: Tensor, shown: Sequence[float] = (1.0, 0.75, 0.5, 0.25, 0.0), limit: float = LIMIT
) -> Figure:
    """The static flow replay: the grid at some times, from noise at t = 1 on the left to data at
    t = 0. frames (steps + 1, side², 2) as `carried_grid` returns them.
    """
    require_frames("flow_strip", frames)
    last = len(frames) - 1
    with plt.rc_context(SMALL):
        size = (PAGE_WIDTH, PAGE_WIDTH / len(shown) + 0.6)
        figure, axes = plt.subplots(
            1, len(shown), figsize=size, squeeze=False, layout="constrained"
        )
        for i, (ax, t) in enumerate(zip(axes[0], shown, strict=True)):
            # Panels this small would be black with dots that do in a large one.
            particle_map(frames[round((1 - t) * last)], limit, ax, dot=0.6).set_title(f"t = {t:g}")
            if i:
                ax.set_ylabel("")
        figure.suptitle("A grid of particles, carried from noise to data by the velocity field")
    return figure


def require_frames(where: str, frames: Tensor) -> None:
    """Raise unless frames are (n + 1, side², 2)."""
    require_tensor(where, "frames", frames)
    if (
        frames.ndim != 3
        or frames.shape[2] != 2
        or round(frames.shape[1] ** 0.5) ** 2 != len(frames[0])
    ):
        raise InputError(
            f"{where}: frames should have shape (n + 1, side², 2), got {describe(frames)}. See "
            "carried_grid."
        )


class FlowReplay(Film):
    """A Play button and a slider over the time, and where the particles are.

    See `flow_replay`. `frames` (steps + 1, side², 2) are all moments, `show(i)` is the picture of
    one.
    """

    def __init__(self, frames: Tensor, limit: float) -> None:
        require_frames("flow_replay", frames)
        self.frames, self.limit = frames, limit
        self.open(len(frames) - 1, first=0, interval=120)

    def show(self, i: int) -> bytes:
        """The particles at moment i, as PNG bytes."""
        with plt.rc_context(SMALL):
            figure = Figure(figsize=(4.6, 4.6), dpi=110)
            ax = particle_map(self.frames[i], self.limit, figure.add_axes((0.11, 0.1, 0.86, 0.82)))
            ax.set_title("particles of a grid")
            return figure_png(figure)

    def moment(self, i: int) -> tuple[str, bytes]:
        """The time of moment i, and the particles as PNG bytes."""
        return f"t = {1 - i / (len(self.frames) - 1):.2f}", self.show(i)

    def strip(self) -> Figure:
        """The static strip."""
        return flow_strip(self.frames, limit=self.limit)


def flow_replay(
    velocity: Field,
    like: Tensor | None = None,
    side: int = SIDE,
    steps: int = STEPS,
    limit: float = LIMIT,
) -> FlowReplay:
    """Watch a velocity field (x (B, 2), t (B,)) -> (B, 2) carry a grid of side² particles from
    noise at t = 1 to data at t = 0, in so many Heun steps.

    `like` is any tensor with the precision and device that the field takes; float32 on the CPU if
    not given.
    """
    require_count("flow_replay", "side", side, at_least=2)
    require_count("flow_replay", "steps", steps)
    like = torch.zeros(1, device="cpu") if like is None else like
    return FlowReplay(carried_grid(velocity, like, side, steps=steps), limit)
