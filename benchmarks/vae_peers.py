"""The VAEs that benchmarks/vae.py compares the course's with: the usual tutorial's, written by us,
and pythae's own.

Each is a function (data, seconds, seed) -> Run, which trains until the seconds are used up, on
images drawn anew as 0 or 1 at each pass. The clock runs from the first batch to the last; building
networks and loaders is not counted.
"""

import contextlib
import io
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.data import tutorial_loader
from gencourse.data import Images
from gencourse.runtime import pick_device


class Codec(NamedTuple):
    """The two networks of a VAE as the evaluation sees them, whoever wrote it.

    encode: x (B, 1, 28, 28) -> mu, logvar, each (B, D); decode: z (B, D) -> logits (B, 1, 28, 28);
    log_prior: z (B, D) -> log p(z), (B,), that of N(0, I) if it is None.
    """

    encode: Callable[[Tensor], tuple[Tensor, Tensor]]
    decode: Callable[[Tensor], Tensor]
    log_prior: Callable[[Tensor], Tensor] | None = None


class Run(NamedTuple):
    """One training: the networks that came out, the seconds it took, the images it saw."""

    codec: Codec
    seconds: float
    images: int


# --- the tutorial


class TutorialVAE(nn.Module):
    """784-400-20-400-784 with ReLU; returns probabilities, as tutorials do."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mu, self.logvar = nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 400), nn.ReLU(), nn.Linear(400, 784))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, 1, 28, 28) -> mu, logvar, each (B, 20)."""
        h = F.relu(self.hidden(x.view(-1, 784)))
        return self.mu(h), self.logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        """z (B, 20) -> logits (B, 1, 28, 28)."""
        return self.decoder(z).view(-1, 1, 28, 28)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x -> the pixels' probabilities, mu, logvar."""
        mu, logvar = self.encode(x)
        std = torch.exp(0.5 * logvar)
        return torch.sigmoid(self.decode(mu + torch.randn_like(std) * std)), mu, logvar


def tutorial(data: Images, seconds: float, seed: int) -> Run:
    """DataLoader with a PIL image and ToTensor per item, batches of 128, Adam at 1e-3, sums of BCE
    and KL.
    """
    torch.manual_seed(seed)
    device = pick_device()
    model, loader = TutorialVAE().to(device), tutorial_loader(data)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start, seen, train_loss = time.perf_counter(), 0, 0.0
    while True:
        for x, _ in loader:
            x = torch.bernoulli(x.to(device))
            optimizer.zero_grad()
            probabilities, mu, logvar = model(x)
            bce = F.binary_cross_entropy(probabilities, x, reduction="sum")
            kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            loss = bce + kl
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
            seen += len(x)
            if (used := time.perf_counter() - start) >= seconds:
                return Run(Codec(model.encode, model.decode), used, seen)


# --- pythae


def pythae(data: Images, seconds: float, seed: int) -> Run:
    """pythae's VAE and BaseTrainer at their defaults, with its binary cross-entropy; a callback
    ends the training.

    No evaluation set is given, so its trainer spends no time on one. What is judged is the model
    after the last step.
    """
    from pythae.data.datasets import BaseDataset, DatasetOutput
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback

    class Binarised(BaseDataset):
        """Its data set, each item drawn anew as 0 or 1."""

        def __getitem__(self, index: int) -> DatasetOutput:
            item = super().__getitem__(index)
            return DatasetOutput(data=torch.bernoulli(item["data"]), labels=item["labels"])

    class BudgetSpent(Exception):
        """Raised at the end of the step that uses up the budget."""

    class Clock(TrainingCallback):
        """Starts when all is built, counts the steps, and stops the trainer."""

        def on_train_begin(self, training_config, **kwargs) -> None:
            self.start, self.steps = time.perf_counter(), 0

        def on_train_step_end(self, training_config, **kwargs) -> None:
            self.steps += 1
            self.used = time.perf_counter() - self.start
            if self.used >= seconds:
                raise BudgetSpent

    torch.manual_seed(seed)
    clock, cpu = Clock(), pick_device().type == "cpu"
    model = VAE(VAEConfig(input_dim=(1, 28, 28), reconstruction_loss="bce"))
    with tempfile.TemporaryDirectory() as folder, quiet(), contextlib.suppress(BudgetSpent):
        config = BaseTrainerConfig(output_dir=folder, num_epochs=1_000_000, seed=seed, no_cuda=cpu)
        BaseTrainer(
            model,
            Binarised(data.train, data.train_labels),
            training_config=config,
            callbacks=[clock],
        ).train()
    model.eval()

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        output = model.encoder(x)
        return output.embedding, output.log_covariance

    def decode(z: Tensor) -> Tensor:
        return model.decoder(z).reconstruction.logit(eps=1e-7)  # its decoder ends in a sigmoid

    N, B = len(data.train_bytes), config.per_device_train_batch_size
    passes, steps = divmod(clock.steps, -(-N // B))
    return Run(Codec(encode, decode), clock.used, passes * N + steps * B)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep a library's log and progress bars off the screen; it draws them all the same, so its
    speed is its own.
    """
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
