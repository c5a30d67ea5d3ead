"""The GPT of a longer training, and the recorded runs, which ship with the course."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors.torch import load

from gencourse.errors import InputError
from gencourse.models.autoregressive.gpt import GPT
from gencourse.runtime import global_seed, on_cpu

FILES = resources.files("gencourse.models.autoregressive") / "files"


def trained_gpt() -> GPT:
    """Chapter 3's GPT on the characters of `text("shakespeare")` after a longer training, on the
    CPU, a new one at each call; files/gpt_shakespeare.md says how it was made.
    """
    sizes = json.loads((FILES / "gpt_shakespeare.json").read_text("utf-8"))
    with on_cpu(), global_seed(0):  # whose first weights are replaced
        model = GPT(**sizes)
        state = load((FILES / "gpt_shakespeare.safetensors").read_bytes())
        model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return model.eval().requires_grad_(False)


def recorded(name: str) -> dict[str, Any]:
    """What a longer experiment of chapter 3 gave: "optimizers", "tokens", "overfitting", "isoflop"
    or "digits", as it stands in files/NAME.json; files/recorded.md says how it was made.
    """
    files = Path(str(FILES)).glob("[!.]*.json")
    known = sorted(file.stem for file in files if not file.name.startswith("gpt_"))
    if name not in known:
        raise InputError(
            f"recorded: name should be one of {', '.join(known)}, got {name!r}. Choose one."
        )
    return dict(json.loads((FILES / f"{name}.json").read_text("utf-8")))
