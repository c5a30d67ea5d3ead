"""Numbers that the prose states, checked by the run that produces them.

A chapter says `claim("test_elbo", value, about=-101, within=3, unit="nats")`, and its prose says {{test_elbo}}, which
the build replaces by the number in `about`. So text and check cannot disagree, and neither can text and run: in strict
mode (tests, builds) a value outside `about ± within` raises. A reader's own machine gets a sentence instead.
"""

from gencourse import runtime
from gencourse.errors import CourseError


class ClaimFailed(CourseError, AssertionError):
    """A run disagrees with what the text states."""


def claim(name: str, value: float, *, about: float, within: float, unit: str = "") -> None:
    """Print `value` beside what the text states of it; raise ClaimFailed in strict mode if they disagree.

    The text speaks of the default scale. At other scales the value is printed and not compared.
    """
    value = value.item() if hasattr(value, "item") else float(value)
    words, unit = name.replace("_", " "), f" {unit}" if unit else ""
    digits = 3 if within < 0.1 else 2 if within < 1 else 1
    if runtime.scale() != "default":
        print(f"{words}: {value:.{digits}f}{unit} (not compared: the text speaks of the default scale)")
        return
    print(f"{words}: {value:.{digits}f}{unit} (the text says about {about:g})")
    if abs(value - about) <= within:
        return
    message = f"claim: {words} should be within {within:g} of {about:g}{unit}, got {value:.{digits}f}. Another machine, or a changed cell?"
    if runtime.strict():
        raise ClaimFailed(message)
    print(message)
