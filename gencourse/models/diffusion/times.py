"""Grids of times, by name, and the loop that follows a step along one."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.validation import require_count, require_tensor

ENDS = ("sigma_min", "zero")


def even_times(n: int, start: float = 1.0, end: float = 0.0) -> Tensor:
    """n + 1 times from start to end, evenly spaced, for n steps: float64 on the CPU."""
    require_count("even_times", "n", n)
    return torch.linspace(start, end, n + 1, dtype=torch.float64, device="cpu")


def rho_levels(
    n: int,
    sigma_max: float = 80.0,
    sigma_min: float = 0.002,
    rho: float = 7.0,
    last: str = "zero",
) -> Tensor:
    """n + 1 noise levels for n steps, evenly spaced in σ^{1/ρ}: float64 on the CPU.

    last="zero", EDM's: n levels from σ_max down to σ_min, then 0, so the last step goes from σ_min
    to 0. last="sigma_min": n + 1 levels from σ_max to σ_min, where the last step ends. With few
    steps the two give other samples. On the path ve(σ_max) a level is a time after division by
    σ_max. Source: Karras et al. 2022, equation 5.
    """
    require_count("rho_levels", "n", n)
    if last not in ENDS:
        raise InputError(
            f"rho_levels: last should be one of {', '.join(ENDS)}, got {last!r}. Say where the "
            "last step ends."
        )
    count = n if last == "zero" else n + 1
    share = torch.linspace(0, 1, count, dtype=torch.float64, device="cpu")
    high, low = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    levels = (high + share * (low - high)) ** rho
    return levels if last == "sigma_min" else torch.cat([levels, torch.zeros_like(levels[:1])])


def follow(
    step: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor, times: Tensor, keep: bool = False
) -> Tensor:
    """x after step(x, t, s) for each time t and its next s: times (n + 1,), each step given two
    scalars -> the last x, or with keep=True all n + 1, the first included, (n + 1, *x.shape).
    """
    require_tensor("follow", "times", times)
    if times.ndim != 1 or len(times) < 2:
        raise InputError(
            f"follow: times should have shape (n + 1,) for n steps, got {describe(times)}. "
            "See even_times and rho_levels."
        )
    states = [x]
    for t, s in itertools.pairwise(times.cpu().unbind()):
        states = [*states, step(states[-1], t, s)] if keep else [step(states[-1], t, s)]
    return torch.stack(states) if keep else states[-1]
