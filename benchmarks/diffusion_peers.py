"""The diffusion libraries that benchmarks/diffusion.py compares the course's models with, each at a
setting of its documentation made small enough for a CPU: under a million parameters.

Each is a function (data, seconds, seed) -> Trained, which trains until the seconds are used up. The
clock runs from the first batch to the last; building networks and loaders is not counted.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, Lambda, ToTensor

from benchmarks.data import TorchvisionMNIST, endless
from gencourse.data import Images

BATCH_SIZE, STEPS = 64, 25  # examples in a batch; evaluations for a sample


class Trained(NamedTuple):
    """One training: (n, seed) -> n images (n, 1, 28, 28) in [0, 1]; its seconds, its steps, the
    examples that it saw, the parameters that were trained.
    """

    sample: Callable[[int, int], Tensor]
    seconds: float
    steps: int
    images: int
    parameters: int


def size_of(model: nn.Module) -> int:
    """The number of parameters that are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def loader(data: Images, centre: bool) -> Iterator[Tensor]:
    """Images (BATCH_SIZE, 1, 28, 28), endlessly, as a tutorial loads them: in [0, 1], or in [-1, 1]
    if centred.
    """
    steps = [ToTensor(), Lambda(lambda x: 2 * x - 1)] if centre else [ToTensor()]
    dataset = TorchvisionMNIST(data.train_bytes[:, 0], data.train_labels, Compose(steps))
    batches = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True, drop_last=True)
    return (x for x, _ in endless(batches))


def lucidrains(data: Images, seconds: float, seed: int) -> Trained:
    """denoising-diffusion-pytorch: the Unet and the GaussianDiffusion of its readme with dim 16 for
    64 and three levels for four, on 28 × 28, with the optimizer, the clipping and the average of
    its Trainer; 25 DDIM steps.
    """
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet
    from ema_pytorch import EMA

    torch.manual_seed(seed)
    network = Unet(dim=16, dim_mults=(1, 2, 4), channels=1)
    model = GaussianDiffusion(network, image_size=28, timesteps=1000, sampling_timesteps=STEPS)
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-5, betas=(0.9, 0.99))
    average, batches = EMA(model, beta=0.995, update_every=10), loader(data, centre=False)
    start, steps = time.perf_counter(), 0
    while (used := time.perf_counter() - start) < seconds:
        loss = model(next(batches))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update()
        steps += 1

    @torch.no_grad()
    def sample(n: int, seed: int) -> Tensor:
        torch.manual_seed(seed)
        average.ema_model.eval()
        return average.ema_model.sample(batch_size=n).clamp(0, 1)

    return Trained(sample, used, steps, steps * BATCH_SIZE, size_of(network))


def smalldiffusion(data: Images, seconds: float, seed: int) -> Trained:
    """smalldiffusion: the U-Net, schedule, rate, average and sampler of its example for
    Fashion-MNIST with 32 channels at each level for 64, 64 and 128, and batches of 64 for 1,024;
    images are not mirrored.
    """
    from accelerate import Accelerator
    from smalldiffusion import Scaled, ScheduleLogLinear, Unet, samples, training_loop
    from torch_ema import ExponentialMovingAverage

    torch.manual_seed(seed)
    accelerator = Accelerator(cpu=True)
    schedule = ScheduleLogLinear(sigma_min=0.01, sigma_max=20, N=800)
    model = Scaled(Unet)(28, 1, 1, ch=32, ch_mult=(1, 1, 1), attn_resolutions=(14,))
    average = ExponentialMovingAverage(model.parameters(), decay=0.999)
    batches = loader(data, centre=True)
    start, steps = time.perf_counter(), 0
    for _ in training_loop(batches, model, schedule, accelerator, epochs=1, lr=7e-4):
        average.update()
        steps += 1
        if (used := time.perf_counter() - start) >= seconds:
            break

    def sample(n: int, seed: int) -> Tensor:
        torch.manual_seed(seed)
        with average.average_parameters():
            *_, x = samples(
                model, schedule.sample_sigmas(STEPS), gam=1.6, batchsize=n, accelerator=accelerator
            )
        return ((x + 1) / 2).clamp(0, 1)

    return Trained(sample, used, steps, steps * BATCH_SIZE, size_of(model))
