"""Things to move with the mouse.

Each also draws a static figure, for pages and tests where no widget can run.

One module per widget: `latent` explores a decoder, `lab` plays and replays GANs in the plane,
`replay` shows how samples came about, `sampling` what temperature, top-k and top-p do to the next
token, `pixels` how an image is drawn pixel by pixel, `attention` where each position of a text
looks, `noise_levels` what noise does to a density and its score, `particles` how a velocity field
carries points, and `guidance` what steps and guidance do to samples; `denoising` shows images on
their way from noise, `asking` draws images of a class with the steps and guidance chosen.
"""

from gencourse.gan_lab import film_strip
from gencourse.widgets.asking import AskingExplorer, asking_explorer, asking_strip
from gencourse.widgets.attention import AttentionViewer, attention_grid, attention_viewer
from gencourse.widgets.denoising import DenoisingFilm, denoising_film, denoising_strip
from gencourse.widgets.guidance import GuidanceExplorer, guidance_explorer, guidance_strip
from gencourse.widgets.lab import GanLab, gan_lab
from gencourse.widgets.latent import LatentExplorer, latent_explorer, latent_strip
from gencourse.widgets.next_token import sampling_strip
from gencourse.widgets.noise_levels import NoiseExplorer, noise_explorer, noise_strip
from gencourse.widgets.particles import FlowReplay, carried_grid, flow_replay, flow_strip
from gencourse.widgets.pixels import PixelReplay, pixel_replay, pixel_strip
from gencourse.widgets.replay import ImageReplay, image_replay, replay_strip
from gencourse.widgets.sampling import SamplingExplorer, sampling_explorer

__all__ = [
    "AskingExplorer",
    "AttentionViewer",
    "DenoisingFilm",
    "FlowReplay",
    "GanLab",
    "GuidanceExplorer",
    "ImageReplay",
    "LatentExplorer",
    "NoiseExplorer",
    "PixelReplay",
    "SamplingExplorer",
    "asking_explorer",
    "asking_strip",
    "attention_grid",
    "attention_viewer",
    "carried_grid",
    "denoising_film",
    "denoising_strip",
    "film_strip",
    "flow_replay",
    "flow_strip",
    "gan_lab",
    "guidance_explorer",
    "guidance_strip",
    "image_replay",
    "latent_explorer",
    "latent_strip",
    "noise_explorer",
    "noise_strip",
    "pixel_replay",
    "pixel_strip",
    "replay_strip",
    "sampling_explorer",
    "sampling_strip",
]
