"""Exercises on the game where both densities are known: the best discriminator, and the value that it reaches."""

import torch

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw
from gencourse.models import gan

# --- optimal_discriminator -----------------------------------------------------------------------------------------


@exercise(
    reference=gan.optimal_discriminator,
    difficulty=2,
    minutes=8,
    points=2,
    hints=(
        "At one point x, write a log D + b log(1 - D) with a = p_data(x), b = p_model(x), and set its derivative to zero.",
        "Check your formula where a = b, and where one of the two is zero.",
        "What does the formula divide by where no density has any mass? That place needs a decision of its own.",
    ),
    insight="½ where the densities agree, 0 or 1 where only one of them has mass. D knows the ratio of the densities, nothing else.",
)
def optimal_discriminator(ask, seed):
    p, q = draw(seed, 2, 6).abs() + 0.05
    call = "optimal_discriminator(p_data, p_model)"
    yield "six points where both densities are positive", ask(call, p_data=p, p_model=q)
    yield "a grid of points, 4 by 5", ask(call, p_data=draw(seed + 1, 4, 5).exp(), p_model=draw(seed + 2, 4, 5).exp())
    yield "points where the two densities are equal", ask(call, p_data=p, p_model=p.clone())
    apart = torch.tensor([True, False, True, True, False, False])
    yield "points where one of the two densities is zero", ask(call, p_data=p * apart, p_model=q * ~apart)
    yield "densities of the order of 1e-20, far out in the tails", ask(call, p_data=1e-20 * p, p_model=1e-20 * q)
    somewhere = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    yield "points of which some have no density at all", ask(call, p_data=p * somewhere, p_model=q * somewhere)


@optimal_discriminator.mistake("Your D exceeds 1. Is a ratio of densities a probability?")
def ratio_of_densities(p_data, p_model):
    return p_data / p_model


@optimal_discriminator.mistake("Your D is high where the model has its mass. Which of the two should D say yes to?")
def model_taken_for_data(p_data, p_model):
    return gan.optimal_discriminator(p_model, p_data)


@optimal_discriminator.mistake(
    "High where the model has its mass, and NaN where there is none. Which of the two should D say yes to? And what is 0/0?"
)
def model_taken_for_data_undefined_where_empty(p_data, p_model):
    return p_model / (p_data + p_model)


@optimal_discriminator.mistake("Right wherever there is mass, NaN where there is none. What is 0/0, and what does the text ask for there?")
def undefined_where_empty(p_data, p_model):
    return p_data / (p_data + p_model)


@optimal_discriminator.mistake("Where neither density has mass you say 0: surely a fake. Which value does the text ask for there?")
def zero_where_empty(p_data, p_model):
    return torch.nan_to_num(p_data / (p_data + p_model))


@optimal_discriminator.mistake(
    "The small constant in your denominator decides in empty places, and in the far tails. Should D depend on a density's size, or on the ratio?"
)
def floor_in_the_denominator(p_data, p_model):
    return p_data / (p_data + p_model + 1e-8)


@optimal_discriminator.mistake(
    "Empty places are right now. In the far tails your small constant is larger than the densities: what is D there?"
)
def floor_above_and_below(p_data, p_model):
    return (p_data + 1e-8) / (p_data + p_model + 2e-8)


@optimal_discriminator.mistake("Where only one of the densities has mass the answer is known for certain. Do you give ½ there?")
def half_unless_both(p_data, p_model):
    both = (p_data > 0) & (p_model > 0)
    return torch.where(both, gan.optimal_discriminator(p_data, p_model), 0.5)


@optimal_discriminator.mistake(
    "Yours is always sure, even where both densities are about the same. What should D say where p_data is twice p_model?"
)
def hard_decision(p_data, p_model):
    return torch.where(p_data == p_model, 0.5, (p_data > p_model).float())


@optimal_discriminator.mistake("This is the logit of D. What turns it into a probability?")
def logit_returned(p_data, p_model):
    return p_data.log() - p_model.log()


@optimal_discriminator.mistake("The sigmoid wants the logarithm of the ratio. What do you give it?")
def sigmoid_of_the_ratio(p_data, p_model):
    return torch.where(p_model > 0, (p_data / p_model).sigmoid(), 0.5)


@optimal_discriminator.also_right
def ratio_then_mended(p_data, p_model):
    D = p_data / (p_data + p_model)
    D[torch.isnan(D)] = 0.5
    return D


@optimal_discriminator.also_right
def sigmoid_of_the_log_ratio(p_data, p_model):
    return (p_data.log() - p_model.log()).sigmoid().nan_to_num(nan=0.5)


# --- value_from_grid -----------------------------------------------------------------------------------------------


@exercise(
    reference=gan.game_value,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "An expectation over a grid is a sum of density · cell · value. The same `cell` for both terms.",
        "0 · log 0 counts as 0 here: a cell without mass contributes nothing. What does the computer make of it?",
    ),
    insight="−log 4 where the two densities are equal, 0 where they do not overlap: at the best D, V measures how far apart they are.",
)
def value_from_grid(ask, seed):
    call = "value_from_grid(p_data, p_model, D, cell)"
    x = torch.linspace(-6, 6, 241)
    p, q = ((-0.5 * ((x - mean) / std) ** 2).exp() / (std * 2.5066283) for mean, std in ((-0.5, 1.0), (0.7 + 0.02 * (seed % 10), 0.8)))
    D = (0.6 * draw(seed, 241)).sigmoid()
    yield "the value for some D on a line, cells of 0.05", ask(call, p_data=p, p_model=q, D=D, cell=0.05)
    part = slice(121, None, 4)
    yield "the part of the value that comes from x > 0, cells of 0.2", ask(call, p_data=p[part], p_model=q[part], D=D[part], cell=0.2)
    half = torch.full_like(p, 0.5)
    yield "the value for equal densities and D = ½, where it is −log 4", ask(call, p_data=p, p_model=p.clone(), D=half, cell=0.05)
    plane_p, plane_q = p[::12, None] * p[None, ::10], q[::12, None] * p[None, ::10]
    plane_D = (0.6 * draw(seed + 1, *plane_p.shape)).sigmoid()
    yield "the value on a grid in the plane, cells of 0.6 times 0.5", ask(call, p_data=plane_p, p_model=plane_q, D=plane_D, cell=0.3)
    left, right = torch.tensor([2.0, 2.0, 0.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.0, 2.0, 2.0])
    sure = torch.tensor([1.0, 0.7, 0.5, 0.4, 0.0])
    yield "the value for densities that do not overlap", ask(call, p_data=left, p_model=right, D=sure, cell=0.25)


def two_terms(p_data, p_model, D):
    return torch.xlogy(p_data, D) + torch.xlogy(p_model, 1 - D)


@value_from_grid.mistake("With finer cells your value grows. What does a density have to be multiplied by to become a probability?")
def cell_left_out(p_data, p_model, D, cell):
    return two_terms(p_data, p_model, D).sum()


@value_from_grid.mistake(
    "A mean over the cells treats them all alike. What is an integral: a mean of values, or a sum of values times cell?"
)
def mean_over_cells(p_data, p_model, D, cell):
    return two_terms(p_data, p_model, D).mean()


@value_from_grid.mistake("Your weights add up to 1 even where the grid covers half of the line. Which probability does a cell of it hold?")
def renormalised(p_data, p_model, D, cell):
    return two_terms(p_data / p_data.sum(), p_model / p_model.sum(), D).sum()


@value_from_grid.mistake("For equal densities V should be −log 4 in nats, about −1.386. In which unit is your −2?")
def bits(p_data, p_model, D, cell):
    return cell * two_terms(p_data, p_model, D).sum() / torch.tensor(2.0).log()


@value_from_grid.mistake(
    "NaN where the densities do not overlap: there D is 0 or 1 in cells without mass. What is 0 · log 0 for the computer?"
)
def undefined_where_empty_cells(p_data, p_model, D, cell):
    return cell * (p_data * D.log() + p_model * (1 - D).log()).sum()


@value_from_grid.mistake("You skip the cells where one of the densities is zero. Where only one of them has mass, whose term is left?")
def only_where_both_have_mass(p_data, p_model, D, cell):
    both = (p_data > 0) & (p_model > 0)
    return cell * two_terms(p_data, p_model, D)[both].sum()


@value_from_grid.mistake("This is what D minimises. V is what D maximises: can it be positive?")
def negated(p_data, p_model, D, cell):
    return -gan.game_value(p_data, p_model, D, cell)


@value_from_grid.mistake("D is to be high on data and low on the model's samples. Which term does each density belong to?")
def densities_exchanged(p_data, p_model, D, cell):
    return gan.game_value(p_model, p_data, D, cell)


@value_from_grid.mistake("This is the reward for the data alone. What does D earn on the model's samples?")
def data_only(p_data, p_model, D, cell):
    return cell * torch.xlogy(p_data, D).sum()


@value_from_grid.mistake("For the model's samples D is rewarded for saying no. Which logarithm belongs to that?")
def log_d_twice(p_data, p_model, D, cell):
    return cell * (torch.xlogy(p_data, D) + torch.xlogy(p_model, D)).sum()


@value_from_grid.mistake("V adds up two expectations. Who took their average?")
def average_of_the_two(p_data, p_model, D, cell):
    return 0.5 * gan.game_value(p_data, p_model, D, cell)


@value_from_grid.mistake("`cell` is already the length or the area of a cell. How often do you multiply by it?")
def cell_squared(p_data, p_model, D, cell):
    return cell * gan.game_value(p_data, p_model, D, cell)


@value_from_grid.mistake("Should cells with much mass not count more than empty ones? Your two expectations do not weigh by the densities.")
def not_weighed(p_data, p_model, D, cell):
    return cell * (D.clamp_min(1e-8).log() + (1 - D).clamp_min(1e-8).log()).sum()


@value_from_grid.also_right
def only_where_mass_is(p_data, p_model, D, cell):
    here, there = p_data > 0, p_model > 0
    return cell * ((p_data[here] * D[here].log()).sum() + (p_model[there] * torch.log1p(-D[there])).sum())


@value_from_grid.also_right
def cell_by_cell(p_data, p_model, D, cell):
    total = 0.0
    for p, q, d in zip(p_data.flatten().tolist(), p_model.flatten().tolist(), D.flatten().double(), strict=True):
        total += (p * d.log().item() if p > 0 else 0.0) + (q * (1 - d).log().item() if q > 0 else 0.0)
    return cell * total
