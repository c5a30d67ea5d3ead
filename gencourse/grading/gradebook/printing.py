"""Texts of submissions as people may see them: in a table, in a spreadsheet, on a page."""

import re

KINDS = {"outside": "outside", "kernel": "in-kernel (spoofable)", "manual": "manual"}
NO_SANDBOX = "graded without a sandbox"
CELL = 32_000  # what a spreadsheet holds in one cell, a little less
# Control characters, marks that turn the direction of the text, and code points that are no
# characters. Joiners stay:
# names in Persian and Hindi and many emoji need them.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
FORMULA = "=+-@\t\r\n＝＋－＠"
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def printable(text: str, limit: int = 4000) -> str:
    """Text that is safe to look at: not too long, and with what would be invisible or misleading
    spelled out.
    """
    text = text[: limit + 1].replace("\r\n", "\n")
    seen = UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    return seen if len(seen) <= limit else seen[: limit - 1] + "…"


def number(value: float | None) -> str:
    """Points with at most four decimals and no trailing zeros; empty if there are none."""
    text = "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def guarded(text: str) -> str:
    """Text of which no spreadsheet makes a formula: a leading apostrophe, after OWASP's page on CSV
    injection.
    """
    text = printable(text, CELL)
    first = text.lstrip(" \u00a0")[:1]
    return f"'{text}" if first and first in FORMULA and not PLAIN_NUMBER.fullmatch(text) else text
