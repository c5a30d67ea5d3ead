"""The page on a finished training: README.md in its folder."""

# POSIX: the processor's name, where /proc tells it

import platform
import re
from datetime import date
from pathlib import Path
from typing import Any

import torch

import gencourse
from gencourse.experiments.folder import Folder, write_whole
from gencourse.experiments.plan import Plan
from gencourse.experiments.recipe import Recipe
from gencourse.runtime import pick_device

PAGE = """# {name}

Trained by `{command}`, and opened by

```python
from gencourse.experiments import load

model = load(r"{path}")
```

## Scores on the test part

{scores}

The weights are those after step {best_step:,}, which were best on the part that was held out.

## Training

| | |
| --- | --- |
| data | {data} |
| model | {settings} |
| steps | {steps:,} of {batch_size} examples, seed {seed} |
| learning rate | {lr:g}, falling to 0 |
| precision | {precision} |
| seconds | {seconds:.0f}, the looks along the way included |
| machine | {machine} |
| versions | gencourse {edition}, torch {torch} |
| date | {date} |
"""
LONGEST = 60  # letters of a setting


def result(scores: dict[str, float], about: dict[str, float], seconds: float) -> dict[str, Any]:
    """The content of scores.json: the scores, the best step, and where and when."""
    return {
        "scores": scores,
        "best_step": int(about["step"]),
        "seconds": round(seconds, 1),
        "machine": machine(pick_device()),
        "versions": {"gencourse": gencourse.__version__, "torch": torch.__version__},
        "date": f"{date.today()}",
    }


def processor() -> str:
    """The name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    told = cpuinfo.read_text("utf-8", "replace") if cpuinfo.exists() else ""
    named = re.search(r"model name\s*: (.+)", told)
    return named[1] if named else platform.processor() or platform.machine()


def machine(device: torch.device) -> str:
    """The device and the processor, as far as they bear on speed."""
    threads = torch.get_num_threads()
    cpu = f"{processor()}, {threads} thread{'s' * (threads != 1)}"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({cpu})"
    return f"{device.type} ({cpu})"


def scores(recipe: Recipe, content: dict[str, Any]) -> str:
    """A line for each score: its name, the number, and what it means."""
    return "\n".join(
        f"- {name}: **{value:.4g}**, {recipe.meanings[name]}"
        for name, value in content["scores"].items()
    )


def setting(value: Any) -> str:
    """A value in a table, the long ones by their number."""
    text = f"{value}"
    return text if len(text) <= LONGEST else f"{len(value)} of them"


def write(folder: Folder, recipe: Recipe, plan: Plan, content: dict[str, Any]) -> None:
    """Write README.md."""
    settings = ", ".join(f"{key} {setting(value)}" for key, value in plan.settings.items())
    page = PAGE.format(
        name=plan.request.name,
        command=plan.request.command(folder.path),
        path=folder.path,
        scores=scores(recipe, content),
        best_step=content["best_step"],
        data=plan.request.data,
        settings=settings,
        steps=plan.steps,
        batch_size=plan.batch_size,
        seed=plan.request.seed,
        lr=plan.lr,
        precision=plan.precision,
        seconds=content["seconds"],
        machine=content["machine"],
        edition=content["versions"]["gencourse"],
        torch=content["versions"]["torch"],
        date=content["date"],
    )
    write_whole(folder.path / "README.md", page.encode("utf-8"))
