"""The denoisers of a longer training, and the recorded comparisons, which ship with the course."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor

from gencourse.errors import DataUnavailable, InputError
from gencourse.models.diffusion.images import Averaged, ImageDiffusion
from gencourse.models.diffusion.latent import CodeNetwork, code_flow
from gencourse.models.diffusion.unet import UNet
from gencourse.runtime import global_seed, on_cpu

FILES = Path(str(resources.files("gencourse.models.diffusion"))) / "files"
DATA_SETS = ("mnist", "fashion-mnist")


def stored(stem: str) -> dict[str, Tensor]:
    """The weights of files/STEM.safetensors in float32; raises DataUnavailable without it."""
    file = FILES / f"{stem}.safetensors"
    if not file.is_file():
        raise DataUnavailable(
            f"trained_denoiser: {file.name} should lie in gencourse/models/diffusion/files, got no "
            "file. Install the course anew, or make it with authoring/make_trained_denoisers.py."
        )
    return {name: tensor.float() for name, tensor in load(file.read_bytes()).items()}


def trained_denoiser(name: str = "mnist") -> ImageDiffusion:
    """Chapter 4's diffusion of digits ("mnist") or clothes ("fashion-mnist") after a training of
    forty minutes, on the CPU, a new one at each call: `sample(n, y=labels, w=2.0)`
    draws, and `averaged` is the DiffusionModel of images around 0. files/denoiser_NAME.md says how
    it was made.
    """
    if name not in DATA_SETS:
        raise InputError(
            f"trained_denoiser: name should be one of {', '.join(DATA_SETS)}, got {name!r}. "
            "Choose one of them."
        )
    state = stored(f"denoiser_{name}")
    with on_cpu(), global_seed(0):  # whose first weights are replaced
        network = UNet(
            width=len(state["enter.weight"]),
            deep=len(state["down.weight"]),
            dense=len(state["middle.layers.0.weight"]),
            num_classes=len(state["labels.weight"]) - 1,
            narrow=len(state["middle.narrow.weight"]),
        )
        network.load_state_dict(state)
        model = ImageDiffusion(network)
    return model.eval().requires_grad_(False)


def trained_code_flow() -> Averaged:
    """The flow on codes of `trained_decoder`, chapter 1's, after a longer training, on the CPU, a
    new one at each call: `trained_decoder()(flow.sample(n, y=labels))` draws digits.
    files/codes_mnist.md says how it was made.
    """
    state = stored("codes_mnist")
    blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
    with on_cpu(), global_seed(0):  # whose first weights are replaced
        width, dim = state["enter.weight"].shape
        network = CodeNetwork(dim, width, len(blocks), len(state["labels.weight"]) - 1)
        network.load_state_dict(state)
        flow = code_flow(network)
    return flow.eval().requires_grad_(False)


def recorded(name: str) -> dict[str, Any]:
    """What a longer comparison of chapter 4 gave: "families" or "shipped", as it stands in
    files/NAME.json; files/recorded.md says how it was made.
    """
    known = sorted(file.stem for file in FILES.glob("[!.]*.json"))
    if name not in known:
        raise InputError(
            f"recorded: name should be one of {', '.join(known)}, got {name!r}. Choose one."
        )
    return dict(json.loads((FILES / f"{name}.json").read_text("utf-8")))
