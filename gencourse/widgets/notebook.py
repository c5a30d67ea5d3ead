"""Where widgets run and where they cannot, and pictures as bytes."""

import io

import torch
from PIL import Image
from torch import Tensor

from gencourse.figures import tile

try:
    import ipywidgets
except ImportError:  # a page without widgets still gets the static figure
    ipywidgets = None


def widgets_can_run() -> bool:
    """Whether this is a notebook with a live kernel and ipywidgets."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return ipywidgets is not None and getattr(get_ipython(), "kernel", None) is not None


def png(x: Tensor, zoom: int) -> bytes:
    """An image (C, H, W) in [0, 1] as PNG bytes, enlarged without smoothing."""
    pixels = (tile(x[None], 1).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((pixels.shape[1] * zoom, pixels.shape[0] * zoom), Image.Resampling.NEAREST).save(stream, "PNG")
    return stream.getvalue()
