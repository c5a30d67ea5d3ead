"""What `gencourse doctor` looks at: Python, packages, PyTorch, device, machine, data, sandbox.

Each function looks at one thing and returns what it found: a sentence, and a command where
something is off. What it looks at comes in as arguments, so that a test can pass another machine.
"""

import importlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import gencourse
from gencourse.errors import CourseError

CLONE = Path(gencourse.__file__).parents[1]
GIB = 2**30
NEEDED_GIB = 2  # of memory: as much as the grader gives a submission
# installs the PyTorch that fits the machine's GPU, or has none to fit
FITTING = "uv pip install --no-config --torch-backend=auto --reinstall -r requirements.txt"


@dataclass(frozen=True)
class Finding:
    """One line of the report. `state` is "ok", "note" or "off"; what is off has a command."""

    about: str
    said: str
    command: str = ""
    state: str = "ok"


def ok(about: str, said: str) -> Finding:
    """All is well."""
    return Finding(about, said)


def note(about: str, said: str, command: str = "") -> Finding:
    """Nothing is wrong, but it is good to know."""
    return Finding(about, said, command, "note")


def off(about: str, said: str, command: str) -> Finding:
    """Something is wrong."""
    return Finding(about, said, command, "off")


def repair(prefix: str = sys.prefix, clone: Path = CLONE) -> str:
    """The command that installs the course's packages again, in the way they were installed."""
    if Path(prefix) == clone / ".venv":
        return "uv sync --reinstall"
    return f'"{sys.executable}" -m pip install --upgrade -e ".[lab]"'


def examine() -> Iterator[Finding]:
    """All findings, the quick ones first."""
    yield python()
    yield where()
    yield edition()
    yield from versions(requirements(), installed)
    yield data()
    yield folder_for_data()
    yield memory(free_memory())
    torch, failure = loaded("torch")
    yield pytorch(torch, failure)
    if torch is not None:
        yield torchvision(torch.__version__, *loaded("torchvision"))
        yield device(torch, nvidia=shutil.which("nvidia-smi") is not None)
        yield threads(torch.get_num_threads(), cores())
    yield sandbox()


def python(
    version: tuple[int, ...] = sys.version_info[:3],
    system: str = sys.platform,
    place: str = sys.prefix,
) -> Finding:
    """The version of Python, and whether it copes with the letters of the path on Windows."""
    said = f"Python {'.'.join(map(str, version))} in {place}"
    if version < (3, 11):
        return off("python", f"{said}; the course needs 3.11 or newer.", "uv python pin 3.13")
    # these read the path of the clone, which is written as UTF-8, in the encoding of the system
    if system == "win32" and version < (3, 12, 4) and not place.isascii():
        return off(
            "python",
            f"{said}. Before 3.12.4 Python on Windows fails in folders with letters beyond a to z.",
            "uv python pin 3.13",
        )
    return ok("python", f"{said}.")


def where(loaded_from: Path = CLONE, here: Path | None = None) -> Finding:
    """Whether the course that Python imports is the one in whose folder the reader stands."""
    here = here or Path.cwd()
    clones = [folder for folder in (here, *here.parents) if (folder / "gencourse").is_dir()]
    mine = next((folder for folder in clones if (folder / "exercises").is_dir()), None)
    if mine is not None and mine.resolve() != loaded_from.resolve():
        said = f"the one in {mine} is not in use, but a copy in {loaded_from}."
        return off("course", said, "uv run gencourse doctor")
    return ok("course", f"it is loaded from {loaded_from}.")


def edition() -> Finding:
    """The edition of the package."""
    return ok("edition", f"gencourse {gencourse.__version__}.")


def requirements(extra: str = "lab") -> list[str]:
    """What the course and JupyterLab need, "numpy>=1.26" say; empty if the course is not installed.

    From the metadata of the installed course, which are those of pyproject.toml.
    """
    from packaging.requirements import Requirement  # matplotlib brings it

    try:
        found = [Requirement(text) for text in metadata.requires("gencourse") or ()]
    except metadata.PackageNotFoundError:
        return []
    wanted = [one for one in found if not one.marker or one.marker.evaluate({"extra": extra})]
    return [f"{one.name}{one.specifier}" for one in wanted]


def installed(name: str) -> str | None:
    """The version of a package; None if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions(wanted: Iterable[str], has: Callable[[str], str | None]) -> Iterator[Finding]:
    """What is installed, against what pyproject.toml asks for: a line for each that is off."""
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in wanted]
    if not asked:
        yield off("packages", "the course is not installed in this Python.", repair())
        return
    fine = {}
    for one in asked:
        version = has(one.name)
        if version is None:
            yield off("packages", f"{one.name} is not installed.", repair())
        elif not one.specifier.contains(version, prereleases=True):
            said = f"{one.name} should be {one.specifier}, got {version}."
            yield off("packages", said, repair())
        else:
            fine[one.name] = version
    listed = ", ".join(f"{name} {version}" for name, version in fine.items())
    yield ok("packages", f"as pyproject.toml asks: {listed or 'none'}.")


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


def unset(variable: str, system: str = sys.platform) -> str:
    """The command that makes the shell forget a variable."""
    if system == "win32":
        return f"set {variable}=   (in PowerShell: Remove-Item Env:{variable})"
    return f"unset {variable}"


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


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


def data(folder: Path = CLONE / "gencourse" / "data" / "files") -> Finding:
    """Whether the data that ship with the course are there: each beside its datasheet."""
    sheets = sorted(folder.glob("*.md"))
    lost = [
        sheet.stem
        for sheet in sheets
        if not any(file.suffix != ".md" and file.stat().st_size for file in beside(sheet))
    ]
    if lost or not sheets:
        said = f"{', '.join(lost) or 'all files'} should be in {folder}, got nothing there."
        return off("data", said, "git restore gencourse/data/files")
    return ok("data", f"{', '.join(sheet.stem for sheet in sheets)} ship with the course.")


def beside(sheet: Path) -> Iterable[Path]:
    """The files whose name begins as that of a datasheet: mnist.md and mnist.npz."""
    return sheet.parent.glob(f"{sheet.stem}.*")


def folder_for_data(folder: Path | None = None) -> Finding:
    """Whether data sets that are downloaded can be kept where they are to be."""
    from gencourse.runtime import data_folder

    folder = folder or data_folder()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        said = f"whole data sets should be kept in {folder}, where nothing can be written."
        return off("data", f"{said} Set GENCOURSE_DATA to another folder.", unset("GENCOURSE_DATA"))
    kept = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return ok("data", f"whole sets are kept in {folder}: {', '.join(kept) or 'none so far'}.")


def sandbox() -> Finding:
    """Whether submissions can be graded here; learners need none."""
    try:
        from gencourse.grading.sandbox import choose

        return ok("sandbox", f"submissions can be graded, in {choose(None).kind}.")
    except ModuleNotFoundError as error:
        said = f"grading needs {error.name}, learning does not."
        return note("sandbox", said, 'python -m pip install -e ".[grading]"')
    except CourseError as error:
        said = "only teachers need one, and none works here; docs/teaching.md says more."
        return note("sandbox", f"{said}\n{error}")
