"""Distributions and filters of logits, where the numbers of one call do not show enough."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gencourse.probes.autoregressive.arguments import uncopied


def kind_of_probabilities(probs: Callable, *inputs: Any) -> dict[str, bool]:
    """What sort of thing probabilities are."""
    result = probs(*inputs)
    return {
        "whether a tensor is returned": isinstance(result, Tensor),
        "whether it holds floating numbers": torch.as_tensor(result).is_floating_point(),
    }


def zeros(table: Callable, *inputs: Any) -> Tensor:
    """Where a table of probabilities is exactly 0."""
    return torch.as_tensor(table(*inputs)) == 0


def mass_together(
    probs: Callable, logits: Tensor, T: float, tokens: list[int]
) -> dict[str, object]:
    """The mass of some tokens together, and whether no token has less than 0 or more than 1.

    The logits come as they are, since `tokens` names positions in them.
    """
    result = torch.as_tensor(probs(uncopied(logits), T))
    return {
        "the mass of these tokens together": result[..., tokens].sum(-1),
        "whether all are between 0 and 1": bool(((result >= 0) & (result <= 1)).all()),
    }


def keeps_all(filtered: Callable, logits: Tensor, p: float) -> bool:
    """Whether no logit is cut."""
    return bool(torch.as_tensor(filtered(logits, p)).isfinite().all())
