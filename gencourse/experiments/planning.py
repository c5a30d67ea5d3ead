"""From a request to a plan: where seconds are asked for, the steps that fit into them."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

import gencourse
from gencourse.experiments.plan import Plan, Request, data_digest
from gencourse.experiments.recipe import Recipe
from gencourse.runtime import global_seed, on_cpu, pick_device, settled_precision
from gencourse.training import fit

WARM_UP = 5  # steps that are slower than those after them
MEASURED = 0.02  # of the seconds, for which the rate is measured
USED = 0.97  # of the seconds; the rest is for what makes a training slower later
MANY = 10**9  # steps: more than are made here


def planned(
    chosen: Recipe, request: Request, parts: Any, clock: Callable[[], float] = time.perf_counter
) -> Plan:
    """The plan of a new training; where seconds are given their steps are measured by `clock`."""
    training = chosen.training[request.scale]
    settings = chosen.settings(parts, request.scale)
    most = chosen.most_steps(settings, parts, training.batch_size)
    steps = request.steps or int(min(training.steps, most))
    precision = settled_precision(pick_device())
    if request.seconds is not None:
        with global_seed(request.seed, pick_device()):
            model = untrained(chosen, settings, parts)
            batches = chosen.batches(model, parts, training.batch_size, request.seed)
            fitting = steps_within(request.seconds, model, batches, training.lr, precision, clock)
            steps = int(min(fitting, most))
        if steps < fitting:
            print(
                f"{fitting:,} steps would fit into {request.seconds:g} seconds; {steps:,} are made,"
                " as with more the held-out part grows worse. Ask for more by --steps, if you like."
            )
    return Plan(
        request,
        gencourse.__version__,
        steps,
        training.batch_size,
        training.rate(steps),
        settings,
        data_digest(parts),
        precision,
    )


def untrained(chosen: Recipe, settings: dict[str, Any], parts: Any) -> nn.Module:
    """A model where it will be trained."""
    with on_cpu():
        return chosen.model(settings, parts).to(pick_device())


def steps_within(
    seconds: float,
    model: nn.Module,
    batches: Iterable,
    lr: float,
    precision: str,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The steps that a training of so many seconds makes in that precision, at least one.

    The model and the batches are used up: pass others than those of the training.
    """
    begun, done, over = 0.0, 0, False

    def on_step(step: int) -> None:
        nonlocal begun, done, over
        now, done = clock(), step - WARM_UP
        begun = now if step == WARM_UP else begun
        if done > 0 and now - begun >= MEASURED * seconds:
            over = True
            raise KeyboardInterrupt  # `fit` ends by it

    fit(
        model,
        batches,
        steps=MANY,
        lr=lr,
        on_step=on_step,
        precision=precision,
        progress=False,
    )
    used = clock() - begun
    if not over:
        raise KeyboardInterrupt  # it was the person's
    return max(1, int(USED * seconds * done / used))
