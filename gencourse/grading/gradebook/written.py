"""Answers in words as they were handed in: markdown with tables, formulas and pasted pictures.

mistune makes HTML of the text and bleach keeps what is harmless of that. Formulas become pictures
by matplotlib, since pages load nothing from elsewhere and run no script; what it cannot draw is
shown as it was typed.
"""

import base64
import html
import io
import re
import secrets
from collections.abc import Iterable
from functools import lru_cache

import bleach
import matplotlib
import mistune
from markupsafe import Markup
from matplotlib import mathtext

from gencourse.grading.gradebook.printing import printable
from gencourse.grading.gradebook.records import WrittenCell

TAGS = {
    *("p", "br", "hr", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td", "h4", "img"),
}
LIMIT = 40_000  # characters of an answer that are shown
FORMULAS, FORMULA = 60, 400  # of an answer, and characters of one
MATH = re.compile(r"\$\$(.+?)\$\$|\$(?!\s)((?:[^$\n\\]|\\.)+?)(?<!\s)\$(?!\d)", re.S)
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.S)
ATTACHED = re.compile(r"!\[([^\]\n]{0,200})\]\(attachment:([^)\n]{1,200})\)")


def as_handed_in(cells: Iterable[WrittenCell]) -> Markup:
    """The cells of an answer as harmless HTML."""
    return Markup("").join(of_cell(cell) for cell in cells)


def of_cell(cell: WrittenCell) -> Markup:
    """One cell: text as markdown, code as code."""
    source = printable(cell.source, LIMIT)
    if cell.kind != "markdown":
        return Markup("<pre><code>{}</code></pre>").format(source)
    kept: dict[str, str] = {}
    mark = secrets.token_hex(8)  # nobody can guess what will be put in later

    def keep(markup: str) -> str:
        name = f"x{mark}x{len(kept)}x"
        kept[name] = markup
        return name

    def picture(found: re.Match) -> str:
        data = cell.attachments.get(found[2], "")
        if not re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]*", data):
            return found[0]
        return keep(f'<img src="{data}" alt="{html.escape(found[1] or "picture", quote=True)}">')

    def formula(found: re.Match) -> str:
        text = (found[1] or found[2]).strip()
        image = drawn(text) if len(kept) < FORMULAS and len(text) <= FORMULA else ""
        if not image:
            return keep(f"<code>{html.escape(found[0])}</code>")
        tag = f'<img src="{image}" alt="{html.escape(text, quote=True)}">'
        return keep(f"<br>{tag}<br>" if found[1] else tag)

    parts = CODE.split(source)  # formulas in code are code
    parts[::2] = [MATH.sub(formula, ATTACHED.sub(picture, part)) for part in parts[::2]]
    made = cleaned(markdown("".join(parts)))
    for name, markup in kept.items():
        made = made.replace(name, markup)
    unused = [name for name in cell.attachments if f"attachment:{name}" not in source]
    below = "".join(
        f'<p><img src="{cell.attachments[name]}" alt="{html.escape(name, quote=True)}"></p>'
        for name in unused
        if cell.attachments[name].startswith("data:image/")
    )
    return Markup(made + below)


def markdown(text: str) -> str:
    """Markdown as HTML; HTML in it is text."""
    made = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])(text)
    return re.sub(r"<(/?)h[1-6]>", r"<\1h4>", str(made))


def cleaned(markup: str) -> str:
    """HTML without anything that is live or comes from elsewhere."""
    return bleach.clean(markup, tags=TAGS - {"img"}, attributes={}, strip=True)


@lru_cache(maxsize=2_000)
def drawn(formula: str) -> str:
    """A formula as the address of a picture, "" where matplotlib cannot draw it."""
    buffer = io.BytesIO()
    text = " ".join(formula.replace(r"\\", " ").split())
    try:
        with matplotlib.rc_context(
            {"svg.hashsalt": "gencourse", "mathtext.fontset": "cm", "svg.fonttype": "path"}
        ):
            mathtext.math_to_image(f"${text}$", buffer, dpi=96, format="svg")
    except (ValueError, RuntimeError, KeyError, RecursionError):
        return ""
    drawing = re.sub(rb"<metadata>.*?</metadata>", b"", buffer.getvalue(), flags=re.S)
    return "data:image/svg+xml;base64," + base64.b64encode(drawing).decode("ascii")
