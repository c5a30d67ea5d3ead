"""Inputs for the trials of all chapters."""

import torch

from gencourse.runtime import seeded


def draw(seed: int, *shape: int) -> torch.Tensor:
    """Standard normal numbers from a generator of their own, the same for every answer."""
    return torch.randn(*shape, generator=seeded(seed))


def gradients(call: str, *names: str) -> str:
    """Code for the gradients of what `call` returns, summed, for its inputs `names`; 0 where none arrives, as for a float."""
    inputs = ", ".join(names) + ","
    return f"""
        inputs = [t.requires_grad_() for t in ({inputs})]
        result = {call}
        parts = result if isinstance(result, (tuple, list)) else [result]
        total = sum(torch.as_tensor(part).sum() for part in parts)
        found = torch.autograd.grad(total, inputs, allow_unused=True) if total.requires_grad else [None for _ in inputs]
        [torch.zeros_like(t) if g is None else g for t, g in zip(inputs, found)]
    """
