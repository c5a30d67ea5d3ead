"""Figures of the course. A figure takes tensors, draws on the axes it is given or on new ones, and
returns the axes.

Colours are told apart by colour-blind readers too (Okabe & Ito), and no figure relies on colour
alone.
"""

from gencourse.figures.curves import curves, log_scale, running_mean, training_curves
from gencourse.figures.families import families
from gencourse.figures.images import image_grid, image_map, image_rows, prior_quantile_grid, tile
from gencourse.figures.plane import heatmap, latent_scatter, plane_grid, point_clouds
from gencourse.figures.style import DASHES, MARKERS, PALETTE

__all__ = [
    "DASHES",
    "MARKERS",
    "PALETTE",
    "curves",
    "families",
    "heatmap",
    "image_grid",
    "image_map",
    "image_rows",
    "latent_scatter",
    "log_scale",
    "plane_grid",
    "point_clouds",
    "prior_quantile_grid",
    "running_mean",
    "tile",
    "training_curves",
]
