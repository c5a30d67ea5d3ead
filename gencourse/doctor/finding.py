"""What was found, and the commands that more than one finding names."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import gencourse

CLONE = Path(gencourse.__file__).parents[1]


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


def unset(variable: str, system: str = sys.platform) -> str:
    """The command that makes the shell forget a variable."""
    if system == "win32":
        return f"set {variable}=   (in PowerShell: Remove-Item Env:{variable})"
    return f"unset {variable}"


def assign(variable: str, value: str, system: str = sys.platform) -> str:
    """The command that gives a variable of the shell a value."""
    if system == "win32":
        return f'set {variable}={value}   (in PowerShell: $env:{variable} = "{value}")'
    return f"export {variable}={shlex.quote(value)}"
