"""Real data: images, texts and records that ship or download, densities that are known exactly, and
batches of them.
"""

from gencourse.data import weather
from gencourse.data.batches import binarised, minibatches
from gencourse.data.images import Images, images
from gencourse.data.points import GaussianMixture, points
from gencourse.data.texts import Text, text, windows

__all__ = [
    "GaussianMixture",
    "Images",
    "Text",
    "binarised",
    "images",
    "minibatches",
    "points",
    "text",
    "weather",
    "windows",
]
