"""gencourse: the tested reference behind a course on generative models.

The parts are imported when they are first used: `import gencourse; gencourse.models.vae` works, and
`import gencourse` alone takes no time.
"""

import importlib
import io
import sys
from types import ModuleType

__version__ = "0.2.0.dev0"
_PARTS = (
    "checks",
    "data",
    "evaluation",
    "experiments",
    "figures",
    "models",
    "training",
    "widgets",
)


# Verdicts and formulas have letters that some consoles and pipes of Windows lack: those are shown
# as "?" there, where print would fail.
if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
    sys.stdout.reconfigure(errors="replace")


def __getattr__(name: str) -> ModuleType:  # PEP 562
    if name in _PARTS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PARTS})
