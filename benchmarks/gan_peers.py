"""The GANs that benchmarks/gan.py compares the course's with: the usual DCGAN tutorial's, written
by us, and torchgan's own.

Each is a function (data, seconds, seed) -> Run, which trains until the seconds are used up. The
clock runs from the first batch to the last; building networks and loaders is not counted.
"""

import contextlib
import io
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.data import TorchvisionMNIST
from gencourse.data import Images
from gencourse.runtime import pick_device

BATCH_SIZE, CODES = 128, 100
AT_ONCE = 500  # samples in one pass of a generator


class Run(NamedTuple):
    """One training: what came out, as codes z (B, latent_dim) -> images (B, 1, 28, 28) in [0, 1];
    its seconds, the images it saw.
    """

    generate: Callable[[Tensor], Tensor]
    latent_dim: int
    seconds: float
    images: int

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n images (n, 1, 28, 28), on the CPU."""
        z = torch.randn(n, self.latent_dim, generator=generator).to(pick_device())
        return torch.cat([self.generate(codes).float().cpu() for codes in z.split(AT_ONCE)])


def loader(data: Images, *first: Callable) -> DataLoader:
    """What a tutorial writes: DataLoader over ToTensor and Normalize to [-1, 1], after the
    transforms `first`.
    """
    transform = transforms.Compose(
        [*first, transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))]
    )
    return DataLoader(
        TorchvisionMNIST(data.train_bytes[:, 0], data.train_labels, transform),
        batch_size=BATCH_SIZE,
        shuffle=True,
    )


# --- the tutorial


def tutorial_generator(nz: int = CODES, ngf: int = 64) -> nn.Sequential:
    """DCGAN for 28 × 28: codes (B, nz, 1, 1) -> images in [-1, 1], by 4 × 4, 7 × 7, 14 × 14."""
    return nn.Sequential(
        nn.ConvTranspose2d(nz, ngf * 4, 4, 1, 0, bias=False),
        nn.BatchNorm2d(ngf * 4),
        nn.ReLU(True),
        nn.ConvTranspose2d(ngf * 4, ngf * 2, 3, 2, 1, bias=False),
        nn.BatchNorm2d(ngf * 2),
        nn.ReLU(True),
        nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
        nn.BatchNorm2d(ngf),
        nn.ReLU(True),
        nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False),
        nn.Tanh(),
    )


def tutorial_discriminator(ndf: int = 64) -> nn.Sequential:
    """DCGAN for 28 × 28: images in [-1, 1] -> probabilities (B,)."""
    return nn.Sequential(
        nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
        nn.BatchNorm2d(ndf * 2),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf * 2, ndf * 4, 3, 2, 1, bias=False),
        nn.BatchNorm2d(ndf * 4),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(ndf * 4, 1, 4, 1, 0, bias=False),
        nn.Sigmoid(),
        nn.Flatten(0),
    )


def weights_init(m: nn.Module) -> None:
    """The tutorial's start: N(0, 0.02²) for convolutions, N(1, 0.02²) for the scales of batch
    norms.
    """
    if isinstance(m, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(m.weight, 0.0, 0.02)
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.constant_(m.bias, 0)


def tutorial(data: Images, seconds: float, seed: int) -> Run:
    """BCELoss on probabilities, two passes of D, `fake.detach()`, Adam 2e-4 with betas (0.5,
    0.999), batches of 128.
    """
    torch.manual_seed(seed)
    device, batches = pick_device(), loader(data)
    netG, netD = (
        tutorial_generator().apply(weights_init).to(device),
        tutorial_discriminator().apply(weights_init).to(device),
    )
    criterion = nn.BCELoss()
    optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizerG = torch.optim.Adam(netG.parameters(), lr=2e-4, betas=(0.5, 0.999))
    G_losses, D_losses = [], []
    start, seen = time.perf_counter(), 0
    while True:
        for real, _ in batches:
            real = real.to(device)
            # D: maximise log D(x) + log(1 - D(G(z)))
            netD.zero_grad()
            label = torch.full((len(real),), 1.0, device=device)
            errD_real = criterion(netD(real), label)
            errD_real.backward()
            fake = netG(torch.randn(len(real), CODES, 1, 1, device=device))
            label.fill_(0.0)
            errD_fake = criterion(netD(fake.detach()), label)
            errD_fake.backward()
            optimizerD.step()
            # G: maximise log D(G(z))
            netG.zero_grad()
            label.fill_(1.0)
            errG = criterion(netD(fake), label)
            errG.backward()
            optimizerG.step()
            G_losses.append(errG.item())
            D_losses.append((errD_real + errD_fake).item())
            seen += len(real)
            if (used := time.perf_counter() - start) >= seconds:
                netG.eval()
                return Run(lambda z: (netG(z[:, :, None, None]) + 1) / 2, CODES, used, seen)


# --- torchgan


def torchgan(data: Images, seconds: float, seed: int) -> Run:
    """torchgan's Trainer as in the first example of its documentation; its networks want 32 × 32,
    so images are padded.

    The hook that it offers before each step ends the training. Samples are cropped back to 28 × 28.
    What it prints and saves at the end of an epoch goes nowhere, but costs its time as ever; the
    picture that it would draw then is left out.
    """
    from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss
    from torchgan.models import DCGANDiscriminator, DCGANGenerator
    from torchgan.trainer import Trainer

    class BudgetSpent(Exception):
        """Raised before the first step that would come too late."""

    class TimedTrainer(Trainer):
        """Counts the steps, and stops."""

        steps = -1

        def train_iter_custom(self) -> None:
            self.steps += 1
            self.start = getattr(self, "start", time.perf_counter())
            self.used = time.perf_counter() - self.start
            if self.used >= seconds:
                raise BudgetSpent

    def player(network: type, **args: int) -> dict:
        return {
            "name": network,
            "args": args | {"step_channels": 16},
            "optimizer": {"name": torch.optim.Adam, "args": adam},
        }

    torch.manual_seed(seed)
    batches, adam = loader(data, transforms.Pad(2)), {"lr": 2e-4, "betas": (0.5, 0.999)}
    players = {
        "generator": player(DCGANGenerator, out_channels=1),
        "discriminator": player(DCGANDiscriminator, in_channels=1),
    }
    losses = [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        files = {"checkpoints": f"{folder}/gan", "recon": folder}
        trainer = TimedTrainer(
            players, losses, sample_size=64, epochs=1_000_000, device=pick_device(), **files
        )
        # its picture after an epoch passes `range` to make_grid, which torchvision has dropped
        trainer.logger.logger_end_epoch.clear()
        with contextlib.suppress(BudgetSpent):
            trainer(batches)
    generator = trainer.generator.eval()
    passes, steps = divmod(trainer.steps, len(batches))
    images = passes * len(data.train_bytes) + steps * BATCH_SIZE
    return Run(
        lambda z: (generator(z)[:, :, 2:30, 2:30] + 1) / 2,
        generator.encoding_dims,
        trainer.used,
        images,
    )
