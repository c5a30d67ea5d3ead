"""The training: `gencourse train` as a function."""

import contextlib
from pathlib import Path
from typing import Any, cast

from torch import nn

from gencourse.errors import InputError, TrainingStopped
from gencourse.experiments import datasheet
from gencourse.experiments import processes as parallel
from gencourse.experiments.folder import Folder, read_weights, save_weights
from gencourse.experiments.lock import alone
from gencourse.experiments.measures import measuring
from gencourse.experiments.plan import Plan, Request, requested, require_data, require_same
from gencourse.experiments.planning import planned, untrained
from gencourse.experiments.recipe import Recipe, recipe
from gencourse.experiments.watch import Watch
from gencourse.runtime import global_seed, pick_device, typed_path
from gencourse.training import History, fit
from gencourse.training.processes import Processes
from gencourse.validation import require_count


def train(
    name: str,
    *,
    scale: str | None = None,
    data: str | Path = "shipped",
    steps: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    to: str | Path | None = None,
    progress: bool = True,
    processes: int = 1,
) -> Path:
    """Train the model `name` into the folder `to` (trained/NAME if none is given); return the
    folder.

    The data are "shipped", "full", which downloads, or the path of the set's files, for a text of
    its file. The scale is "smoke", "default" or "full"; if none is given, default for the shipped
    data and full for others. It sets the steps, unless these are given, or seconds: then the rate
    is measured first. Looks along the way, about twenty, come on top.

    The same call goes on where it was stopped, and ends as if it had not been. Ctrl-C stops after
    a step. Several `processes` share each batch; their number may be another when it goes on.
    Raises InputError for a folder of another training, or in which one is at work.
    """
    require_count("train", "processes", processes)
    chosen = recipe(name)
    request = requested(name, scale, data, seed, steps, seconds)
    folder = Folder(typed_path(to or Path("trained") / name))
    if finished := folder.scores():
        require_same(folder.path, cast(Plan, folder.plan()).request, request)
        if parallel.is_first():
            print(f"{folder.path}: the training is finished.")
            print(datasheet.scores(chosen, finished))
        return folder.path
    with contextlib.ExitStack() as until_the_end:
        parts = None
        if parallel.is_first():
            if plan := folder.plan():
                require_same(folder.path, plan.request, request)
            parts = data_of(chosen, request)
            plan = plan or planned(chosen, request, parts)
            require_data(folder.path, plan, parts)
            require_shares(plan, processes)
            until_the_end.enter_context(alone(folder.path))
            folder.write_plan(plan)
            print(f"{name}: {plan.steps:,} steps on {pick_device()}, into {folder.path}.")
        if processes > 1:
            parallel.start(processes, folder.path, carry_out)
        else:
            with parallel.joined():
                carry_out(folder.path, parts, progress)
    if parallel.is_first() and not folder.scores():
        print(f"Stopped. This goes on from where it is: {request.command(folder.path)}")
    return folder.path


def data_of(chosen: Recipe, request: Request) -> Any:
    """The data of a request; a few of them at the smallest scale."""
    parts = chosen.data(request.data)
    return parts.few() if request.scale == "smoke" else parts


def require_shares(plan: Plan, processes: int) -> None:
    """Raise InputError unless the processes can share a batch evenly."""
    if plan.batch_size % processes:
        raise InputError(
            f"train: processes should divide the batch size, {plan.batch_size}, got {processes}. "
            "Choose another number."
        )


def carry_out(path: Path, parts: Any = None, progress: bool = True) -> None:
    """Train by the plan that lies in a folder; if it is not stopped, take the best weights.

    The plan's data, in their parts, are loaded unless they are given.
    """
    folder, first = Folder(path), Processes().rank == 0
    plan = cast(Plan, folder.plan())
    chosen = recipe(plan.request.name)
    parts = parts or data_of(chosen, plan.request)
    try:
        model, history = trained(chosen, plan, parts, folder, progress)
        if first and not history.interrupted:
            finish(chosen, plan, model, parts, folder, history)
    except KeyboardInterrupt:
        pass
    except TrainingStopped as stopped:
        met = str(stopped).removeprefix("fit: ").partition(". ")[0]
        raise TrainingStopped(
            f"train: {met}. Continued, it would meet that again. Begin another training: --to "
            "another folder, with another --seed or fewer --steps.",
            stopped.history,
        ) from None


def trained(
    chosen: Recipe, plan: Plan, parts: Any, folder: Folder, progress: bool
) -> tuple[nn.Module, History]:
    """The model after `fit`, and what was recorded; the global generators are left as they were."""
    seed = plan.request.seed
    with global_seed(seed, pick_device()):
        model = untrained(chosen, plan.settings, parts)
        first = Processes().rank == 0  # the one that looks and writes
        watch = Watch(chosen, model, parts, folder, plan.steps) if first else None
        batches = chosen.batches(model, parts, plan.batch_size, seed)
        history = fit(
            model,
            batches,
            steps=plan.steps,
            lr=plan.lr,
            on_step=watch,
            precision=plan.precision,
            progress=progress,
            checkpoint=folder.checkpoint,
        )
        if watch and not history.interrupted:
            watch.close(history)
    return model, history


def finish(
    chosen: Recipe, plan: Plan, model: nn.Module, parts: Any, folder: Folder, history: History
) -> None:
    """Take the weights that were best, score them on the test part, and write the datasheet."""
    about: dict[str, float] = {"step": plan.steps}
    if folder.best.exists():  # it is not where no measure was a finite number
        state, about = read_weights(folder.best)
        model.load_state_dict(state)
    save_weights(folder.model, model, **about)
    print("Measuring on the test part.")
    with measuring(model):
        scores = chosen.scores(model, parts)
    result = datasheet.result(scores, about, history.seconds)
    datasheet.write(folder, chosen, plan, result)
    folder.write_scores(result)
    folder.best.unlink(missing_ok=True)
    print(datasheet.scores(chosen, result))
