"""Write gencourse/models/vae/files/decoder_mnist.safetensors and its datasheet, from the folder of
a training of chapter 1's VAE.

    gencourse train vae --scale default --data FOLDER --steps 20000 --to trained/vae
    uv run python -m authoring.make_trained_decoder trained/vae

Only the decoder ships, in half precision, so that it stays small; the scores in the datasheet are
those of the whole model with the decoder as it is stored.
"""

# ruff: noqa: E501

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from gencourse.data import images
from gencourse.experiments import load
from gencourse.experiments.measures import elbo_terms, frechet, iwae
from gencourse.experiments.pictures import binary

FILES = Path(__file__).parents[1] / "gencourse" / "models" / "vae" / "files"
PAGE = """# Datasheet: decoder_mnist.safetensors

| | |
| --- | --- |
| What | the decoder of chapter 1's VAE (16 latent numbers, two hidden layers of 512), half-precision tensors |
| For | the first and the last pictures of chapter 1: what the model draws after a longer training |
| Made by | `gencourse train vae --scale default --data FOLDER --steps {steps}`, FOLDER with MNIST's 60,000 training images, a twelfth of them held out, and `python -m authoring.make_trained_decoder` |
| Training | {steps:,} steps of {batch_size} images, learning rate {lr:g} falling to 0, seed {seed}; the weights after step {best_step:,}, which were best on the part held out; {seconds:.0f} seconds on a busy machine, {machine} |
| Scores | on the 2,000 test images that ship, binarised once, with the whole model and this decoder: ELBO {elbo:.1f}, IWAE bound with 500 samples {iwae:.1f} nats; Fréchet distance of 2,000 samples from the prior {frechet:.1f} |
| Checked by | `tests/test_trained.py`: the Fréchet distance, the shapes, the size |
| Size | {size:.1f} MB |
| Licence | MIT, as the code; trained on MNIST (see gencourse/data/files/mnist.md) |
| Not good for | claims about what a VAE can do: it is a small one |
"""


def main(folder: str) -> None:
    plan, result = (
        json.loads((Path(folder) / name).read_text("utf-8"))
        for name in ("plan.json", "scores.json")
    )
    model = load(folder)
    stored = {name: tensor.half() for name, tensor in model.decoder.state_dict().items()}
    FILES.mkdir(exist_ok=True)
    target = FILES / "decoder_mnist.safetensors"
    save_file(stored, target)
    model.decoder.load_state_dict({name: tensor.float() for name, tensor in stored.items()})
    test = images("mnist").test_bytes
    x = binary(test)
    about = {
        **plan,
        "best_step": result["best_step"],
        "seconds": result["seconds"],
        "machine": result["machine"],
        "elbo": elbo_terms(model, x)["elbo"],
        "iwae": iwae(model, x, 500),
        "frechet": frechet("mnist", model.sample(2000, seed=1), test),
        "size": target.stat().st_size / 1e6,
    }
    page = PAGE.format(**about)
    target.with_suffix(".md").write_text(page, "utf-8")
    print(page)


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*sys.argv[1:])
