"""Training within a budget of seconds when the loop has to be told steps, because its learning rate
falls over them.

A throwaway model measures the speed just before. Its steps are not counted; at the default budgets
they take about as long as the part of the budget that the training then leaves unused.
"""

import math
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import nn

from gencourse.runtime import pick_device
from gencourse.training import fit

Model = TypeVar("Model")
WARMUP_STEPS = 100
# parts of the budget: what the steps should take, and where training is cut if they take longer
AIM, LIMIT = (
    0.92,
    0.99,
)


def within(
    train: Callable[[int, float], tuple[Model, float, int]],
    seconds: float,
    once: Callable[[], float] = float,
) -> tuple[Model, float, int]:
    """A model, the seconds that its training took, and its steps: as many as the budget allows.

    `train(steps, limit)` trains a new model for `steps` steps, or until `limit` seconds have
    passed, and returns these three. `once()` is what the last training spent
    on work that does not grow with the steps, in seconds.
    """
    train(10, math.inf)  # what only the first steps of a process pay is no part of the speed
    _, used, steps = train(WARMUP_STEPS, math.inf)
    wanted = max(1, int((AIM * seconds - once()) * steps / (used - once())))
    model, used, done = train(wanted, LIMIT * seconds)
    if done < wanted:
        print(
            (
                f"cut after {done:,} of {wanted:,} steps: the learning rate has not come to its "
                "end. Measure again on a quiet machine."
            ),
            flush=True,
        )
    return model, used, done


def train_within(
    make: Callable[[], Model],
    batches: Callable[[], Iterable],
    seconds: float,
    seed: int,
    along: Callable[[Model, float], None] | None = None,
    **arguments,
) -> tuple[Model, float, int]:
    """The same by `fit`, with further `arguments` of it: `make()` is a model, with `seed` as the
    global seed; `batches()` its batches. `along(model, share)` is called before each step, with the
    share of the steps that are done; the time it takes may not grow with the steps.
    """
    spent = 0.0

    def train(steps: int, limit: float) -> tuple[nn.Module, float, int]:
        nonlocal spent
        spent = 0.0

        def before(step: int) -> None:
            nonlocal spent
            now = time.perf_counter()
            if now > start + limit:
                raise KeyboardInterrupt  # `fit` returns what it has reached
            if along is not None:
                along(model, step / steps)
                spent += time.perf_counter() - now

        torch.manual_seed(seed)
        model, stream = make().to(pick_device()), batches()
        start = time.perf_counter()
        history = fit(model, stream, steps=steps, on_step=before, progress=False, **arguments)
        return model, history.seconds, history.steps

    return within(train, seconds, lambda: spent)
