"""An author's own modules beside an assignment: checks, which the sandbox must not hold, and
probes, which it must.
"""

import sys
import types
from collections.abc import Iterable
from pathlib import Path

from gencourse.grading.handout.cell_source import imported

Sources = tuple[tuple[str, str], ...]  # (name, source) of modules, what is imported first


def author_modules(folder: Path, names: Iterable[str]) -> tuple[Sources, Sources]:
    """The modules of checks of these names that lie in a folder, with the probes that they import;
    and the probes alone.
    """
    checks = beside(folder, names)
    probes = tuple(
        dict.fromkeys(pair for _, source in checks for pair in probes_of(folder, source))
    )
    return tuple(dict.fromkeys((*probes, *checks))), tuple(
        pair for pair in probes if pair not in checks
    )


def beside(folder: Path, names: Iterable[str]) -> Sources:
    """Those modules of these names that lie in a folder, by name."""
    files = {name: folder / f"{name}.py" for name in names if name.isidentifier()}
    return tuple(
        (name, file.read_text("utf-8-sig"))
        for name, file in sorted(files.items())
        if file.is_file()
    )


def probes_of(folder: Path, source: str) -> list[tuple[str, str]]:
    """The modules in the folder that a module imports, and before each those that it imports
    itself.
    """
    found = []
    for name, text in beside(folder, imported(source)):
        found += [pair for pair in probes_of(folder, text) if pair[0] != name] + [(name, text)]
    return found


def make_importable(modules: Sources) -> None:
    """Let an author's modules be imported from their source, here in the trusted process.

    Where one has changed, those after it, which may import it, are made again too.
    """
    changed = False
    for name, source in modules:
        changed = changed or getattr(sys.modules.get(name), "SOURCE", None) != source
        if changed:
            module = types.ModuleType(name)
            vars(module)["SOURCE"] = source
            sys.modules[name] = module
            exec(compile(source, f"{name}.py", "exec"), vars(module))
