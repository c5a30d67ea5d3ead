"""The table of the four families of generative models."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from gencourse.figures.style import panels

FAMILIES = {  # what each family of the course can do: the table that the first figure draws
    "": (
        "how x is made",
        "p(x) of a given x",
        "drawing a sample",
        "codes z of a given x",
        "training signal",
    ),
    "Variational\nautoencoder": (
        "z ~ p(z), x ~ p(x given z)",
        "a lower bound",
        "one pass",
        "yes, q(z given x)",
        "bound on log p(x)",
    ),
    "Adversarial\nnetwork": (
        "z ~ p(z), x = G(z)",
        "not available",
        "one pass",
        "no",
        "an opponent",
    ),
    "Autoregressive\nmodel": (
        "x₁, then x₂ given x₁, ...",
        "exact",
        "one pass per element",
        "no",
        "log p(x) itself",
    ),
    "Diffusion and\nflow matching": (
        "noise, cleaned in steps",
        "by an ODE",
        "one pass per step",
        "the noise at its start",
        "squared error of a guess",
    ),
}
SHADES = {
    "exact": "#bfe3d3",
    "yes, q(z given x)": "#bfe3d3",
    "the noise at its start": "#e4f0c8",
    "a lower bound": "#e4f0c8",
    "by an ODE": "#e4f0c8",
    "one pass": "#bfe3d3",
    "no": "#f3d3c0",
    "not available": "#f3d3c0",
    "one pass per step": "#f3e3c0",
    "one pass per element": "#f3e3c0",
}


def families(ax: Axes | None = None) -> Axes:
    """The four families of generative models side by side: what each of them can do."""
    if ax is None:
        _, ax = panels(height=3.2)
    for column, (name, entries) in enumerate(FAMILIES.items()):
        for row, entry in enumerate((name, *entries)):
            head = row == 0 or column == 0
            ax.add_patch(
                plt.Rectangle(
                    (column, -row),
                    1,
                    1,
                    facecolor="white" if head else SHADES.get(entry, "#eef2f6"),
                    edgecolor="white",
                    lw=3,
                )
            )
            ax.text(
                column + 0.5,
                -row + 0.5,
                entry,
                ha="center",
                va="center",
                fontsize=8.5,
                weight="bold" if head else "normal",
            )
    ax.set(
        xlim=(0, len(FAMILIES)),
        ylim=(-5, 1),
        title="Four families of generative models and what each can do",
    )
    ax.set_axis_off()
    return ax
