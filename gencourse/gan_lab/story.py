"""The words of the lab: a line that shows who hands what to whom, the rules of a match, and what
just happened.
"""

from torch import Tensor

from gencourse.gan_lab.curves import is_logarithmic
from gencourse.gan_lab.observe import REACH, Scores
from gencourse.gan_lab.panels import BLUE, ORANGE
from gencourse.gan_lab.settings import Settings

NOISE_WORDS = {
    "normal 2-D": "2 normal numbers",
    "uniform 2-D": "2 uniform numbers",
    "normal 1-D": "1 normal number",
}
PLAYERS = {"D": ("discriminator D", BLUE), "G": ("generator G", ORANGE)}
MOVED = {
    "D": "The discriminator made one move; the generator waited.",
    "G": "The generator made one move; the discriminator waited.",
    "DG": "One round: first the discriminator moved, then the generator.",
}
MOVED_OFTEN = {
    "D": "The discriminator made {} moves; the generator waited.",
    "G": "The generator made {} moves; the discriminator waited.",
    "DG": "{} rounds: in each first the discriminator moved, then the generator.",
}
EXPLAINED = {  # layer -> what it shows
    "best possible D": (
        "Best possible D: p_data / (p_data + p_g), from the data's own density and that of the "
        "samples, both smoothed a little. Compare it with D's belief; outside of the lab nobody "
        "knows it."
    ),
    "grid of codes": (
        "Grid of codes (right): equal shares of the noise, and where G takes them. Small dark "
        "cells get as many samples as large pale ones. The sheet bends and stretches; it never "
        "tears, so a bridge leads from mode to mode."
    ),
}
CHANGES: dict[str, dict[str, dict]] = {  # run that fails -> change in words -> settings
    "collapse": {
        "R1 with weight 0.1": {"penalty": "R1", "penalty_weight": 0.1},
        "the saturating loss": {"loss": "saturating"},
        "other random numbers": {"seed": 1},
    },
    "discriminator wins": {
        "the non-saturating loss": {"loss": "non-saturating"},
        "G twice as fast": {"lr": 0.02, "d_lr_ratio": 20.0},
        "other random numbers": {"seed": 1},
    },
    "oscillation": {
        "one move of G a round": {"g_steps": 1},
        "a D twice as fast as G": {"d_lr_ratio": 2.0},
        "both of these": {"g_steps": 1, "d_lr_ratio": 2.0},
    },
}
STORIES = {  # what the recorded runs show
    "ring": (
        "Samples reach all eight modes within 300 rounds. From then on the discriminator can "
        "hardly tell, and its loss nears 2 log 2."
    ),
    "grid": (
        "The samples spread like a sheet first; all 25 modes are covered only after more than "
        "3,000 rounds."
    ),
    "two": (
        "Both modes are covered within 60 rounds. The fit goes on swaying a little, since the "
        "learning rates stay as they are."
    ),
    "spiral": (
        "The samples lie along the whole curve within 200 rounds, and stray from it less and less."
    ),
    "collapse": (
        "Without a penalty, and with a discriminator that learns 50 times as fast, the samples "
        "settle at two or three modes. With R1 of weight 0.1 the same game reaches all eight."
    ),
    "discriminator wins": (
        "The discriminator is sure of everything at once. With the saturating loss nothing "
        "pushes the samples then: they stay where they began."
    ),
    "oscillation": (
        "The generator makes five fast moves to each slow one of the discriminator. All samples"
        " run together to where they pass for data, are found out, and run on."
    ),
}


def share(value: float) -> str:
    """A share in [0, 1] in percent; "under 1 %" and "over 99 %" where rounding would claim all or
    nothing.
    """
    if 0 < value < 0.005:
        return "under 1 %"
    return "over 99 %" if 0.995 <= value < 1 else f"{value:.0%}".replace("%", " %")


def flow(scores: Scores, settings: Settings, moved: str = "") -> str:
    """Who hands what to whom, as HTML: codes through G to D, data to D, and what D makes of them.

    `moved` holds the letters of the players that moved last; their boxes are filled.
    """
    unit = " nats" if is_logarithmic(settings.loss) else ""
    g = player("G", f"loss {scores.g_loss:.2f}{unit}", "G" in moved)
    d = player("D", f"loss {scores.d_loss:.2f}{unit}", "D" in moved)
    codes, samples, data = (
        thing("codes z", NOISE_WORDS[settings.noise]),
        thing(
            f"<span style='color:{ORANGE}'>▲</span> samples",
            f"D takes {share(scores.fake_belief)} for data",
        ),
        thing(
            f"<span style='color:{BLUE}'>○</span> data",
            f"D takes {share(scores.real_belief)} for data",
        ),
    )
    style = (
        "display:flex; align-items:center; justify-content:center; gap:9px; flex-wrap:wrap; "
        "line-height:1.25; padding:4px 0"
    )
    return (
        f"<div style='{style}'>{codes}<b>→</b>{g}<b>→</b>{samples}<b>→</b>{d}<b>←</b>{data}</div>"
    )


def player(letter: str, below: str, filled: bool) -> str:
    """A network as a box, with a line of small print; filled if it has just moved."""
    name, colour = PLAYERS[letter]
    paint = f"background:{colour}; color:white" if filled else ""
    style = (
        f"border:2px solid {colour}; border-radius:6px; padding:3px 12px; text-align:center; "
        f"{paint}"
    )
    return f"<div style='{style}'><b>{name}</b><br><small>{below}</small></div>"


def thing(name: str, below: str) -> str:
    """What is handed on, with a line of small print."""
    return f"<div style='text-align:center; min-width:125px'>{name}<br><small>{below}</small></div>"


def rules(settings: Settings) -> str:
    """The rules of a match in words."""
    penalty = (
        "no penalty"
        if settings.penalty == "none"
        else f"{settings.penalty} with weight {settings.penalty_weight:.2g}"
    )
    return (
        f"{settings.loss} loss, {penalty}; {settings.optimizer}, learning rate of G "
        f"{settings.lr:.2g}, of D {settings.lr * settings.d_lr_ratio:.2g}; moves in a round: D "
        f"{settings.d_steps}, G {settings.g_steps}."
    )


def moved(who: str, times: int = 1) -> str:
    """What one press of a button did: a move of D or of G, or a round of both, so many times."""
    return MOVED[who] if times == 1 else MOVED_OFTEN[who].format(times)


def warning(fake: Tensor) -> str:
    """A sentence where most of the samples (n, 2) lie outside of the picture, else nothing."""
    outside = int((fake.abs() > REACH).any(dim=1).sum())
    if 2 * outside <= len(fake):
        return ""
    return (
        f"{outside} of {len(fake)} samples are outside of the picture. Lower the learning rate or "
        "give D a penalty, and press Reset."
    )
