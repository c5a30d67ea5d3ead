"""Matches written down: record one, keep it in a small file, and load it again, those that ship
with the course by name.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gencourse.data import GaussianMixture
from gencourse.errors import DataUnavailable, InputError
from gencourse.gan_lab.match import Match
from gencourse.gan_lab.observe import Frame, Scores
from gencourse.gan_lab.settings import Settings
from gencourse.runtime import plain_torch
from gencourse.validation import require_count

FILES = Path(__file__).parent / "files"
SHIPPED = {  # name -> title; the first four go well, the last three do not
    "ring": "ring: eight modes, a healthy run",
    "grid": "grid: 25 modes, a healthy run",
    "two": "two broad modes, a healthy run",
    "spiral": "spiral: a curve, a healthy run",
    "collapse": "ring: mode collapse",
    "discriminator wins": "ring: the discriminator wins",
    "oscillation": "ring: oscillation",
}
UNNAMED = ("A", "B", "C", "D", "E", "F")  # six more, which the exercise asks about
# what a damaged file may raise
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Recording:
    """A match as frames, the first before any move.

    `symptoms` are the numbers of diagnosis.symptoms, once computed.
    """

    settings: Settings
    frames: Sequence[Frame]
    title: str = ""
    symptoms: dict[str, float] | None = None

    @property
    @plain_torch()
    def density(self) -> GaussianMixture:
        """The true density of the data."""
        return self.settings.density

    def __repr__(self) -> str:
        return (
            f"Recording({self.title!r}, {len(self.frames)} frames, "
            f"{self.frames[-1].scores.step:.0f} rounds)"
        )


def record(settings: Settings, steps: int, every: int, title: str = "") -> Recording:
    """Play `steps` rounds; look before the first and after each `every` rounds."""
    require_count("record", "steps", steps)
    require_count("record", "every", every)
    match = Match(settings)
    frames = [match.observe()]
    for step in range(1, steps + 1):
        match.step()
        if step % every == 0:
            frames.append(match.observe())
    return Recording(settings, frames, title)


def save(recording: Recording, path: Path) -> None:
    """Write a recording as a compressed npz: coordinates in half precision, beliefs in 1/255,
    everything else as text.
    """
    about = {
        "settings": asdict(recording.settings),
        "title": recording.title,
        "symptoms": recording.symptoms,
    }
    frames = recording.frames
    arrays = {
        name: half([getattr(frame, name) for frame in frames])
        for name in ("fake", "arrows", "sheet")
    }
    np.savez_compressed(
        path,
        about=np.array(json.dumps(about)),
        scores=np.array([frame.scores for frame in frames], dtype=np.float32),
        real=half([frames[0].real]),
        surface=np.stack(
            [(frame.surface * 255).round().to(torch.uint8).numpy() for frame in frames]
        ),
        fake=arrays["fake"],
        arrows=arrays["arrows"],
        sheet=arrays["sheet"],
    )


def half(tensors: Sequence[Tensor]) -> np.ndarray:
    """Tensors of one shape, stacked, in half precision, clamped to its range."""
    return torch.stack(list(tensors)).clamp(-65504, 65504).to(torch.float16).numpy()


def load(path: Path) -> Recording:
    """Read a recording. A file that is missing or damaged is refused in a sentence."""
    path = Path(path)
    if not path.is_file():
        raise DataUnavailable(
            f"load: path should be a recording, got {path}, which is no file. Make it with save."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return assemble(json.loads(str(arrays["about"])), arrays)
    except DAMAGE as error:
        raise DataUnavailable(
            f"load: path should be a whole recording, got a damaged {path.name}. Install or "
            "record it again."
        ) from error


def assemble(about: dict, arrays: dict[str, np.ndarray]) -> Recording:
    """The recording of a file's contents."""
    real = torch.from_numpy(arrays["real"][0]).float()
    surface = torch.from_numpy(arrays["surface"]).float() / 255
    fake, arrows, sheet = (
        torch.from_numpy(arrays[name]).float() for name in ("fake", "arrows", "sheet")
    )
    scores = [Scores(*row) for row in arrays["scores"].tolist()]
    if (
        not len(scores)
        or fake.shape[1:] != real.shape
        or any(len(part) != len(scores) for part in (surface, fake, arrows, sheet))
    ):
        raise InputError(
            "assemble: arrays should have one row per frame, got others. Record the match again."
        )
    frames = [
        Frame(scores[i], real, fake[i], surface[i], arrows[i], sheet[i]) for i in range(len(scores))
    ]
    return Recording(Settings(**about["settings"]), frames, about["title"], about["symptoms"])


def recorded(name: str = "ring") -> Recording:
    """A recorded run that ships with the course: one of SHIPPED."""
    if name not in SHIPPED:
        raise InputError(
            f"recorded: name should be one of {', '.join(SHIPPED)}, got {name!r}. Choose one of "
            "them."
        )
    return load(file_of(name))


class Unnamed(NamedTuple):
    """What is told of a run whose rules are not: its moments, and its symptoms as numbers."""

    frames: Sequence[Frame]
    numbers: dict[str, float]


def unnamed_runs() -> dict[str, Unnamed]:
    """The six runs that the exercise on diagnosis asks about, under the letters A to F."""
    runs = {letter: load(file_of(letter)) for letter in UNNAMED}
    return {letter: Unnamed(run.frames, run.symptoms or {}) for letter, run in runs.items()}


def file_of(name: str) -> Path:
    """Where the recording of this name ships: one of SHIPPED or UNNAMED."""
    return FILES / f"{name.replace(' ', '_')}.npz"
