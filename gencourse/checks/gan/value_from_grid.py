"""Exercise on the value that the game has for two densities and a discriminator."""

import math

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.probes.gan.densities import far_below


def value_from_grid_reference(p_data, p_g, D, cell):
    """V = E_data[log D] + E_model[log(1 - D)] on a grid, -inf where D excludes what occurs."""
    return cell * (torch.xlogy(p_data, D) + torch.xlogy(p_g, 1 - D)).sum()


@exercise(
    reference=value_from_grid_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "An expectation over a grid is a sum of density · cell · value. The same `cell` for "
        "both terms.",
        "0 · log 0 counts as 0 here: a cell without mass contributes nothing. What does the "
        "computer make of it?",
    ),
    on_success=(
        "−log 4 where the two densities are equal, 0 where they do not overlap: at the best D, V "
        "measures how far apart they are."
    ),
)
def value_from_grid(answer, seed):
    x = torch.linspace(-6, 6, 241)
    p = (-0.5 * (x + 0.5) ** 2).exp() / 2.5066283
    q = (-0.5 * ((x - 0.7 - 0.02 * (seed % 10)) / 0.8) ** 2).exp() / (0.8 * 2.5066283)
    D, half = (0.6 * draw(seed, 241)).sigmoid(), torch.full_like(p, 0.5)
    yield "the value for some D on a line, cells of 0.05", answer(p, q, D, 0.05)
    wide = "the value for wide densities on large cells: all densities 1e-13 times those"
    yield wide, answer(1e-13 * p, 1e-13 * q, D, 5e11)
    part = slice(121, None, 4)
    right_of_0 = "the part of the value that comes from x > 0, cells of 0.2"
    yield right_of_0, answer(p[part], q[part], D[part], 0.2)
    equal = "the value for equal densities and D = ½, where it is −log 4"
    yield equal, answer(p, p.clone(), half, 0.05)
    plane_p, plane_q = p[::12, None] * p[None, ::10], q[::12, None] * p[None, ::10]
    plane_D = (0.6 * draw(seed + 1, *plane_p.shape)).sigmoid()
    plane = "the value on a grid in the plane, cells of 0.6 times 0.5"
    yield plane, answer(plane_p, plane_q, plane_D, 0.3)
    left, right = torch.tensor([[2.0, 2.0, 0, 0, 0], [0, 0, 0, 2.0, 2.0]])
    sure = torch.tensor([1.0, 0.7, 0.5, 0.4, 0.0])
    yield "the value for densities that do not overlap", answer(left, right, sure, 0.25)
    yield "the same, for cells of 2 and densities of 1/4", answer(left / 8, right / 8, sure, 2)
    data, model = torch.tensor([[0.2, 0.5, 0.1], [0.1, 0.25, 0.4]])
    nearly = torch.tensor([1e-25, 0.35, 1 - 2**-24])  # log 1e-25 = -58, log 2⁻²⁴ = -17
    wrong = "the value of a D that is nearly sure and wrong: 1e-25 and 1 - 6e-8 where mass is"
    yield wrong, answer(data, model, nearly, 1.25)
    some, surer = torch.tensor([[0.2, 0.5, 0], [1e-87, 0.35, 1]], dtype=torch.float64)
    wrong = "the value of a D in float64 that is surer and wrong: D = 1e-87 where data are"
    yield wrong, answer(some, some, surer, 1.25)  # sigmoid(-200) = 1e-87
    left, right = left.sign() + torch.tensor([0, 0, 0.5, 0, 0]), right.sign()
    opposite = torch.tensor([0.0, 0.3, 0.5, 0.4, 0.7])
    below = "whether the value is far below 0 (less than -50), or log 0 refused,"
    little, evenly = torch.tensor([[1e-3, 0.999, 0.5], [0.5, 0.5, 0.5]])
    unsure = torch.tensor([0.0, 0.5, 0.4])
    for p, q, D, cell in ((left, right, opposite, 1.0), (little, evenly, unsure, 0.05)):
        rare = "" if p is left else ", at a density of 0.001"
        excluded = answer.run(far_below, p, q, D, cell)
        yield f"{below} if D = 0 where data are{rare}", excluded
        excluded = answer.run(far_below, q, p, 1 - D, cell)
        yield f"{below} if D = 1 where samples are{rare}", excluded


@value_from_grid.alternative
def only_where_mass_is(p_data, p_g, D, cell):
    here, there = p_data > 0, p_g > 0
    return cell * (
        (p_data[here] * D[here].log()).sum() + (p_g[there] * torch.log1p(-D[there])).sum()
    )


@value_from_grid.alternative
def cell_by_cell(p_data, p_g, D, cell):
    total = 0.0
    cells = (p_data.flatten().tolist(), p_g.flatten().tolist(), D.flatten().double())
    for p, q, d in zip(*cells, strict=True):
        total += p * d.log().item() if p > 0 else 0.0
        total += q * (1 - d).log().item() if q > 0 else 0.0
    return cell * total


@value_from_grid.alternative
def by_plain_numbers(p_data, p_g, D, cell):
    total = 0.0
    for p, q, d in zip(p_data.flatten(), p_g.flatten(), D.flatten(), strict=True):
        if p > 0:
            total += float(p) * math.log(float(d))
        if q > 0:
            total += float(q) * math.log(1 - float(d))
    return total * cell


def two_terms(p_data, p_g, D):
    return torch.xlogy(p_data, D) + torch.xlogy(p_g, 1 - D)


@value_from_grid.mistake(
    "With finer cells the size of your value grows. What does a density have to be multiplied by "
    "to become a probability?"
)
def cell_left_out(p_data, p_g, D, cell):
    return two_terms(p_data, p_g, D).sum()


@value_from_grid.mistake(
    "A mean over the cells treats them all alike. What is an integral: a mean of values, or a sum "
    "of values times cell?"
)
def mean_over_cells(p_data, p_g, D, cell):
    return two_terms(p_data, p_g, D).mean()


@value_from_grid.mistake(
    "Your weights add up to 1 even where the grid covers half of the line. Which probability does "
    "a cell of it hold?"
)
def renormalised(p_data, p_g, D, cell):
    return two_terms(p_data / p_data.sum(), p_g / p_g.sum(), D).sum()


@value_from_grid.mistake(
    "For equal densities V should be −log 4 in nats, about −1.386. In which unit is your −2?"
)
def bits(p_data, p_g, D, cell):
    return cell * two_terms(p_data, p_g, D).sum() / torch.tensor(2.0).log()


@value_from_grid.mistake(
    "NaN where the densities do not overlap: there D is 0 or 1 in cells without mass. What is 0 · "
    "log 0 for the computer?"
)
def undefined_where_empty_cells(p_data, p_g, D, cell):
    return cell * (p_data * D.log() + p_g * (1 - D).log()).sum()


@value_from_grid.mistake(
    "Right for every D but one that is very sure and wrong: torch's cross-entropy stops each "
    "logarithm at −100. What is log 1e-87?"
)
def by_binary_cross_entropy(p_data, p_g, D, cell):
    def cross_entropy(weight, label):
        return F.binary_cross_entropy(D, label, weight=weight, reduction="sum")

    ones, zeros = torch.ones_like(D), torch.zeros_like(D)
    return -cell * (cross_entropy(p_data, ones) + cross_entropy(p_g, zeros))


@value_from_grid.mistake(
    "Right but where D excludes what is rare: a floor under D, or under its logarithm, makes a "
    "small loss of it. What is V if D excludes anything that occurs?"
)
def logarithm_with_a_floor(p_data, p_g, D, cell):
    tiny = torch.finfo(D.dtype).tiny
    return cell * (p_data * D.clamp_min(tiny).log() + p_g * (1 - D).clamp_min(tiny).log()).sum()


@value_from_grid.mistake(
    "You skip the cells where one of the densities is zero. Where only one of them has mass, whose"
    " term is left?"
)
def only_where_both_have_mass(p_data, p_g, D, cell):
    both = (p_data > 0) & (p_g > 0)
    return cell * two_terms(p_data, p_g, D)[both].sum()


@value_from_grid.mistake("This is what D minimises. V is what D maximises: can it be positive?")
def negated(p_data, p_g, D, cell):
    return -value_from_grid_reference(p_data, p_g, D, cell)


@value_from_grid.mistake(
    "D is to be high on data and low on the model's samples. Which term does each density belong "
    "to?"
)
def densities_exchanged(p_data, p_g, D, cell):
    return value_from_grid_reference(p_g, p_data, D, cell)


@value_from_grid.mistake(
    "This is the reward for the data alone. What does D earn on the model's samples?"
)
def data_only(p_data, p_g, D, cell):
    return cell * torch.xlogy(p_data, D).sum()


@value_from_grid.mistake(
    "For the model's samples D is rewarded for saying no. Which logarithm belongs to that?"
)
def log_d_twice(p_data, p_g, D, cell):
    return cell * (torch.xlogy(p_data, D) + torch.xlogy(p_g, D)).sum()


@value_from_grid.mistake("V adds up two expectations. Who took their average?")
def average_of_the_two(p_data, p_g, D, cell):
    return 0.5 * value_from_grid_reference(p_data, p_g, D, cell)


@value_from_grid.mistake(
    "`cell` is already the length or the area of a cell. How often do you multiply by it?"
)
def cell_squared(p_data, p_g, D, cell):
    return cell * value_from_grid_reference(p_data, p_g, D, cell)


@value_from_grid.mistake(
    "Should cells with much mass not count more than empty ones? Your two expectations do not "
    "weigh by the densities."
)
def not_weighed(p_data, p_g, D, cell):
    return cell * (D.clamp_min(1e-8).log() + (1 - D).clamp_min(1e-8).log()).sum()
