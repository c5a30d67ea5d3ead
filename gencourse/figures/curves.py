"""Curves over training steps or any other axis."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from gencourse.figures.style import DASHES, PALETTE, drawable


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
        _, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for i, term in enumerate(terms or history.values):
        steps, means = running_mean(history[term], window=max(1, history.steps // 40))
        ax.plot(steps, means, DASHES[i % 4], color=PALETTE[i % 10], label=drawable(term))
    ax.set(xlabel="training step", ylabel="nats per example", title=drawable(title), ylim=ylim)
    ax.legend()
    return ax


def curves(
    x: Tensor,
    ys: Mapping[str, Tensor],
    xlabel: str,
    ylabel: str,
    title: str,
    ax: Axes | None = None,
) -> Axes:
    """Several curves over one axis, told apart by colour and dashes."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    for i, (name, y) in enumerate(ys.items()):
        ax.plot(
            *(torch.as_tensor(values).detach().cpu().numpy() for values in (x, y)),
            DASHES[i % 4],
            color=PALETTE[i % 10],
            label=drawable(name),
        )
    ax.set(xlabel=drawable(xlabel), ylabel=drawable(ylabel), title=drawable(title))
    if len(ys) > 1:
        ax.legend()
    return ax


def log_scale(ax: Axes) -> None:
    """A logarithmic second axis, marked 10, 20, 50, 100 as one reads them."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
