"""Networks that a learner's sampler asks, and what it draws with them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.diffusion.fields import ToyField, learned_by
from gencourse.probes.general import gradients


def wide(values: Tensor, x: Tensor) -> Tensor:
    """Values (B,) as (B, 1, ..., 1), in the precision of x."""
    return values.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


class Labelled:
    """f(x (N, ...), t (N,), y (N,)) -> like x: each row from its own row, with another function
    for each label 0, ..., num_classes, the last of which means none. It counts its calls.
    """

    def __init__(self, num_classes: int) -> None:
        labels = torch.arange(num_classes + 1, dtype=torch.float64)
        self.gains, self.shifts = (1.7 * labels + 1).sin(), (2.9 * labels).cos()
        self.calls = 0

    def __call__(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """What the network says."""
        self.calls += 1
        if not len(x) == len(t) == len(y):
            raise ValueError(
                f"the network should get as many times and labels as rows, got {len(x)} rows, "
                f"{len(t)} times and {len(y)} labels."
            )
        if bool((y < 0).any()) or bool((y >= len(self.gains)).any()):
            raise IndexError(
                f"a label should be 0 to {len(self.gains) - 1}, got {int(y.min())} to "
                f"{int(y.max())}."
            )
        place = torch.arange(x.shape[1], dtype=x.dtype).view(-1, *[1] * (x.ndim - 2))
        gain, shift = wide(self.gains[y], x), wide(self.shifts[y], x)
        return (x * (1 + 0.3 * place) + wide(t, x)).sin() + gain * x.roll(1, 1) + shift * x.cos()


def asked_once(
    guide: Callable, x_t: Tensor, t: Tensor, y: Tensor, w: float, num_classes: int
) -> dict[str, object]:
    """A guided prediction, and how often the network was called for it."""
    network = Labelled(num_classes)
    result = guide(network, x_t, t, y, w, num_classes)
    return {"": result, "how often the network is called": network.calls}


def slope_of_guided(
    guide: Callable, x_t: Tensor, t: Tensor, y: Tensor, w: float, num_classes: int
) -> Tensor:
    """The gradient of the summed guided prediction for x_t."""
    network = Labelled(num_classes)
    return gradients(lambda x: guide(network, x, t, y, w, num_classes), x_t)[0]


def sampled(sampler: Callable, x: Tensor, alpha: Tensor, sigma: Tensor) -> dict[str, object]:
    """What a sampler draws with a network that says the noise, and at which levels it asks."""
    network = ToyField()
    result = sampler(network, x, alpha, sigma)
    return {
        "": result,
        "the levels at which the network is asked, of each row": [
            n.flatten().tolist() for n in network.asked
        ],
        "whether the result holds a graph": bool(result.requires_grad),
    }


def paired(make: Callable, eps: Tensor, n: int) -> dict[str, object]:
    """The pair that is made with a velocity, and how that was asked."""
    velocity = ToyField()
    result = make(velocity, eps, n)
    if isinstance(result, dict):  # would be unpacked into its keys
        raise TypeError("the two should be returned as x, eps, not as a dict.")
    x, noise = result
    return {
        "x": x.detach(),
        "the noise beside it": noise.detach(),
        "how often the velocity is asked": len(velocity.asked),
        "whether the pair holds a graph": bool(x.requires_grad or noise.requires_grad),
    }


class MeanVelocity(nn.Module):
    """u(x (B, ...), r (B,), t (B,)) -> like x: in no two of its three arguments the same, and
    smooth in all. One parameter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.8))

    def forward(self, x: Tensor, r: Tensor, t: Tensor) -> Tensor:
        """The mean velocity between r and t."""
        r, t = (time.reshape(-1, *[1] * (x.ndim - 1)) for time in (r, t))
        place = torch.arange(x.shape[-1], dtype=x.dtype)
        own = (x * (1 + 0.3 * place) + 0.5 * t - 0.9 * r).sin() - (0.4 + t**2 + 0.6 * r) * x
        return self.gain.to(x.dtype) * (own + 0.7 * x.roll(1, -1) * place.cos())


def targeted(target: Callable, x_t: Tensor, v: Tensor, r: Tensor, t: Tensor) -> dict[str, object]:
    """What a mean velocity is told to say, and whether the target could be learned from."""
    field = MeanVelocity()
    result = target(field, x_t, v, r, t)
    return {
        "": result.detach(),
        "whether the target holds a graph": bool(result.requires_grad),
        "the gradient that would reach the field": learned_by(field, result),
    }


def into_and_back(space: Callable, codes: Tensor, z: Tensor, noise: Tensor) -> dict[str, object]:
    """What the two functions for training codes do with other codes, and with noise."""
    result = space(codes)
    if isinstance(result, dict) or len(result) != 2 or not all(map(callable, result)):
        raise TypeError("two functions should be returned, into and back.")
    into, back = result
    return {
        "other codes, standardised": into(z.clone()),
        "one code, standardised": into(z[:1].clone()),
        "noise, taken back to codes": back(noise.clone()),
        "one draw of noise, taken back to a code": back(noise[:1].clone()),
        "other codes, there and back": back(into(z.clone())),
        "the gradients of into": gradients(into, z)[0],
        "the gradients of back": gradients(back, noise)[0],
    }
