"""From logits to a next token: temperature, top-k, top-p, and the plain sampling loop."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.runtime import drawn_on, full_precision
from gencourse.validation import require_count, require_tensor


def temperature_probs(logits: Tensor, T: float = 1.0) -> Tensor:
    """softmax(logits / T), which is p^(1/T) normalised; T = 0 puts all mass on the largest logit.

    logits (..., V) -> probabilities (..., V). Ties at T = 0 go to the first. Source: Ackley, Hinton
    & Sejnowski 1985.
    """
    require_tensor("temperature_probs", "logits", logits)
    if not T >= 0:
        raise InputError(
            f"temperature_probs: T should be at least 0, got {T}. 1 leaves the model's "
            "probabilities as they are."
        )
    if T == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    scaled = (
        logits - logits.amax(-1, keepdim=True)
    ) / T  # the shift keeps a small T from overflowing
    return scaled.softmax(-1)


def top_k_filter(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits of each row, set the others to -∞: logits (..., V) -> (..., V).

    k ≥ V keeps all; ties at the threshold are all kept. Source: Fan et al. 2018 (arXiv 1805.04833).
    """
    require_tensor("top_k_filter", "logits", logits)
    require_count("top_k_filter", "k", k)
    threshold = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < threshold, -torch.inf)


def top_p_filter(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest most likely tokens whose probabilities add up to at least p, set the others
    to -∞.

    logits (..., V) -> (..., V). The token that crosses p is kept, so at least one is. Source:
    Holtzman et al. 2020 (arXiv 1904.09751).
    """
    require_tensor("top_p_filter", "logits", logits)
    if not 0 < p <= 1:
        raise InputError(f"top_p_filter: p should lie in (0, 1], got {p}. 1 keeps every token.")
    ranked, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = ranked.cumsum(-1) - ranked  # the mass of more likely tokens
    dropped = (
        torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before >= p)
        if p < 1
        else torch.zeros_like(logits).bool()
    )
    return logits.masked_fill(dropped, -torch.inf)


def filtered_probs(
    logits: Tensor, T: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Tensor:
    """The distribution that `sample_token` draws from: temperature, then top-k, then top-p. logits
    (..., V) -> probabilities (..., V).
    """
    logits = full_precision(logits)
    if not T > 0:
        return temperature_probs(logits, T)  # T = 0 leaves one token; below 0 it says what is wrong
    logits = (logits - logits.amax(-1, keepdim=True)) / T
    if top_k is not None:
        logits = top_k_filter(logits, top_k)
    if top_p is not None:
        logits = top_p_filter(logits, top_p)
    return logits.softmax(-1)


def sample_token(
    logits: Tensor,
    T: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One token per row, from `filtered_probs`: logits (B, V) -> (B,)."""
    require_tensor("sample_token", "logits", logits)
    if logits.ndim != 2 or logits.isnan().any():
        raise InputError(
            "sample_token: logits should have shape (B, V) and no NaN, got "
            f"{tuple(logits.shape)}. Of a sequence take logits[:, -1]."
        )
    if T == 0:
        return logits.argmax(-1)
    probs = filtered_probs(logits, T, top_k, top_p).to(drawn_on(generator))
    return torch.multinomial(probs, 1, generator=generator)[:, 0].to(logits.device)


@torch.no_grad()
def generate(
    model: Callable[[Tensor], Tensor],
    idx: Tensor,
    n: int,
    block: int,
    T: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw n further tokens, each given the last `block` before it: idx (B, t) -> (B, t + n).

    `model` maps tokens (B, t) to logits (B, t, V), those at position t for token t + 1. One whole
    forward pass per token; a module is put into evaluation mode for the time, and back.
    GPT.generate does the same with a cache.
    """
    require_prompt("generate", idx)
    require_count("generate", "n", n)
    require_count("generate", "block", block)
    training = (
        [part for part in model.modules() if part.training] if isinstance(model, nn.Module) else []
    )
    try:
        for part in training:
            part.training = False
        for _ in range(n):
            logits = model(idx[:, -block:])[:, -1]
            idx = torch.cat([idx, sample_token(logits, T, generator=generator)[:, None]], dim=1)
    finally:
        for part in training:
            part.training = True
    return idx


def require_prompt(where: str, idx: Tensor) -> None:
    """Raise unless idx is (B, t) with at least one token each: a model needs something to start
    from.
    """
    require_tensor(where, "idx", idx)
    if idx.ndim != 2 or idx.shape[1] == 0 or idx.is_floating_point():
        raise InputError(
            f"{where}: idx should be whole numbers (B, t) with t ≥ 1, got {idx.dtype} "
            f"{tuple(idx.shape)}. Start with a prompt or a start token."
        )
