"""Figures of the course. A figure takes tensors, draws on the axes it is given or on new ones, and
returns the axes.

Colours are told apart by colour-blind readers too (Okabe & Ito), and no figure relies on colour
alone. The import sets the style of all figures, see `use_style`.
"""

from gencourse.figures.curves import bars, curves, log_scale, running_mean, training_curves
from gencourse.figures.diagrams import (
    coupling_diagram,
    diffusion_diagram,
    gan_diagram,
    gpt_block,
    graphical_model,
    made_network,
    pixelcnn_stacks,
    query_key_value,
    unet_diagram,
    vae_diagram,
)
from gencourse.figures.families import families
from gencourse.figures.images import (
    image_grid,
    image_map,
    image_rows,
    map_square,
    prior_quantile_grid,
    tile,
)
from gencourse.figures.plane import (
    heatmap,
    latent_scatter,
    plane_grid,
    point_clouds,
    trajectories,
    vector_field,
)
from gencourse.figures.style import DASHES, MARKERS, PAGE_WIDTH, PALETTE, SMALL, panels, use_style

use_style()

__all__ = [
    "DASHES",
    "MARKERS",
    "PAGE_WIDTH",
    "PALETTE",
    "SMALL",
    "bars",
    "coupling_diagram",
    "curves",
    "diffusion_diagram",
    "families",
    "gan_diagram",
    "gpt_block",
    "graphical_model",
    "heatmap",
    "image_grid",
    "image_map",
    "image_rows",
    "latent_scatter",
    "log_scale",
    "made_network",
    "map_square",
    "panels",
    "pixelcnn_stacks",
    "plane_grid",
    "point_clouds",
    "prior_quantile_grid",
    "query_key_value",
    "running_mean",
    "tile",
    "training_curves",
    "trajectories",
    "unet_diagram",
    "use_style",
    "vae_diagram",
    "vector_field",
]
