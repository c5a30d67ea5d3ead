"""The look of all figures: one sheet, one width of page, and colours, dashes and markers that
colour-blind readers tell apart (Okabe & Ito).
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from gencourse.validation import require_count

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#8C6D31",
    "#7F3C8D",
    "#999999",
)
DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*Xhp"
HATCHES = ("", "///", "...", "\\\\\\", "xx")
PAGE_WIDTH = 9.0  # inches, of every figure: 900 pixels, the column of GitHub and of a small screen
INK, PAPER = "#222222", "#FCFCFC"
STYLE: "dict[RcKeyType, Any]" = {
    "figure.figsize": (PAGE_WIDTH, 3.2),
    "figure.dpi": 100,
    "figure.facecolor": PAPER,  # opaque: a card that is read in a dark notebook too
    "figure.titlesize": 11,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
    "axes.facecolor": PAPER,
    "axes.titlesize": 11,
    "axes.titlepad": 7,
    "axes.titlecolor": INK,
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "font.size": 10,
    "text.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": "#666666",
    "ytick.color": "#666666",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.edgecolor": "none",
    "legend.facecolor": PAPER,
    "legend.framealpha": 0.85,
}
SMALL: "dict[RcKeyType, Any]" = {  # for pictures of many panels, and those inside of widgets
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlepad": 4,
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
}


def use_style() -> None:
    """Draw from now on with the course's sheet (gencourse.figures does so when it is imported).

    In a notebook figures keep the width that they were given. Without it, matplotlib's own
    `plt.style.use("default")` goes back.
    """
    plt.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
        from IPython.core.pylabtools import select_figure_formats
        from matplotlib_inline.config import InlineBackend
    except ImportError:  # no notebook
        return
    shell = get_ipython()
    if getattr(shell, "kernel", None) is not None:
        notebook = InlineBackend.instance(parent=shell)
        options: dict[str, Any] = notebook.print_figure_kwargs
        options["bbox_inches"] = None  # margins are not cut off
        select_figure_formats(shell, notebook.figure_formats, **options)


def panels(
    n: int = 1,
    height: float = 3.2,
    ratios: Sequence[float] | None = None,
    rows: int = 1,
    **options: Any,
) -> tuple[Figure, Any]:
    """A figure of the page's width with n panels side by side, as (figure, axes).

    axes is one Axes for a single panel, else an array of n, or of (rows, n) with more than one row.
    height, in inches, is that of all rows together; ratios are the panels' relative widths; options
    are those of `plt.subplots`, such as sharey=True.
    """
    require_count("panels", "n", n)
    require_count("panels", "rows", rows)
    return plt.subplots(
        rows,
        n,
        figsize=(PAGE_WIDTH, height),
        width_ratios=ratios,
        layout="constrained",
        **options,
    )


def drawable(text: object) -> str:
    """A text as matplotlib can draw it: with its formulas, or where what stands between two dollar
    signs is none, with the dollar signs as they are. A hyphen before a number that stands alone is
    drawn as a minus sign, as on the axes.
    """
    words = re.sub(r"(?<![^\s(=±])-(?=\d)", "−", str(text))
    return "\n".join(map(_drawable_line, words.split("\n")))


def _drawable_line(line: str) -> str:
    try:
        MathTextParser("agg").parse(line)
    except ValueError:
        return line.replace(r"\$", "$").replace("$", r"\$")
    return line
