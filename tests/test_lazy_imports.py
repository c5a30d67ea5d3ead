"""What `import gencourse` and the command line do not import, so that both start at once."""

import subprocess
import sys

import pytest

import gencourse
import gencourse.models

PARTS = {"checks", "data", "evaluation", "experiments", "figures", "models", "training", "widgets"}
HEAVY = ("torch", "numpy", "matplotlib", "IPython", "nbformat", "psutil", "jinja2")


def in_a_fresh_process(code: str) -> str:
    """What a program prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import gencourse; dir(gencourse)",
        "import gencourse.models; dir(gencourse.models)",
        "import gencourse.errors; gencourse.errors.describe([1])",
        "import gencourse.cli",
        "import gencourse.__main__; gencourse.__main__.main()",  # no arguments: shows the help
    ],
)
def test_nothing_heavy_is_imported(code):
    ending = f"import sys; print([name for name in {HEAVY} if name in sys.modules])"
    guarded = f"try:\n    {code}\nexcept SystemExit:\n    pass\n{ending}"
    assert in_a_fresh_process(guarded).splitlines()[-1] == "[]"


def test_parts_are_listed_and_reached_as_attributes():
    assert set(dir(gencourse)) >= PARTS
    assert set(dir(gencourse.models)) >= {"autoregressive", "gan", "vae"}
    code = (
        "import gencourse; print(gencourse.models.vae.VAE.__name__, gencourse.data.images.__name__)"
    )
    assert in_a_fresh_process(code) == "VAE images"


@pytest.mark.parametrize("module", [gencourse, gencourse.models])
def test_unknown_attribute_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="nonsense"):
        module.nonsense  # noqa: B018
