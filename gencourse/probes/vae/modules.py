"""A learner's module at work: sizes, equations, gradients, samples."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.probes.vae.prior import SIGMAS, correlated, distance_from_normal
from gencourse.runtime import global_seed, seeded

Shape = tuple[int, int, int]


def parameters_of(build: Callable, image_shape: Shape, hidden: int, latent_dim: int) -> dict:
    """The names and shapes of a module's parameters, and how they start."""
    model, other = build(image_shape, hidden, latent_dim), build(image_shape, hidden, latent_dim)
    named = dict(model.named_parameters())
    before = {name: p.detach().clone() for name, p in other.named_parameters()}
    with torch.no_grad():
        for p in named.values():
            p.add_(1.0)
    after = dict(other.named_parameters())
    weights = [p for name, p in before.items() if name.endswith("weight")]
    return {
        "whether it is an nn.Module": isinstance(model, nn.Module),
        "the names and shapes of the parameters": {
            name: list(named[name].shape) for name in sorted(named)
        },
        "whether they all can learn": all(p.requires_grad for p in named.values()),
        "whether a second model has parameters of its own": all(
            torch.equal(after[name], value) for name, value in before.items()
        ),
        "whether the weights start all different": all(
            len(w.unique()) > 0.9 * w.numel() for w in weights
        ),
        "the kinds of layers": {
            name: [type(part).__name__ for part in getattr(model, name)]
            for name in ("encoder", "decoder")
        },
    }


def filled(build: Callable, image_shape: Shape, hidden: int, latent_dim: int, scale: float) -> Any:
    """A model whose parameters are numbers of ours, the same for everyone.

    `scale` makes those of the decoder large; the encoder's are larger then, too.
    """
    model = build(image_shape, hidden, latent_dim)
    with torch.no_grad():
        for i, (name, p) in enumerate(sorted(model.named_parameters())):
            large = scale if name.startswith("decoder") else 1.5 if scale == 1.0 else 4.0
            width = large / math.sqrt(p.shape[-1]) if p.ndim > 1 else 0.3
            p.copy_(width * torch.randn(p.shape, generator=seeded(i + 1)))
    return model


def terms(
    build: Callable,
    x: Tensor,
    eps: Tensor,
    hidden: int,
    scale: float = 1.0,
    double: bool = False,
) -> dict[str, object]:
    """What a model says of images x (B, C, H, W) with the noise eps (B, D)."""
    C, H, W = x.shape[1:]
    model = filled(build, (C, H, W), hidden, eps.shape[1], scale)
    if double:
        model, x, eps = model.double(), x.double(), eps.double()
    given = x.clone(), eps.clone()
    mu, logvar = model.encode(x)
    loss = model.loss(x, eps=eps)
    return {
        "mu": mu,
        "logvar": logvar,
        "the logits of codes": model.decode(eps),
        "the loss and its parts": dict(loss),
        "whether images and noise stay as they are": torch.equal(x, given[0])
        and torch.equal(eps, given[1]),
    }


def gradients_of_parameters(
    build: Callable, x: Tensor, eps: Tensor, hidden: int, key: str
) -> dict[str, Tensor]:
    """The gradients that a part of the loss sends to each parameter, 0 where none arrives."""
    C, H, W = x.shape[1:]
    model = filled(build, (C, H, W), hidden, eps.shape[1], 1.0)
    total = model.loss(x, eps=eps)[key].sum()
    names, parameters = zip(*sorted(model.named_parameters()), strict=True)
    found = torch.autograd.grad(total, parameters, allow_unused=True)
    return {
        name: torch.zeros_like(p) if g is None else g
        for name, p, g in zip(names, parameters, found, strict=True)
    }


class Codes:
    """The codes that reach a decoder while this is open."""

    def __init__(self, decoder: nn.Module) -> None:
        self.first = next(iter(decoder.children()))
        self.seen: list[Tensor] = []

    def __enter__(self) -> list[Tensor]:
        self.hook = self.first.register_forward_pre_hook(
            lambda layer, args: self.seen.append(args[0].detach().clone())
        )
        return self.seen

    def __exit__(self, *error: object) -> None:
        self.hook.remove()


def standard(z: Tensor) -> dict[str, bool]:
    """Whether numbers (N, D) are independent draws from N(0, 1), as far as N allows to see."""
    N, D = z.shape
    error = SIGMAS / math.sqrt(N)
    return {
        "whether the noise has mean 0": bool((z.mean(0).abs() < error).all()),
        "whether the noise has standard deviation 1": bool(
            ((z.std(0) - 1).abs() < error / math.sqrt(2)).all()
        ),
        "whether the noise is distributed as N(0, 1)": distance_from_normal(z)
        < 2.7 / math.sqrt(N * D),
        **correlated(z, error),
    }


def noise_of_the_loss(build: Callable, seed: int) -> dict[str, object]:
    """The noise that a loss draws when it is given none."""
    model = filled(build, (1, 2, 3), 5, 4, 1.0)
    x = torch.rand(3000, 1, 2, 3, generator=seeded(seed))
    mu, logvar = (t.detach() for t in model.encode(x))
    with global_seed(seed), Codes(model.decoder) as codes:
        model.loss(x)
        model.loss(x)
    if [tuple(z.shape) for z in codes] != [(3000, 4)] * 2:
        return {"the codes that two losses decode": [list(z.shape) for z in codes]}
    first, second = ((z - mu) / (0.5 * logvar).exp() for z in codes)
    return {
        "the codes that two losses decode": [list(z.shape) for z in codes],
        "whether all images have the same noise": bool((first.std(0) < 0.01).all()),
        "whether a second loss has other noise": not torch.allclose(first, second, atol=0.01),
        **standard(first),
    }


def samples(build: Callable, n: int, seed: int) -> dict[str, object]:
    """Images that a model draws, and the codes from which it makes them."""
    model, shape = filled(build, (2, 2, 3), 5, 4, 3.0), (n, 2, 2, 3)
    generator = seeded(seed)
    with Codes(model.decoder) as codes:
        images = model.sample(n, generator)
    again, second = model.sample(n, seeded(seed)), model.sample(n, generator)
    found: dict[str, object] = {
        "the shape": list(images.shape),
        "how many codes were decoded": sum(len(z) for z in codes),
        "whether they hold a graph or ask for gradients": images.requires_grad,
        "whether torch records gradients afterwards": torch.is_grad_enabled(),
    }
    z = torch.cat([torch.zeros(0, 4), *codes])
    if images.shape != shape or z.shape != (n, 4):
        return found
    logits = model.decode(z).detach()
    return {
        **found,
        "whether they are sigmoid of the logits": torch.allclose(
            images, logits.sigmoid(), atol=1e-5
        ),
        "whether they are the logits": torch.allclose(images, logits, atol=1e-5),
        "whether they are all 0 or 1": bool(((images == 0) | (images == 1)).all()),
        "whether two generators in one state give the same images": torch.equal(images, again),
        "whether a second call with one generator repeats the first": torch.equal(images, second),
        **(standard(z) if n > 100 else {}),
    }


def trained(build: Callable, x: Tensor, steps: int) -> dict[str, object]:
    """Steps of Adam on the loss, a copy on the way, and the loss afterwards."""
    C, H, W = x.shape[1:]
    model = filled(build, (C, H, W), 6, 2, 1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for i in range(steps):
        eps = torch.randn(len(x), 2, generator=seeded(i))
        optimizer.zero_grad()
        model.loss(x, eps=eps)["loss"].mean().backward()
        optimizer.step()
    twin = build((C, H, W), 6, 2)
    twin.load_state_dict(copy.deepcopy(model.state_dict()))
    return {"": twin.loss(x, eps=torch.zeros(len(x), 2))["loss"]}
