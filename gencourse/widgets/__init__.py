"""Things to move with the mouse. Each also draws a static figure, for pages and tests where no widget can run.

`latent` explores a decoder, `gan_lab` plays and replays GANs in the plane, `replay` shows how samples came about,
`sampling` what temperature, top-k and top-p do to the next token, `pixels` how an image is drawn pixel by pixel, and
`attention` where each place of a text looks.
"""

from gencourse.widgets.attention import AttentionViewer, attention_grid, attention_map, attention_viewer
from gencourse.widgets.gan_lab.diagnosis import RULES, diagnoses, symptoms
from gencourse.widgets.gan_lab.lab import GanLab, gan_lab
from gencourse.widgets.gan_lab.play import Match
from gencourse.widgets.gan_lab.recording import SHIPPED, Recording, load, record, recorded, save
from gencourse.widgets.gan_lab.settings import Settings
from gencourse.widgets.gan_lab.strip import curves_of, film_strip
from gencourse.widgets.latent import LatentExplorer, latent_explorer, latent_strip
from gencourse.widgets.next_token import sampling_strip, token_bars
from gencourse.widgets.notebook import png, widgets_can_run
from gencourse.widgets.pixels import PixelReplay, pixel_replay, pixel_strip
from gencourse.widgets.replay import ImageReplay, image_replay, replay_strip
from gencourse.widgets.sampling import SamplingExplorer, sampling_explorer

__all__ = [
    "RULES",
    "SHIPPED",
    "AttentionViewer",
    "GanLab",
    "ImageReplay",
    "LatentExplorer",
    "Match",
    "PixelReplay",
    "Recording",
    "SamplingExplorer",
    "Settings",
    "attention_grid",
    "attention_map",
    "attention_viewer",
    "curves_of",
    "diagnoses",
    "film_strip",
    "gan_lab",
    "image_replay",
    "latent_explorer",
    "latent_strip",
    "load",
    "pixel_replay",
    "pixel_strip",
    "png",
    "record",
    "recorded",
    "replay_strip",
    "sampling_explorer",
    "sampling_strip",
    "save",
    "symptoms",
    "token_bars",
    "widgets_can_run",
]
