"""Things to move with the mouse.

Each also draws a static figure, for pages and tests where no widget can run.

One module per widget: `latent` explores a decoder, `lab` plays and replays GANs in the plane,
`replay` shows how samples came about, `sampling` what temperature, top-k and top-p do to the next
token, `pixels` how an image is drawn pixel by pixel, and `attention` where each position of a text
looks.
"""

from gencourse.gan_lab import film_strip
from gencourse.widgets.attention import AttentionViewer, attention_grid, attention_viewer
from gencourse.widgets.lab import GanLab, gan_lab
from gencourse.widgets.latent import LatentExplorer, latent_explorer, latent_strip
from gencourse.widgets.next_token import sampling_strip
from gencourse.widgets.pixels import PixelReplay, pixel_replay, pixel_strip
from gencourse.widgets.replay import ImageReplay, image_replay, replay_strip
from gencourse.widgets.sampling import SamplingExplorer, sampling_explorer

__all__ = [
    "AttentionViewer",
    "GanLab",
    "ImageReplay",
    "LatentExplorer",
    "PixelReplay",
    "SamplingExplorer",
    "attention_grid",
    "attention_viewer",
    "film_strip",
    "gan_lab",
    "image_replay",
    "latent_explorer",
    "latent_strip",
    "pixel_replay",
    "pixel_strip",
    "replay_strip",
    "sampling_explorer",
    "sampling_strip",
]
