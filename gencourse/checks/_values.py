"""The plain values that an answer returns: compared, and put into words where they differ."""

import torch
from torch import Tensor

from gencourse.asking import Opaque, Raised


def nothing(value) -> bool:
    """Whether a plain value is None, or a list or dict of None alone."""
    items = list(value.values()) if isinstance(value, dict) else value
    return value is None or (isinstance(items, list) and bool(items) and all(map(nothing, items)))


def is_number(value) -> bool:
    """Whether a plain value can be compared as an array of numbers."""
    return isinstance(value, Tensor | bool | int | float)


def agree(a, b, rtol: float, atol: float) -> bool:
    """Whether two plain values are equal: same structure and shapes, numbers within |a - b| ≤ atol + rtol |b|."""
    if is_number(a) and is_number(b):
        a, b = torch.as_tensor(a), torch.as_tensor(b)
        return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=rtol, atol=atol, equal_nan=True)
    if isinstance(a, Raised) and isinstance(b, Raised):
        return a.kind == b.kind
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(agree(a[key], b[key], rtol, atol) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(agree(x, y, rtol, atol) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


def in_words(value) -> str:
    """A short text for a value in a message."""
    if isinstance(value, Tensor):
        if value.numel() == 0:
            return f"an empty tensor of shape {tuple(value.shape)}"
        head = ", ".join(_number(x) for x in value.flatten()[:4].tolist()) + (", …" if value.numel() > 4 else "")
        return head if value.ndim == 0 else f"[{head}] with shape {tuple(value.shape)}"
    if isinstance(value, list):
        return f"{len(value)} values: " + "; ".join(in_words(item) for item in value[:4]) if value else "nothing (an empty list)"
    if isinstance(value, dict):
        return "a dict with " + "; ".join(f"{key}: {in_words(item)}" for key, item in list(value.items())[:4])
    if isinstance(value, Opaque):
        return f"an object of type {value.kind}"
    if isinstance(value, Raised):
        return f"the error {value.kind}: {value.message}"
    return _number(value) if isinstance(value, float) else repr(value)


def _number(x) -> str:
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def difference(got, want, rtol: float, atol: float) -> str:
    """A sentence on how `got` differs from `want`; for numbers also what simple relation holds between them."""
    if isinstance(got, Raised):
        question = " Does every path of your function end with `return`?" if "NoneType" in got.message else ""
        return f"It raised {got.kind}: {got.message}{got.line}{question}"
    if isinstance(want, Raised):
        return f"It should refuse this input with {want.kind}, but returned {in_words(got)}."
    if got is None:
        return "It returned None. Does every path end with `return`?"
    if is_number(got) and is_number(want):
        return _numeric_difference(torch.as_tensor(got), torch.as_tensor(want), rtol, atol)
    if isinstance(got, list) and isinstance(want, list):
        if len(got) != len(want):
            return f"It should give {len(want)} values, got {len(got)}."
        i = next(i for i, (x, y) in enumerate(zip(got, want, strict=True)) if not agree(x, y, rtol, atol))
        return f"In value {i + 1} of {len(want)}: {difference(got[i], want[i], rtol, atol)}"
    if isinstance(got, dict) and isinstance(want, dict):
        if got.keys() != want.keys():
            return f"The keys should be {', '.join(want)}, got {', '.join(got) or 'none'}."
        key = next(key for key in want if not agree(got[key], want[key], rtol, atol))
        return f"In {key!r}: {difference(got[key], want[key], rtol, atol)}"
    return f"It should be {in_words(want)}, got {in_words(got)}."


def _numeric_difference(got: Tensor, want: Tensor, rtol: float, atol: float) -> str:
    if got.shape != want.shape:
        return f"The shape should be {tuple(want.shape)}, got {tuple(got.shape)}."
    if want.dtype == torch.bool and want.ndim == 0:
        return f"This should be {bool(want)}, got {in_words(got)}."
    a, b = got.double().flatten(), want.double().flatten()
    if not bool(b.isfinite().all()):
        return _first_place(got, want, rtol, atol)
    if not bool(a.isfinite().all()):
        return f"It holds {'NaN' if bool(a.isnan().any()) else 'an infinity'}; it should be {in_words(want)}."
    worst = int((a - b).abs().argmax())
    said = f"Expected {in_words(want)}, got {in_words(got)}; the largest difference is {abs(float(a[worst] - b[worst])):.3g}."
    return said + _relation(a, b, rtol, atol)


def _first_place(got: Tensor, want: Tensor, rtol: float, atol: float) -> str:
    """Where infinities are asked for: the first place at which the two differ, since differences are no numbers there."""
    place = (~torch.isclose(got.double(), want.double(), rtol=rtol, atol=atol, equal_nan=True)).nonzero()[0].tolist()
    where = f"At {place} it" if place else "It"
    return f"Expected {in_words(want)}. {where} should be {in_words(want[tuple(place)])}, got {in_words(got[tuple(place)])}."


def _relation(a: Tensor, b: Tensor, rtol: float, atol: float) -> str:
    """What a and b have in common, said only where at least two different numbers support it."""
    if len(b) < 2 or float(b.std()) <= 10 * atol:
        return ""
    if torch.allclose(a, -b, rtol=rtol, atol=atol):
        return " The sign is the other way round everywhere."
    slope = float((a @ b) / (b @ b))
    if abs(slope) > 1e-6 and abs(slope - 1) > 1e-3 and torch.allclose(a, slope * b, rtol=1e-3, atol=10 * atol):
        return f" Every value is {slope:.4g} times the expected one."
    offset = float((a - b).mean())
    if torch.allclose(a - b, torch.full_like(a, offset), rtol=1e-3, atol=10 * atol):
        return f" Every value is off by the same {offset:+.4g}."
    return ""
