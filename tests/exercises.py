"""The registered exercises of all chapters, for tests."""

import importlib
import pkgutil

import pytest

from gencourse import checks
from gencourse.checks import catalogue

CHAPTERS = [found.name for found in pkgutil.iter_modules(checks.__path__) if found.name[0] != "_"]
MODULES = {name: importlib.import_module(f"gencourse.checks.{name}") for name in CHAPTERS}
ALL = [(chapter, e) for chapter, module in MODULES.items() for e in catalogue(module)]
EXERCISES = [pytest.param(e, id=f"{chapter}.{e.name}") for chapter, e in ALL]
