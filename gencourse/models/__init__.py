"""Models by family, in the order of the chapters: equations as functions, then small networks that
call them.

Each family is imported when it is first used, as in `gencourse.models.vae`.
"""

import importlib
import pkgutil
from types import ModuleType


def _families() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]


def __getattr__(name: str) -> ModuleType:  # PEP 562
    if name in _families():
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_families()})
