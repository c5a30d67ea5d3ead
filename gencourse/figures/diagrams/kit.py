"""What schematics are drawn with: boxes, circles, arrows and labels, all in inches of the page.

A canvas of its own has the page's width. On axes that are smaller than the drawing was made for,
its letters shrink with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path

from gencourse.figures.style import INK, PAGE_WIDTH, PALETTE

COMPUTED, GRADIENT = INK, PALETTE[1]
TINTS = {"plain": "#FFFFFF", "network": "#DCE9F3", "loss": "#F7E6DA", "observed": "#D5D5D5"}
DASHED = (0, (4, 2.5))


@dataclass(frozen=True)
class Node:
    """A box or a circle: where its centre is, and what was drawn."""

    x: float
    y: float
    patch: Patch


TITLE = 0.35  # inches above a drawing


def canvas(width: float, height: float, title: str, ax: Axes | None = None) -> Axes:
    """Axes for a drawing of width × height inches, without frame; new ones have it in the middle of
    a page.
    """
    if ax is None:
        page, whole = max(width, PAGE_WIDTH), height + TITLE
        _, ax = plt.subplots(figsize=(page, whole), layout="none")
        ax.set_position((0, 0, 1, height / whole))
        margin = (page - width) / 2
        ax.set(xlim=(-margin, width + margin), ylim=(0, height))
    else:
        ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_title(title)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def shrink(ax: Axes) -> float:
    """How much smaller than an inch one unit of the drawing comes out, at most 1."""
    room, dpi = ax.get_window_extent(), ax.figure.dpi
    (left, right), (low, top) = ax.get_xlim(), ax.get_ylim()
    return min(1.0, room.width / dpi / (right - left), room.height / dpi / (top - low))


def label(ax: Axes, x: float, y: float, text: str, size: float = 10, **options: Any) -> None:
    """A text, formulas between dollar signs, in the middle of (x, y)."""
    options = {"ha": "center", "va": "center", "linespacing": 1.3, **options}
    ax.text(x, y, text, fontsize=size * shrink(ax), zorder=5, **options)


def box(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    width: float = 1.1,
    height: float = 0.6,
    kind: str = "network",
    frozen: bool = False,
) -> Node:
    """A box with round corners around (x, y); kind: "plain", "network", "loss" or "observed". One
    that is frozen, whose weights stay as they are, is empty and dashed.
    """
    patch = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.08",
        facecolor=TINTS["plain" if frozen else kind],
        edgecolor=INK,
        linestyle=DASHED if frozen else "-",
        linewidth=1,
        zorder=3,
    )
    ax.add_patch(patch)
    label(ax, x, y, text)
    return Node(x, y, patch)


def circle(
    ax: Axes, x: float, y: float, text: str, radius: float = 0.3, kind: str = "plain"
) -> Node:
    """A circle around (x, y), for a variable; kind "observed" is shaded."""
    patch = Circle((x, y), radius, facecolor=TINTS[kind], edgecolor=INK, linewidth=1, zorder=3)
    ax.add_patch(patch)
    label(ax, x, y, text, size=12)
    return Node(x, y, patch)


def frame(ax: Axes, left: float, bottom: float, width: float, height: float) -> Node:
    """A thin frame around what belongs together: a plate, the terms of a loss."""
    patch = FancyBboxPatch(
        (left, bottom),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.1",
        facecolor="none",
        edgecolor="#777777",
        linewidth=0.9,
        zorder=1,
    )
    ax.add_patch(patch)
    return Node(left + width / 2, bottom + height / 2, patch)


def arrow(
    ax: Axes,
    start: Node,
    end: Node,
    dashed: bool = False,
    color: str = COMPUTED,
    shift: tuple[float, float] = (0, 0),
    bend: float = 0.0,
) -> None:
    """An arrow from the edge of one node to the edge of another, moved by `shift`; bend > 0 curves
    it to the right.
    """
    dx, dy = shift
    ax.add_patch(
        FancyArrowPatch(
            (start.x + dx, start.y + dy),
            (end.x + dx, end.y + dy),
            patchA=start.patch,
            patchB=end.patch,
            connectionstyle=f"arc3,rad={bend}",
            **_line(dashed, color, shrink(ax)),
        )
    )


def path_arrow(
    ax: Axes, points: Sequence[tuple[float, float]], dashed: bool = False, color: str = COMPUTED
) -> None:
    """An arrow along straight lines through the points, for the way around other things."""
    line = _line(dashed, color, shrink(ax)) | {"shrinkA": 0, "shrinkB": 0}
    ax.add_patch(FancyArrowPatch(path=Path(points), joinstyle="round", capstyle="butt", **line))


def _line(dashed: bool, color: str, size: float) -> dict[str, Any]:
    return {
        "arrowstyle": "-|>",
        "mutation_scale": 11 * size,
        "linestyle": DASHED if dashed else "-",
        "linewidth": 1.4,
        "color": color,
        "shrinkA": 1.5,
        "shrinkB": 1.5,
        "zorder": 2,
    }


def stop(ax: Axes, x: float, y: float) -> Node:
    """A cross on a white disc: here something ends."""
    disc = Circle((x, y), 0.15, facecolor="white", edgecolor=GRADIENT, zorder=4)
    ax.add_patch(disc)
    for sign in (1, -1):
        ends = (x - 0.08, x + 0.08), (y - sign * 0.08, y + sign * 0.08)
        ax.plot(*ends, color=GRADIENT, lw=2.2, zorder=5, solid_capstyle="round")
    return Node(x, y, disc)


def legend(ax: Axes, entries: Sequence[tuple[str, bool, str]], **options: Any) -> None:
    """A legend for the arrows: (words, dashed, color) each."""
    handles = [
        Line2D([], [], linestyle=DASHED if dashed else "-", color=color, lw=1.4, label=words)
        for words, dashed, color in entries
    ]
    options = {"loc": "lower left", "borderaxespad": 0.2, "handlelength": 2.6, **options}
    ax.legend(handles=handles, fontsize=9 * shrink(ax), **options)
