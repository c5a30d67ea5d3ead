"""What the machine offers and what the reader asked for: device, precision, scale, folders.

The only module that reads the environment:

| variable | meaning | values |
| --- | --- | --- |
| GENCOURSE_SCALE | sizes of a run, never its code path | smoke, default, full |
| GENCOURSE_DEVICE | overrides the choice of device | cpu, cuda, cuda:1, mps |
| GENCOURSE_DATA | the folder for data sets that are downloaded | a path |
| GENCOURSE_SEED | other random numbers, for the question whether conclusions hold | 0, 1, 2 |
| GENCOURSE_STRICT | 1: a check that does not pass raises | 0, 1 |
| GENCOURSE_WIDGETS | 0: static figures in the place of widgets, as for a page or a PDF | 0, 1 |
| NBGRADER_EXECUTION | set by nbgrader while it grades: strict too | autograde, validate |
| RANK, LOCAL_RANK, WORLD_SIZE | set by torch's launcher in each of its processes | whole numbers |

In every notebook, whatever the shell: `%env GENCOURSE_SCALE=full` before the first import.
"""

import contextlib
import functools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import torch

from gencourse.errors import InputError

T = TypeVar("T")
SCALES = ("smoke", "default", "full")
SEEDS_APART = 100_000  # the seeds of one GENCOURSE_SEED lie below it, and meet no other's


def scale() -> str:
    """The size of this run: "smoke" (seconds, for tests), "default" (two cores), "full" (GPU)."""
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
    """Whether a check that does not pass should raise (tests, graders), not just be displayed.

    nbgrader takes a check that raises nothing for passed.
    """
    return os.environ.get("GENCOURSE_STRICT", "0") == "1" or "NBGRADER_EXECUTION" in os.environ


def launched() -> tuple[int, int] | None:
    """The ranks, of all and on this machine, that torch's launcher or accelerate's gave this
    process; None where none has started it.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return None
    return int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", 0))


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
    """CUDA when there is a GPU that the installed torch has kernels for, else the CPU;
    GENCOURSE_DEVICE overrides.

    Apple's mps only on request: its numbers differ from those that the chapters state.
    """
    asked = os.environ.get("GENCOURSE_DEVICE")
    if asked is not None:
        return _asked_device(asked)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    if lacking := lacking_kernels():
        print(f"{lacking} The course uses the CPU.")
        return torch.device("cpu")
    return torch.device("cuda")


def _asked_device(asked: str) -> torch.device:
    """The device that GENCOURSE_DEVICE names; raise where this machine has none of that name."""
    there = [torch.device("cpu")]
    if torch.cuda.is_available():
        there += [torch.device("cuda", i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        there.append(torch.device("mps", 0))
    name, _, index = asked.partition(":")
    if not any(name == each.type and index in ("", str(each.index)) for each in there):
        usable = ", ".join(dict.fromkeys(name for each in there for name in (each.type, str(each))))
        raise InputError(
            f"pick_device: GENCOURSE_DEVICE should be one of {usable}, got {asked!r}. Set or "
            "unset it."
        )
    device = torch.device(asked)
    if device.type == "cuda" and (lacking := lacking_kernels(device)):
        raise InputError(
            f"pick_device: GENCOURSE_DEVICE should name a device that can be used, got {asked!r}. "
            f"{lacking} Set it to cpu, or install another torch."
        )
    if device.type == "mps" and _torch_version() < (2, 11):
        print(
            f"torch {torch.__version__} lacks a kernel on mps that chapter 2 needs (aten::vdot): "
            "install torch 2.11 or newer, or set PYTORCH_ENABLE_MPS_FALLBACK=1 before Python "
            "starts."
        )
    return device


def _torch_version() -> tuple[int, ...]:
    return tuple(int(part) for part in torch.__version__.split(".")[:2])


def lacking_kernels(device: torch.device | int = 0) -> str:
    """A sentence if the installed torch has no kernels for that NVIDIA GPU, "" if it has.

    Kernels of sm_75 run on capability 7.5 up to 7.9; intermediate code, compute_75, on all later.
    """
    if torch.version.hip is not None:
        return ""
    ours = torch.cuda.get_device_capability(device)
    known = torch.cuda.get_arch_list()
    for kind, number in re.findall(r"(sm|compute)_(\d+)", " ".join(known)):
        theirs = divmod(int(number), 10)
        if theirs <= ours and (kind == "compute" or theirs[0] == ours[0]):
            return ""
    return (
        f"This torch has no kernels for the GPU, {torch.cuda.get_device_name(device)} of "
        f"capability {ours[0]}.{ours[1]}, only for {', '.join(known)}."
    )


def bfloat16_is_faster(device: torch.device) -> bool:
    """Whether a training step of the course's networks is faster in bfloat16 there: on CPUs with
    AMX tiles, and on those with AVX-512 BF16 whose products turn out to be.

    On other CPUs bfloat16 is emulated and slower than float32. A GPU multiplies faster in bfloat16,
    but these networks are so small that it waits for the next kernel most of the time, and each
    cast is a kernel more.
    """
    units = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    there = device.type == "cpu" and any(getattr(torch.cpu, unit, bool)() for unit in units)
    return there and _bfloat16_products_are_faster()


@functools.cache
def _bfloat16_products_are_faster() -> bool:
    """Whether the products of a layer take less time in bfloat16, by a fifth at least; measured
    once, since with the same units one CPU is twice as fast with it and another half as fast.
    """
    return 1.2 * _seconds_of_a_product(torch.bfloat16) < _seconds_of_a_product(torch.float32)


@torch.no_grad()
def _seconds_of_a_product(dtype: torch.dtype) -> float:
    """The shortest of several times that a (128, 512) matrix times a (512, 512) one takes."""
    a = torch.ones(128, 512, dtype=dtype, device="cpu")
    b = torch.ones(512, 512, dtype=dtype, device="cpu")
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def settled_precision(device: torch.device, precision: str = "auto") -> str:
    """What the matrix products of a training are in there, "bfloat16" or "float32": as it was asked
    for, and for "auto" bfloat16 where the whole step gains, which on a GPU it does not.
    """
    if precision not in ("auto", "bfloat16", "float32"):
        raise InputError(
            f"precision should be auto, bfloat16 or float32, got {precision!r}. Pass one of them."
        )
    if precision != "auto":
        return precision
    return "bfloat16" if bfloat16_is_faster(device) else "float32"


def autocast(device: torch.device, precision: str = "auto") -> contextlib.AbstractContextManager:
    """Within it, matrix products are in the settled precision."""
    wanted = settled_precision(device, precision) == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16) if wanted else contextlib.nullcontext()


def full_precision(x: torch.Tensor) -> torch.Tensor:
    """What autocast left in 16 bits as float32, anything longer as it is: for logits, whose sums
    need the digits.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def seed_offset() -> int:
    """What is added to every seed: 0, or 100,000 times GENCOURSE_SEED."""
    value = os.environ.get("GENCOURSE_SEED", "0")
    if not value.isdecimal():
        raise InputError(
            f"seed_offset: GENCOURSE_SEED should be a whole number from 0 on, got {value!r}. Set "
            "or unset it."
        )
    return SEEDS_APART * int(value)


def seeded(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A random generator of its own: `torch.randn(3, generator=seeded(0))`.

    The global seed is left alone.
    """
    return torch.Generator(device).manual_seed(seed + seed_offset())


def manual_seed(seed: int) -> None:
    """Start torch's global generators of all devices at `seed`, as torch.manual_seed does, and as
    GENCOURSE_SEED asks.
    """
    torch.manual_seed(seed + seed_offset())


def standard_normal(*shape: int, seed: int) -> torch.Tensor:
    """Numbers from N(0, 1) on the CPU, from a generator of their own: one seed gives the same codes
    on every device.
    """
    return torch.randn(*shape, generator=seeded(seed), device="cpu")


def drawn_on(generator: torch.Generator | None) -> torch.device:
    """Where numbers of this generator can be drawn: its own device; the CPU, if there is none, so
    that one seed gives the same numbers on every machine.
    """
    return torch.device("cpu") if generator is None else generator.device


@contextlib.contextmanager
def global_seed(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Within the block torch's global generators of the CPU and of `device` start at `seed`; then
    they are restored. Those of other devices are left alone: to look at them would make a context
    on a GPU that nobody uses.
    """
    device = torch.device(device)
    cpu, module = torch.get_rng_state(), getattr(torch, device.type)  # torch.cuda, torch.mps
    there = None if device.type == "cpu" else module.get_rng_state(device)
    try:
        torch.default_generator.manual_seed(seed + seed_offset())
        if there is not None:
            module.set_rng_state(seeded(seed, device).get_state(), device)
        yield
    finally:
        torch.set_rng_state(cpu)
        if there is not None:
            module.set_rng_state(there, device)


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
    """Within the block new tensors are on the CPU, also under torch.set_default_device."""
    elsewhere = torch.get_default_device().type != "cpu"
    with torch.device("cpu") if elsewhere else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def plain_torch() -> Iterator[None]:
    """Within the block torch is as it starts, whatever a notebook has set: new tensors are on the
    CPU and in float32, gradients are recorded.
    """
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with on_cpu(), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
