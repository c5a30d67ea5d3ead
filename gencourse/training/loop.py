"""The loop: batches in, one step of each player, the means recorded."""

import time
from collections.abc import Callable, Iterable

import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse.errors import TrainingStopped
from gencourse.runtime import autocast
from gencourse.training.contract import players_of, require_terms
from gencourse.training.history import History
from gencourse.validation import require_count


def fit(
    model: nn.Module,
    batches: Iterable,
    *,
    steps: int,
    lr: float = 1e-3,
    decay: bool = True,
    on_step: Callable[[int], None] | None = None,
    precision: str = "auto",
    progress: bool = True,
) -> History:
    """Train `model` with Adam on the first `steps` batches and return what was recorded.

    The learning rate falls linearly from lr to 0 (`decay`). `on_step(step)` is called before each
    step, to change β say. Batches are moved to the model's device; matrix products are in bfloat16
    where that gains (`precision`). The global seed is not touched. An interrupt keeps what was
    reached. A loss that is not finite raises TrainingStopped before it reaches the parameters.
    """
    require_count("fit", "steps", steps)
    device = next(model.parameters()).device
    players = players_of(model, lr)
    rates = [[group["lr"] for group in player.optimizer.param_groups] for player in players]
    history, start = History(), time.perf_counter()
    model.train()
    bar = tqdm(
        zip(range(steps), batches, strict=False),
        total=steps,
        disable=not progress,
        unit="step",
        mininterval=0.5,
    )
    try:
        for step, batch in bar:
            batch = tuple(
                part.to(device) for part in (batch if isinstance(batch, tuple) else (batch,))
            )
            if on_step is not None:
                on_step(step)
            for player, lrs in zip(players, rates, strict=True):
                for group, initial in zip(player.optimizer.param_groups, lrs, strict=True):
                    group["lr"] = initial * (1 - step / steps) if decay else initial
                with autocast(device, precision):
                    terms = require_terms(player.loss(*batch), len(batch[0]))
                means = torch.stack(
                    [value.detach().float().mean() for value in terms.values()]
                ).tolist()
                record(history, player.name, dict(zip(terms, means, strict=True)), step)
                player.optimizer.zero_grad()
                terms["loss"].mean().backward()
                player.optimizer.step()
            if step % 50 == 0:
                bar.set_postfix(
                    {key: f"{values[-1]:.4g}" for key, values in history.values.items()},
                    refresh=False,
                )
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        bar.close()
        model.eval()
        history.seconds = time.perf_counter() - start
    return history


def record(history: History, player: str, means: dict[str, float], step: int) -> None:
    """Append the means of one player's terms; stop at the first that is not finite."""
    prefix = f"{player}/" if player else ""
    for term, mean in means.items():
        if not abs(mean) < float("inf"):
            raise TrainingStopped(
                f"fit: {prefix}{term} should be finite, got {mean} at step {step}. The "
                "parameters are those of the step before. Lower lr, or look for a log or a "
                "division without a floor.",
                history,
            )
        history.values.setdefault(prefix + term, []).append(mean)
