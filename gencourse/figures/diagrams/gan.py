"""The schematics of the chapter on generative adversarial networks."""

import itertools

from matplotlib.axes import Axes

from gencourse.figures.diagrams.kit import (
    COMPUTED,
    GRADIENT,
    arrow,
    box,
    canvas,
    circle,
    label,
    legend,
    path_arrow,
    stop,
)


def gan_diagram(ax: Axes | None = None) -> Axes:
    """The game of a generator G and a discriminator D, one turn of each: what is computed (solid),
    and where the gradient of the loss goes (dashed).

    In D's turn samples are data like any other, and G gets no gradient. In G's turn the gradient
    passes through D, whose weights stay as they are, and reaches G.
    """
    ax = canvas(9.0, 4.0, "The two turns of the game", ax)
    label(ax, 0.15, 3.8, "The discriminator's turn", ha="left")
    _discriminators_turn(ax, 2.75)
    label(ax, 0.15, 1.4, "The generator's turn", ha="left")
    _generators_turn(ax, 0.6)
    entries = [("computed", False, COMPUTED), ("gradient of the loss", True, GRADIENT)]
    legend(ax, entries, loc="upper right")
    return ax


def _discriminators_turn(ax: Axes, y: float) -> None:
    z, fake = circle(ax, 0.5, y - 0.4, "$z$"), circle(ax, 2.95, y - 0.4, r"$\tilde{x}$")
    generator = box(ax, 1.7, y - 0.4, "G, frozen", frozen=True)
    circle(ax, 2.95, y + 0.4, "$x$", kind="observed")
    judge = box(ax, 4.7, y, "D", height=1.4)
    loss = box(ax, 7.35, y, r"$-\log D(x) - \log(1 - D(\tilde{x}))$", 3.0, 0.7, kind="loss")
    arrow(ax, z, generator)
    arrow(ax, generator, fake)
    arrow(ax, judge, loss, shift=(0, 0.08))
    arrow(ax, loss, judge, dashed=True, color=GRADIENT, shift=(0, -0.08))
    for height in (y + 0.4, y - 0.3):
        path_arrow(ax, [(3.26, height), (4.12, height)])
    path_arrow(ax, [(4.15, y - 0.52), (3.84, y - 0.52)], dashed=True, color=GRADIENT)
    stop(ax, 3.67, y - 0.52)


def _generators_turn(ax: Axes, y: float) -> None:
    nodes = [
        circle(ax, 0.5, y, "$z$"),
        box(ax, 1.7, y, "G"),
        circle(ax, 2.95, y, r"$\tilde{x}$"),
        box(ax, 4.7, y, "D, frozen", frozen=True),
        box(ax, 7.35, y, r"$-\log D(\tilde{x})$", 3.0, 0.7, kind="loss"),
    ]
    for i, (start, end) in enumerate(itertools.pairwise(nodes)):
        arrow(ax, start, end, shift=(0, 0.08))
        if i:  # z has no use for a gradient
            arrow(ax, end, start, dashed=True, color=GRADIENT, shift=(0, -0.08))
