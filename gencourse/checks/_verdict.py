"""Verdicts, hints and the score table, as text and as HTML."""

import html
import re
from dataclasses import dataclass, replace
from typing import Literal

from gencourse.errors import CourseError

MARKS = {"right": "✓", "wrong": "✗", "not attempted": "○"}
BADGES = {"right": "#1f6f3b", "wrong": "#a33c0a", "not attempted": "#555b66"}  # under white letters
BOX = "border-left:4px solid {};padding:.4em .8em;max-width:46em"


class CheckFailed(CourseError, AssertionError):
    """Strict mode: a check that did not pass."""


def badge(status: str) -> str:
    """Mark and word of a status, readable on any background; all else has the page's colour."""
    style = f"background:{BADGES[status]};color:#fff;padding:0 .4em;border-radius:.2em"
    return f"<b style='{style}'>{MARKS[status]} {status}</b>"


def as_html(text: str) -> str:
    """Escaped text; `code` in backquotes and line breaks become HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text)).replace("\n", "<br>")


@dataclass(frozen=True)
class Verdict:
    """What a check says. `mistake` names the registered mistake that was recognised, if one was."""

    name: str
    status: Literal["right", "wrong", "not attempted"]
    points: int
    out_of: int
    message: str = ""
    mistake: str = ""

    def __str__(self) -> str:
        first = f"{MARKS[self.status]} {self.name}: {self.status}, {self.score}"
        return f"{first}\n{self.message}" if self.message else first

    __repr__ = __str__

    @property
    def score(self) -> str:
        """The points in words: 2 of 3 points, 0 of 1 point."""
        return f"{self.points} of {self.out_of} {'point' if self.out_of == 1 else 'points'}"

    def without_points(self, why: str) -> "Verdict":
        """The same verdict on the values, worth nothing, and why."""
        return replace(self, points=0, message="\n".join(filter(None, (why, self.message))))

    def _repr_html_(self) -> str:
        below = "<div style='margin-top:.3em'>{}</div>".format
        body = below(as_html(self.message)) if self.message else ""
        further = below(f"For a further hint: <code>check.{self.name}.hint()</code>")
        more = further if self.status == "wrong" else ""
        return (
            f"<div style='{BOX.format(BADGES[self.status])}'>{badge(self.status)} · "
            f"<code>{self.name}</code> · {self.score}{body}{more}</div>"
        )


@dataclass(frozen=True)
class Hint:
    """A hint, and how many more there are."""

    text: str
    left: int

    def __str__(self) -> str:
        return self.text + (f" ({self.left} more)" if self.left else "")

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = f" <small>({self.left} more)</small>" if self.left else ""
        return f"<div style='{BOX.format('#2b6cb0')}'>{as_html(self.text)}{left}</div>"


@dataclass(frozen=True)
class Report:
    """The score table of a chapter."""

    verdicts: tuple[Verdict, ...]

    @property
    def points(self) -> int:
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def out_of(self) -> int:
        return sum(verdict.out_of for verdict in self.verdicts)

    def __str__(self) -> str:
        width = max((len(v.name) for v in self.verdicts), default=0)
        rows = [
            f"{MARKS[v.status]} {v.name:<{width}}  {v.status:<13}  {v.points:>2} / {v.out_of}"
            for v in self.verdicts
        ]
        return "\n".join(
            [*rows, f"  {'total':<{width}}  {'':<13}  {self.points:>2} / {self.out_of}"]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cell = "<td style='text-align:left;padding:.1em .8em'>{}</td>".format

        def row(*parts: str) -> str:
            return f"<tr>{''.join(map(cell, parts))}</tr>"

        verdicts = [
            row(badge(v.status), f"<code>{v.name}</code>", f"{v.points} / {v.out_of}")
            for v in self.verdicts
        ]
        total = row("", "<b>total</b>", f"<b>{self.points} / {self.out_of}</b>")
        head = row("verdict", "exercise", "points")
        body = "".join([*verdicts, total])
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
