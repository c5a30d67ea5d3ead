"""Colours, dashes and markers that colour-blind readers tell apart (Okabe & Ito), and texts that
can be drawn.
"""

from matplotlib.mathtext import MathTextParser

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


def drawable(text: object) -> str:
    """A text as matplotlib can draw it: with its formulas, or where what stands between two dollar
    signs is none, with the dollar signs as they are.
    """
    return "\n".join(map(_drawable_line, str(text).split("\n")))


def _drawable_line(line: str) -> str:
    try:
        MathTextParser("agg").parse(line)
    except ValueError:
        return line.replace(r"\$", "$").replace("$", r"\$")
    return line
