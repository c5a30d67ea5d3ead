"""Train and write gencourse/evaluation/files/features_NAME.pt, the classifier whose features
compare images.

    uv run python -m authoring.make_features mnist FOLDER
    uv run python -m authoring.make_features fashion-mnist FOLDER

FOLDER holds the four idx files of the full set. Training uses its 60,000 training images, moved by
up to two pixels at random; the printed accuracy is that on its 10,000 test images. Weights are
stored in half precision, and the accuracy is that of the stored weights. It stands in
files/features.md, and tests/test_evaluation.py checks it on what ships.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from gencourse.data import images, minibatches
from gencourse.evaluation.features import FeatureNetwork
from gencourse.models.gan import translate
from gencourse.training import fit

FILES = Path(__file__).parents[1] / "gencourse" / "evaluation" / "files"


class Classifier(nn.Module):
    """The network with the loss that `fit` wants: cross-entropy of the label, nats per image."""

    def __init__(self):
        super().__init__()
        self.network = FeatureNetwork()

    def loss(self, x, y):
        moved = translate(x, torch.rand(len(x), 2), reach=0.08)
        return {"loss": F.cross_entropy(self.network(moved), y, reduction="none")}


def main(name: str, folder: str, steps: str = "9000") -> None:
    data = images(name, full=True, folder=folder)
    torch.manual_seed(0)
    model = Classifier()
    fit(
        model,
        minibatches(data.train_bytes, data.train_labels, batch_size=128, seed=0),
        steps=int(steps),
        lr=3e-3,
    )
    with torch.no_grad():
        model.network.scale.copy_((model.network.features(data.train).var(0).sum() / 100).sqrt())
    stored = {key: value.half() for key, value in model.network.state_dict().items()}
    target = FILES / f"features_{name}.pt"
    torch.save(stored, target)
    model.network.load_state_dict({key: value.float() for key, value in stored.items()})
    accuracy = (model.network.classify(data.test) == data.test_labels).double().mean()
    print(
        f"{target.name}: {target.stat().st_size:,} bytes, {100 * accuracy:.2f} % of the test "
        "images right"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
