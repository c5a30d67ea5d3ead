"""A training on disk: one file that is whole or not there, from which `fit` goes on.

The file holds tensors only (safetensors), and in its header a JSON text with all that is no tensor;
nothing in it is executed when it is read. A digest over both tells a torn file from a whole one.
Writing goes to a file beside it, which is read back before it takes the place of the last one; that
one is kept under another name. So whatever happens at whatever moment, one of the three is whole.
"""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

import gencourse
from gencourse.errors import InputError
from gencourse.training.contract import Player
from gencourse.training.history import History
from gencourse.training.optimizers import JointOptimizer
from gencourse.training.randomness import random_states, set_random_states

SECONDS = 30.0  # between two writings


def write(path: Path, content: dict[str, Any]) -> None:
    """Put nested dicts and lists of tensors, numbers and text into a file, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(separated(content, tensors))
    data = to_bytes(tensors, {"state": text, "digest": digest(text, tensors)})
    new = beside(path, "new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(new, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if new.read_bytes() != data:
        raise OSError(f"{new} does not hold what was written to it")
    if path.exists():
        os.replace(path, beside(path, "before"))
    os.replace(new, path)


def read(path: Path) -> dict[str, Any] | None:
    """What `write` last put there whole; None where there is nothing whole."""
    found = [
        one for name in (path, beside(path, "new"), beside(path, "before")) if (one := whole(name))
    ]
    return max(found, key=lambda one: one.get("step", 0), default=None)


def beside(path: Path, word: str) -> Path:
    """The name of a file that belongs to another."""
    return path.with_name(f"{path.name}.{word}")


def whole(path: Path) -> dict[str, Any] | None:
    """The content of a file; None if it is not there, torn, or none of ours."""
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError):
        return None
    text = header.get("state", "")
    return (
        joined(json.loads(text), tensors) if header.get("digest") == digest(text, tensors) else None
    )


def digest(text: str, tensors: dict[str, Tensor]) -> str:
    """A hash of a text and of tensors, with their names, types and shapes."""
    made = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        x = tensors[key].contiguous()
        made.update(f"\0{key} {x.dtype} {tuple(x.shape)}\0".encode())
        made.update(x.reshape(-1).view(torch.uint8).numpy().tobytes())
    return made.hexdigest()


def separated(value: Any, tensors: dict[str, Tensor], name: str = "") -> Any:
    """The value as JSON has it, its tensors put into `tensors` under names that stay behind."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, dict):
        return {
            "keys": list(value),
            "items": [separated(item, tensors, f"{name}/{key}") for key, item in value.items()],
        }
    if isinstance(value, list | tuple):
        return [separated(item, tensors, f"{name}/{i}") for i, item in enumerate(value)]
    return value


def joined(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `separated`; tuples have become lists."""
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        return dict(
            zip(value["keys"], (joined(item, tensors) for item in value["items"]), strict=True)
        )
    return [joined(item, tensors) for item in value] if isinstance(value, list) else value


class Keeper:
    """What `fit` has on disk: it says where to go on, and writes every half minute."""

    def __init__(
        self,
        path: str | Path,
        model: nn.Module,
        players: list[Player],
        settings: dict[str, Any],
        precision: str,
    ) -> None:
        self.path, self.model, self.players = Path(path).expanduser(), model, players
        self.device = next(model.parameters()).device
        self.run, self.precision = {**settings, **description(model, players)}, precision
        self.first = random_states(self.device)
        self.written, self.complained, self.began_with = time.monotonic(), False, ""
        self.batches: Iterable = ()

    def resume(self, batches: Iterable, steps: int) -> tuple[int, History, Iterator, str]:
        """The step to go on with, what was recorded before it, the batches from there, and the
        precision of the steps before: on another day "auto" might be settled otherwise.
        """
        self.batches = batches
        kept = read(self.path)
        if kept is None:
            return 0, History(planned=steps), iter(batches), self.precision
        self.compare(kept["run"])
        self.precision = kept.get("precision", {}).get(self.device.type, self.precision)
        self.model.load_state_dict(kept["model"])
        for player, state in zip(self.players, kept["optimizers"], strict=True):
            player.optimizer.load_state_dict(state)
            lay_out(player.optimizer)
        step, self.first, self.began_with = kept["step"], kept["first"], kept["began_with"]
        rest = iter(()) if step == steps else self.forward(batches, kept)
        set_random_states(kept["random"], self.device)
        how = "is complete" if step == steps else f"goes on at step {step:,} of {steps:,}"
        print(f"{self.path.name}: the training {how}.")
        return step, History(kept["history"], kept["seconds"], steps), rest, self.precision

    def compare(self, run: dict[str, Any]) -> None:
        """Raise where the file belongs to another training."""
        other = [
            f"{key} {told(run.get(key))} there and {told(self.run[key])} here"
            for key in self.run
            if json.loads(json.dumps(self.run[key])) != run.get(key) and key != "edition"
        ]
        if other:
            raise InputError(
                f"fit: checkpoint should be of this training, got {self.path} with "
                f"{'; '.join(other)}. Name another file, or delete that one to begin anew."
            )
        if run.get("edition") != self.run["edition"]:
            print(f"{self.path.name} was written by edition {run.get('edition')} of the course.")

    def forward(self, batches: Iterable, kept: dict[str, Any]) -> Iterator:
        """The batches after those that the file's steps have used."""
        if kept["position"] is not None and hasattr(batches, "load_state_dict"):
            batches.load_state_dict(kept["position"])
            return iter(batches)
        set_random_states(kept["first"], self.device)  # a DataLoader shuffles by the global one
        fresh = iter(batches)
        begin = next(fresh, None)
        if begin is None or print_of(begin) != kept["began_with"]:
            raise InputError(
                "fit: batches should begin as they did in the training that the checkpoint holds, "
                "got others. Pass them anew, not an iterator from which batches were taken."
            )
        next(islice(fresh, kept["step"] - 1, kept["step"] - 1), None)
        return fresh

    def note(self, step: int, history: History, batch: Any, last: bool = False) -> None:
        """After a step: write if it is time, or if it is the last one.

        What cannot be written is said once; the file before it stays.
        """
        if step == 1:
            self.began_with = print_of(batch)
        now = time.monotonic()
        if not last and now - self.written < SECONDS:
            return
        try:
            write(self.path, self.content(step, history))
        except OSError as error:
            if not self.complained:
                warnings.warn(f"fit: {self.path} could not be written ({error}).", stacklevel=3)
            self.complained = True
        self.written = time.monotonic()

    def content(self, step: int, history: History) -> dict[str, Any]:
        """All that the rest of the training depends on."""
        position = self.batches.state_dict() if hasattr(self.batches, "state_dict") else None
        return {
            "run": self.run,
            "precision": {self.device.type: self.precision},
            "step": step,
            "seconds": history.seconds,
            "history": history.values,
            "model": self.model.state_dict(),
            "optimizers": [player.optimizer.state_dict() for player in self.players],
            "position": position,
            "began_with": self.began_with,
            "first": self.first,
            "random": random_states(self.device),
        }


def lay_out(optimizer: torch.optim.Optimizer | JointOptimizer) -> None:
    """Give what an optimizer holds of each parameter that one's own layout in memory.

    A file holds tensors row by row; a fused step takes the numbers as they lie, and would pair
    those of a parameter that lies by channels with other ones.
    """
    for parameter, held in optimizer.state.items():
        for key, value in held.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                held[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def description(model: nn.Module, players: list[Player]) -> dict[str, Any]:
    """What a model and its players are, so that another one's file is not taken for theirs."""
    return {
        "edition": gencourse.__version__,
        "model": type(model).__name__,
        "parameters": {name: list(p.shape) for name, p in model.named_parameters()},
        "optimizers": {
            player.name: [
                {key: value for key, value in group.items() if key != "params"}
                for group in player.optimizer.param_groups
            ]
            for player in players
        },
    }


def told(value: Any) -> str:
    """A setting in a sentence."""
    text = f"{value}"
    return text if len(text) < 60 else f"{text[:57]}..."


def print_of(batch: Any) -> str:
    """A digest of a batch's tensors."""
    parts = batch if isinstance(batch, list | tuple) else [batch]
    return digest("", {str(i): part.detach().cpu() for i, part in enumerate(parts)})
