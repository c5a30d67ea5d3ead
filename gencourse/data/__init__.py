"""Real data: images that ship with the package or download, 2-D densities that are known exactly, and batches of them."""

from gencourse.data.batches import binarised, minibatches
from gencourse.data.images import Images, images
from gencourse.data.points import GaussianMixture, points

__all__ = ["GaussianMixture", "Images", "binarised", "images", "minibatches", "points"]
