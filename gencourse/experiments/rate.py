"""How many steps fit into a number of seconds."""

import time
from collections.abc import Iterable

from torch import nn

from gencourse.training import fit

WARM_UP = 5  # steps that are slower than those after them
MEASURED = 0.02  # of the seconds, for which the rate is measured
USED = 0.97  # of the seconds; the rest is for what makes a training slower later
MANY = 10**9  # steps: more than are made here


def steps_within(seconds: float, model: nn.Module, batches: Iterable, lr: float) -> int:
    """The steps that a training of so many seconds makes, at least one.

    The model and the batches are used up: pass others than those of the training.
    """
    begun, done, over = 0.0, 0, False

    def on_step(step: int) -> None:
        nonlocal begun, done, over
        now, done = time.perf_counter(), step - WARM_UP
        begun = now if step == WARM_UP else begun
        if done > 0 and now - begun >= MEASURED * seconds:
            over = True
            raise KeyboardInterrupt  # `fit` ends by it

    fit(model, batches, steps=MANY, lr=lr, on_step=on_step, progress=False)
    used = time.perf_counter() - begun
    if not over:
        raise KeyboardInterrupt  # it was the person's
    return max(1, int(USED * seconds * done / used))
