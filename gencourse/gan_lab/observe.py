"""What can be seen of a match at one moment: both networks on a grid and on fixed points, and the
scores.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.data import GaussianMixture
from gencourse.evaluation import mode_coverage
from gencourse.figures import prior_quantile_grid
from gencourse.models.gan import GAN, LOSSES, jensen_shannon, optimal_discriminator
from gencourse.models.gan.penalties import input_gradient
from gencourse.runtime import plain_torch

REACH, CELLS = 3.0, 40  # D is shown on [-3, 3]², in 40 × 40 cells
CELL = (2 * REACH / CELLS) ** 2
BANDWIDTH = (
    0.12  # of the kernel that smooths data and samples alike before their densities are compared
)
# samples that scores are taken from, that are drawn; arrows; lines of the sheet
JUDGED, SHOWN, ARROWS, SHEET = (
    2000,
    300,
    60,
    17,
)


class Scores(NamedTuple):
    """The numbers of one moment, from 2,000 data points and 2,000 samples that are the same codes
    throughout a run.

    Losses in nats for the logarithmic ones, without the penalty; `real_belief` and `fake_belief`
    are D's mean belief that data and samples are real; `accuracy` is D's; `divergence` is the
    Jensen-Shannon divergence in nats; `modes` are covered; `share` is that of samples near a mode;
    `push` is the mean length of the arrows.
    """

    step: float
    d_loss: float
    g_loss: float
    real_belief: float
    fake_belief: float
    accuracy: float
    divergence: float
    modes: float
    share: float
    push: float


class Frame(NamedTuple):
    """One moment of a match, all tensors on the CPU.

    real, fake (300, 2): data, and samples of fixed codes. surface (40, 40): D's belief that a point
    is real; rows go up from x₂ = -3, columns right from x₁ = -3. arrows (60, 2): at the first 60
    samples, where the generator's loss falls fastest. sheet (17, 17, 2), or (1, 289, 2) for codes
    of length 1: the image of a regular grid of codes.
    """

    scores: Scores
    real: Tensor
    fake: Tensor
    surface: Tensor
    arrows: Tensor
    sheet: Tensor


def cell_centres() -> Tensor:
    """The 40 coordinates of the cells' centres along one axis."""
    return (torch.arange(CELLS, device="cpu") + 0.5) * (2 * REACH / CELLS) - REACH


def plane() -> Tensor:
    """The centres of all cells: (1600, 2), row by row, from the lowest x₂ upwards."""
    x2, x1 = torch.meshgrid(cell_centres(), cell_centres(), indexing="ij")
    return torch.stack([x1, x2], dim=-1).flatten(0, 1)


def smoothed_density(density: GaussianMixture) -> Tensor:
    """The density smoothed by the kernel, exactly: each normal grows wider. (40, 40)."""
    wider = GaussianMixture(
        density.centres, (density.stds.square() + BANDWIDTH**2).sqrt(), density.weights
    )
    return wider.log_prob(plane()).exp().view(CELLS, CELLS)


def kernel_density(x: Tensor) -> Tensor:
    """The density of samples x (N, 2) smoothed by the kernel: q(a) = mean of N(a; x_n, BANDWIDTH²).

    (40, 40).
    """
    scaled = (cell_centres()[:, None, None] - x) / BANDWIDTH  # (40, N, 2)
    kernel = torch.exp(-0.5 * scaled.square()) / (BANDWIDTH * math.sqrt(2 * math.pi))
    return kernel[..., 1] @ kernel[..., 0].T / len(x)


def divergence(density: GaussianMixture, x: Tensor) -> float:
    """Jensen-Shannon divergence between the density and samples x (N, 2), both smoothed: nats, 0 to
    log 2.

    What lies outside the square is one cell more.
    """
    p, q = (CELL * values.flatten() for values in (smoothed_density(density), kernel_density(x)))
    p, q = (torch.cat([mass, (1 - mass.sum()).clamp_min(0)[None]]) for mass in (p, q))
    return jensen_shannon(p, q, cell=1.0).item()


def best_surface(density: GaussianMixture, x: Tensor) -> Tensor:
    """The surface (40, 40) of the best possible D against samples x (N, 2), of densities smoothed
    alike.
    """
    return optimal_discriminator(smoothed_density(density), kernel_density(x))


def belief(logits: Tensor, loss: str, middle: Tensor | float = 0.0) -> Tensor:
    """D's belief that a point is real, in [0, 1], ½ where it cannot tell; any shape.

    The sigmoid of the logit; for least squares the output itself, whose best value is p/(p + q); a
    critic has no zero of its own, so `middle`, halfway between its means on data and on samples, is
    taken for one.
    """
    if loss == "least squares":
        return logits.clamp(0, 1)
    return torch.sigmoid(logits - middle if loss == "Wasserstein" else logits)


@plain_torch()
def code_grid(noise: str) -> Tensor:
    """A regular grid of codes whose cells hold equal shares of the noise: (17, 17, 2), or (1, 289,
    1) along a line.
    """
    if noise == "normal 2-D":
        return prior_quantile_grid(SHEET)
    if noise == "normal 1-D":
        return torch.special.ndtri((torch.arange(SHEET**2) + 0.5) / SHEET**2).view(1, -1, 1)
    ticks = torch.linspace(-1, 1, SHEET)
    z2, z1 = torch.meshgrid(ticks.flip(0), ticks, indexing="ij")
    return torch.stack([z1, z2], dim=-1)


def push(gan: GAN, x: Tensor) -> Tensor:
    """-∂(generator's loss)/∂x at points x (B, 2): the way each sample is asked to move, (B, 2)."""
    return -input_gradient(
        lambda points: gan.losses.generator(gan.discriminator(points)), x
    ).detach()


class Observer:
    """Looks at a GAN in the plane on the same data points and the same codes z (2000, latent_dim)
    every time.
    """

    def __init__(self, density: GaussianMixture, noise: str, z: Tensor, seed: int) -> None:
        self.density, self.z, self.codes = density, z, code_grid(noise)
        self.real, self.plane = density.sample(len(z), seed=seed), plane()

    @torch.no_grad()
    def look(self, gan: GAN, loss: str, step: int) -> Frame:
        """The state of `gan`, which is being trained with `loss`, after `step` rounds."""
        fake = gan.generator(self.z)
        real_logits, fake_logits = gan.discriminator(self.real), gan.discriminator(fake)
        middle = (real_logits.mean() + fake_logits.mean()) / 2
        real_belief, fake_belief = (
            belief(real_logits, loss, middle),
            belief(fake_logits, loss, middle),
        )
        with torch.enable_grad():
            arrows = push(gan, fake[:ARROWS])
        coverage = mode_coverage(fake, self.density.centres, self.density.stds)
        scores = Scores(
            step=step,
            d_loss=LOSSES[loss].discriminator(real_logits, fake_logits).mean().item(),
            g_loss=LOSSES[loss].generator(fake_logits).mean().item(),
            real_belief=real_belief.mean().item(),
            fake_belief=fake_belief.mean().item(),
            accuracy=torch.cat([real_belief > 0.5, fake_belief < 0.5]).double().mean().item(),
            divergence=divergence(self.density, fake),
            modes=coverage.modes,
            share=coverage.share,
            push=arrows.norm(dim=1).mean().item(),
        )
        surface = belief(gan.discriminator(self.plane), loss, middle).view(CELLS, CELLS)
        sheet = gan.generator(self.codes.flatten(0, 1)).view(*self.codes.shape[:2], 2)
        return Frame(scores, self.real[:SHOWN], fake[:SHOWN], surface, arrows, sheet)
