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
