"""The plain values that an answer returns: compared, and put into words where they differ."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from gencourse.checks._trial import Value
from gencourse.runner import Opaque, Raised
from gencourse.stress import listed

# what Python says where a None that a function returned is taken for a value
NONE_USED = re.compile("unpack|not iterable|not subscriptable|argument must be|convert|has no len")


def is_number(value: object) -> bool:
    """Whether a plain value can be compared as an array of numbers."""
    return isinstance(value, Tensor | bool | int | float)


def as_tensor(value: Any) -> Tensor:
    """Numbers as a tensor; a Python float keeps all of its digits."""
    return torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None)


def matching(a: Any, b: Any, close: Callable[[Tensor, Tensor], bool]) -> bool:
    """Whether two plain values have the same structure, and numbers that are close."""
    if is_number(a) and is_number(b):
        a, b = as_tensor(a), as_tensor(b)
        if not (a.is_floating_point() or b.is_floating_point()):  # tokens are right or wrong
            return torch.equal(a.long(), b.long())
        return a.shape == b.shape and close(a.double(), b.double())
    if isinstance(a, Raised) and isinstance(b, Raised):
        return a.kind == b.kind
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(matching(a[key], b[key], close) for key in a)
    if isinstance(a, list | tuple) and type(a) is type(b):
        return len(a) == len(b) and all(matching(x, y, close) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


def agree(a: object, b: object, rtol: float, atol: float) -> bool:
    """Whether two plain values are equal: same structure and shapes, numbers within tolerance.

    The tolerance is |a - b| ≤ atol + rtol |b|.
    """

    def close(x: Tensor, y: Tensor) -> bool:  # most are equal, and `equal` is quickly said
        return torch.equal(x, y) or torch.allclose(x, y, rtol=rtol, atol=atol, equal_nan=True)

    return matching(a, b, close)


def alike(one: Value | None, other: Value | None, rtol: float, atol: float) -> bool:
    """Whether two values of trials have one label and agree; None, after the last, is only None."""
    if one is None or other is None:
        return one is other
    return one.label == other.label and agree(one.value, other.value, rtol, atol)


def exact(a: Value, b: Value) -> bool:
    """Whether two values of a trial in float64 are equal to within what float64 can do.

    Values that were computed in float32 on the way are not. A call that was given no floating
    tensor was given no float64 either, so nothing is asked of it.
    """
    if b.arguments and not any(x.is_floating_point() for x in listed(b.arguments)):
        return True
    dtypes = [getattr(one.value, "dtype", None) for one in (a, b)]
    if dtypes == [torch.float32, torch.float64]:
        return False

    def close(x: Tensor, y: Tensor) -> bool:
        scale = float(y[y.isfinite()].abs().max()) if bool(y.isfinite().any()) else 0.0
        return torch.allclose(x, y, rtol=1e-9, atol=1e-10 * scale, equal_nan=True)

    return matching(a.value, b.value, close)


def in_float32(values: Sequence[Value], wanted: Sequence[Value]) -> bool:
    """Whether those values in float64 that are not exact are numbers of float32.

    What a probe made of others says less, so it counts only where no call was made directly.
    """
    inexact = [a for a, b in zip(values, wanted, strict=True) if not exact(a, b)]
    direct = [a.value for a in inexact if a.arguments] or [a.value for a in inexact]
    return all(matching(x, x, lambda a, _: torch.equal(a, a.float().double())) for x in direct)


def describe_value(value: object) -> str:
    """A short text for a value in a message."""
    if isinstance(value, Tensor):
        if value.numel() == 0:
            return f"an empty tensor of shape {tuple(value.shape)}"
        head = ", ".join(_number(x) for x in value.flatten()[:4].tolist()) + (
            ", …" if value.numel() > 4 else ""
        )
        return head if value.ndim == 0 else f"[{head}] with shape {tuple(value.shape)}"
    if isinstance(value, list):
        return _items([describe_value(item) for item in value]) if value else "an empty list"
    if isinstance(value, dict):
        return _items([f"{key}: {describe_value(x)}" for key, x in value.items()], "{}")
    if isinstance(value, Opaque):
        return f"an object of type {value.kind}"
    if isinstance(value, Raised):
        return f"the error {value.kind}: {value.message}"
    return _number(value) if isinstance(value, float) else repr(value)


def _with_kind(value: object) -> str:
    """A value with the kind of thing that it is, where one kind was taken for another."""
    if isinstance(value, list):
        return f"a collection of {len(value)}: {describe_value(value)}"  # a tuple or set, too
    if isinstance(value, dict):
        return f"a dict: {describe_value(value)}"
    if isinstance(value, Tensor) and value.ndim:
        return f"a tensor: {describe_value(value)}"
    return f"the number {describe_value(value)}" if is_number(value) else describe_value(value)


def _items(items: list[str], brackets: str = "[]") -> str:
    """The first four, separated so that tensors among them can be read."""
    between = "; " if any("shape" in item for item in items) else ", "
    shown = between.join([*items[:4], *(["…"] if len(items) > 4 else [])])
    return f"{brackets[0]}{shown}{brackets[1]}"


def _number(x: object) -> str:
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def difference(got: object, want: object, rtol: float, atol: float) -> str:
    """A sentence on how `got` differs from `want`.

    For numbers it says also what simple relation holds between them.
    """
    if isinstance(got, Raised):
        if got.kind == "Unusable":
            return got.message
        question = (
            " Does every path of your function end with `return`?"
            if "NoneType" in got.message and NONE_USED.search(got.message)
            else ""
        )
        return f"It raised {got.kind}: {got.message}{got.line}{question}"
    if isinstance(want, Raised):
        return f"It should refuse this input with {want.kind}, but returned {describe_value(got)}."
    if got is None:
        return "It returned None. Does every path end with `return`?"
    if is_number(got) and is_number(want):
        return _numeric_difference(as_tensor(got), as_tensor(want), rtol, atol)
    if isinstance(got, list) and isinstance(want, list):
        if len(got) != len(want):
            return f"It should give {len(want)} values, got {len(got)}."
        if len(want) == 1:
            return difference(got[0], want[0], rtol, atol)
        i = next(
            i for i, (x, y) in enumerate(zip(got, want, strict=True)) if not agree(x, y, rtol, atol)
        )
        return f"In value {i + 1} of {len(want)}: {difference(got[i], want[i], rtol, atol)}"
    if isinstance(got, dict) and isinstance(want, dict):
        if got.keys() != want.keys():
            return f"The keys should be {', '.join(want)}, got {', '.join(got) or 'none'}."
        key = next(key for key in want if not agree(got[key], want[key], rtol, atol))
        return f"In {key!r}: {difference(got[key], want[key], rtol, atol)}"
    return f"It should be {_with_kind(want)}, got {_with_kind(got)}."


def _numeric_difference(got: Tensor, want: Tensor, rtol: float, atol: float) -> str:
    if got.shape != want.shape:
        return f"The shape should be {tuple(want.shape)}, got {tuple(got.shape)}."
    if want.dtype == torch.bool and got.dtype == torch.bool and want.ndim == 0:
        return f"Expected {_yes(want)}, found {_yes(got)}."
    if want.dtype == torch.bool and got.dtype == torch.bool:
        return _at(tuple((got != want).nonzero()[0].tolist()), got, want)
    if (want.dtype == torch.bool) != (got.dtype == torch.bool) and want.ndim:
        kinds = ("truth values", "numbers")
        should, was = kinds if want.dtype == torch.bool else kinds[::-1]
        return f"It should hold {should}, got {was}: {describe_value(got)}."
    a, b = got.double().flatten(), want.double().flatten()
    if not bool(a.isfinite().all()) and bool(b.isfinite().all()):
        what = "NaN" if bool(a.isnan().any()) else "an infinity"
        return f"It holds {what}; it should be {describe_value(want)}."
    apart = ~torch.isclose(got.double(), want.double(), rtol=rtol, atol=atol, equal_nan=True)
    if not bool(b.isfinite().all()):
        return _at(tuple(apart.nonzero()[0].tolist()), got, want)
    gap = (got.double() - want.double()).abs() * apart
    place = tuple((gap == gap.max()).nonzero()[0].tolist())
    if describe_value(got) != describe_value(want):
        said = f"Expected {describe_value(want)}, got {describe_value(got)}"
        said += f"; the largest difference is {float(gap[place]):.3g}."
        return said + _relation(a, b, rtol, atol)
    return _at(place, got, want) + _relation(a, b, rtol, atol)


def _yes(value: Tensor) -> str:
    return "yes" if bool(value) else "no"


def _at(place: tuple[int, ...], got: Tensor, want: Tensor) -> str:
    """The place at which two tensors differ, and both numbers there.

    They have as many digits as it takes to tell them apart.
    """
    a, b = got[place].item(), want[place].item()
    numbers = isinstance(a, float) or isinstance(b, float)
    shown = next(
        (
            f"be {b:.{d}g}, got {a:.{d}g}"
            for d in (4, 8, 17)
            if numbers and f"{a:.{d}g}" != f"{b:.{d}g}"
        ),
        f"be {b}, got {a}",
    )
    if got.ndim == 0:
        return f"It should {shown}."
    return f"Expected {describe_value(want)}. At [{', '.join(map(str, place))}] it should {shown}."


def _relation(a: Tensor, b: Tensor, rtol: float, atol: float) -> str:
    """What a and b have in common, said only where at least two different numbers support it.

    Numbers that differ by less than the relation is off support none.
    """
    spread = float(b.std()) if len(b) > 1 else 0.0
    if spread <= 10 * atol:
        return ""
    if torch.allclose(a, -b, rtol=rtol, atol=atol):
        return " The sign is the other way round everywhere."
    slope = float((a @ b) / (b @ b))
    if (
        abs(slope) > 1e-6
        and abs(slope - 1) > 2e-2  # what is off by less is as likely off by something else
        and torch.allclose(a, slope * b, rtol=3e-4, atol=10 * atol)
        and float((a - slope * b).abs().max()) < 0.1 * abs(slope) * spread
    ):
        return f" Every value is {slope:.4g} times the expected one."
    offset = float((a - b).mean())
    close = torch.allclose(a - b, torch.full_like(a, offset), rtol=3e-4, atol=atol)
    supported = float((a - b - offset).abs().max()) < 0.1 * spread
    if close and supported and abs(offset) > 10 * atol:
        return f" Every value is off by the same {offset:+.4g}."
    return ""
