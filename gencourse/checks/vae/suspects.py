"""The bug hunt: the pieces that the instruments convict."""

from gencourse.checks import exercise
from gencourse.probes.vae.hunt import accused
from gencourse.runner import Raised

BROKEN = {"heads", "draw", "kl", "reconstruction", "step_loss", "generate", "report_card"}
PIECES = BROKEN | {"decode", "update"}


def compared(named: object) -> dict[str, object]:
    """What can be said of a list of names without giving the right ones away; all else as it is."""
    names = "whether a set of names is returned, or a list of them"
    if isinstance(named, Raised):
        return {names: named}
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        return {names: False}
    said = set(named)
    return {
        names: True,
        "the names that are none of the nine pieces": ", ".join(sorted(said - PIECES)) or "none",
        "whether all the pieces that you name are broken": said <= BROKEN,
        "whether all the broken pieces are named": said >= BROKEN,
        "the set of broken pieces": sorted(said),
    }


@exercise(
    reference=lambda: BROKEN,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        (
            "Run the instruments one by one and compare `measured` with `should be`. A piece is a "
            "suspect if they differ."
        ),
        (
            "Nine pieces were measured, and most of them are broken. Accuse only what its "
            "instrument convicts."
        ),
    ),
    on_success=(
        "Found by measuring: not one of them stopped the program. Where a shape was wrong, "
        "broadcasting hid it."
    ),
)
def suspects(answer, seed):
    yield from compared(answer.run(accused)).items()


@suspects.alternative
def as_a_list():
    return ["report_card", "kl", "heads", "draw", "generate", "step_loss", "reconstruction"]


@suspects.mistake(
    "Nothing is broken? Compare what the instruments measured with what it should be."
)
def nothing_found():
    return set()


@suspects.mistake(
    "Two of the nine pieces pass their instrument. Whom do you accuse without evidence?"
)
def everything_accused():
    return PIECES


@suspects.mistake(
    "The decoder is as it should be: its instrument says so. What made you suspect it?"
)
def decoder_accused():
    return BROKEN | {"decode"}


@suspects.mistake("The update is in order: clear, backward, step. What made you suspect it?")
def update_accused():
    return BROKEN | {"update"}


@suspects.mistake(
    "The minus sign is the famous one, but the other instruments have found something too."
)
def only_the_sign():
    return {"kl"}


@suspects.mistake(
    "You have the pieces that training touches. Did you also run the instruments for what comes "
    "after training?"
)
def training_only():
    return BROKEN - {"generate", "report_card"}
