"""The panels with curves: both losses, and how far the samples are from the data."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from gencourse.gan_lab.observe import Scores
from gencourse.gan_lab.panels import BLUE, GREEN, ORANGE
from gencourse.models.gan import LOSSES

LEGEND: dict[str, Any] = {
    "loc": "upper center",
    "ncols": 2,
    "fontsize": 7.5,
    "frameon": False,
    "borderaxespad": 0.1,
    "handlelength": 1.5,
    "handletextpad": 0.4,
    "columnspacing": 0.9,
}


def draw_value(loss: str) -> float:
    """D's loss when it says the same of everything and can do no better: 2 log 2 for the
    logarithmic ones.
    """
    level = torch.tensor([0.5 if loss == "least squares" else 0.0])
    return LOSSES[loss].discriminator(level, level).item()


def is_logarithmic(loss: str) -> bool:
    """Whether the loss is measured in nats."""
    return loss in ("non-saturating", "saturating")


def round_up(value: float, steps: Sequence[float] = (1, 1.5, 2, 3, 5, 7, 10)) -> float:
    """The least of steps · 10ᵏ that reaches a positive value: axes that end there change seldom."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in steps if step * power >= value * (1 - 1e-9))


class LossPanel:
    """Both losses over the rounds, and as a dotted line what D's is when it cannot tell data from
    samples.
    """

    def __init__(self, ax: Axes) -> None:
        self.ax = ax
        self.d = ax.plot([], [], "-", color=BLUE, lw=1.6, label="discriminator")[0]
        self.g = ax.plot([], [], "--", color=ORANGE, lw=1.6, label="generator")[0]
        self.draw = ax.axhline(0, color="#666666", lw=1, ls=":", label="D's draw")
        narrow = {"ncols": 3, "fontsize": 7, "handlelength": 1.1, "columnspacing": 0.6}
        self.draw_text = ax.legend(**LEGEND | narrow).get_texts()[-1]
        ax.set(xlabel="rounds", title="the losses of both players")
        ax.tick_params(axis="y", pad=1.5)  # room for a minus sign
        ax.yaxis.labelpad = 0

    def artists(self) -> list[Artist]:
        """What `show` changes, from the bottom up."""
        return [self.draw, self.d, self.g]

    def show(self, scores: Sequence[Scores], loss: str, recent: int = 200) -> None:
        """Draw the losses until now; the axis is made for the `recent` last moments."""
        steps, value = [s.step for s in scores], draw_value(loss)
        self.d.set_data(steps, [s.d_loss for s in scores])
        self.g.set_data(steps, [s.g_loss for s in scores])
        self.draw.set_ydata([value, value])
        self.draw_text.set_text("draw, 2 log 2" if is_logarithmic(loss) else f"draw, {value:g}")
        shown = np.array([[s.d_loss, s.g_loss] for s in scores[-recent:]])
        high = round_up(max(np.nanquantile(shown, 0.98), value, 0.5))
        low = -round_up(max(-np.nanquantile(shown, 0.02), 0.05))
        self.ax.set(
            ylim=(low, low + 1.3 * (high - low)), ylabel="nats" if is_logarithmic(loss) else "loss"
        )


class DistancePanel:
    """How far the samples' density is from that of the data, and how many modes they cover."""

    def __init__(self, ax: Axes) -> None:
        self.ax, self.right = ax, ax.twinx()
        self.distance = ax.plot([], [], "-", color="black", lw=1.6, label="divergence")[0]
        self.modes = self.right.plot(
            [], [], "--", color=GREEN, lw=1.6, drawstyle="steps-post", label="modes (right)"
        )[0]
        ax.set(
            ylim=(0, 1.3 * math.log(2)),
            yticks=[0, math.log(2)],
            yticklabels=["0", "log 2"],
            xlabel="rounds",
        )
        ax.set_ylabel("nats", labelpad=-14)
        ax.axhline(math.log(2), color="#666666", lw=1, ls=":")
        self.right.legend([self.distance, self.modes], ["divergence", "modes (right)"], **LEGEND)
        self.right.tick_params(color=GREEN)
        self.right.spines.right.set_visible(True)
        ax.set_title("Jensen-Shannon divergence, modes covered")

    def artists(self) -> list[Artist]:
        """What `show` changes, from the bottom up."""
        return [self.distance, self.modes]

    def show(self, scores: Sequence[Scores], modes: int) -> None:
        """Draw the curves until now; `modes` is how many there are."""
        steps = [s.step for s in scores]
        self.distance.set_data(steps, [s.divergence for s in scores])
        self.modes.set_data(steps, [s.modes for s in scores])
        self.right.set(ylim=(0, 1.3 * modes), yticks=[0, modes])
