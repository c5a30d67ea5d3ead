"""Reflow and how straight a flow is: pairs that a flow makes, to train the next one on."""

import torch
from torch import Tensor

from gencourse.models.diffusion.losses import Field
from gencourse.models.diffusion.samplers import heun, rows
from gencourse.runtime import seeded
from gencourse.validation import require_same_shape


def reflow_pairs(
    velocity: Field, eps: Tensor, times: Tensor, correct_at_zero: bool = True
) -> tuple[Tensor, Tensor]:
    """(x, ε) with x the end of the flow that starts at ε: noise (B, ...), times (n + 1,) from 1 to
    0 -> two (B, ...), without gradients.

    The pair is kept together: trained on it by flow_matching_pair, the next flow has straighter
    paths. New noise in place of ε would start again with independent pairs. Source: Liu et al. 2022
    (arXiv 2209.03003).
    """
    with torch.no_grad():
        return heun(velocity, eps, times, correct_at_zero=correct_at_zero), eps


def straightness(velocity: Field, eps: Tensor, times: Tensor) -> Tensor:
    """∫₀¹ |x_1 - x_0 - u(x_t, t)|² dt along the flow from ε at t = 1 to x_0, summed over
    dimensions: eps (B, ...), times (n + 1,) -> (B,).

    0 for straight paths run at an even speed, which one Euler step follows exactly; for N(0, s²)
    and independent pairs s (2 - π/2) per dimension on average. By the trapezoidal rule, so u has to
    be defined at both ends. Source: Liu et al. 2022.
    """
    with torch.no_grad():
        states = heun(velocity, eps, times, keep=True, correct_at_zero=True)
        whole = states[0] - states[-1]
        off = torch.stack(
            [
                (whole - velocity(x, rows(t, x))).square().flatten(1).sum(1)
                for x, t in zip(states, times, strict=True)
            ]
        )
        return -torch.trapezoid(off, times.to(off), dim=0)


def optimal_pairs_1d(x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """The pairing of least squared distance in one dimension: both sorted. x, eps (B, 1)."""
    require_same_shape("optimal_pairs_1d", x=x, eps=eps)
    return x.sort(0).values, eps.sort(0).values


def mixed_up(eps: Tensor, seed: int = 0) -> Tensor:
    """The same noise in another order: pairs that do not belong together. (B, ...)."""
    order = torch.randperm(len(eps), generator=seeded(seed), device="cpu")
    return eps[order.to(eps.device)]
