"""What all bug hunts have in common: which pieces are broken, and the repair of each."""

from functools import partial

from gencourse.checks._exercise import Exercise, exercise
from gencourse.runner import Raised

REPAIRS = tuple(f"repair_{i}" for i in range(1, 8))
repair = partial(exercise, difficulty=1, points=1)  # of a piece that is nearly right
CONVICTION = (
    "Run the instruments one by one and compare `measured` with `should be`. A piece is a suspect "
    "if they differ."
)


def compared(named: object, pieces: set[str], broken: set[str]) -> dict[str, object]:
    """What can be said of a list of names without giving the right ones away; all else as it is."""
    names = "whether a set of names is returned, or a list of them"
    if isinstance(named, Raised):
        return {names: named}
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        return {names: False}
    said = set(named)
    return {
        names: True,
        "the names that are none of the seven pieces": ", ".join(sorted(said - pieces)) or "none",
        "whether all the pieces that you name are broken": said <= broken,
        "whether all the broken pieces are named": said >= broken,
        "the set of broken pieces": sorted(said),
    }


def usual_mistakes(suspects: Exercise, pieces: set[str]) -> None:
    """Register what goes wrong in every hunt: nobody is accused, or everybody."""

    @suspects.mistake(
        "Nothing is broken? Compare what the instruments measured with what it should be."
    )
    def nothing_found() -> set[str]:
        return set()

    @suspects.mistake(
        "One of the seven pieces passes every instrument. Whom do you accuse without evidence?"
    )
    def everything_accused() -> set[str]:
        return pieces
