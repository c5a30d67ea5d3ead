"""Tests of arguments: each raises an error of one form unless the argument is what it should be."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import cast

import torch
from torch import Tensor, nn

from gencourse.errors import InputError, InputTypeError, describe

_trusted: ContextVar[bool] = ContextVar("trusted", default=False)


@contextlib.contextmanager
def values_trusted() -> Iterator[None]:
    """Within the block types, shapes and devices of tensors are looked at, and not their values,
    for each of which a GPU would have to be waited for.
    """
    token = _trusted.set(True)
    try:
        yield
    finally:
        _trusted.reset(token)


def values_are_trusted() -> bool:
    """Whether this is in a block of `values_trusted`."""
    return _trusted.get()


def require_tensor(where: str, name: str, value: object) -> None:
    """Raise InputTypeError unless `value` is a tensor."""
    if not isinstance(value, Tensor):
        raise InputTypeError(
            f"{where}: {name} should be a torch.Tensor, got {describe(value)}. Convert it first."
        )


def require_same_shape(where: str, **tensors: Tensor) -> None:
    """Raise unless all tensors have one shape, where broadcasting would hide a slip, and lie on
    one device.
    """
    for name, value in tensors.items():
        require_tensor(where, name, value)
    (first, reference), *others = tensors.items()
    for name, value in others:
        if value.device != reference.device:
            raise InputError(
                f"{where}: {name} should be on the device of {first}, {reference.device}, got "
                f"{value.device}. Move one of them: {name}.to({str(reference.device)!r})."
            )
        if value.shape != reference.shape:
            raise InputError(
                f"{where}: {name} should have the shape of {first}, {tuple(reference.shape)}, "
                f"got {tuple(value.shape)}. Bring both to one shape; broadcasting here would add "
                "up the wrong terms."
            )


def require_images(
    where: str, x: Tensor, shape: tuple[int, int, int], model: nn.Module | None = None
) -> None:
    """Raise unless `x` is a batch of float images (B, *shape) in [0, 1], not empty, without NaN,
    and where `model` is.
    """
    require_tensor(where, "x", x)
    if tuple(x.shape[1:]) != tuple(shape):
        hint = (
            "Add the batch dimension with x[None]."
            if tuple(x.shape) == tuple(shape)
            else "Reshape the images first."
        )
        raise InputError(
            f"{where}: x should have shape (B, {', '.join(map(str, shape))}), got "
            f"{tuple(x.shape)}. {hint}"
        )
    if len(x) == 0:
        raise InputError(
            f"{where}: x should hold at least one image, got an empty batch. Look at what "
            "selected it."
        )
    if not x.is_floating_point():
        raise InputTypeError(
            f"{where}: x should be float images in [0, 1], got "
            f"{str(x.dtype).removeprefix('torch.')}. Divide bytes by 255: x.float() / 255."
        )
    if model is not None:
        require_place(where, "x", x, model)
    if values_are_trusted():
        return
    low, high = bounds(x)
    if low != low or high != high:
        raise InputError(
            f"{where}: x should hold finite numbers, got NaN. Find where it was made: "
            "x.isnan().any()."
        )
    if low < 0 or high > 1:
        raise InputError(
            f"{where}: x should lie in [0, 1], got [{low:.3g}, {high:.3g}]. Divide bytes by 255, "
            "and leave out any mean/std normalising."
        )


def bounds(x: Tensor) -> tuple[float, float]:
    """The least and the largest entry of x, NaN if one is; a GPU is waited for once."""
    low, high = torch.stack(torch.aminmax(x.detach())).tolist()
    return low, high


def require_place(where: str, name: str, value: object, model: nn.Module) -> None:
    """Raise unless `value` is a tensor on the model's device and, if it holds floats, of the
    model's precision.
    """
    require_tensor(where, name, value)
    value, parameter = cast(Tensor, value), next(model.parameters())
    if value.device != parameter.device:
        raise InputError(
            f"{where}: {name} should be on the model's device, {parameter.device}, got "
            f"{value.device}. Move one of them: {name}.to({str(parameter.device)!r})."
        )
    double = [t.dtype == torch.float64 for t in (value, parameter)]
    if value.is_floating_point() and double[0] != double[1]:
        model_has, got = (str(t.dtype).removeprefix("torch.") for t in (parameter, value))
        raise InputError(
            f"{where}: {name} should have the model's precision, {model_has}, got {got}. "
            f"Convert one of them: {name}.to({parameter.dtype})."
        )


def require_indices(
    where: str,
    name: str,
    value: object,
    below: int | None = None,
    *,
    ndim: int,
    also: int | None = None,
) -> None:
    """Raise unless `value` is a tensor of whole numbers in `ndim` dimensions, in 0..below - 1 or
    equal to `also`.

    On a GPU an index out of range would end in an assertion after which nothing runs.
    """
    shape = "(B,)" if ndim == 1 else "(B, T)"
    if not isinstance(value, Tensor):
        raise InputTypeError(
            f"{where}: {name} should be a tensor of whole numbers {shape}, got {describe(value)}. "
            "Pass one number per row."
        )
    if value.is_floating_point() or value.dtype == torch.bool or value.ndim != ndim:
        raise InputTypeError(
            f"{where}: {name} should be whole numbers {shape}, got {describe(value)}. Convert "
            "them with .long(), or select them."
        )
    if below is None or value.numel() == 0 or values_are_trusted():
        return
    counted = value if also is None else value.masked_fill(value == also, 0)
    low, high = bounds(counted)
    if low < 0 or high >= below:
        raise InputError(
            f"{where}: {name} should lie in 0..{below - 1}, got {low}..{high}. Count from 0, and "
            "use one vocabulary or set of classes."
        )


def batch_parts(where: str, batch: object) -> tuple[Tensor, ...]:
    """The parts of a batch, each with one row per example: a tensor is one part, a tuple or a list
    of tensors, as a DataLoader makes them, has several. Raises for anything else.
    """
    if isinstance(batch, dict):
        keys = ", ".join(map(repr, batch))
        raise InputTypeError(
            f"{where}: a batch should be a tensor or a tuple of tensors, got a dict with {keys}. "
            "Pass its parts in order: ((batch['x'], batch['y']) for batch in loader)."
        )
    parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
    if not parts:
        raise InputError(
            f"{where}: a batch should hold x at least, got nothing. Look at its maker."
        )
    for i, part in enumerate(parts):
        name = "a batch" if len(parts) == 1 else f"part {i} of a batch"
        if not isinstance(part, Tensor):
            raise InputTypeError(
                f"{where}: {name} should be a torch.Tensor, got {describe(part)}. Convert it first."
            )
        if part.ndim == 0:
            raise InputError(
                f"{where}: {name} should have one row per example, got a scalar. Make batches: "
                "minibatches(x, batch_size=..., seed=0), or a DataLoader with batch_size."
            )
    return parts


def require_count(where: str, name: str, value: object, at_least: int = 1) -> None:
    """Raise unless `value` is a whole number of at least `at_least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(
            f"{where}: {name} should be a whole number, got {describe(value)}. Pass an int."
        )
    if value < at_least:
        raise InputError(
            f"{where}: {name} should be at least {at_least}, got {value}. Pass a larger number."
        )


def require_gradients(where: str) -> None:
    """Raise unless torch records gradients here."""
    if not torch.is_grad_enabled():
        raise InputError(
            f"{where}: gradients should be recorded, got a call under no_grad or inference_mode. "
            "Call it outside, or torch.set_grad_enabled(True) first."
        )
