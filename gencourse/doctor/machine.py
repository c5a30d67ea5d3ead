"""The machine: PyTorch, the device, threads, memory."""

import importlib
import os
import re
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from gencourse.doctor.finding import Finding, note, off, ok, repair, unset
from gencourse.errors import CourseError

GIB = 2**30
NEEDED_GIB = 2  # of memory: as much as the grader gives a submission
# installs the PyTorch that fits the machine's GPU, or has none to fit
FITTING = "uv pip install --no-config --torch-backend=auto --reinstall -r requirements.txt"


def loaded(name: str) -> tuple[ModuleType | None, str]:
    """A package, or None and why it cannot be imported: not there, or its libraries do not fit."""
    try:
        return importlib.import_module(name), ""
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return None, str(error).splitlines()[0] if str(error) else type(error).__name__


def pytorch(torch: Any, failure: str, system: str = sys.platform) -> Finding:
    """Whether PyTorch can be imported, and what it is built for."""
    if torch is None:
        libraries = system == "win32" and re.search(r"DLL|WinError|Visual C", failure)
        command = "winget install Microsoft.VCRedist.2015+.x64" if libraries else repair()
        return off("torch", f"PyTorch cannot be imported: {failure}.", command)
    return ok("torch", f"{torch.__version__}, built for {built_for(torch)}.")


def built_for(torch: Any) -> str:
    """The kind of a PyTorch wheel."""
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    return f"ROCm {torch.version.hip}" if getattr(torch.version, "hip", None) else "the CPU alone"


def torchvision(torch_version: str, module: ModuleType | None, failure: str) -> Finding:
    """Whether torchvision is there and fits PyTorch; only whole data sets need it."""
    if module is None:
        said = f"it cannot be imported beside torch {torch_version}: {failure}."
        return off("torchvision", f"{said} Whole data sets need it.", repair())
    return ok("torchvision", f"{module.__version__} fits torch {torch_version}.")


def has_kernels(capability: tuple[int, int], architectures: Iterable[str]) -> bool:
    """Whether a wheel has code for a GPU: for its generation, or for an older one as PTX.

    `capability` is (8, 6) say, `architectures` ["sm_80", "sm_90", "compute_90"].
    """
    for kind, digits in re.findall(r"(sm|compute)_(\d+)", " ".join(architectures)):
        major, minor = int(digits[:-1]), int(digits[-1])
        if kind == "sm" and major == capability[0] and minor <= capability[1]:
            return True
        if kind == "compute" and (major, minor) <= capability:
            return True
    return False


def device(torch: Any, system: str = sys.platform, nvidia: bool = False) -> Finding:
    """The device on which models are trained, and whether this PyTorch can use it.

    `nvidia`: whether there is a GPU of NVIDIA's, whatever PyTorch says.
    """
    from gencourse.runtime import pick_device

    try:
        chosen = pick_device()
    except CourseError as error:
        return off("device", str(error), unset("GENCOURSE_DEVICE", system))
    if chosen.type == "cuda":
        name = torch.cuda.get_device_name(chosen)
        capability = torch.cuda.get_device_capability(chosen)
        if not torch.version.hip and not has_kernels(capability, torch.cuda.get_arch_list()):
            said = f"{name} (compute {capability[0]}.{capability[1]}) has no code in this PyTorch."
            return off("device", f"{said} Use the CPU: GENCOURSE_DEVICE=cpu.", FITTING)
        return ok("device", f"{name}.")
    if nvidia and torch.version.cuda is None:
        said = "there is an NVIDIA GPU, but this PyTorch is built for the CPU alone."
        return note("device", said, FITTING)
    if nvidia and not torch.cuda.is_available():
        said = f"NVIDIA's driver is too old for CUDA {torch.version.cuda}, or does not run."
        return off("device", f"{said} Update it; this shows its version:", "nvidia-smi")
    if system == "darwin" and chosen.type == "cpu":
        return ok("device", "the CPU; Apple's GPU is used on request, GENCOURSE_DEVICE=mps.")
    return ok("device", f"{chosen.type}; every chapter is made for two cores.")


def cores() -> int:
    """The cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def threads(used: int, there: int, system: str = sys.platform) -> Finding:
    """The threads on which PyTorch computes."""
    said = f"{used} for {there} cores."
    if used == 1 < there:
        said = f"{said} Chapters take longer; OMP_NUM_THREADS is set, it seems."
        return note("threads", said, unset("OMP_NUM_THREADS", system))
    return ok("threads", said)


def free_memory() -> tuple[int, int] | None:
    """Bytes of memory that are free, and of all; None where psutil, which ipykernel brings, is not
    there.
    """
    try:
        import psutil
    except ImportError:
        return None
    found = psutil.virtual_memory()
    return found.available, found.total


def memory(found: tuple[int, int] | None) -> Finding:
    """Whether the memory that is free is enough for a chapter."""
    if found is None:
        return note("memory", "how much is free is not known here.")
    free, total = (size / GIB for size in found)
    said = f"{free:.1f} of {total:.1f} GiB are free."
    if free < NEEDED_GIB:
        said = f"{said} {NEEDED_GIB} are safe: close other programs and kernels."
        return off("memory", said, "jupyter lab list")
    return ok("memory", said)
