"""One training by several processes, on one machine or on many, each of which computes its share.

All of them draw the same batches and the same noise, and each takes its rows of both; gradients and
recorded means are averaged over the processes before they are used. So a training takes the same
steps on any number of processes, rounding aside. The processes are torch.distributed's: whoever
starts them (torchrun, accelerate, `gencourse train --processes`) has called `init_process_group`.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.overrides import TorchFunctionMode

from gencourse.errors import InputError
from gencourse.training.randomness import random_states, set_random_states

NOISE: tuple[Any, ...] = (torch.randn, torch.rand, torch.randn_like, torch.rand_like)


class Processes:
    """How many take part, and which of them this is: one alone where none were started."""

    def __init__(self) -> None:
        started = distributed.is_available() and distributed.is_initialized()
        self.count = distributed.get_world_size() if started else 1
        self.rank = distributed.get_rank() if started else 0

    def rows(self, n: int) -> slice:
        """The rows of a batch of n that are this process's."""
        if n % self.count:
            raise InputError(
                f"fit: batches should be shared evenly by {self.count} processes, got {n} "
                "examples. Choose a batch size that is a multiple of their number."
            )
        share = n // self.count
        return slice(self.rank * share, (self.rank + 1) * share)

    def begin(self, model: nn.Module, device: torch.device, precision: str) -> str:
        """Give all processes the first one's weights and random states, and one precision: bfloat16
        where one of them has settled on it.
        """
        if self.count == 1:
            return precision
        for tensor in (*model.parameters(), *model.buffers()):
            distributed.broadcast(tensor.detach(), 0)
        states = random_states(device)
        for name, state in states.items():
            there = state.to(device)
            distributed.broadcast(there, 0)
            states[name] = there.cpu()
        set_random_states(states, device)
        normed = any("BatchNorm" in type(module).__name__ for module in model.modules())
        if normed and self.rank == 0:
            print(
                f"Batch norm takes its statistics from each process's share of a batch, "
                f"1/{self.count} of it."
            )
        return "bfloat16" if self.any(precision == "bfloat16", device) else "float32"

    def average(self, parameters: Iterable[Tensor]) -> None:
        """Average gradients over the processes, as one tensor."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        parts = self.mean(flat).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, x: Tensor) -> Tensor:
        """The mean of a tensor over the processes."""
        if self.count > 1:
            distributed.all_reduce(x)
            x = x / self.count
        return x

    def noise(self, share: int) -> contextlib.AbstractContextManager:
        """Within it, noise for a share of a batch is cut from the whole batch's noise."""
        return contextlib.nullcontext() if self.count == 1 else SharedNoise(self, share)

    def any(self, asked: bool, device: torch.device) -> bool:
        """Whether one of the processes was asked, to stop say: all of them get one answer."""
        if self.count == 1:
            return asked
        flag = torch.tensor(float(asked), device=device)
        distributed.all_reduce(flag)
        return bool(flag > 0)


class SharedNoise(TorchFunctionMode):
    """Every randn or rand whose first dimension is the share is drawn for the whole batch."""

    def __init__(self, processes: Processes, share: int) -> None:
        super().__init__()
        self.processes, self.share = processes, share

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call the function, for the whole batch where it draws noise."""
        kwargs = kwargs or {}
        if func not in NOISE:
            return func(*args, **kwargs)
        like, shape = args[0], tuple(args)
        if isinstance(like, Tensor):
            func = torch.randn if func is torch.randn_like else torch.rand
            kwargs, shape = {"dtype": like.dtype, "device": like.device, **kwargs}, like.shape
        elif isinstance(like, tuple | list):
            shape = tuple(like)
        if not shape or shape[0] != self.share:
            return func(shape, **kwargs)
        whole = func((self.share * self.processes.count, *shape[1:]), **kwargs)
        return whole[self.processes.rows(len(whole))]
