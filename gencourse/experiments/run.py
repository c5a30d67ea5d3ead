"""The training: `gencourse train` as a function."""

from pathlib import Path
from typing import Any

from torch import nn

from gencourse.experiments import datasheet
from gencourse.experiments.folder import Folder, read_weights, save_weights
from gencourse.experiments.measures import measuring
from gencourse.experiments.plan import Plan, requested, require_data, require_same
from gencourse.experiments.planning import planned, untrained
from gencourse.experiments.recipe import Recipe, recipe
from gencourse.experiments.watch import Watch
from gencourse.runtime import global_seed, pick_device, typed_path
from gencourse.training import History, fit


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
) -> Path:
    """Train the model `name` into the folder `to` (trained/NAME if none is given); return the
    folder.

    The data are "shipped", "full", which downloads, or the path of the set's files, for a text of
    its file. The scale is "smoke", "default" or "full"; if none is given, default for the shipped
    data and full for others. It sets the steps, unless these are given, or seconds: then the rate
    is measured first. Looks along the way, about twenty, come on top.

    The same call goes on where it was stopped, and ends as if it had not been. Ctrl-C stops after
    a step. Raises InputError for a folder of another training.
    """
    chosen = recipe(name)
    request = requested(name, scale, data, seed, steps, seconds)
    folder = Folder(typed_path(to or Path("trained") / name))
    plan = folder.plan()
    if plan:
        require_same(folder.path, plan.request, request)
    if finished := folder.scores():
        print(f"{folder.path}: the training is finished.\n{datasheet.scores(chosen, finished)}")
        return folder.path
    parts = chosen.data(request.data)
    parts = parts.few() if request.scale == "smoke" else parts
    plan = plan or planned(chosen, request, parts)
    require_data(folder.path, plan, parts)
    folder.write_plan(plan)
    print(f"{name}: {plan.steps:,} steps on {pick_device()}, into {folder.path}.")
    try:
        model, history = trained(chosen, plan, parts, folder, progress)
        if not history.interrupted:
            finish(chosen, plan, model, parts, folder, history)
    except KeyboardInterrupt:
        pass
    if not folder.scores():
        print(f"Stopped. This goes on from where it is: {request.command(folder.path)}")
    return folder.path


def trained(
    chosen: Recipe, plan: Plan, parts: Any, folder: Folder, progress: bool
) -> tuple[nn.Module, History]:
    """The model after `fit`, and what was recorded; the global generators are left as they were."""
    seed = plan.request.seed
    with global_seed(seed, pick_device()):
        model = untrained(chosen, plan.settings, parts)
        watch = Watch(chosen, model, parts, folder, plan.steps)
        batches = chosen.batches(model, parts, plan.batch_size, seed)
        history = fit(
            model,
            batches,
            steps=plan.steps,
            lr=plan.lr,
            on_step=watch,
            progress=progress,
            checkpoint=folder.checkpoint,
        )
        if not history.interrupted:
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
