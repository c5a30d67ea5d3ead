"""The GAN lab's game: a generator and a discriminator that play in the plane, recorded runs, and
their pictures on paper.

Nothing here is a widget; `gencourse.widgets.gan_lab` plays and replays these games with the mouse.
"""

from gencourse.gan_lab.diagnosis import RULES, diagnoses, symptoms
from gencourse.gan_lab.match import Match
from gencourse.gan_lab.recording import (
    SHIPPED,
    Recording,
    load,
    record,
    recorded,
    save,
    unnamed_runs,
)
from gencourse.gan_lab.settings import Settings
from gencourse.gan_lab.strip import curves_of, film_strip

__all__ = [
    "RULES",
    "SHIPPED",
    "Match",
    "Recording",
    "Settings",
    "curves_of",
    "diagnoses",
    "film_strip",
    "load",
    "record",
    "recorded",
    "save",
    "symptoms",
    "unnamed_runs",
]
