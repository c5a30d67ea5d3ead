"""Schematics, drawn by code: a file for each chapter, and the kit that they are drawn with."""

from gencourse.figures.diagrams.autoregressive import (
    gpt_block,
    made_network,
    pixelcnn_stacks,
    query_key_value,
)
from gencourse.figures.diagrams.diffusion import (
    coupling_diagram,
    diffusion_diagram,
    unet_diagram,
)
from gencourse.figures.diagrams.gan import gan_diagram
from gencourse.figures.diagrams.vae import graphical_model, vae_diagram

__all__ = [
    "coupling_diagram",
    "diffusion_diagram",
    "gan_diagram",
    "gpt_block",
    "graphical_model",
    "made_network",
    "pixelcnn_stacks",
    "query_key_value",
    "unet_diagram",
    "vae_diagram",
]
