"""The lab's sliders, lists and buttons.

Only what ipywidgets 7.7 has, since that is what Colab runs.
"""

import math
from dataclasses import replace
from typing import Any

from gencourse.gan_lab.panels import LAYERS
from gencourse.gan_lab.settings import CHOICES, Settings
from gencourse.widgets.notebook import ipywidgets

COLUMN = "294px"
WORDS = {  # setting -> description of its control, in the order of the column
    "data": "data",
    "noise": "noise",
    "loss": "loss",
    "penalty": "penalty on D",
    "penalty_weight": "its weight",
    "optimizer": "optimizer",
    "lr": "learning rate of G",
    "d_lr_ratio": "D's rate / G's rate",
    "d_steps": "D moves a round",
    "g_steps": "G moves a round",
    "hidden": "neurons a layer",
}
# of ten, at the ends of their sliders
POWERS = {
    "penalty_weight": (-3, 2),
    "lr": (-5, 0),
    "d_lr_ratio": (-2, 2),
}
COUNTS = ("d_steps", "g_steps")
WIDTHS = (8, 16, 32, 64, 128, 256)
SPEEDS = (1, 2, 5, 10, 20)


def shape() -> dict:
    """Layout and style of one control in the column."""
    return {"layout": ipywidgets.Layout(width="286px"), "style": {"description_width": "120px"}}


def setting_controls(settings: Settings) -> dict:
    """One control for each setting that can be changed by hand, at its present value."""
    made = {name: setting_control(name, words) for name, words in WORDS.items()}
    show_settings(made, settings)
    return made


def setting_control(name: str, words: str) -> Any:
    """A list for a choice, a slider for a number."""
    if name in POWERS:
        low, high = POWERS[name]
        kind = {
            "min": low,
            "max": high,
            "step": 0.05,
            "readout_format": ".2g",
            "continuous_update": False,
        }
        return ipywidgets.FloatLogSlider(description=words, **kind, **shape())
    if name in COUNTS:
        return ipywidgets.IntSlider(
            min=1, max=10, description=words, continuous_update=False, **shape()
        )
    return ipywidgets.Dropdown(
        options=WIDTHS if name == "hidden" else CHOICES[name], description=words, **shape()
    )


def show_settings(controls: dict, settings: Settings) -> None:
    """Move the controls to the settings; a slider that is too short grows."""
    for name, control in controls.items():
        value = getattr(settings, name)
        if name in POWERS:
            value = max(value, 1e-9)  # a weight of 0 has no logarithm
            control.min, control.max = (
                min(control.min, math.log10(value)),
                max(control.max, math.log10(value)),
            )
        elif name in COUNTS:
            control.max = max(control.max, value)
        elif value not in control.options:
            control.options = (*control.options, value)
        control.value = value


def read_settings(controls: dict, base: Settings) -> Settings:
    """The settings that the controls show; what has no control is as in `base`."""
    return replace(base, **{name: control.value for name, control in controls.items()})


def layer_boxes() -> dict:
    """A check box for each layer of the picture."""
    width = ipywidgets.Layout(width="140px")
    return {
        name: ipywidgets.Checkbox(value=shown, description=name, indent=False, layout=width)
        for name, shown in LAYERS.items()
    }


def two_columns(boxes: dict) -> Any:
    """Check boxes in two columns."""
    names = list(boxes)
    half = -(-len(names) // 2)
    return ipywidgets.HBox(
        [ipywidgets.VBox([boxes[name] for name in part]) for part in (names[:half], names[half:])]
    )
