"""Write gencourse/models/autoregressive/files/gpt_shakespeare.safetensors, its sizes and its
datasheet, from the folder of a training of chapter 3's GPT.

    gencourse train gpt --scale full --steps STEPS --to trained/gpt
    uv run python -m authoring.make_trained_gpt trained/gpt

The weights ship in half precision; the scores in the datasheet are those of the model as it ships.
"""

# ruff: noqa: E501

import json
import sys
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import save_file

from gencourse.data import text
from gencourse.experiments import load
from gencourse.experiments.measures import text_nats
from gencourse.models.autoregressive import GPT

FILES = Path(__file__).parents[1] / "gencourse" / "models" / "autoregressive" / "files"
PAGE = """# Datasheet: gpt_shakespeare.safetensors

| | |
| --- | --- |
| What | chapter 3's GPT on characters ({sizes}; {parameters:,} parameters), half-precision tensors; gpt_shakespeare.json holds its sizes |
| For | the first text of chapter 3 and its sampling explorer: what the model writes after a longer training |
| Made by | `gencourse train gpt --scale {scale} --steps {steps} --seed {seed}` on the eight plays that ship, a twelfth of the training text held out, and `python -m authoring.make_trained_gpt` |
| Training | {steps:,} steps of {batch_size} windows, learning rate {lr:g} falling to 0; the weights after step {best_step:,}, which were best on the part held out; {seconds:.0f} seconds on a busy machine, {machine} |
| Scores | {nats:.3f} nats per character of the whole validation text ({bits:.2f} bits), as it ships |
| Checked by | `tests/test_trained.py`: the score, the vocabulary, the size |
| Size | {size:.1f} MB |
| Licence | MIT, as the code; trained on Shakespeare (see gencourse/data/files/shakespeare.md) |
| Not good for | anything but this text: it knows eight plays and no sense |
"""


def main(folder: str) -> None:
    plan, result = (
        json.loads((Path(folder) / name).read_text("utf-8"))
        for name in ("plan.json", "scores.json")
    )
    model = cast(GPT, load(folder))
    block = model.blocks[0]
    sizes = {
        "vocab_size": model.vocab_size,
        "block_size": model.block_size,
        "layers": len(model.blocks),
        "heads": int(block.attention.heads),  # type: ignore[union-attr, arg-type]
        "width": model.token_embedding.embedding_dim,
    }
    stored = {name: tensor.half() for name, tensor in model.state_dict().items()}
    FILES.mkdir(exist_ok=True)
    target = FILES / "gpt_shakespeare.safetensors"
    save_file(stored, target)
    target.with_suffix(".json").write_text(json.dumps(sizes) + "\n", "utf-8")
    model.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    data = text("shakespeare")
    with torch.no_grad():
        nats = text_nats(model, torch.cat([data.train[-1:], data.validation]))
    about = {
        **plan,
        "scale": plan.get("request", plan).get("scale", "default"),
        "seed": plan.get("request", plan).get("seed", 0),
        "sizes": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sizes.items()),
        "parameters": sum(p.numel() for p in model.parameters()),
        "best_step": result["best_step"],
        "seconds": result["seconds"],
        "machine": result["machine"],
        "nats": nats,
        "bits": nats / torch.tensor(2.0).log().item(),
        "size": target.stat().st_size / 1e6,
    }
    page = PAGE.format(**about)
    target.with_suffix(".md").write_text(page, "utf-8")
    print(page)


if __name__ == "__main__":
    main(*sys.argv[1:])
