"""What `gencourse doctor` looks at: Python, packages, PyTorch, device, machine, data, sandbox.

Each function looks at one thing and returns what it found: a sentence, and a command where
something is off. What it looks at comes in as arguments, so that a test can pass another machine.
"""

import shutil
from collections.abc import Iterator

from gencourse.doctor import install, machine
from gencourse.doctor.finding import Finding

__all__ = ["Finding", "examine"]


def examine() -> Iterator[Finding]:
    """All findings, the quick ones first."""
    yield install.python()
    yield install.where()
    yield install.edition()
    yield from install.versions(install.requirements(), install.installed)
    yield install.data()
    yield install.folder_for_data()
    yield machine.memory(machine.free_memory())
    torch, failure = machine.loaded("torch")
    yield machine.pytorch(torch, failure)
    if torch is not None:
        yield machine.torchvision(torch.__version__, *machine.loaded("torchvision"))
        yield machine.device(torch, nvidia=shutil.which("nvidia-smi") is not None)
        yield machine.threads(torch.get_num_threads(), machine.cores())
    yield install.sandbox()
