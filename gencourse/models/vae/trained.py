"""The decoder of a longer training, which ships with the course."""

from importlib import resources

from safetensors.torch import load
from torch import Tensor, nn

from gencourse.models.vae.networks import VAE
from gencourse.runtime import global_seed, on_cpu

FILE = resources.files("gencourse.models.vae") / "files" / "decoder_mnist.safetensors"
LATENT_DIM = 16


class TrainedDecoder(nn.Module):
    """Codes z (B, 16) -> means of p(x given z), (B, 1, 28, 28) in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        vae = VAE(LATENT_DIM)
        self.layers, self.image_shape, self.pixels = vae.decoder, vae.image_shape, vae.pixels

    def forward(self, z: Tensor) -> Tensor:
        """Images of codes."""
        return self.pixels.mean(self.layers(z).unflatten(1, self.image_shape))


def trained_decoder() -> TrainedDecoder:
    """The decoder of chapter 1's VAE after 20,000 steps on 55,000 digits, on the CPU, a
    new one at each call; files/decoder_mnist.md says how it was made.
    """
    with on_cpu(), global_seed(0):  # whose first weights are replaced
        decoder = TrainedDecoder()
        state = load(FILE.read_bytes())
        decoder.layers.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return decoder.eval().requires_grad_(False)
