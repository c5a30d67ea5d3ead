"""Layers of many kinds, and how a learner's function starts them."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

FAR = 0.0455  # the share of a normal distribution that lies beyond two standard deviations
OTHERS = {
    "Embedding": lambda: nn.Embedding(30, 40),
    "LayerNorm": lambda: nn.LayerNorm(50),
    "GroupNorm": lambda: nn.GroupNorm(2, 6),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(6, affine=True),
    "BatchNorm3d": lambda: nn.BatchNorm3d(6),
    "PReLU": lambda: nn.PReLU(60),
    "Bilinear": lambda: nn.Bilinear(2, 3, 4),
    "Conv1d": lambda: nn.Conv1d(3, 4, 5),
    "Conv3d": lambda: nn.Conv3d(3, 4, 2),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(3, 4, 5),
    "ConvTranspose3d": lambda: nn.ConvTranspose3d(3, 4, 2),
    "LeakyReLU": lambda: nn.LeakyReLU(0.1),  # settings are looked at wherever a module is given
    "Dropout": lambda: nn.Dropout(0.3),
}


class Conv2dBlock(nn.Module):
    """A container with a name like a layer's, and no weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU())


class Dense(nn.Linear):
    """A class made from one of the five kinds."""


class Upsampling(nn.ConvTranspose2d):
    """Another one."""


class Scaling(nn.BatchNorm1d):
    """And a norm."""


class LinearGain(nn.Module):
    """A module of the learner's own, with a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(7))


def filled(network: nn.Module) -> nn.Module:
    """The network, with 0.3 in each parameter."""
    for p in network.parameters():
        p.data.fill_(0.3)
    return network


def as_filled(module: nn.Module) -> bool:
    """Whether all parameters of a module are still 0.3."""
    return all(bool((p - 0.3).abs().max() < 1e-6) for p in module.parameters())


def spread_around(weight: Tensor, centre: float, std: float = 0.02) -> bool:
    """Whether weights spread around the centre by `std`, within five standard errors."""
    off = (weight.double() - centre).square().mean().sqrt() / std - 1
    return bool(off.abs() < 5 / math.sqrt(2 * weight.numel()))


def lies_around(weight: Tensor, centre: float) -> bool:
    """Whether the weights' mean is the centre, within five standard errors."""
    weight = weight.double()
    return bool((weight.mean() - centre).abs() <= 5 * weight.std() / math.sqrt(len(weight)) + 1e-6)


def exactly(weight: Tensor, centre: float, std: float = 0.02) -> bool:
    """Whether mean and spread are closer to these than a thousandth of a standard error, both."""
    weight, n = weight.double(), weight.numel()
    near = (weight.mean() - centre).abs() < 1e-3 * std / math.sqrt(n)
    off = min(float((weight.std(correction=k) / std - 1).abs()) for k in (0, 1))
    return bool(near) and off < 1e-3 / math.sqrt(2 * n)


def tails(weight: Tensor) -> tuple[bool, bool, bool]:
    """Whether weights lie two deviations out, or three, and whether as many as in a normal do."""
    weight = weight.double()
    off = (weight - weight.mean()).abs()
    far = float((off > 2 * weight.std() + 1e-6).double().mean())
    very_far = bool((off > 3.1 * weight.std() + 1e-6).any())
    return far > 0, very_far, abs(far - FAR) < 5 * math.sqrt(FAR / weight.numel())


def start(layer: Any, centre: float) -> dict[str, bool]:
    """How the parameters of a layer lie."""
    weight = layer.weight.detach().flatten()
    any_far, very_far, as_normal = tails(weight)
    length = layer.weight.detach().flatten(1).norm(dim=1) if layer.weight.ndim > 1 else weight
    return {
        "whether they are left as they were": as_filled(layer),
        "whether the weights are all the same": bool((weight == weight[0]).all()),
        "whether the weights lie around 0": lies_around(weight, 0.0),
        "whether the weights lie around 1": lies_around(weight, 1.0),
        f"whether the weights spread around {centre:g} by 0.02": spread_around(weight, centre),
        "whether mean and spread are exactly those": exactly(weight, centre),
        "whether the weights spread by 0.14": spread_around(
            weight, float(weight.mean()), 0.02**0.5
        ),
        "whether any weight is beyond two deviations": any_far,
        "whether any weight is beyond three deviations": very_far,
        "whether as many of them are as in a normal": as_normal,
        "whether the weights differ from one another": len(weight[:999].unique()) > 900,
        "whether they differ in more than their signs": len((weight - centre).abs().unique())
        > 0.9 * len(weight),
        "whether the rows of weights have one length": bool(length.std() < 1e-3 * length.mean()),
        "whether it still has biases": layer.bias is not None,
        "whether the biases are 0": layer.bias is not None and bool((layer.bias == 0).all()),
        "whether all can still learn": all(p.requires_grad for p in layer.parameters()),
    }


def started(init: Callable, kind: str) -> dict[str, bool]:
    """A layer of one of the five kinds, inside a network."""
    made = {
        "linear layer": lambda: nn.Linear(100, 80),
        "convolution": lambda: nn.Conv2d(16, 32, 4),
        "transposed convolution": lambda: nn.ConvTranspose2d(32, 16, 4),
        "one-dimensional batch norm": lambda: nn.BatchNorm1d(8000),
        "two-dimensional batch norm": lambda: nn.BatchNorm2d(8000),
    }[kind]()
    filled(nn.Sequential(nn.Sequential(made), nn.ReLU())).apply(init)
    return start(made, 1.0 if "norm" in kind else 0.0)


def others_left(init: Callable) -> dict[str, bool]:
    """Whether layers of other kinds are left alone, by their names."""
    found = {}
    for name, made in OTHERS.items():
        layer = filled(made())
        layer.apply(init)
        found[f"whether {name} is left alone"] = as_filled(layer)
    return found


def own_modules(init: Callable) -> dict[str, bool]:
    """A container called Conv2dBlock, and a module with a weight that is called LinearGain."""
    block, gain = Conv2dBlock(), LinearGain()
    filled(nn.Sequential(block, gain)).apply(init)
    return {
        "whether LinearGain is left alone": as_filled(gain),
        "whether the convolution in Conv2dBlock is left alone": as_filled(block.inner[0]),
    }


def without_bias(init: Callable) -> dict[str, bool]:
    """Layers that have no bias: whether their weights spread around 0 by 0.02."""
    layers: dict[str, nn.Linear | nn.Conv2d | nn.ConvTranspose2d] = {
        "linear layer": nn.Linear(80, 60, bias=False),
        "convolution": nn.Conv2d(8, 16, 4, bias=False),
        "transposed convolution": nn.ConvTranspose2d(16, 8, 4, bias=False),
    }
    filled(nn.Sequential(*layers.values())).apply(init)
    return {
        f"whether the weights of the {name} spread around 0 by 0.02": spread_around(
            layer.weight.detach(), 0.0
        )
        for name, layer in layers.items()
    }


def without_scales(init: Callable) -> dict[str, bool]:
    """Batch norms that have no scales, and such as have no running statistics."""
    bare = nn.Sequential(nn.BatchNorm1d(5, affine=False), nn.BatchNorm2d(5, affine=False))
    norm = nn.BatchNorm2d(3000, track_running_stats=False)
    filled(bare.append(norm)).apply(init)
    return {
        "whether they have scales now": any(layer.weight is not None for layer in bare[:2]),
        "whether scales spread around 1 by 0.02 if there are no running statistics": spread_around(
            norm.weight.detach(), 1.0
        ),
    }


def statistics(init: Callable) -> dict[str, bool]:
    """What a batch norm has seen: whether its running statistics and its count are as they were."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    norms = nn.Sequential(*(kind(4, affine=affine) for affine in (True, False) for kind in kinds))
    for buffer in norms.buffers():
        buffer.fill_(5)
    norms.apply(init)
    names = {"running_mean": "mean", "running_var": "variance", "num_batches_tracked": "count"}
    return {
        f"whether its {said} is as it was": all(
            bool((getattr(norm, name) == 5).all()) for norm in norms
        )
        for name, said in names.items()
    }


def biases(module: nn.Module) -> list[Tensor]:
    """The parameters of that name."""
    return [p for name, p in module.named_parameters() if name.endswith("bias")]


def small(init: Callable) -> dict[str, bool]:
    """Layers of few weights, in evaluation mode: whether each of them starts, biases included."""
    made: dict[str, nn.Linear | nn.Conv2d | nn.ConvTranspose2d] = {
        "linear layer with one output": nn.Linear(3, 1),
        "convolution of single pixels in groups": nn.Conv2d(2, 2, 1, groups=2),
        "transposed convolution of single pixels in groups": nn.ConvTranspose2d(2, 2, 1, groups=2),
    }
    filled(nn.Sequential(*made.values())).eval().apply(init)
    return {
        f"whether the parameters of a {name} start": bool(
            (layer.weight - 0.3).abs().min() > 1e-6 and not any(p.any() for p in biases(layer))
        )
        for name, layer in made.items()
    }


def subclasses(init: Callable) -> dict[str, bool]:
    """Whether layers start whose class is made from one of the five."""
    made: dict[str, nn.Linear | nn.ConvTranspose2d] = {
        "Linear": Dense(60, 80),
        "ConvTranspose2d": Upsampling(16, 8, 4),
    }
    norm = Scaling(3000)
    filled(nn.Sequential(*made.values(), norm)).apply(init)
    found = {name: spread_around(layer.weight.detach(), 0.0) for name, layer in made.items()}
    found["BatchNorm1d"] = spread_around(norm.weight.detach(), 1.0)
    return {
        f"whether weights of a subclass of nn.{name} start": started
        for name, started in found.items()
    }


def frozen(init: Callable) -> dict[str, bool]:
    """Layers of which all parameters, or only the biases, are frozen: whether they start, too."""
    layer, half, norm = nn.Linear(60, 80), nn.Linear(60, 80), nn.BatchNorm2d(3000)
    filled(nn.Sequential(layer, half, norm))
    half.bias.requires_grad_(False)
    layers = nn.Sequential(layer.requires_grad_(False), half, norm.requires_grad_(False))
    before = [p.requires_grad for p in layers.parameters()]
    layers.apply(init)
    return {
        "whether frozen weights start": spread_around(layer.weight.detach(), 0.0),
        "whether frozen scales start": spread_around(norm.weight.detach(), 1.0),
        "whether frozen biases are 0": not any(bool(p.any()) for p in biases(layers)),
        "whether what was frozen is": before == [p.requires_grad for p in layers.parameters()],
    }


def by_itself(init: Callable) -> dict[str, bool]:
    """One module that is given without `apply`: a layer is to start, a container's layers are not.

    Networks hand their containers over too.
    """
    layer, inner = nn.Linear(80, 60), nn.Linear(3, 4)
    filled(nn.Sequential(layer, inner))
    init(layer)
    init(nn.Sequential(nn.Sequential(inner)))
    return {
        "whether the layer's weights spread around 0 by 0.02": spread_around(
            layer.weight.detach(), 0.0
        ),
        "whether the layer in the container is left to a call of its own": as_filled(inner),
    }


def other_dtype(init: Callable) -> dict[str, str]:
    """The dtypes of a float64 network's parameters afterwards, where only values should change."""
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()
    filled(network).apply(init)
    names = ("weights", "biases", "scales", "shifts")
    return {
        f"the dtype of the {name}": str(p.dtype).removeprefix("torch.")
        for name, p in zip(names, network.parameters(), strict=True)
    }


def two_of_one_size(init: Callable) -> bool:
    """Whether two layers of one size start with the same weights."""
    first, second = nn.Linear(9, 8), nn.Linear(9, 8)
    filled(nn.Sequential(first, second)).apply(init)
    return bool(torch.isclose(first.weight, second.weight).all())


def in_proportion(norm_of: Callable, W: Tensor, u: Tensor, steps: int, scale: float) -> bool:
    """Whether the number found for a matrix shrinks with the matrix, to within 1%."""
    whole, shrunk = norm_of(W, u, steps), norm_of(scale * W, u, steps)
    return bool(abs(shrunk / scale - whole) < 0.01 * abs(whole))
