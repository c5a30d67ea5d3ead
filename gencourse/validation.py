"""Tests of arguments: each raises an error of one form unless the argument is what it should be."""

import torch
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe


def require_tensor(where: str, name: str, value: object) -> None:
    """Raise InputTypeError unless `value` is a tensor."""
    if not isinstance(value, Tensor):
        raise InputTypeError(
            f"{where}: {name} should be a torch.Tensor, got {describe(value)}. Convert it first."
        )


def require_same_shape(where: str, **tensors: Tensor) -> None:
    """Raise unless all tensors have one shape: broadcasting would hide a slip."""
    for name, value in tensors.items():
        require_tensor(where, name, value)
    (first, reference), *others = tensors.items()
    for name, value in others:
        if value.shape != reference.shape:
            raise InputError(
                f"{where}: {name} should have the shape of {first}, {tuple(reference.shape)}, "
                f"got {tuple(value.shape)}. Bring both to one shape; broadcasting here would add "
                "up the wrong terms."
            )


def require_images(
    where: str, x: Tensor, shape: tuple[int, int, int], device: torch.device | None = None
) -> None:
    """Raise unless `x` is a batch of float images (B, *shape) in [0, 1], not empty, without NaN, on
    `device`.
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
    if device is not None and x.device != device:
        raise InputError(
            f"{where}: x should be on the model's device, {device}, got {x.device}. Move one of "
            f"them: x.to({str(device)!r})."
        )
    low, high = (value.item() for value in torch.aminmax(x))
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
