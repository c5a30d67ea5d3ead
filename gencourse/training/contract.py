"""The contract between a model and the loop: losses of one value per example, and players that make
the steps.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.training.optimizers import JointOptimizer, adam
from gencourse.validation import batch_parts


@dataclass
class Player:
    """One side of a game: at every step `loss(*batch)` is evaluated and `optimizer` makes one step
    on its mean.

    Players move in the order given, each on the same batch; a player's gradients are cleared before
    its own move.
    """

    name: str
    optimizer: torch.optim.Optimizer | JointOptimizer
    loss: Callable[..., dict[str, Tensor]]


def require_terms(terms: dict[str, Tensor], B: int) -> dict[str, Tensor]:
    """The result of a model's `loss` if it keeps the contract, else an error that says how to fix
    it.
    """
    if not isinstance(terms, dict) or "loss" not in terms:
        raise InputTypeError(
            f'loss: the result should be a dict with the key "loss", got {describe(terms)}. '
            f'Return {{"loss": ...}}.'
        )
    for term, value in terms.items():
        if not isinstance(value, Tensor) or value.shape != (B,):
            got = describe(value)
            raise InputError(
                f"loss: {term!r} should have one value per example, shape ({B},), got {got}. Sum "
                "over pixels and latent dimensions, and leave the mean over the batch to the "
                "loop."
            )
    return terms


def require_parts(where: str, loss: Callable[..., dict[str, Tensor]], parts: Sequence) -> None:
    """Raise unless `loss` takes as many arguments as a batch has parts."""
    try:
        signature = inspect.signature(loss)
    except (TypeError, ValueError):  # a callable that does not tell
        return
    try:
        signature.bind(*parts)
    except TypeError:
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        *some, last = [p.name for p in signature.parameters.values() if p.kind in positional] or [
            "nothing"
        ]
        wanted = f"{', '.join(some)} and {last}" if some else f"{last} alone"
        mend = (
            "Leave the others out: (batch[0] for batch in batches)"
            if len(parts) > len(some) + 1
            else "Pass them together: minibatches(x, y, ...)"
        )
        raise InputError(
            f"{where}: batches should hold {wanted}, which is what the model's loss takes, got "
            f"{len(parts)} part{'s' * (len(parts) != 1)}. {mend}, or write a loss that takes what "
            "they hold."
        ) from None


def players_of(model: nn.Module, lr: float) -> list[Player]:
    """The players that a model brings, or the one that trains all of it by its loss with Adam."""
    if hasattr(model, "players"):
        return cast(Callable[[float], list[Player]], model.players)(lr)
    loss = cast(Callable[..., dict[str, Tensor]], model.loss)
    return [Player("", adam(model.parameters(), lr), loss)]


def check_model(model: nn.Module, batch: Tensor | Sequence[Tensor]) -> None:
    """Test whether a model can go through `fit`: the contract of `loss`, gradients everywhere, the
    model unchanged.

    A batch is what `fit` meets: a tensor, or a tuple or list of them. Prints one line if all is
    well; otherwise raises an error that names what to fix.
    """
    batch = batch_parts("check_model", batch)
    if not isinstance(model, nn.Module):
        raise InputTypeError(
            f"check_model: model should be an nn.Module, got {describe(model)}. Derive your "
            "class from it."
        )
    if len(batch[0]) < 2:
        raise InputError(
            f"check_model: batch should hold at least two examples, got {len(batch[0])}. Pass a "
            "few more rows."
        )
    # running statistics may move
    before = {name: value.clone() for name, value in model.named_parameters()}
    losses = [player.loss for player in players_of(model, 1e-3)]
    reached: set[str] = set()
    for loss in losses:
        require_parts("check_model", loss, batch)
        terms = require_terms(loss(*batch), len(batch[0]))
        if not terms["loss"].requires_grad:
            raise InputError(
                "check_model: loss should depend on the parameters, got a value without "
                "gradient. Look for no_grad or detach."
            )
        model.zero_grad()
        terms["loss"].mean().backward()
        reached |= {name for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    missed = [
        name for name, p in model.named_parameters() if p.requires_grad and name not in reached
    ]
    if missed:
        raise InputError(
            "check_model: every parameter should get a gradient, got none for "
            f"{', '.join(missed)}. Use them, or leave them out."
        )
    if any(not torch.equal(before[name], value) for name, value in model.named_parameters()):
        raise InputError(
            "check_model: loss should leave the parameters as they are, got changed ones. Only "
            "the loop makes steps."
        )
    print(
        f"{type(model).__name__}: loss gives one value per example, and every parameter gets a "
        "gradient."
    )
