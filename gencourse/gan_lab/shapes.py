"""Data that a reader draws: blobs in some cells of a square, and shapes to begin with."""

import torch

from gencourse.data import GaussianMixture, points
from gencourse.runtime import plain_torch

CELLS, SPACING, STD = 11, 0.5, 0.16  # cells along each axis, their distance, a blob's deviation
PICTURES = {  # name -> rows from the top, # where a blob is
    "smile": "  #     #|  #     #|||#         #| ##     ##|   #####",
    "cross": "     #|     #|     #|     #|###########|     #|     #|     #|     #",
    "letter G": "   ######|  #|  #|  #   ###|  #     #|  #     #|   ######",
    "stairs": "        ###|        #|     ####|     #|  ####|  #|###",
    "two squares": " ###   ###| # #   # #| ###   ###",
}


def cells_of(picture: str) -> tuple[int, ...]:
    """The numbers of the cells that a picture fills, counted row by row from the lowest left.

    The picture stands halfway between top and bottom.
    """
    rows = picture.split("|")
    top = CELLS - 1 - (CELLS - len(rows)) // 2
    filled = [
        (top - i) * CELLS + j
        for i, row in enumerate(rows)
        for j, mark in enumerate(row)
        if mark == "#"
    ]
    return tuple(sorted(filled))


SHAPES = {name: cells_of(picture) for name, picture in PICTURES.items()}


def centre_of(cell: int) -> tuple[float, float]:
    """The point (x₁, x₂) in the middle of a cell."""
    row, column = divmod(cell, CELLS)
    middle = (CELLS - 1) / 2
    return SPACING * (column - middle), SPACING * (row - middle)


@plain_torch()
def density_of(data: str, cells: tuple[int, ...] = ()) -> GaussianMixture:
    """The density of the data named, or for "drawn" a blob in each of the cells, all alike."""
    if data != "drawn":
        return points(data)
    K = len(cells)
    centres = torch.tensor([centre_of(cell) for cell in cells])
    return GaussianMixture(centres, torch.full((K,), STD), torch.full((K,), 1 / K))
