"""Sequences of tokens: what is predicted from what, and the loss in nats per token."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.runtime import full_precision
from gencourse.validation import require_count, require_indices, require_tensor

IGNORED = -100  # a target that is not counted: padding, or the part of a sequence that was given


def next_token_pairs(tokens: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Cut a text into windows and say for each what comes next: x[n, t] is a token, y[n, t] the one
    after it.

    tokens (N,) -> x, y, both (M, block) with M = ⌊(N - 1)/block⌋. Every token of the text is a
    target at most once; the last N - 1 - M · block tokens are left out.
    """
    require_sequence("next_token_pairs", tokens)
    require_count("next_token_pairs", "block", block)
    M = (len(tokens) - 1) // block
    if M == 0:
        raise InputError(
            f"next_token_pairs: tokens should be longer than block = {block}, got {len(tokens)}. "
            "Choose a smaller block."
        )
    return tokens[: M * block].view(M, block), tokens[1 : M * block + 1].view(M, block)


def sequence_nll(logits: Tensor, targets: Tensor) -> Tensor:
    """-(1/T) Σ_t log softmax(logits_t)[target_t] of every sequence: nats per token, over the tokens
    that count.

    logits (B, T, V), targets (B, T) -> (B,). Targets equal to IGNORED do not count; a sequence
    without any gives 0.
    """
    require_tensor("sequence_nll", "logits", logits)
    require_tensor("sequence_nll", "targets", targets)
    if logits.ndim != 3 or logits.shape[:2] != targets.shape:
        raise InputError(
            "sequence_nll: logits should have shape (B, T, V) for targets (B, T), got "
            f"{tuple(logits.shape)} for {tuple(targets.shape)}. The vocabulary is the last "
            "dimension."
        )
    if targets.device != logits.device:
        raise InputError(
            f"sequence_nll: targets should be on the device of logits, {logits.device}, got "
            f"{targets.device}. Move them: targets.to({str(logits.device)!r})."
        )
    require_indices("sequence_nll", "targets", targets, logits.shape[2], ndim=2, also=IGNORED)
    nll = F.cross_entropy(
        full_precision(logits).flatten(0, 1),
        targets.flatten(),
        ignore_index=IGNORED,
        reduction="none",
    ).view(targets.shape)
    return nll.sum(1) / (targets != IGNORED).sum(1).clamp(min=1)


def require_sequence(where: str, tokens: Tensor, vocab_size: int | None = None) -> None:
    """Raise unless tokens are whole numbers (N,), below `vocab_size` if that is given."""
    require_tensor(where, "tokens", tokens)
    if (
        tokens.dtype != torch.long or tokens.ndim != 1
    ):  # bytes would overflow in i · V + j, and index as a mask
        raise InputTypeError(
            f"{where}: tokens should be whole numbers (N,) in int64, got {describe(tokens)}. "
            "Encode the text, or tokens.long()."
        )
    if (
        vocab_size is not None
        and len(tokens)
        and not (int(tokens.min()) >= 0 and int(tokens.max()) < vocab_size)
    ):
        raise InputError(
            f"{where}: tokens should lie in 0..{vocab_size - 1}, got "
            f"{tokens.min()}..{tokens.max()}. Use one vocabulary."
        )
