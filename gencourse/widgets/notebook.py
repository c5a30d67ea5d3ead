"""What all widgets share: where they can run, pictures as bytes, a button, a sentence, and the
faults it tells.
"""

import io
from collections.abc import Callable
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from gencourse import runtime
from gencourse.figures import tile

try:
    import ipywidgets
except ImportError:  # a page without widgets still gets the static figure
    ipywidgets = None

# every CourseError is one of these
EXPECTED_ERRORS = (
    ArithmeticError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def widgets_can_run() -> bool:
    """Whether this is a notebook with a live kernel and ipywidgets, whose reader wants widgets."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return (
        runtime.interactive()
        and ipywidgets is not None
        and getattr(get_ipython(), "kernel", None) is not None
    )


def display_widget_or_figure(box: object, static_figure: Callable[[], Figure]) -> None:
    """Display the widgets, or, where there are none, the static figure."""
    from IPython.display import display

    if box is not None:
        display(box)
        return
    figure = static_figure()
    display(figure)
    plt.close(figure)  # else the notebook shows it again at the end of the cell


def image_png(x: Tensor, zoom: int) -> bytes:
    """An image (C, H, W) in [0, 1] as PNG bytes, enlarged without smoothing."""
    return grid_png(x[None], 1, zoom)


def grid_png(images: Tensor, columns: int, zoom: int) -> bytes:
    """Images (N, C, H, W) in [0, 1] side by side as PNG bytes, enlarged without smoothing."""
    pixels = (tile(images, columns).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).resize(
        (pixels.shape[1] * zoom, pixels.shape[0] * zoom), Image.Resampling.NEAREST
    ).save(stream, "PNG")
    return stream.getvalue()


def film_controls(last: int, first: int, interval: int) -> tuple[Any, Any, Any]:
    """A Play button and a slider over the moments 0 to `last`, and the link between them; moment
    `first` is shown first, the next one after `interval` milliseconds.
    """
    player = ipywidgets.Play(value=first, min=0, max=last, interval=interval)
    position = ipywidgets.IntSlider(value=first, min=0, max=last, readout=False)
    return player, position, ipywidgets.jslink((player, "value"), (position, "value"))


def picture() -> Any:
    """A place for PNG bytes: as wide as they are, or as the page where that is narrower. Without
    `align_self` a column of widgets would stretch it to the page's width, blurred, and so tall that
    its sliders are out of sight.
    """
    unstretched = ipywidgets.Layout(max_width="100%", align_self="flex-start")
    return ipywidgets.Image(format="png", layout=unstretched)


def button(description: str, tooltip: str, icon: str = "", width: str = "92px") -> Any:
    """A button; the tooltip says what it does."""
    return ipywidgets.Button(
        description=description, tooltip=tooltip, icon=icon, layout=ipywidgets.Layout(width=width)
    )


def status_html(text: str, wrong: bool = False) -> str:
    """A sentence for the status line, as HTML."""
    red = "color:var(--jp-error-color1, #B00020)" if wrong else ""  # JupyterLab's, also on black
    return f"<div style='line-height:1.35; {red}'>{escape(text)}</div>"
