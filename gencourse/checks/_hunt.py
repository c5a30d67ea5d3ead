"""What all bug hunts ask first: which pieces are broken."""

from gencourse.runner import Raised


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
