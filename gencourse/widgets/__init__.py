"""Things to move with the mouse. Each also draws a static figure, for pages and tests where no widget can run.

`latent` explores a decoder, `gan_lab` plays and replays GANs in the plane, `replay` shows how samples came about.
"""

from gencourse.widgets.gan_lab.diagnosis import RULES, diagnoses, symptoms
from gencourse.widgets.gan_lab.lab import GanLab, gan_lab
from gencourse.widgets.gan_lab.play import Match
from gencourse.widgets.gan_lab.recording import SHIPPED, Recording, load, record, recorded, save
from gencourse.widgets.gan_lab.settings import Settings
from gencourse.widgets.gan_lab.strip import curves_of, film_strip
from gencourse.widgets.latent import LatentExplorer, latent_explorer, latent_strip
from gencourse.widgets.notebook import png, widgets_can_run
from gencourse.widgets.replay import ImageReplay, image_replay, replay_strip

__all__ = [
    "RULES",
    "SHIPPED",
    "GanLab",
    "ImageReplay",
    "LatentExplorer",
    "Match",
    "Recording",
    "Settings",
    "curves_of",
    "diagnoses",
    "film_strip",
    "gan_lab",
    "image_replay",
    "latent_explorer",
    "latent_strip",
    "load",
    "png",
    "record",
    "recorded",
    "replay_strip",
    "save",
    "symptoms",
    "widgets_can_run",
]
