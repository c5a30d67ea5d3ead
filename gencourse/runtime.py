"""What the machine offers and what the reader asked for: device, precision, scale, folders.

The only module that reads the environment:

| variable | meaning | values |
| --- | --- | --- |
| GENCOURSE_SCALE | sizes of a run, never its code path | smoke, default, full |
| GENCOURSE_DEVICE | overrides the choice of device | cpu, cuda, mps |
| GENCOURSE_DATA | the folder for data sets that are downloaded | a path |
| GENCOURSE_STRICT | 1: a check that does not pass raises | 0, 1 |
| GENCOURSE_WIDGETS | 0: static figures in the place of widgets, as for a page or a PDF | 0, 1 |
| NBGRADER_EXECUTION | set by nbgrader while it grades: strict too | autograde, validate |

In every notebook, whatever the shell: `%env GENCOURSE_SCALE=full` before the first import.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import torch

from gencourse.errors import InputError

T = TypeVar("T")
SCALES = ("smoke", "default", "full")


def scale() -> str:
    """The size of this run: "smoke" (seconds, for tests), "default" (a two-core CPU) or "full" (one
    GPU).
    """
    value = os.environ.get("GENCOURSE_SCALE", "default")
    if value not in SCALES:
        raise InputError(
            f"scale: GENCOURSE_SCALE should be one of {', '.join(SCALES)}, got {value!r}. Set it "
            "again."
        )
    return value


def scaled(*, default: T, smoke: T, full: T) -> T:
    """The value for the present scale: `scaled(default=3_000, smoke=20, full=30_000)` steps."""
    return {"smoke": smoke, "default": default, "full": full}[scale()]


def strict() -> bool:
    """Whether a check that does not pass should raise (tests and graders) instead of being
    displayed.

    nbgrader takes a check that raises nothing for passed.
    """
    return os.environ.get("GENCOURSE_STRICT", "0") == "1" or "NBGRADER_EXECUTION" in os.environ


def interactive() -> bool:
    """Whether widgets are wanted; where they are not, or cannot run, their static figures are
    drawn.
    """
    return os.environ.get("GENCOURSE_WIDGETS", "1") != "0"


def data_folder() -> Path:
    """Where downloaded data sets are kept: GENCOURSE_DATA, or `.cache/gencourse` in the home
    folder.
    """
    return typed_path(os.environ.get("GENCOURSE_DATA") or Path.home() / ".cache" / "gencourse")


def typed_path(path: str | Path) -> Path:
    """A path as people type it, in full: `~` is the home folder, a relative one starts here."""
    with contextlib.suppress(RuntimeError):  # the home of somebody who is not known here
        path = Path(path).expanduser()
    return Path(path).absolute()


def pick_device() -> torch.device:
    """CUDA when there is a GPU, else the CPU; GENCOURSE_DEVICE overrides.

    Apple's mps only on request: its numbers differ from those that the chapters state.
    """
    asked = os.environ.get("GENCOURSE_DEVICE")
    if asked is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(asked.split(":")[0], False):
        usable = ", ".join(name for name, there in available.items() if there)
        raise InputError(
            f"pick_device: GENCOURSE_DEVICE should be one of {usable}, got {asked!r}. Set or "
            "unset it."
        )
    return torch.device(asked)


def bfloat16_is_faster(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are faster there: GPUs since Ampere, CPUs with AMX tiles
    or AVX-512 BF16.

    On other CPUs bfloat16 is emulated and slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, unit, bool)() for unit in units)


def autocast(device: torch.device, precision: str = "auto") -> contextlib.AbstractContextManager:
    """Mixed precision for a training step: "auto" (bfloat16 where it gains), "bfloat16" or
    "float32".
    """
    if precision not in ("auto", "bfloat16", "float32"):
        raise InputError(
            f"autocast: precision should be auto, bfloat16 or float32, got {precision!r}. Pass "
            "one of them."
        )
    wanted = bfloat16_is_faster(device) if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16) if wanted else contextlib.nullcontext()


def full_precision(x: torch.Tensor) -> torch.Tensor:
    """What autocast left in 16 bits as float32, anything longer as it is: for logits, whose sums
    need the digits.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def seeded(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator of its own: `torch.randn(3, generator=seeded(0))`.

    The global seed is left alone.
    """
    return torch.Generator(device).manual_seed(seed)


@contextlib.contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Within the block torch's global generators start at `seed`; then they are restored."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
