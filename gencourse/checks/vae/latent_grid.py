"""Exercise on a map of a latent space whose cells hold equal shares of the prior."""

from functools import cache

import torch
from torch import distributions

from gencourse import figures
from gencourse.checks import exercise
from gencourse.probes.vae.prior import grid_of_codes


@exercise(
    reference=figures.prior_quantile_grid,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        (
            "Cut the unit interval into n equal parts and take the middle of each. What maps "
            "probabilities to positions?"
        ),
        "In a printed grid the first row is at the top. Which coordinate is high there?",
    ),
    on_success="Every cell of your map holds the same share of the prior.",
)
def latent_grid(answer, seed):
    for n in (5 + seed % 20, 1, 2):
        yield f"the grid for n = {n}", answer.run(grid_of_codes, n)
    large = (150, 151, 510)[seed % 3]
    yield f"the grid for n = {large}", answer(large)


@latent_grid.alternative
def by_icdf(n):
    q = distributions.Normal(0.0, 1.0).icdf((torch.arange(n) + 0.5) / n).tolist()
    return torch.tensor([[[x, y] for x in q] for y in reversed(q)])


@latent_grid.alternative
def by_erfinv(n):
    q = 2**0.5 * torch.erfinv(2 * (torch.arange(n) + 0.5) / n - 1)
    grid = torch.cartesian_prod(q, q).view(n, n, 2)
    return grid.transpose(0, 1).flip(0)


def square_of(q):
    """The grid of these positions."""
    z2, z1 = torch.meshgrid(q.flip(0), q, indexing="ij")
    return torch.stack([z1, z2], -1)


@latent_grid.mistake("Your points are equally spaced. Does the prior put equal mass between them?")
def linear_spacing(n):
    return square_of(torch.linspace(-2, 2, n))


@latent_grid.mistake(
    "Where does the normal distribution reach probability 0 and 1? Your outermost points are there."
)
def infinite_ends(n):
    return square_of(distributions.Normal(0.0, 1.0).icdf(torch.linspace(0, 1, n)))


@latent_grid.mistake(
    "z_1 should change along a row and z_2 along a column. Are your axes exchanged?"
)
def axes_exchanged(n):
    return figures.prior_quantile_grid(n).flip(-1)


@latent_grid.mistake(
    "Rows and columns are exchanged, and the top is where the bottom should be. What does "
    "indexing='ij' vary first?"
)
def axes_of_meshgrid(n):
    q = torch.special.ndtri((torch.arange(n) + 0.5) / n)
    return torch.stack(torch.meshgrid(q, q, indexing="ij"), -1)


@latent_grid.mistake("The top row should have the highest z_2. Is your map upside down?")
def upside_down(n):
    return figures.prior_quantile_grid(n).flip(0)


@latent_grid.mistake(
    "The shares of the outer cells differ from the inner ones. At which point of each of the n "
    "parts do you stand?"
)
def shares_unequal(n):
    return square_of(torch.special.ndtri((torch.arange(n) + 1.0) / (n + 1)))


@latent_grid.mistake(
    "Do all your cells hold the same share? Yours run from probability 0.05 to 0.95, whatever n is."
)
def from_five_to_ninety_five_percent(n):
    return square_of(torch.special.ndtri(torch.linspace(0.05, 0.95, n)))


@cache
def kept_grid(n):
    return figures.prior_quantile_grid(n)


@latent_grid.mistake(
    "The grid is right, but every call for one n returns the same tensor: who writes into it "
    "changes the next one. Return a new tensor each time."
)
def grid_that_is_kept(n):
    return kept_grid(n)


@latent_grid.mistake("These are the probabilities. Which positions belong to them?")
def probabilities_returned(n):
    return square_of((torch.arange(n) + 0.5) / n)
