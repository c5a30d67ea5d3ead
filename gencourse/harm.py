"""What a call leaves changed behind it: arguments, modules, generators, torch's modes."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.runtime import on_cpu

HARMS = (
    "changed",
    "result",
    "gradients",
    "weights",
    "replaced",
    "optimizer",
    "hooks",
    "settings",
    "training mode",
    "requires_grad",
    "unused",
    "reseeded",
    "mode",
    "device",
)


SETTINGS = (bool, int, float, str, tuple)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Watch:
    """The state of a call's arguments and of torch before the call.

    `harm` compares it with the state afterwards.
    """

    def __init__(self, args: tuple, kwargs: dict) -> None:
        named = {**{str(i): value for i, value in enumerate(args)}, **kwargs}
        self.named = named
        self.data = {name: frozen(value) for name, value in named.items()}
        self.wanting = {name: wants_gradients(value) for name, value in named.items()}
        self.modules = {
            name: modes(value) for name, value in named.items() if isinstance(value, nn.Module)
        }
        self.weights = {
            name: weights(value) for name, value in named.items() if isinstance(value, nn.Module)
        }
        self.optimizers = {
            name: moved(value)
            for name, value in named.items()
            if isinstance(value, torch.optim.Optimizer)
        }
        self.generators = {
            name: (value.initial_seed(), value.get_state())
            for name, value in named.items()
            if isinstance(value, torch.Generator)
        }
        self.torch = torch_modes()
        self.seed = torch.initial_seed()

    def harm(self, args: tuple, kwargs: dict) -> set[tuple[str, str]]:
        """What is no longer as it was: pairs of what happened, and to which argument or mode."""
        found = {
            ("changed", name)
            for name, value in self.named.items()
            if not unchanged(self.data[name], value)
        }
        found |= {
            ("gradients", name)
            for name, value in self.named.items()
            if wants_gradients(value) and not self.wanting[name]
        }
        for name, before in self.modules.items():
            after = modes(self.named[name])
            found |= {(what, name) for what in before if before[what] != after[what]}
            same = unchanged(self.weights[name], weights(self.named[name]))
            found |= set() if same else {("weights", name)}
        found |= {
            ("optimizer", name)
            for name, before in self.optimizers.items()
            if moved(self.named[name]) != before
        }
        for name, (seed, state) in self.generators.items():
            generator = self.named[name]
            if generator.initial_seed() != seed:
                found.add(("reseeded", name))
            elif torch.equal(generator.get_state(), state):
                found.add(("unused", name))
        now = torch_modes()
        found |= {("mode", name) for name in now if now[name] != self.torch[name]}
        if torch.initial_seed() != self.seed:
            found.add(("reseeded", "torch"))
        return found


def torch_modes() -> dict[str, object]:
    """The modes of torch that a call can leave changed, under the words for them."""
    return {
        "gradient mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "anomaly mode": torch.is_anomaly_enabled(),
        "choice of algorithms": torch.are_deterministic_algorithms_enabled(),
    }


@contextlib.contextmanager
def neutral() -> Iterator[None]:
    """Within the block: float32, the CPU, gradients on.

    Afterwards all is as it was, whatever an answer has set.
    """
    dtype = torch.get_default_dtype()
    grad, elsewhere = torch.is_grad_enabled(), torch.get_default_device().type != "cpu"
    anomaly, fixed = torch.is_anomaly_enabled(), torch.are_deterministic_algorithms_enabled()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    try:
        with on_cpu():
            yield
    finally:
        if not elsewhere and torch.get_default_device().type != "cpu":
            torch.set_default_device(None)
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(grad)
        if torch.is_anomaly_enabled() != anomaly:
            torch.autograd.set_detect_anomaly(anomaly)
        if torch.are_deterministic_algorithms_enabled() != fixed:
            torch.use_deterministic_algorithms(fixed)


def modes(module: nn.Module) -> dict[str, tuple]:
    """What a module is beside its numbers.

    Whether each part is in training mode and each parameter can learn, which parameters they are,
    what hooks hang on them, and settings such as a Dropout's p.
    """
    parts = list(module.modules())
    parameters = [p for part in parts for p in part._parameters.values() if p is not None]
    return {
        "training mode": tuple(part.training for part in parts),
        "requires_grad": tuple(p.requires_grad for p in parameters),
        "replaced": tuple(map(id, parameters)),
        "hooks": tuple(len(getattr(one, name) or ()) for one in parts for name in HOOKS)
        + tuple(len(p._backward_hooks or ()) for p in parameters),
        "settings": tuple(
            (name, value)
            for part in parts
            for name, value in vars(part).items()
            if type(value) in SETTINGS and name != "training"
        ),
    }


def weights(module: nn.Module) -> list[Tensor]:
    """Copies of a module's parameters and buffers."""
    parts = list(module.modules())
    held = [t for part in parts for t in (*part._parameters.values(), *part._buffers.values())]
    return [t.detach().clone() for t in held if t is not None]


def moved(optimizer: torch.optim.Optimizer) -> list[dict]:
    """Of each group of an optimizer which parameters it holds, and its settings."""
    return [
        {key: list(map(id, value)) if key == "params" else value for key, value in group.items()}
        for group in optimizer.param_groups
    ]


def wants_gradients(value: object) -> bool:
    """Whether a tensor is a leaf that asks for gradients, so that its `numpy()` fails."""
    return isinstance(value, Tensor) and value.is_leaf and value.requires_grad


def frozen(value: object) -> object:
    """A copy that nobody else holds, of the data in an argument; None for what is no data."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [frozen(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else None


def unchanged(before: Any, after: Any) -> bool:
    """Whether data is what it was, NaN being equal to NaN."""
    if isinstance(before, Tensor):
        if (
            not isinstance(after, Tensor)
            or before.shape != after.shape
            or before.dtype != after.dtype
        ):
            return False
        after = after.detach()
        return torch.equal(before, after) or bool(
            ((before == after) | (before != before) & (after != after)).all()
        )
    if isinstance(before, dict):
        return (
            isinstance(after, dict)
            and before.keys() == after.keys()
            and all(unchanged(before[k], after[k]) for k in before)
        )
    if isinstance(before, list):
        return len(before) == len(after) and all(map(unchanged, before, after))
    return before is None or before == after


def elsewhere(result: object) -> set[tuple[str, str]]:
    """The devices other than the CPU on which a result lies, itself or in a container."""
    if isinstance(result, dict):
        return elsewhere(list(result.values()))
    if isinstance(result, list | tuple):
        return {pair for item in result for pair in elsewhere(item)}
    if isinstance(result, Tensor) and result.device.type not in ("cpu", "meta"):
        return {("device", str(result.device))}
    return set()
