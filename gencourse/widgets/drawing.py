"""What the widgets that draw with matplotlib share: a figure as bytes, and tokens as one can see
them.
"""

import io

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Text

MARKS = {"\n": "↵", " ": "␣", "\t": "⇥"}


def figure_png(figure: Figure) -> bytes:
    """A figure as PNG bytes, packed fast rather than small."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", pil_kwargs={"compress_level": 1})
    return stream.getvalue()


def visible(token: str) -> str:
    r"""A token as one can see it: ↵ for a newline, ␣ for a blank, an escape such as \x07 for what
    cannot be printed.
    """
    return "".join(
        MARKS.get(c) or (c if c.isprintable() else c.encode("unicode_escape").decode())
        for c in token
    )


def drawable(token: str) -> str:
    """The same for figures: a character that matplotlib's monospaced font lacks becomes its number,
    such as U+4E2D.
    """
    font = get_font(findfont(FontProperties(family="monospace")))
    return "".join(c if font.get_char_index(ord(c)) else f"U+{ord(c):04X}" for c in visible(token))


def without_mathtext(texts: list[Text]) -> None:
    """Draw these texts as they are: a pair of $ in them is not a formula."""
    for text in texts:
        text.set_parse_math(False)
