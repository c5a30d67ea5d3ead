"""Write gencourse/data/files/NAME.npz, the part of a data set that ships, from a folder with its
four idx files.

    uv run python -m authoring.make_shipped_images mnist FOLDER
    uv run python -m authoring.make_shipped_images fashion-mnist FOLDER

Every sixth training image and every fifth test image, in their order: the halves of MNIST's test
set differ in difficulty, so a prefix would not be a fair sample. The result is the same bytes each
time.
"""

import sys
from pathlib import Path

import numpy as np

from gencourse.data import images

FILES = Path(__file__).parents[1] / "gencourse" / "data" / "files"


def main(name: str, folder: str) -> None:
    full = images(name, full=True, folder=folder)
    target = FILES / f"{name}.npz"
    np.savez_compressed(
        target,
        train_bytes=full.train_bytes[::6, 0].numpy(),
        train_labels=full.train_labels[::6].numpy().astype(np.uint8),
        test_bytes=full.test_bytes[::5, 0].numpy(),
        test_labels=full.test_labels[::5].numpy().astype(np.uint8),
    )
    print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
