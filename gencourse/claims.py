"""Numbers that the prose states, checked by the run that produces them.

A chapter says `claim("test_elbo", value, about=-101, within=3, unit="nats")`, and its prose says
{{test_elbo}}, which the build replaces by the number in `about`. So text and check cannot disagree,
and neither can text and run: in strict mode (tests, builds) a value outside `about ± within`
raises. A reader's own machine gets a sentence instead.
"""

import torch

from gencourse import runtime
from gencourse.errors import CourseError


class ClaimFailed(CourseError, AssertionError):
    """A run disagrees with what the text states."""


def claim(
    name: str,
    value: float,
    *,
    about: float = 0.0,
    within: float = 0.0,
    below: float | None = None,
    unit: str = "",
    device: torch.device | str = "cpu",
) -> None:
    """Print `value` beside what the text states of it; raise ClaimFailed in strict mode if they
    disagree.

    The text states either `about`, and the value has to be `within` that distance, or `below`, a
    number that the size of the value has to stay under. It speaks of the default scale: at other
    scales the value is not compared. How many times as fast something is depends on the kind of
    machine: such a claim names the `device`, and is compared on a CPU only, of which the text
    speaks.
    """
    value = value.item() if hasattr(value, "item") else float(value)
    words, unit = name.replace("_", " "), f" {unit}" if unit else ""
    digits = next((d for d, size in ((1, 1), (2, 0.1), (3, 0.01)) if (below or within) >= size), 4)
    stated = f"about {about:g}" if below is None else f"less than {below:g}"
    other = "the default scale" if runtime.scale() != "default" else ""
    other = other or ("a CPU" if torch.device(device).type != "cpu" else "")
    if other:
        print(f"{words}: {value:.{digits}f}{unit} (not compared: the text speaks of {other})")
        return
    print(f"{words}: {value:.{digits}f}{unit} (the text says {stated})")
    if abs(value - about) <= within if below is None else abs(value) < below:
        return
    wanted = f"within {within:g} of {about:g}" if below is None else f"less than {below:g}"
    message = (
        f"claim: {words} should be {wanted}{unit}, got {value:.{digits}f}. Another machine, or a "
        "changed cell?"
    )
    if runtime.strict():
        raise ClaimFailed(message)
    print(message)
