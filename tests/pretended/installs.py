"""Ask the resolver on which systems the course can be installed: those that README.md names, with
each Python, and none of those that it says no to.

    python3 -m tests.pretended.installs       by a Python that has uv

Takes some seconds and the network. Where the registry does not answer it says so, and is content:
the tests themselves run offline.
"""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SUPPORTED = (
    "x86_64-pc-windows-msvc",
    "aarch64-apple-darwin",  # uv takes it for macOS 13; the environment says 14
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
)
REFUSED = ("x86_64-apple-darwin", "aarch64-pc-windows-msvc", "aarch64-apple-darwin before 14")
UNREACHABLE = (
    "failed to lookup",
    "error sending request",
    "Failed to fetch",
    "timed out",
    "Connect",
)


def resolved(system: str, python: str) -> subprocess.CompletedProcess:
    """What uv says of the learner's requirements on a system, wheels alone."""
    old = system.endswith(" before 14")
    target = "13.0" if old else "14.0"
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "uv", "pip", "compile", str(ROOT / "pyproject.toml")]
        line += ["--extra", "lab", "--extra", "test", "--constraint", str(ROOT / "constraints.txt")]
        line += ["--python-platform", system.removesuffix(" before 14"), "--python-version", python]
        line += [
            "--only-binary",
            ":all:",
            "--quiet",
            "--output-file",
            str(Path(folder) / "pins.txt"),
        ]
        return subprocess.run(
            line,
            cwd=ROOT,
            env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": target},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
        )


def asked(system: str, python: str) -> str | None:
    """What is wrong with an answer of the resolver, "" if nothing; None where none came."""
    try:
        done = resolved(system, python)
    except subprocess.TimeoutExpired:
        return None
    if any(words in done.stderr for words in UNREACHABLE):
        return None
    if (done.returncode == 0) is (system in SUPPORTED):
        return ""
    return f"{system}, Python {python}: {done.stderr.strip()[-600:] or 'resolves'}"


def main() -> None:
    cases = [(system, python) for system in SUPPORTED for python in PYTHONS]
    cases += [(system, PYTHONS[-2]) for system in REFUSED]
    with ThreadPoolExecutor(8) as waiting:  # they wait for the registry, not for a core
        answers = list(waiting.map(lambda case: asked(*case), cases))
    if None in answers:
        print("the registry does not answer; nothing was learned from it")
        return
    wrong = [answer for answer in answers if answer]
    print("\n".join(wrong) or "installs where README.md says so, and nowhere else")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
