"""Alternative texts: what a picture shows, in words, for those who do not see it.

The words are those of the caption, the paragraph in italics at the start of the text that follows.
nbconvert's classic template takes them from the picture's metadata; VS Code, screen readers and
terminals from what stands beside the picture as plain text. JupyterLab shows neither.
"""

import re
import unicodedata

from nbformat import NotebookNode

LONGEST = 300  # characters
SIGNS = {
    "approx": "≈", "cdot": "·", "dots": "…", "ge": "≥", "geq": "≥", "in": "∈", "infty": "∞",
    "int": "∫", "ldots": "…", "le": "≤", "leq": "≤", "mid": "|", "nabla": "∇", "ne": "≠",
    "partial": "∂", "pm": "±", "prod": "∏", "sim": "~", "sqrt": "√", "sum": "Σ", "times": "×",
    "to": "→", "varepsilon": "ε", "|": "‖",
}  # fmt: skip
FONTS = {"mathcal", "mathbb", "mathrm", "mathbf", "text", "operatorname", "left", "right", "big"}
POWERS = str.maketrans("0123456789-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿ")


def described(notebook: NotebookNode) -> NotebookNode:
    """An executed chapter whose pictures have alternative texts."""
    text = ""
    for cell in reversed(notebook.cells):
        if cell.cell_type == "markdown":
            text = shortened(plain(first_paragraph(cell.source)))
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                if not text:
                    raise SystemExit(
                        "a picture should be followed by a sentence that says what it shows, got "
                        f"none after {cell.source[:80]!r}. Write a caption in italics."
                    )
                output.metadata.setdefault("image/png", NotebookNode())["alt"] = text
                output.data["text/plain"] = text
    return notebook


def first_paragraph(markdown: str) -> str:
    return re.split(r"\n\s*\n", markdown.strip(), maxsplit=1)[0]


def plain(markdown: str) -> str:
    """Markdown without its marks: links, code, emphasis and formulas as one would read them."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"\$\$?(.+?)\$\$?", lambda formula: spoken(formula[1]), text, flags=re.S)
    text = re.sub(r"^#+\s+|<[^>]+>|[`*]", "", text)
    return " ".join(text.split())


def spoken(formula: str) -> str:
    r"""A formula of TeX in plain characters: `784 \log 2 \approx 543` becomes 784 log 2 ≈ 543."""
    text = re.sub(r"\^\{?\*\}?", "∗", formula)  # the optimum, not a mark of emphasis
    text = re.sub(r"\^\{?([-\d]+|n)\}?(?![\w{])", lambda power: power[1].translate(POWERS), text)
    text = re.sub(r"\\([A-Za-z]+|\|)", lambda command: sign(command[1]), text)
    text = re.sub(r"\\[,;!: ]", " ", text)
    return re.sub(r"[{}\\]", "", text)


def sign(command: str) -> str:
    """A command of TeX as a character, or as its name."""
    if command in FONTS:
        return ""
    if command in SIGNS:
        return SIGNS[command]
    name = command.upper().replace("LAMBDA", "LAMDA")  # as Unicode spells it
    try:
        case = "CAPITAL" if command[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {case} LETTER {name}")
    except KeyError:
        return f" {command} "


def shortened(text: str, longest: int = LONGEST) -> str:
    """Whole sentences of a text, as many as fit; of a longer first sentence the first words."""
    if len(text) <= longest:
        return text
    cut = text[: longest + 1]
    ends = [end.start() for end in re.finditer(r"(?<=[.?!]) ", cut)]
    return cut[: ends[-1]] if ends else cut[: longest - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
