"""The generator of a longer training, which ships with the course."""

from importlib import resources

from safetensors.torch import load

from gencourse.errors import DataUnavailable
from gencourse.models.gan.networks import Generator
from gencourse.runtime import global_seed, on_cpu

FILE = resources.files("gencourse.models.gan") / "files" / "generator_fashion-mnist.safetensors"
CLASSES = 10


def trained_generator() -> Generator:
    """Chapter 2's generator of clothes after 16,156 steps on 55,000 images, on the CPU and in
    evaluation mode, a new one at each call: codes z (B, latent_dim) and labels y (B,) -> images
    (B, 1, 28, 28) in [0, 1]. Its datasheet beside the file says how it was made.
    """
    if not FILE.is_file():
        raise DataUnavailable(
            "trained_generator: the weights should lie in gencourse/models/gan/files, got no file. "
            "Install the course anew, or make them with authoring/make_trained_generator.py."
        )
    state = load(FILE.read_bytes())
    width = len(state["stages.2.weight"][0])
    latent_dim = state["project.weight"].shape[1] - CLASSES
    with on_cpu(), global_seed(0):  # whose first weights are replaced
        generator = Generator(latent_dim, width, num_classes=CLASSES)
        floats = {n: t.float() if t.is_floating_point() else t for n, t in state.items()}
        generator.load_state_dict(floats)
    return generator.eval().requires_grad_(False)
