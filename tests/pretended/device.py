"""A GPU that is not there: tensors that say they are on cuda:0 or mps:0 and hold the CPU's numbers.

    with pretended("cuda") as device:
        torch.ones(3, device="cuda") + torch.ones(3)          # raises, as on a GPU
        device.syncs, device.copies                           # what a GPU would have waited for

What a real device refuses is refused: operands on two devices, a generator of another device,
`.numpy()`, float64 on mps. A number that is the CPU's stays the CPU's, to the last bit, and random
numbers of the "device" are those of the CPU's global generator.

How: a Pretended tensor is a shell without memory (torch's meta device) around a tensor of the CPU.
A mode for functions writes meta for cuda or mps wherever a device is given; a mode for operators,
which stands below autograd, looks at the operands, computes on the CPU, and counts.

What it cannot show: time, memory, streams, the device's own random numbers and rounding, kernels
that a device lacks, device-side assertions, choices made in C++ by `is_cuda()`, mixed precision.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
import torch._dynamo  # noqa: F401, an optimizer brings it, and it looks for devices meanwhile
from torch.overrides import TorchFunctionMode
from torch.utils import _device
from torch.utils._python_dispatch import TorchDispatchMode

KINDS = ("cuda", "mps")
PlainGenerator = torch.Generator
aten = torch.ops.aten

CROSSING = {aten._to_copy, aten.copy_}
# operators whose result, or its size, the CPU has to know before it can go on
WAITING = {
    aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten._unique2, aten.unique_dim,
    aten.unique_consecutive, aten.bincount, aten.equal, aten.is_nonzero, aten.repeat_interleave,
}  # fmt: skip
# what a CUDA device does without a kernel
FREE = {aten.detach, aten.lift_fresh, aten.alias, aten._unsafe_view}


class Pretended(torch.Tensor):
    """A shell on torch's meta device around a tensor of the CPU, `inner`."""

    inner: torch.Tensor
    kind: str

    @staticmethod
    def __new__(cls, inner: torch.Tensor, kind: str) -> "Pretended":
        shell = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="meta",
        )
        shell.inner, shell.kind = inner, kind
        return shell

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError("a pretended tensor outlived its device")

    @property
    def device(self) -> torch.device:
        return torch.device(self.kind, 0)

    is_cuda = property(lambda self: self.kind == "cuda")
    is_mps = property(lambda self: self.kind == "mps")
    is_meta = property(lambda self: False)

    def numpy(self, *, force: bool = False) -> Any:
        if force:
            return self.detach().cpu().numpy()
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy "
            "the tensor to host memory first."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.ndim == 0 else object.__format__(self, spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"{self.detach().cpu()!r} on {self.device}"

    def cuda(self, *_: Any, **__: Any) -> torch.Tensor:
        return self.to("cuda")


class Generator(PlainGenerator):
    """A generator that says where it was made; its numbers are the CPU's."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        return super().__new__(cls)

    def __init__(self, device: Any = "cpu") -> None:
        self.made_on = torch.device(device)

    @property
    def device(self) -> torch.device:
        return self.made_on


class Device:
    """The pretended device: its kind, what was counted on it, and whether anybody has woken it."""

    def __init__(self, kind: str, capability: tuple[int, int] = (9, 0)) -> None:
        self.kind, self.capability = kind, capability
        self.kernels = self.syncs = self.copies = self.woken = 0
        self.generators: list[torch.Generator] = []  # of the calls under way

    def counts(self) -> dict[str, int]:
        return {"kernels": self.kernels, "syncs": self.syncs, "copies": self.copies}

    def is_here(self, device: Any) -> bool:
        """Whether a device, as C++ or as Python names it, is this one."""
        device = torch.device(device)
        if device.type == "cpu":
            return False
        if device.type not in (self.kind, "meta"):
            raise RuntimeError(f"Torch not compiled with {device.type} enabled")
        if (device.index or 0) > 0:
            raise RuntimeError("CUDA error: invalid device ordinal")
        return True

    def wake(self, *_: Any) -> torch.Tensor:
        """The state of its random numbers, which on a real GPU makes a context."""
        self.woken += 1
        return torch.get_rng_state()

    def moved(self, x: torch.Tensor) -> Pretended:
        """A copy of a CPU tensor on the device."""
        return x.to(self.kind)


def numbered(index: Any) -> Any:
    """An index in which a list is a tensor; C++ would leave its numbers out for the meta device."""
    if isinstance(index, tuple):
        return tuple(map(numbered, index))
    with torch.device("cpu"):
        return torch.tensor(index) if isinstance(index, list) else index


class Functions(TorchFunctionMode):
    """Says meta wherever a function is given the pretended device, before C++ reads it."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device

    def rewritten(self, value: Any) -> Any:
        if isinstance(value, torch.device) or (
            isinstance(value, str) and re.fullmatch(r"(cuda|mps)(:\d+)?", value)
        ):
            return torch.device("meta") if self.device.is_here(value) else value
        if type(value) in (tuple, list) and any(isinstance(v, torch.device) for v in value):
            return type(value)(map(self.rewritten, value))
        return value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.device:
            return func(*args, **(kwargs or {}))
        args = tuple(map(self.rewritten, args))
        kwargs = {name: self.rewritten(value) for name, value in (kwargs or {}).items()}
        if func is torch.Tensor.cuda:
            return args[0].to("meta")
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            return self.made(func, args, kwargs)
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            args = (args[0], numbered(args[1]), *args[2:])
        given = [v for v in (*args, *kwargs.values()) if isinstance(v, PlainGenerator)]
        self.device.generators += given
        try:
            return func(*args, **kwargs)
        finally:
            if given:
                self.device.generators.pop()

    def made(self, func: Any, args: tuple, kwargs: dict) -> torch.Tensor:
        """A tensor of numbers; C++ would leave them out for the meta device."""
        default = None if torch.is_tensor(args[0]) else _device.CURRENT_DEVICE
        where = kwargs.pop("device", None) or default
        if isinstance(args[0], Pretended):
            return args[0].to(where or args[0].device)
        with torch.device("cpu"):
            value = func(*args, **kwargs)
        there = where is not None and torch.device(where).type != "cpu"
        return value.to("meta") if there else value


def operands(values: Any) -> Iterator[Any]:
    """What an operator is given, lists opened."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def unwrapped(value: Any) -> Any:
    """The CPU's tensors in the place of shells, also in a list."""
    if isinstance(value, list | tuple):
        return [unwrapped(each) for each in value]
    return value.inner if isinstance(value, Pretended) else value


class Operators(TorchDispatchMode):
    """Looks at the operands of every operator, computes on the CPU, wraps and counts."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device

    @classmethod
    def _should_skip_dynamo(cls) -> bool:  # else the compiler is imported, which takes seconds
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, kind = dict(kwargs or {}), self.device.kind
        name = func.overloadpacket
        flat = list(operands((*args, *kwargs.values())))
        tensors = [value for value in flat if isinstance(value, torch.Tensor)]
        shells = [value for value in tensors if isinstance(value, Pretended)]
        there = bool(shells)
        if kwargs.get("device") is not None:
            there = self.device.is_here(kwargs["device"])
            kwargs["device"] = torch.device("cpu")
        if name not in CROSSING:
            self.one_device(func, args, tensors, shells)
        if any(isinstance(value, PlainGenerator) for value in flat):
            self.right_generator(there)
        result = func(
            *map(unwrapped, args), **{key: unwrapped(value) for key, value in kwargs.items()}
        )
        if name is aten._to_copy and shells and not there:  # the CPU may not share its memory
            result = result.clone() if result is shells[0].inner else result
        if name is aten.copy_:
            there = isinstance(args[0], Pretended)
        self.count(name, args, tensors, shells, there)
        if not there:
            return result
        return self.wrapped(result, {id(shell.inner): shell for shell in shells}, kind)

    def wrapped(self, value: Any, known: dict[int, Pretended], kind: str) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(self.wrapped(each, known, kind) for each in value)
        if not isinstance(value, torch.Tensor):
            return value
        if kind == "mps" and value.dtype == torch.float64:
            raise TypeError(
                "Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't "
                "support float64. Please use float32 instead."
            )
        return known[id(value)] if id(value) in known else Pretended(value, kind)

    def one_device(self, func: Any, args: tuple, tensors: list, shells: list) -> None:
        """Raise as torch does where operands are on two devices; a CPU scalar may join any."""
        strangers = [x for x in tensors if not isinstance(x, Pretended) and x.ndim > 0]
        if not shells or not strangers:
            return
        if func.overloadpacket in (aten.index, aten.index_put, aten.index_put_):
            values = args[2:3]
            if isinstance(args[0], Pretended) and not any(
                x is v for x in strangers for v in values
            ):
                return  # indices may be the CPU's
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{self.device.kind}:0 and cpu! (in {func})"
        )

    def right_generator(self, there: bool) -> None:
        given = self.device.generators[-1].device if self.device.generators else torch.device("cpu")
        wanted = self.device.kind if there else "cpu"
        if given.type != wanted:
            raise RuntimeError(
                f"Expected a '{wanted}' device type for generator but found '{given.type}'"
            )

    def count(self, name: Any, args: tuple, tensors: list, shells: list, there: bool) -> None:
        if name in CROSSING:
            ends = there, any(isinstance(x, Pretended) for x in tensors[name is aten.copy_ :])
            self.device.copies += ends == (True, False) and tensors[-1].ndim > 0
            self.device.syncs += ends == (False, True)
        if shells and name not in FREE:
            self.device.kernels += 1
            self.device.syncs += name in WAITING
            indices = args[1] if name in (aten.index, aten.index_put, aten.index_put_) else ()
            self.device.syncs += any(
                i is not None and i.dtype in (torch.bool, torch.uint8) for i in indices
            )


@contextlib.contextmanager
def pretended(kind: str, capability: tuple[int, int] = (9, 0)) -> Iterator[Device]:
    """Within the block this machine has one device of that kind, and none of the other."""
    device = Device(kind, capability)
    name = f"sm_{capability[0]}{capability[1]}"
    cuda = {
        "is_available": lambda: kind == "cuda",
        "device_count": lambda: int(kind == "cuda"),
        "is_initialized": lambda: False,
        "_lazy_init": lambda: None,
        "is_current_stream_capturing": lambda: False,
        "get_device_capability": lambda *_: device.capability,
        "get_device_name": lambda *_: "a pretended GPU",
        "get_arch_list": lambda: [name],
        "current_device": lambda: 0,
        "synchronize": device.wake,
        "get_rng_state": device.wake,
        "set_rng_state": lambda state, *_: torch.set_rng_state(state),
        "manual_seed": lambda seed: None,
        "manual_seed_all": lambda seed: None,
    }
    mps = {
        "get_rng_state": device.wake,
        "set_rng_state": lambda state, *_: torch.set_rng_state(state),
        "manual_seed": lambda seed: None,
        "synchronize": device.wake,
    }
    swap = torch.__future__.get_swap_module_params_on_conversion()
    with contextlib.ExitStack() as stack:
        for module, changes in ((torch.cuda, cuda), (torch.mps, mps)):
            for attribute, value in changes.items():
                stack.enter_context(mock.patch.object(module, attribute, value))
        for module, attribute, value in (
            (torch, "Generator", Generator),
            (torch.backends.mps, "is_available", lambda: kind == "mps"),
            (torch.optim.Optimizer, "_accelerator_graph_capture_health_check", lambda self: None),
        ):
            stack.enter_context(mock.patch.object(module, attribute, value))
        torch.__future__.set_swap_module_params_on_conversion(
            True
        )  # a moved Parameter stays itself
        stack.callback(torch.__future__.set_swap_module_params_on_conversion, swap)
        stack.enter_context(Operators(device))
        stack.enter_context(Functions(device))
        yield device
