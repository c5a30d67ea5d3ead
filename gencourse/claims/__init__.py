"""Numbers that the prose states, checked by the run that produces them.

A chapter says `claim("test_elbo", value)`, and its prose says {{test_elbo}}. What the text states
of it stands in the file of the chapter beside this module, 01_vae.toml, which is kept by hand:

    [test_elbo]
    about = -103
    within = 3
    unit = "nats"
    untrained = true

The build puts the number into the prose, so text and check cannot disagree. Neither can text and
run: in strict mode (tests, builds) a value outside `about ± within` raises. A reader's own machine
gets a sentence instead. Names are different over the whole course. `sabotage` and `untrained` name
a change upstream of the value under which the claim has to fail; see authoring/sabotage.py.
"""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import torch

from gencourse import runtime
from gencourse.errors import CourseError, InputError

FOLDER = Path(__file__).parent


class ClaimFailed(CourseError, AssertionError):
    """A run disagrees with what the text states."""


@dataclass(frozen=True)
class Stated:
    """What a text states of a number: `about`, within a distance, or `below`, and the unit.

    `sabotage` is a text of the chapter and what to put in its place; `untrained` says that the
    models learn nothing. Either has to make the claim fail.
    """

    about: Decimal | int | None = None
    within: Decimal | int = 0
    below: Decimal | int | None = None
    unit: str = ""
    sabotage: tuple[str, str] | None = None
    untrained: bool = False

    def number(self) -> str:
        """The number as the prose has it: all digits of the file, a true minus sign, commas."""
        number = self.below if self.below is not None else self.about
        return f"{number:,}".replace("-", "−")

    def agrees(self, value: float) -> bool:
        """Whether the value is what the text states; a NaN never is."""
        if self.below is not None:
            return abs(value) < float(self.below)
        return abs(value - float(self.about or 0)) <= float(self.within)

    def __str__(self) -> str:
        if self.below is not None:
            return f"less than {self.below}"
        return f"within {self.within} of {self.about}"


@cache
def stated(chapter: str) -> dict[str, Stated]:
    """What the text of a chapter, "01_vae", states: name -> entry of its file; {} without one."""
    source = FOLDER / f"{chapter}.toml"
    if not source.exists():
        return {}
    table = tomllib.loads(source.read_text("utf-8"), parse_float=Decimal)
    return {name: entry(name, fields) for name, fields in table.items()}


@cache
def chapters() -> tuple[str, ...]:
    """The chapters that have a file."""
    return tuple(sorted(file.stem for file in FOLDER.glob("[0-9]*.toml")))


def claim(name: str, value: float, *, device: torch.device | str = "cpu") -> None:
    """Print `value` with its unit; where it disagrees with what the text states, raise ClaimFailed
    in strict mode, and say so otherwise.

    The text speaks of the default scale: at other scales the value is not compared. How many times
    as fast something is depends on the kind of machine: such a claim names the `device`, and is
    compared on a CPU only, of which the text speaks.
    """
    text = _find(name)
    value = value.item() if hasattr(value, "item") else float(value)
    words, unit = name.replace("_", " "), f" {text.unit}" if text.unit else ""
    shown = f"{value:.{_digits(text)}f}"
    print(f"{words}: {shown}{unit}")
    elsewhere = runtime.scale() != "default" or torch.device(device).type != "cpu"
    if elsewhere or text.agrees(value):
        return
    message = (
        f"claim: {words} should be {text}{unit}, got {shown}. Another machine, or a changed cell?"
    )
    if runtime.strict():
        raise ClaimFailed(message)
    print(f"The text says {'about' if text.below is None else 'less than'} {text.number()}{unit}.")


def _find(name: str) -> Stated:
    """The entry of that name, of whichever chapter."""
    for chapter in chapters():
        if name in stated(chapter):
            return stated(chapter)[name]
    raise InputError(
        f"claim: name should be an entry of a file in gencourse/claims/, got {name!r}. Add it to "
        "the file of its chapter."
    )


def _digits(text: Stated) -> int:
    """How many digits after the point say something, by the tolerance."""
    size = text.below or text.within
    if not size:  # a whole number, exactly
        return 0
    return next((d for d, least in ((1, 1), (2, 0.1), (3, 0.01)) if size >= least), 4)


def entry(name: str, fields: dict) -> Stated:
    """An entry of a file; raise for one that states nothing, or does not say how it may fail."""
    known = {"about", "within", "below", "unit", "sabotage", "untrained"}
    pair = fields.get("sabotage", ("", ""))
    fine = not fields.keys() - known and ("about" in fields) != ("below" in fields)
    fine = fine and (("within" in fields) == ("about" in fields)) and len(pair) == 2
    if not fine or ("sabotage" in fields and "untrained" in fields):
        raise InputError(
            f"claim: {name} should have about and within, or below, and unit, and sabotage = "
            f"[text, other text] or untrained = true; got {fields}. Correct its file."
        )
    if "sabotage" in fields:
        fields = fields | {"sabotage": tuple(pair)}
    return Stated(**fields)
