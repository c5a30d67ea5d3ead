"""The features in which images are compared: a small classifier for each data set, whose weights
ship with the course.
"""

from functools import cache
from importlib import resources

import torch
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.runtime import global_seed, on_cpu
from gencourse.validation import require_images

DATA_SETS = ("mnist", "fashion-mnist")


class FeatureNetwork(nn.Module):
    """A classifier of 28 × 28 images: `features(x)` are its last hidden layer, `forward(x)` the
    logits of ten classes.

    Features are divided by `scale`, which is chosen so that their variance over the training images
    adds up to 100: a Fréchet distance of 5 is five percent of all that real images vary by.
    """

    def __init__(self, features_dim: int = 64) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 9, features_dim), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(features_dim, 10)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 10) of images x (B, 1, 28, 28) in [0, 1]."""
        require_images("FeatureNetwork", x, (1, 28, 28), self)
        return self.head(self.body(x))

    @torch.no_grad()
    def features(self, x: Tensor, batch_size: int = 500) -> Tensor:
        """The last hidden layer over `scale`, (N, features_dim) on the CPU, for images x (N, 1, 28,
        28).
        """
        device = next(self.parameters()).device
        return torch.cat(
            [
                (self.body(batch.to(device)) / self.scale).float().cpu()
                for batch in x.split(batch_size)
            ]
        )

    @torch.no_grad()
    def classify(self, x: Tensor, batch_size: int = 500) -> Tensor:
        """The most probable class (N,) of images x (N, 1, 28, 28)."""
        device = next(self.parameters()).device
        return torch.cat([self(batch.to(device)).argmax(1).cpu() for batch in x.split(batch_size)])


def feature_network(name: str) -> FeatureNetwork:
    """The classifier that ships for "mnist" or "fashion-mnist", on the CPU, a new one at each call;
    files/features.md states its accuracy and how it was made.
    """
    if name not in DATA_SETS:
        raise InputError(
            f"feature_network: name should be one of {', '.join(DATA_SETS)}, got {name!r}. "
            "Choose one of them."
        )
    with on_cpu(), global_seed(0):  # whose first weights are replaced
        network = FeatureNetwork()
        network.load_state_dict(shipped_weights(name))
    return network.eval().requires_grad_(False)


@cache
def shipped_weights(name: str) -> dict[str, Tensor]:
    """The weights of a classifier, in float32."""
    file = resources.files("gencourse.evaluation") / "files" / f"features_{name}.pt"
    with on_cpu(), file.open("rb") as stream:
        weights = torch.load(stream, weights_only=True)
    return {key: value.float() for key, value in weights.items()}
