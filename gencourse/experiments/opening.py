"""Opening what was trained: the model with its best weights, and the tokens of a text."""

from pathlib import Path

import torch
from torch import nn

from gencourse.data import Text
from gencourse.errors import InputError
from gencourse.experiments.folder import Folder, read_weights
from gencourse.experiments.plan import Plan
from gencourse.experiments.recipe import recipe
from gencourse.runtime import global_seed, on_cpu, typed_path


def load(path: str | Path, device: torch.device | str = "cpu") -> nn.Module:
    """The model in a folder of `gencourse train`, in evaluation mode on the device.

    While the training is not complete these are the best weights so far. Raises InputError for a
    folder without a model.
    """
    folder, plan = opened("load", path)
    weights = next((file for file in (folder.model, folder.best) if file.is_file()), None)
    if weights is None:
        command = plan.request.command(folder.path)
        raise InputError(
            f"load: path should be a folder with a trained model, got {folder.path}, whose "
            f"training has not come to its first look. Go on with it: {command}"
        )
    with global_seed(0), on_cpu():
        model = recipe(plan.request.name).model(plan.settings)
    model.load_state_dict(read_weights(weights)[0])
    return model.to(device).eval()


def load_text(path: str | Path) -> Text:
    """What turns a string into the tokens of the model in a folder, and back: a Text with `encode`,
    `decode` and `vocabulary`, whose two parts are empty.

    Raises InputError for a folder whose model is not of text.
    """
    folder, plan = opened("load_text", path)
    if "vocabulary" not in plan.settings:
        raise InputError(
            "load_text: path should be a folder with a model of text, got that of the model "
            f"{plan.request.name!r}, {folder.path}. Use load alone."
        )
    nothing = torch.zeros(0, dtype=torch.long, device="cpu")
    return Text(plan.request.name, tuple(plan.settings["vocabulary"]), nothing, nothing)


def opened(where: str, path: str | Path) -> tuple[Folder, Plan]:
    """A folder and its plan; raises InputError where there is none."""
    folder = Folder(typed_path(path))
    plan = folder.plan() if folder.path.is_dir() else None
    if plan is None:
        got = "an empty one" if folder.path.is_dir() else "no folder"
        raise InputError(
            f"{where}: path should be a folder that `gencourse train` filled, got {folder.path}, "
            f"which is {got}. Train a model first: gencourse train vae"
        )
    return folder, plan
