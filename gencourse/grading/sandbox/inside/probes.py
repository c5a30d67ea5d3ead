"""The probes, out of reach of cells: no module that a cell can import or replace holds them."""

import importlib
import pkgutil
import sys
import types
from collections.abc import Callable

import gencourse.probes

PREFIX = "gencourse.probes"


def collected(own: list[list[str]]) -> dict[str, Callable]:
    """All probes under "module:function": the course's, and a teacher's own from (module, source)
    pairs.
    """
    packages = pkgutil.walk_packages(gencourse.probes.__path__, f"{PREFIX}.")
    modules = [importlib.import_module(found.name) for found in packages]
    for name, source in own:
        module = sys.modules[name] = types.ModuleType(name)  # the next ones may import it
        exec(compile(source, f"{name}.py", "exec"), vars(module))
        modules.append(module)
    return {
        f"{module.__name__}:{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__
    }


def hidden(own: list[list[str]]) -> dict[str, Callable]:
    """The probes, after their modules have been forgotten: whoever imports one from now on gets
    another.
    """
    found = collected(own)
    for name in [*sys.modules]:
        if name == PREFIX or name.startswith(f"{PREFIX}.") or name in dict(own):
            del sys.modules[name]
    del sys.modules["gencourse"].probes
    return found
