"""The game on densities: the optimal D, the value of the game, and its divergence."""

import torch
from torch import Tensor

from gencourse.validation import require_same_shape


def optimal_discriminator(p_data: Tensor, p_g: Tensor) -> Tensor:
    """D*(x) = p_data(x) / (p_data(x) + p_g(x)), and ½ where both densities are zero, since any
    D will do there.

    Densities of one shape -> probabilities of that shape. Source: Goodfellow et al. 2014,
    proposition 1.
    """
    require_same_shape("optimal_discriminator", p_data=p_data, p_g=p_g)
    total = p_data + p_g
    kind = torch.finfo(total.dtype)
    smallest = kind.tiny * kind.eps  # of all numbers above 0, subnormal ones included
    return torch.where(total > 0, p_data / total.clamp_min(smallest), 0.5)


def game_value(p_data: Tensor, p_g: Tensor, D: Tensor, cell: float) -> Tensor:
    """V = E_data[log D(x)] + E_g[log(1 - D(x))] by summing over a grid whose cells have the
    size `cell`.

    p_data, p_g densities and D probabilities on the grid, one shape -> a number, nats. Cells
    without mass count zero, whatever D says there. Logarithms stop at that of the smallest positive
    number, since 1 - D of a very sure D is rounded to 0.
    """
    require_same_shape("game_value", p_data=p_data, p_g=p_g, D=D)
    tiny = torch.finfo(D.dtype).tiny
    return cell * (p_data * D.clamp_min(tiny).log() + p_g * (1 - D).clamp_min(tiny).log()).sum()


def jensen_shannon(p: Tensor, q: Tensor, cell: float) -> Tensor:
    """JSD(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = ½(p + q), by summing over a grid: nats,
    between 0 and log 2.

    V at the optimal D equals -log 4 + 2 JSD. Source: Goodfellow et al. 2014, theorem 1.
    """
    require_same_shape("jensen_shannon", p=p, q=q)
    log_m = (0.5 * (p + q)).clamp_min(torch.finfo(p.dtype).tiny).log()
    return 0.5 * cell * (torch.xlogy(p, p) - p * log_m + torch.xlogy(q, q) - q * log_m).sum()
