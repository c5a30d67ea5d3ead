"""Write the denoisers that ship, gencourse/models/diffusion/files/*.safetensors, their datasheets
and shipped.json with their scores, from folders of trainings.

    gencourse train diffusion_digits --scale full --data FOLDER --seconds 2300 --to trained/digits
    gencourse train diffusion_clothes --scale full --data FOLDER --seconds 2300 --to trained/clothes
    gencourse train diffusion_codes --scale full --data FOLDER --to trained/codes
    uv run python -m authoring.make_trained_denoisers trained/digits trained/clothes trained/codes

Only averaged networks ship, in half precision; the scores are those of what is stored. A folder
whose training still runs gives the best weights so far.
"""

# ruff: noqa: E501

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from gencourse.data import images
from gencourse.experiments import load
from gencourse.experiments.measures import in_turn, obeyed, sample_scores
from gencourse.models.diffusion import trained_code_flow, trained_denoiser
from gencourse.models.diffusion.trained import FILES
from gencourse.models.vae import trained_decoder

SAMPLES, STEPS = 1000, 25
WEIGHTS = {"mnist": (1.0,), "fashion-mnist": (1.0, 1.5, 2.0, 3.0, 5.0)}
KINDS = {
    "diffusion_digits": ("denoiser_mnist", "mnist", "the averaged U-Net of chapter 4 on digits"),
    "diffusion_clothes": (
        "denoiser_fashion-mnist",
        "fashion-mnist",
        "the averaged U-Net of chapter 4 on clothes",
    ),
    "diffusion_codes": (
        "codes_mnist",
        "mnist",
        "the averaged flow of chapter 4 on codes of digits, for the decoder of chapter 1 that ships",
    ),
}
PAGE = """# Datasheet: {stem}.safetensors

| | |
| --- | --- |
| What | {what} ({settings}; {parameters:,} parameters), half-precision tensors |
| For | chapter 4: what the method draws after a longer training than a learner's minute |
| Made by | `gencourse train {name} --scale full --data FOLDER{asked}`, FOLDER with the set's 60,000 training images, a twelfth of them held out, and `python -m authoring.make_trained_denoisers` |
| Training | {steps:,} steps of {batch_size} examples, learning rate {lr:g} falling to 0, seed {seed}; the weights after step {best_step:,}, which were best on the part held out; {seconds:.0f} seconds on a busy machine, {machine} |
| Scores | of 1,000 samples in 25 steps against the 2,000 test images that ship: {scores} |
| Checked by | `tests/test_trained_denoisers.py`: a Fréchet distance, the shapes, the size |
| Size | {size:.1f} MB |
| Licence | MIT, as the code; trained on {data_set} (see gencourse/data/files/{data_set}.md) |
| Not good for | claims about what diffusion can do: it is a small one |
"""


def network_of(name: str, model: Any) -> torch.nn.Module:
    """The averaged network of a training."""
    flow = model.flow if name == "diffusion_codes" else model
    return flow.averaged.network


def drawing(name: str, data_set: str) -> Callable[..., Tensor]:
    """What draws images with the file that is stored."""
    if name == "diffusion_codes":
        flow, decoder = trained_code_flow(), trained_decoder()
        return lambda n, **options: decoder(flow.sample(n, **options))
    return trained_denoiser(data_set).sample


def measured(name: str, data_set: str) -> dict[str, dict[str, float]]:
    """Scores by setting: without a label, and asked for each class in turn at several w."""
    draw, test, labels = drawing(name, data_set), images(data_set).test_bytes, in_turn(SAMPLES)
    found = {"no label": sample_scores(data_set, draw(SAMPLES, steps=STEPS, seed=1), test)}
    for w in WEIGHTS[data_set]:
        samples = draw(SAMPLES, steps=STEPS, seed=1, y=labels, w=w)
        share = {"obeyed": 100 * obeyed(data_set, samples, labels)}
        found[f"w = {w:g}"] = sample_scores(data_set, samples, test) | share
        print(name, w, found[f"w = {w:g}"], flush=True)
    return {key: {k: round(v, 4) for k, v in row.items()} for key, row in found.items()}


def told(rows: dict[str, dict[str, float]]) -> str:
    """The scores in a sentence."""
    parts = []
    for setting, row in rows.items():
        asked = f", obeyed {row['obeyed']:.1f} %" if "obeyed" in row else ""
        parts.append(
            f"{setting}: Fréchet distance {row['frechet']:.1f}, precision {row['precision']:.2f}, "
            f"recall {row['recall']:.3f}{asked}"
        )
    return "; ".join(parts)


def make(folder: Path) -> None:
    """The files of one training."""
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    done = folder / "scores.json"
    result = json.loads(done.read_text("utf-8")) if done.exists() else {}
    stem, data_set, what = KINDS[plan["name"]]
    network = network_of(plan["name"], load(folder))
    FILES.mkdir(exist_ok=True)
    target = FILES / f"{stem}.safetensors"
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()}, target)
    rows = measured(plan["name"], data_set)
    kept = FILES / "shipped.json"
    content = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    kept.write_text(json.dumps(content | {stem: rows}, indent=1) + "\n", "utf-8")
    page = PAGE.format(
        stem=stem,
        what=what,
        settings=", ".join(f"{key} {value}" for key, value in plan["settings"].items()),
        parameters=sum(math.prod(p.shape) for p in network.parameters()),
        name=plan["name"],
        asked="".join(f" --{k} {v:g}" for k, v in plan["asked"].items() if v),
        steps=plan["steps"],
        batch_size=plan["batch_size"],
        lr=plan["lr"],
        seed=plan["seed"],
        best_step=result.get("best_step", 0),
        seconds=result.get("seconds", 0),
        machine=result.get("machine", "not finished"),
        scores=told(rows),
        size=target.stat().st_size / 1e6,
        data_set=data_set,
    )
    target.with_suffix(".md").write_text(page, "utf-8")
    print(page)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the denoisers that ship.")
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        make(folder)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
