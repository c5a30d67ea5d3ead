"""Curves over training steps or any other axis."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from gencourse.errors import InputError
from gencourse.figures.style import DASHES, HATCHES, INK, MARKERS, PALETTE, drawable, panels


def running_mean(values: Sequence[float], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Running means over `window` values and the step at which each window ends."""
    window = max(1, min(window, len(values)))
    means = np.convolve(values, np.ones(window) / window, mode="valid")
    return np.arange(window, len(values) + 1), means


class Recorded(Protocol):
    """What a History has: the terms' values, and how many steps there are."""

    values: dict[str, list[float]]

    @property
    def steps(self) -> int:
        """The number of steps recorded."""
        ...

    def __getitem__(self, term: str) -> list[float]: ...


def training_curves(
    history: Recorded,
    terms: Sequence[str] | None = None,
    title: str = "Training",
    ylim: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The recorded terms of a History in nats per example over the steps, as running means over
    1/40 of the run.
    """
    if ax is None:
        _, ax = panels()
    for i, term in enumerate(terms or history.values):
        steps, means = running_mean(history[term], window=max(1, history.steps // 40))
        ax.plot(steps, means, DASHES[i % 4], color=PALETTE[i % 10], label=drawable(term))
    ax.set(xlabel="training step", ylabel="nats per example", title=drawable(title), ylim=ylim)
    ax.grid(axis="y")
    ax.legend()
    return ax


def curves(
    x: Tensor,
    ys: Mapping[str, Tensor],
    xlabel: str,
    ylabel: str,
    title: str,
    errors: Mapping[str, Tensor] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Several curves over one axis, told apart by colour and dashes.

    errors: for some names of ys half the length of a bar at each point, a standard error say, in
    the units of y; such a curve shows its points.
    """
    if ax is None:
        _, ax = panels()
    errors = errors or {}
    if strange := sorted(errors.keys() - ys.keys()):
        raise InputError(
            f"curves: errors should have names of ys ({', '.join(ys)}), got {', '.join(strange)}. "
            "Use the same names."
        )
    for i, (name, y) in enumerate(ys.items()):
        bars = numbers(errors[name]) if name in errors else None
        look: dict[str, Any] = {"color": PALETTE[i % 10], "label": drawable(name)}
        if bars is None:
            ax.plot(numbers(x), numbers(y), DASHES[i % 4], **look)
        else:
            look |= {"linestyle": DASHES[i % 4], "marker": MARKERS[i % 10], "capsize": 3}
            ax.errorbar(numbers(x), numbers(y), bars, **look)
    ax.set(xlabel=drawable(xlabel), ylabel=drawable(ylabel), title=drawable(title))
    ax.grid(axis="y")
    if len(ys) > 1:
        ax.legend()
    return ax


def numbers(values: Tensor | Sequence[float]) -> np.ndarray:
    """Numbers as matplotlib takes them."""
    return torch.as_tensor(values).detach().cpu().numpy()


def bars(
    names: Sequence[str],
    series: Mapping[str, Tensor | Sequence[float]],
    ylabel: str,
    title: str,
    ax: Axes | None = None,
) -> Axes:
    """Groups of bars, one group under each name and in it one bar of each series, told apart by
    colour and hatching, with its value above.
    """
    for name, values in series.items():
        if len(values) != len(names):
            raise InputError(
                f"bars: series[{name!r}] should have {len(names)} values, one for each name, got "
                f"{len(values)}. Leave none out."
            )
    if ax is None:
        _, ax = panels()
    width = 0.8 / max(1, len(series))
    for i, (name, values) in enumerate(series.items()):
        places = np.arange(len(names)) + (i - (len(series) - 1) / 2) * width
        drawn = ax.bar(
            places,
            numbers(values),
            width * 0.92,
            color=PALETTE[i % 10],
            hatch=HATCHES[i % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
            label=drawable(name),
        )
        ax.bar_label(drawn, fmt=lambda y: drawable(f"{y:.3g}"), padding=2, fontsize=9)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.margins(y=0.12)
    ax.set_xticks(range(len(names)), [drawable(name) for name in names])
    ax.tick_params(axis="x", length=0)
    ax.set(ylabel=drawable(ylabel), title=drawable(title))
    ax.grid(axis="y")
    if len(series) > 1:
        ax.legend()
    return ax


def log_scale(ax: Axes, axis: str = "y") -> None:
    """A logarithmic axis, "x", "y" or "both", marked 10, 20, 50, 100 as one reads them."""
    if axis not in ("x", "y", "both"):
        raise InputError(f"log_scale: axis should be 'x', 'y' or 'both', got {axis!r}. Choose one.")
    for one in (ax.xaxis, ax.yaxis) if axis == "both" else (getattr(ax, f"{axis}axis"),):
        getattr(ax, f"set_{one.axis_name}scale")("log")
        one.set_major_locator(LogLocator(subs=(1, 2, 5)))
        one.set_major_formatter("{x:g}")
        one.set_minor_formatter(NullFormatter())
