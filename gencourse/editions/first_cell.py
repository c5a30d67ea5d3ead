"""What the first cell of a notebook prints: the package's version, and a sentence for each thing
that is off.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

import gencourse

# what pyproject.toml requires, under the names of modules
NEEDED = (
    *("torch", "torchvision", "numpy", "matplotlib"),
    *("ipywidgets", "tqdm", "typer", "rich", "safetensors"),
)
MENDED = (
    "In the course's folder run `uv sync`, or `python -m pip install .` if you "
    "installed it so, and restart the kernel."
)
MENDED_ON_COLAB = "Choose Runtime, Disconnect and delete runtime, then run this cell again."


def greeting(notebook: str) -> str:
    """The version of the package; below it what keeps it from running notebooks of an edition."""
    said = [*other_edition(notebook, gencourse.__version__), *missing(), *other_torchvision()]
    return "\n".join([f"gencourse {gencourse.__version__}", *said])


def other_edition(notebook: str, package: str) -> Iterator[str]:
    """A sentence if a notebook and the package do not belong together.

    A package fits the notebooks of its own edition, the first two numbers, and of earlier patches.
    """
    ours, theirs = numbers(package), numbers(notebook)
    apart = f"This notebook is of edition {notebook}, your package of {package}"
    if not ours or not theirs:
        return
    if ours < theirs:
        yield f"{apart}, which is older. {how_to_mend()}"
    elif ours[:2] != theirs[:2]:
        newest = (
            "Open it again from the course's page"
            if on_colab()
            else "`gencourse start` brings in the present one and keeps your answers"
        )
        yield f"{apart}, which is newer. {newest}."


def numbers(version: str) -> tuple[int, ...]:
    """0.2.1 as (0, 2, 1, 1), to be compared; its development version before it, (0, 2, 1, 0).

    Empty where it is no version.
    """
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?(\.?(?:dev|a|b|rc)\d*)?", version)
    return (int(found[1]), int(found[2]), int(found[3] or 0), int(not found[4])) if found else ()


def missing() -> Iterator[str]:
    """A sentence if a package that the course requires cannot be found."""
    if absent := [name for name in NEEDED if find_spec(name) is None]:
        what = " and ".join([", ".join(absent[:-1]), absent[-1]] if absent[1:] else absent)
        yield f"This kernel has no {what}, which the course needs. {how_to_mend()}"


def other_torchvision() -> Iterator[str]:
    """A sentence if torchvision was made for another torch; then it cannot be imported."""
    try:
        required = metadata.requires("torchvision") or []
        torch = metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        return
    bound = re.search(r"(?m)^torch *\(?([=>])= *([\d.]+\d)", "\n".join(required))
    if not bound or numbers(bound[2]) == numbers(torch):
        return
    if bound[1] == "=" or numbers(bound[2]) > numbers(torch):
        yield (
            f"The torchvision here is made for torch {bound[2]}, and torch {torch} is installed: "
            f"data sets in full cannot be loaded. {how_to_mend()}"
        )


def how_to_mend() -> str:
    """What to do where something of the installation is off."""
    return MENDED_ON_COLAB if on_colab() else MENDED


def on_colab() -> bool:
    """Whether this is a notebook on Colab, which loads its own package before the first cell."""
    return "google.colab" in sys.modules
