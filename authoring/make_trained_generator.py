"""Write gencourse/models/gan/files/generator_fashion-mnist.safetensors and its datasheet, from the
folder of a training of chapter 2's conditional GAN.

    gencourse train wardrobe --scale full --data FOLDER --to trained/wardrobe
    uv run python -m authoring.make_trained_generator trained/wardrobe

Only the averaged generator ships, in half precision, so that it stays small; the scores in the
datasheet are those of the generator as it is stored.
"""

# ruff: noqa: E501

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from gencourse.data import images
from gencourse.experiments import load
from gencourse.experiments.measures import obeyed, sample_scores
from gencourse.models.gan import trained
from gencourse.runtime import standard_normal

DATA_SET = "fashion-mnist"
PAGE = """# Datasheet: generator_fashion-mnist.safetensors

| | |
| --- | --- |
| What | the averaged generator of chapter 2's conditional GAN ({latent_dim} latent numbers, width {width}), half-precision tensors |
| For | the cover of chapter 2: what the model draws after a longer training |
| Made by | `gencourse train wardrobe --scale full --data FOLDER --steps {steps}`, FOLDER with Fashion-MNIST's 60,000 training images, a twelfth of them held out, and `python -m authoring.make_trained_generator` |
| Training | {steps:,} steps of {batch_size} images, learning rate {lr:g} falling to 0, seed {seed}; the weights after step {best_step:,}, which were best on the part held out; {seconds:.0f} seconds, {machine} |
| Scores | of 2,000 samples, 200 of each class, against the 2,000 test images that ship: Fréchet distance {frechet:.1f}, precision {precision:.2f}, recall {recall:.2f}; the judge reads the class that was asked for in {obeyed:.1f} % |
| Checked by | `tests/test_trained.py`: the Fréchet distance, the shapes, the size |
| Size | {size:.1f} MB |
| Licence | MIT, as the code; trained on Fashion-MNIST (see gencourse/data/files/fashion-mnist.md) |
| Not good for | claims about what a GAN can do: it is a small one |
"""


def main(folder: str) -> None:
    plan, result = (
        json.loads((Path(folder) / name).read_text("utf-8"))
        for name in ("plan.json", "scores.json")
    )
    model = load(folder)
    stored = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.ema_generator.state_dict().items()
    }
    target = Path(str(trained.FILE))
    target.parent.mkdir(exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in stored.items()}, target)
    generator, labels = trained.trained_generator(), torch.arange(2000) % trained.CLASSES
    samples = generator(standard_normal(2000, generator.latent_dim, seed=1), labels)
    test = images(DATA_SET).test_bytes
    about = {
        **plan,
        "best_step": result["best_step"],
        "seconds": result["seconds"],
        "machine": result["machine"],
        "latent_dim": generator.latent_dim,
        "width": generator.base_shape[0] // 2,
        **sample_scores(DATA_SET, samples, test),
        "obeyed": 100 * obeyed(DATA_SET, samples, labels),
        "size": target.stat().st_size / 1e6,
    }
    page = PAGE.format(**about)
    target.with_suffix(".md").write_text(page, "utf-8")
    print(page)


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*sys.argv[1:])
