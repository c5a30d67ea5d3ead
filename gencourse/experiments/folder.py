"""What lies in the folder of a training, and how it is written: whole or not at all.

| file | content |
| --- | --- |
| plan.json | what was asked for, and all else on which the training depends |
| metrics.csv | a row for each look: step, seconds, measures on the part held out |
| samples/step_000500.png, .txt | what the model made at that step |
| checkpoint.safetensors | where `fit` goes on |
| best.safetensors | the best weights so far |
| model.safetensors | the weights that were best, once the training is complete |
| scores.json | the scores on the test part; with it the folder is finished |
| README.md | the datasheet |
| .lock | locked while a training is at work there; empty |
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.experiments.plan import Plan
from gencourse.figures import tile
from gencourse.files import write_whole

Row = dict[str, float]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a dict as JSON that people can read."""
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


@dataclass(frozen=True)
class Folder:
    """The folder of one training; it need not be there yet."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The file from which `fit` goes on."""
        return self.path / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        """The best weights so far."""
        return self.path / "best.safetensors"

    @property
    def model(self) -> Path:
        """The weights of a complete training."""
        return self.path / "model.safetensors"

    def plan(self) -> Plan | None:
        """The plan; None in a folder that is empty or not there; raises InputError for others."""
        try:
            return Plan.of_json(json.loads((self.path / "plan.json").read_text("utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            strange = self.path.is_file() or (self.path.is_dir() and any(self.path.glob("[!.]*")))
            got = "one with other files"
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            strange, got = True, "a plan.json that is none of ours"
        if strange:
            raise InputError(
                f"train: {self.path} should be a new folder or one that `gencourse train` filled, "
                f"got {got}. Name another one."
            )
        return None

    def write_plan(self, plan: Plan) -> None:
        """Write plan.json."""
        write_json(self.path / "plan.json", plan.as_json())

    def scores(self) -> dict[str, Any] | None:
        """What stands in scores.json; None while the training is not finished."""
        try:
            return json.loads((self.path / "scores.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def write_scores(self, content: dict[str, Any]) -> None:
        """Write scores.json, the last of all files."""
        write_json(self.path / "scores.json", content)

    def rows(self) -> list[Row]:
        """The rows of metrics.csv; empty cells are left out."""
        try:
            text = (self.path / "metrics.csv").read_text("utf-8")
        except OSError:
            return []
        lines = csv.DictReader(io.StringIO(text))
        return [{key: float(cell) for key, cell in line.items() if cell} for line in lines]

    def write_rows(self, rows: list[Row]) -> None:
        """Write metrics.csv anew."""
        stream = io.StringIO()
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = csv.DictWriter(stream, names, lineterminator="\n")
        table.writeheader()
        table.writerows(
            {key: int(x) if key == "step" else f"{x:.6g}" for key, x in row.items()} for row in rows
        )
        write_whole(self.path / "metrics.csv", stream.getvalue().encode("utf-8"))

    def write_samples(self, step: int, samples: Tensor | str, columns: int) -> None:
        """Write a picture of images (N, C, H, W), or a text."""
        path = self.path / "samples" / f"step_{step:06d}"
        if isinstance(samples, str):
            write_whole(path.with_suffix(".txt"), samples.encode("utf-8"))
            return
        stream = io.BytesIO()
        pixels = (tile(samples, columns).clamp(0, 1) * 255).round().to(torch.uint8)
        Image.fromarray(pixels.numpy()).save(stream, "PNG")
        write_whole(path.with_suffix(".png"), stream.getvalue())


def save_weights(path: Path, model: nn.Module, **about: float) -> None:
    """Write a model's state as safetensors, what is no tensor in its header, and `about` too."""
    state = model.state_dict()
    tensors = {key: x for key, x in state.items() if isinstance(x, Tensor)}
    others = {key: x for key, x in state.items() if key not in tensors}
    copies = {
        key: x.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, x in tensors.items()
    }
    header = {"others": json.dumps(others), "about": json.dumps(about)}
    write_whole(path, to_bytes(copies, header))


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """A state and what `save_weights` was told about it; raises InputError for another file."""
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return {**tensors, **json.loads(header["others"])}, json.loads(header["about"])
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(
            f"load: {path} should hold the weights of a model, got a file that cannot be read as "
            f"such ({error}). Train it anew in another folder."
        ) from None
