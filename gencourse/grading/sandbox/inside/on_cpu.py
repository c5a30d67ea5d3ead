"""What was written for a GPU, done on the CPU: there is none where notebooks are graded."""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

ELSEWHERE = ("cuda", "mps", "xpu")


class Unchanged:
    """In the place of OnCPU, for notebooks that mention no GPU: nothing is looked at."""

    redirected = False

    def __enter__(self) -> None: ...

    def __exit__(self, *exception: object) -> None: ...


class OnCPU(TorchFunctionMode):
    """Within it, calls of torch that ask for a GPU get the CPU; `redirected` says that one did."""

    redirected = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call the function with the CPU in the place of a GPU."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ELSEWHERE and args and isinstance(args[0], torch.Tensor):  # x.cuda()
            self.redirected = True
            return args[0]
        if name in ("set_default_device", "device"):
            return func(*args, **kwargs)
        if is_elsewhere(kwargs.get("device")):
            self.redirected = True
            kwargs = kwargs | {"device": "cpu"}
        if name in ("to", "type", "empty", "zeros", "ones", "tensor") and any(
            map(is_elsewhere, args[1:])
        ):
            self.redirected = True
            args = (args[0], *("cpu" if is_elsewhere(one) else one for one in args[1:]))
        return func(*args, **kwargs)


def is_elsewhere(value: object) -> bool:
    """Whether a value names a GPU."""
    if isinstance(value, torch.device):
        return value.type in ELSEWHERE
    return isinstance(value, str) and value.split(":")[0] in ELSEWHERE
