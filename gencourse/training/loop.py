"""The loop: batches in, one step of each player, the means recorded."""

import contextlib
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.runtime import autocast, settled_precision
from gencourse.training.checkpoint import Keeper
from gencourse.training.contract import Player, players_of, require_parts, require_terms
from gencourse.training.history import History, Reader
from gencourse.training.interrupts import deferred_interrupt
from gencourse.training.processes import Processes
from gencourse.validation import batch_parts, require_count, require_gradients, values_trusted

READ_EVERY = 20  # steps on a GPU


def fit(
    model: nn.Module,
    batches: Iterable,
    *,
    steps: int,
    lr: float = 1e-3,
    decay: bool = True,
    warmup: float = 0.0,
    on_step: Callable[[int], None] | None = None,
    precision: str = "auto",
    progress: bool = True,
    checkpoint: str | Path | None = None,
) -> History:
    """Train `model` on the first `steps` batches, with Adam or with what its `players` bring, and
    return what was recorded.

    A batch is a tensor, or a tuple or list of tensors, as a DataLoader makes them: as many as the
    model's loss takes. If batches end early, a warning says so; if there are none, it is an error.
    The learning rate falls linearly from lr to 0 (`decay`); over the first `warmup` of the steps, a
    share in [0, 1), it also rises from 0. `on_step(step)` is called before each step, to change β
    say. Batches are moved to the model's device, the course's own with all their data at once;
    matrix products are in bfloat16 where that gains (`precision`). The global seed is not touched.
    An interrupt keeps what was reached. A loss that is not finite raises TrainingStopped, on a CPU
    before it reaches the parameters. A GPU is waited for only every READ_EVERY steps, when what was
    recorded is read, and looks at values in the first batch alone.

    With a `checkpoint`, the path of a file, all is kept there every half minute, at the end, and at
    an interrupt. The same call goes on where the file ends, as if nothing had happened, torch's
    global generators included. Pass `batches` anew. A file whose training is complete gives its
    weights and history at once.

    Where torch.distributed has started several processes, each computes its share of every batch
    (see training/processes.py).
    """
    require_count("fit", "steps", steps)
    require_batches(batches)
    require_gradients("fit")
    if not 0 <= warmup < 1:
        raise InputError(
            f"fit: warmup should be a share of the steps, at least 0 and below 1, got {warmup}. "
            "Pass 0.1 for the first tenth, say."
        )
    device = next(model.parameters()).device
    players = players_of(model, lr)
    rates = [[group["lr"] for group in player.optimizer.param_groups] for player in players]
    first, history = 0, History(planned=steps)
    settings = {"steps": steps, "lr": lr, "decay": decay, "precision": precision}
    if warmup:
        settings["warmup"] = warmup
    settled = settled_precision(device, precision)
    keeper = None
    if checkpoint is not None:
        keeper = Keeper(checkpoint, model, players, settings, settled)
        first, history, batches, settled = keeper.resume(batches, steps)
    processes = Processes()
    settled = processes.begin(model, device, settled)
    if hasattr(batches, "to"):
        batches.to(device)
    every = 1 if device.type == "cpu" and processes.count == 1 else READ_EVERY
    reader = Reader(history, every, processes.mean)
    start = time.perf_counter() - history.seconds
    model.train()
    hidden = not progress or processes.rank > 0
    bar = tqdm(total=steps, initial=first, disable=hidden, unit="step", mininterval=0.5)
    try:
        with deferred_interrupt() as interrupted, bar, contextlib.ExitStack() as later:
            for step, batch in zip(range(first, steps), batches, strict=False):
                whole = batch_parts("fit", batch)
                parts = tuple(part[processes.rows(len(part))].to(device) for part in whole)
                if step == first:
                    for player in players:
                        require_parts("fit", player.loss, parts)
                if on_step is not None:
                    on_step(step)
                now = (1 - step / steps if decay else 1.0) * risen(step, warmup * steps)
                for player, lrs in zip(players, rates, strict=True):
                    for group, initial in zip(player.optimizer.param_groups, lrs, strict=True):
                        group["lr"] = initial * now
                    with autocast(device, settled), processes.noise(len(parts[0])):
                        terms = require_terms(player.loss(*parts), len(parts[0]))
                    reader.take(player.name, terms, step)
                    player.optimizer.zero_grad()
                    terms["loss"].mean().backward()
                    processes.average(trained(player))
                    with autocast(device, settled):
                        player.optimizer.step()
                if step == first and every > 1:
                    later.enter_context(values_trusted())
                history.seconds = time.perf_counter() - start
                if (step + 1) % every == 0 or step + 1 == steps:
                    history.interrupted = processes.any(interrupted(), device)
                    ends = history.interrupted or step + 1 == steps
                    reader.read()
                    if keeper and processes.rank == 0:
                        keeper.note(step + 1, history, batch, last=ends)
                if step % 50 == 0:
                    bar.set_postfix(history.latest(), refresh=False)
                bar.update()
                if history.interrupted:
                    break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        model.eval()
        history.seconds = time.perf_counter() - start
    reader.read()
    if not history.interrupted and history.steps < steps:
        ended_early(history.steps, steps)
    return history


def risen(step: int, over: float) -> float:
    """The share of its height that a rate has reached at a step, where it rises over so many."""
    return min(1.0, (step + 1) / over) if over else 1.0


def trained(player: Player) -> Iterator[torch.Tensor]:
    """What a player's optimizer moves."""
    return (p for group in player.optimizer.param_groups for p in group["params"])


def require_batches(batches: Iterable) -> None:
    """Raise for what is no series of batches, or has been taken for one."""
    if isinstance(batches, torch.Tensor) or not hasattr(batches, "__iter__"):
        if hasattr(batches, "__getitem__") and not isinstance(batches, torch.Tensor):
            return  # an old kind of iterable, such as a torch Dataset
        raise InputTypeError(
            f"fit: batches should be an iterable of batches, got {describe(batches)}. Pass "
            "minibatches(x, batch_size=..., seed=0) or a DataLoader."
        )


def ended_early(done: int, steps: int) -> None:
    """Say that there were fewer batches than steps; raise if there were none."""
    if done == 0:
        raise InputError(
            f"fit: batches should yield {steps:,} batches, got none. An iterator that was used up "
            "stays empty, and a DataLoader may drop its last batch: make it anew, or pass "
            "minibatches(x, batch_size=..., seed=0), which never ends."
        )
    warnings.warn(
        f"fit: batches ended after {done:,} of {steps:,} steps, so training stopped there. Pass "
        "minibatches(x, batch_size=..., seed=0), which never ends, or for a DataLoader "
        "(batch for _ in itertools.count() for batch in loader).",
        stacklevel=3,
    )
