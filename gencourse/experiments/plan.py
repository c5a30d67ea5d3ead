"""What was asked for, and what was made of it: the content of plan.json."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.runtime import SCALES, on_cpu, typed_path
from gencourse.training.checkpoint import digest
from gencourse.validation import require_count


@dataclass(frozen=True)
class Request:
    """What a training was asked for; steps and seconds are None where the scale decides."""

    name: str
    scale: str
    data: str
    seed: int
    steps: int | None
    seconds: float | None

    def command(self, folder: Path) -> str:
        """The line that asks for it."""
        words = ["gencourse train", self.name]
        for name, value in asdict(self).items():
            if name != "name" and value not in (None, ""):
                words += [f"--{name}", quoted(f"{value:g}" if name == "seconds" else f"{value}")]
        return " ".join([*words, "--to", quoted(f"{folder}")])


def quoted(word: str) -> str:
    """A word of a command, between quotes where a shell would take it for two."""
    return f'"{word}"' if " " in word else word


def requested(
    name: str,
    scale: str | None,
    data: str | Path,
    seed: int,
    steps: int | None,
    seconds: float | None,
) -> Request:
    """The arguments of `train` as a Request; raises InputError or InputTypeError for wrong ones."""
    source = str(data) if str(data) in ("shipped", "full") else str(typed_path(data))
    scale = scale or ("default" if source == "shipped" else "full")
    if scale not in SCALES:
        raise InputError(
            f"train: scale should be one of {', '.join(SCALES)}, got {scale!r}. Choose one of them."
        )
    require_count("train", "seed", seed, at_least=0)
    if steps is not None:
        require_count("train", "steps", steps)
    if steps is not None and seconds is not None:
        raise InputError(
            "train: steps or seconds should be given, got both. Leave one of them out."
        )
    if seconds is not None and not 0 < seconds < math.inf:
        raise InputError(
            f"train: seconds should be a positive number, got {describe(seconds)}. Pass 600, say."
        )
    return Request(name, scale, source, seed, steps, seconds)


@dataclass(frozen=True)
class Plan:
    """A training: the request, and all else on which it depends."""

    request: Request
    edition: str
    steps: int
    batch_size: int
    lr: float
    settings: dict[str, Any]
    data_digest: str
    precision: str = "auto"  # of matrix products, as `fit` takes it

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON has it, the request's fields beside the others."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "request"}
        asked = {"steps": self.request.steps, "seconds": self.request.seconds}
        kept = {key: value for key, value in asdict(self.request).items() if key not in asked}
        return {**kept, "asked": asked, **own}

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> "Plan":
        """The inverse of `as_json`."""
        request = {name: content[name] for name in ("name", "scale", "data", "seed")}
        own = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        return cls(Request(**request, **content["asked"]), **own)


def require_same(folder: Path, there: Request, here: Request) -> None:
    """Raise InputError, with what differs, unless a folder's training is the one asked for."""
    other = [
        f"{key} {told(getattr(there, key))} there and {told(value)} here"
        for key, value in asdict(here).items()
        if getattr(there, key) != value
    ]
    if other:
        raise InputError(
            f"train: to should be a new folder or that of this training, got {folder} with "
            f"{'; '.join(other)}. Name another folder, --to PATH, or delete that one; "
            f"it goes on by: {there.command(folder)}"
        )


def require_data(folder: Path, plan: Plan, data: object) -> None:
    """Raise InputError unless the data are those with which the training began."""
    if plan.data_digest != data_digest(data):
        raise InputError(
            f"train: data should be those with which the training in {folder} began, got changed "
            "ones. Bring the files back, or name another folder, --to PATH."
        )


def told(value: object) -> str:
    """A setting in a sentence."""
    return "not given" if value is None else f"{value}"


def data_digest(data: object) -> str:
    """A hash of the tensors of a data set, so that changed files are noticed."""
    tensors = {key: value for key, value in vars(data).items() if isinstance(value, Tensor)}
    with on_cpu():
        return digest("", tensors)[:16]
