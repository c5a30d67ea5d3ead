"""Verdicts, hints and the score table, as text and as HTML."""

import html
import re
from dataclasses import dataclass, replace
from typing import Literal

from gencourse.errors import CourseError

MARKS = {"right": "✓", "wrong": "✗", "not attempted": "○"}
COLOURS = {
    "right": "#2a7e43",
    "wrong": "#b3470f",
    "not attempted": "#6b7280",
}  # the mark and the word say it too


class CheckFailed(CourseError, AssertionError):
    """Strict mode: a check that did not pass."""


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
        colour = COLOURS[self.status]
        body = f"<div style='margin-top:.3em'>{as_html(self.message)}</div>" if self.message else ""
        more = (
            f"<div style='margin-top:.3em'>For a further hint: <code>check.{self.name}.hint()</code></div>"
            if self.status == "wrong"
            else ""
        )
        return (
            f"<div style='border-left:4px solid {colour};padding:.4em .8em;max-width:46em'>"
            f"<b style='color:{colour}'>{MARKS[self.status]} {self.status}</b> · <code>{self.name}</code> · "
            f"{self.score}{body}{more}</div>"
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
        return f"<div style='border-left:4px solid #2b6cb0;padding:.4em .8em;max-width:46em'>{as_html(self.text)}{left}</div>"


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
        rows = "".join(
            "<tr>"
            + cell(f"<b style='color:{COLOURS[v.status]}'>{MARKS[v.status]}</b> {v.status}")
            + cell(f"<code>{v.name}</code>")
            + cell(f"{v.points} / {v.out_of}")
            + "</tr>"
            for v in self.verdicts
        )
        total = f"<tr>{cell('')}{cell('<b>total</b>')}{cell(f'<b>{self.points} / {self.out_of}</b>')}</tr>"
        return f"<table><thead><tr>{cell('verdict')}{cell('exercise')}{cell('points')}</tr></thead><tbody>{rows}{total}</tbody></table>"
