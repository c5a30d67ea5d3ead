"""The schematics of the chapter on diffusion and flow matching."""

import itertools

from matplotlib.axes import Axes

from gencourse.figures.diagrams import kit


def coupling_diagram(inverse: bool = False, ax: Axes | None = None) -> Axes:
    """A coupling layer: one half stays and tells the network how the other is stretched and moved.

    With inverse=True the way back, for which the same network is evaluated, not inverted.
    """
    title = "A coupling layer, backwards" if inverse else "A coupling layer"
    ax = kit.canvas(7.2, 2.6, title, ax)
    first, last = ("z", "x") if inverse else ("x", "z")
    rule = r"$e^{-s}\,(z_2 - b)$" if inverse else r"$e^{s}\,x_2 + b$"
    stays, moved = (kit.circle(ax, 0.6, y, f"${first}_{i}$") for y, i in ((2.1, 1), (0.5, 2)))
    kit.box(ax, 3.0, 1.35, "network", 1.2, 0.5)
    step = kit.box(ax, 4.6, 0.5, rule, 1.7, 0.6, kind="plain")
    ends = [kit.circle(ax, 6.6, y, f"${last}_{i}$") for y, i in ((2.1, 1), (0.5, 2))]
    kit.arrow(ax, stays, ends[0])
    kit.path_arrow(ax, [(3.0, 2.1), (3.0, 1.62)])
    kit.path_arrow(ax, [(3.62, 1.35), (4.6, 1.35), (4.6, 0.82)])
    kit.label(ax, 4.2, 1.52, "$s, b$")
    kit.label(ax, 3.6, 2.3, "stays as it is")
    kit.arrow(ax, moved, step)
    kit.arrow(ax, step, ends[1])
    return ax


def diffusion_diagram(ax: Axes | None = None) -> Axes:
    """Between data at t = 0 and noise at t = 1: noise is added without a network, to any level at
    once (solid), and taken away step by step with one (dashed), which sees x_t and t and says x̂,
    ε̂, v, u or the score.
    """
    ax = kit.canvas(8.6, 3.0, "From data to noise, and back", ax)
    names = ("$x_0 = x$", "$x_{t}$", "$x_{s}$", "$x_1$")
    order = (names[0], names[2], names[1], names[3])
    places = (0.75, 3.1, 5.5, 7.85)
    nodes = [
        kit.circle(ax, x, 1.9, name, 0.42, "observed" if not i else "plain")
        for i, (x, name) in enumerate(zip(places, order, strict=True))
    ]
    for node, bend in zip(nodes[1:], (-0.25, -0.2, -0.17), strict=True):
        kit.arrow(ax, nodes[0], node, bend=bend, shift=(0, 0.12))
    for left, right in itertools.pairwise(nodes):
        kit.arrow(ax, right, left, dashed=True, color=kit.GRADIENT, bend=-0.25, shift=(0, -0.12))
    kit.label(ax, 4.3, 2.78, r"$x_t = \alpha_t\,x + \sigma_t\,\varepsilon$: no network, no loop")
    network = kit.box(ax, 5.5, 0.45, r"network$(x_t, t)$", 1.7, 0.5)
    kit.path_arrow(ax, [(5.5, 1.46), (5.5, 0.72)], dashed=True, color=kit.GRADIENT)
    step = kit.box(ax, 2.5, 0.45, r"one step, from $t$ to $s < t$", 2.4, 0.5, kind="plain")
    kit.arrow(ax, network, step, dashed=True, color=kit.GRADIENT)
    kit.path_arrow(ax, [(3.1, 0.72), (3.1, 1.46)], dashed=True, color=kit.GRADIENT)
    kit.label(ax, 0.75, 1.2, "data, $t = 0$")
    kit.label(ax, 7.85, 1.2, "noise, $t = 1$")
    entries = [("noise is added", False, kit.COMPUTED), ("noise is taken away", True, kit.GRADIENT)]
    kit.legend(ax, entries, loc="lower right")
    return ax


def unet_diagram(ax: Axes | None = None) -> Axes:
    """The network for pictures: down to fewer places, a dense middle that sees all of them, and up
    again, with what the way down had added (skips). The time and the label enter every block.
    """
    ax = kit.canvas(8.6, 4.1, "A U-Net with a dense middle", ax)
    start = kit.circle(ax, 0.6, 3.6, "$x_t$", 0.34, "observed")
    end = kit.circle(ax, 8.0, 3.6, r"$\hat x$", 0.34)
    fine = [kit.box(ax, x, 3.6, "14 × 14", 1.5, 0.55) for x in (2.1, 6.5)]
    coarse = [kit.box(ax, x, 2.55, "7 × 7", 1.2, 0.55) for x in (3.0, 5.6)]
    middle = kit.box(ax, 4.3, 1.5, "all places at once", 1.9, 0.55)
    for one, other in itertools.pairwise(
        [start, fine[0], coarse[0], middle, coarse[1], fine[1], end]
    ):
        kit.arrow(ax, one, other)
    for one, other in (fine, coarse):
        kit.arrow(ax, one, other, dashed=True)
    kit.label(ax, 4.3, 3.78, "skip: added on the way up")
    kit.label(ax, 4.3, 2.72, "skip")
    told = kit.circle(ax, 0.6, 0.5, "$t,\\; y$", 0.34, "observed")
    network = kit.box(ax, 2.4, 0.5, "embedding", 1.3, 0.5)
    kit.arrow(ax, told, network, color=kit.GRADIENT)
    kit.path_arrow(ax, [(3.07, 0.5), (4.3, 0.5), (4.3, 1.2)], color=kit.GRADIENT)
    for x, y in ((1.7, 3.6), (3.4, 2.55), (5.2, 2.55), (6.9, 3.6)):
        kit.path_arrow(ax, [(x, y + 0.55), (x, y + 0.29)], color=kit.GRADIENT)
    kit.label(
        ax,
        6.25,
        0.5,
        "a scale and a shift for each channel,\nin the middle and (short arrows) in every block",
    )
    entries = [("pictures", False, kit.COMPUTED), ("what the blocks are told", False, kit.GRADIENT)]
    kit.legend(ax, entries, loc="lower left", bbox_to_anchor=(0.0, 0.28))
    return ax
