"""Masks: the kind of their numbers, and the device on which they are made."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")


def kind_of_mask(answer: Callable, *args: Any) -> dict[str, bool]:
    """Whether the answer returns a tensor, and whether that holds booleans."""
    mask = answer(*args)
    return {
        "whether it is a tensor": isinstance(mask, Tensor),
        "whether it holds booleans": torch.as_tensor(mask).dtype == torch.bool,
    }


def is_tensor(answer: Callable, *args: Any) -> bool:
    """Whether the answer returns a tensor."""
    return isinstance(answer(*args), Tensor)


def looks(answer: Callable, *args: Any) -> dict[str, Tensor]:
    """The sums of a mask's rows and columns: of all tables of 0 and 1 a triangle alone has them."""
    mask = torch.as_tensor(answer(*args)).double()
    return {
        "how many positions each one may look at": mask.sum(-1),
        "by how many positions each one is looked at": mask.sum(-2),
    }


class Elsewhere(TorchFunctionMode):
    """Within the block torch seems to have a device, xpu:7, which every machine can play.

    A tensor made there or moved there is marked as being there, and so is what is computed from it;
    a later block knows it again. Like torch it refuses to compute with tensors of two devices.
    """

    device = torch.device("xpu", 7)

    def holds(self, value: object) -> bool:
        """Whether this is a tensor on the device."""
        return getattr(value, "elsewhere", False)

    def __torch_function__(
        self,
        func: Callable,
        types: Iterable[type],
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch on the CPU, and note what it makes as being elsewhere."""
        kwargs = kwargs or {}
        if func is torch.device:
            return func(*args, **kwargs)
        if func == Tensor.device.__get__:
            return self.device if self.holds(args[0]) else func(*args)
        given = [*args, *kwargs.values()]
        parts = [part for x in given for part in (x if isinstance(x, list | tuple) else [x])]
        tensors = [x for x in parts if isinstance(x, Tensor)]
        there = [x for x in tensors if self.holds(x)]
        tensors = [x for x in tensors if x.ndim > 0 or self.holds(x)]  # a number mixes with all
        named = [torch.device(x) for x in parts if names_device(x)]
        named += [CPU] if func is Tensor.cpu else []
        if there and len(there) < len(tensors) and "item__" not in func.__name__ and not named:
            raise RuntimeError(
                "Expected all tensors on one device, found the one asked for and cpu"
            )
        result = func(*map(here, args), **{name: here(x) for name, x in kwargs.items()})
        if isinstance(result, Iterator):
            result = list(result)
        made = result if isinstance(result, list | tuple) else [result]
        is_there = named[-1] == self.device if named else bool(there)
        if isinstance(result, Tensor) and named and self.holds(result) != is_there:
            result = result.clone() if any(result is x for x in tensors) else result
            made = [result]  # moving leaves the tensor that was moved where it is
        for x in made:
            if isinstance(x, Tensor):
                x.elsewhere = is_there  # type: ignore[attr-defined]
        return iter(result) if func is Tensor.__iter__ else result


def names_device(value: object) -> bool:
    """Whether an argument of a function of torch is a device or its name."""
    known = ("cpu", "cuda", "xpu", "meta")
    return isinstance(value, torch.device | str) and str(value).startswith(known)


def here(value: object) -> object:
    """The argument with the CPU in the place of a device."""
    return CPU if names_device(value) else value


def made_elsewhere(answer: Callable, T: int, by_name: bool) -> bool:
    """Whether the result is on the device that it was asked for, one other than the CPU.

    No error names the device that is only played.
    """
    name = str(Elsewhere.device)
    try:
        with Elsewhere() as elsewhere:
            result = answer(T, name if by_name else elsewhere.device)
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError) as error:
        error.args = tuple(str(said).replace(name, "the device") for said in error.args)
        raise
    return elsewhere.holds(result)


def refused(answer: Callable, *args: Any) -> bool:
    """Whether the answer raises a ValueError."""
    try:
        answer(*args)
    except ValueError:
        return True
    return False


def all_tensors(answer: Callable, *args: Any) -> bool:
    """Whether all that the answer returns are tensors."""
    return all(isinstance(mask, Tensor) for mask in answer(*args))


def seen_through(made_masks: Callable, D: int, degrees: list[Tensor]) -> Tensor:
    """Which inputs (D) each output (D) is connected with by way of all layers: (D, D) booleans."""
    seen = torch.eye(D)
    for mask in made_masks(D, degrees):
        seen = torch.as_tensor(mask).float() @ seen
    return seen > 0
