"""Exercise on the best discriminator where both densities are known."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import gan
from gencourse.probes.gan.densities import dtype_of, times
from gencourse.probes.general import kind


@exercise(
    reference=gan.optimal_discriminator,
    difficulty=2,
    atol=5e-7,
    float64=True,
    minutes=8,
    points=2,
    hints=(
        (
            "At one point x, write a log D + b log(1 - D) with a = p_data(x), b = p_g(x), and "
            "set its derivative to zero."
        ),
        "Check your formula where a = b, and where one of the two is zero.",
        (
            "What does the formula divide by where no density has any mass? That place needs a "
            "decision of its own."
        ),
    ),
    on_success=(
        "½ where the densities agree, 0 or 1 where only one of them has mass. D knows the ratio of "
        "the densities, nothing else."
    ),
)
def optimal_discriminator(answer, seed):
    p, q = draw(seed, 2, 6).abs() + 0.05
    yield "six points where both densities are positive", answer(p, q)
    plane, solid = draw(seed + 1, 2, 4, 5).exp(), draw(seed + 2, 2, 2, 3, 2).exp()
    yield "a grid of points, 4 by 5", answer(plane[0], plane[1])
    yield "a grid of points, 2 by 3 by 2", answer(solid[0], solid[1])
    yield "points where the two densities are equal", answer(p, p.clone())
    apart = torch.tensor([True, False, True, True, False, False])
    yield "points where one of the two densities is zero", answer(p * apart, q * ~apart)
    yield "densities of the order of 1e-20, far out in the tails", answer(1e-20 * p, 1e-20 * q)
    yield "densities of the order of 1e-36", answer(1e-36 * p, 1e-36 * q)
    p64, q64 = p.double(), q.double()
    subnormal = (1e-39 * p64).float(), (1e-39 * q64).float()
    yield "densities of the order of 1e-39", answer(*subnormal)
    yield "densities of the order of 1e-300, in float64", answer(1e-300 * p64, 1e-300 * q64)
    yield "the dtype of D for densities in float64", answer.run(dtype_of, p64, q64)
    yield "the dtype of D for densities in float32", answer.run(dtype_of, p, q)
    yield "the dtype of D for densities in float16", answer.run(dtype_of, p.half(), q.half())
    tiny = "1e10 times D where the data's density is about 1e-10 of the model's"
    yield tiny, answer.run(times, 1e-10 * p, q, 1e10)
    sizes = torch.tensor([1e10, 1e-30, 1e-36, 1.0, 1e-12, 1e-36])
    yield "densities of which the first are large, others tiny", answer(sizes * p, sizes * q)
    yield "densities of the order of 1e6, narrow peaks", answer(1e6 * p, 1e6 * q)
    factor = torch.tensor([0.005, 200.0, 0.02, 50.0, 1e-9, 1e9])
    yield "densities of which one is much larger than the other", answer(p, factor * p)
    somewhere = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    yield "points of which some have no density at all", answer(p * somewhere, q * somewhere)
    yield "what is returned", answer.run(kind, p, q)


@optimal_discriminator.alternative
def ratio_then_mended(p_data, p_g):
    D = p_data / (p_data + p_g)
    D[torch.isnan(D)] = 0.5
    return D


@optimal_discriminator.alternative
def sigmoid_of_the_log_ratio(p_data, p_g):
    return (p_data.log() - p_g.log()).sigmoid().nan_to_num(nan=0.5)


@optimal_discriminator.mistake(
    "Right to many digits, but a D of 1e-10 is 0 in your version: a difference of two numbers of "
    "about the same size rounds it away. Which form of D subtracts nothing?"
)
def one_minus_the_other(p_data, p_g):
    return (1 - p_g / (p_data + p_g)).nan_to_num(nan=0.5)


@optimal_discriminator.mistake("Your D exceeds 1. Is a ratio of densities a probability?")
def ratio_of_densities(p_data, p_g):
    return p_data / p_g


@optimal_discriminator.mistake(
    "Your D is high where the model has its mass. Which of the two should D say yes to?"
)
def model_taken_for_data(p_data, p_g):
    return gan.optimal_discriminator(p_g, p_data)


@optimal_discriminator.mistake(
    "High where the model has its mass, and NaN where there is none. Which of the two should D say"
    " yes to? And what is 0/0?"
)
def model_taken_for_data_undefined_where_empty(p_data, p_g):
    return p_g / (p_data + p_g)


@optimal_discriminator.mistake(
    "Right wherever there is mass, NaN where there is none. What is 0/0, and what does the text "
    "ask for there?"
)
def undefined_where_empty(p_data, p_g):
    return p_data / (p_data + p_g)


@optimal_discriminator.mistake(
    "Where neither density has mass you say 0: surely a fake. Which value does the text ask for "
    "there?"
)
def zero_where_empty(p_data, p_g):
    return torch.nan_to_num(p_data / (p_data + p_g))


@optimal_discriminator.mistake(
    "The small constant in your denominator decides in empty places, and in the far tails. Should "
    "D depend on a density's size, or on the ratio?"
)
def floor_in_the_denominator(p_data, p_g):
    return p_data / (p_data + p_g + 1e-8)


@optimal_discriminator.mistake(
    "Empty places are right now. In the far tails you say ½: a constant or a tolerance is larger "
    "than the densities. What is D there?"
)
def floor_above_and_below(p_data, p_g):
    return (p_data + 1e-8) / (p_data + p_g + 2e-8)


@optimal_discriminator.mistake(
    "Where only one of the densities has mass the answer is known for certain. Do you give ½ there?"
)
def half_unless_both(p_data, p_g):
    both = (p_data > 0) & (p_g > 0)
    return torch.where(both, gan.optimal_discriminator(p_data, p_g), 0.5)


@optimal_discriminator.mistake(
    "Yours is always sure, even where both densities are about the same. What should D say where "
    "p_data is twice p_g?"
)
def hard_decision(p_data, p_g):
    return torch.where(p_data == p_g, 0.5, (p_data > p_g).float())


@optimal_discriminator.mistake(
    "Right in float32 and for all but the smallest numbers. In float64 there are much smaller "
    "densities: what becomes of 1e-300 on your way?"
)
def by_float32(p_data, p_g):
    return gan.optimal_discriminator(p_data.float(), p_g.float()).to(p_data.dtype)


@optimal_discriminator.mistake(
    "The values are right, but densities in float64 get a D in float32: 1 − D of a sure D rounds "
    "to 0 there, and the value of the game to −∞. Which dtype has your result, and from where?"
)
def returned_in_float32(p_data, p_g):
    return gan.optimal_discriminator(p_data, p_g).float()


@optimal_discriminator.mistake(
    "The values are right, but densities in float32 get a D in float64, which networks in float32 "
    "refuse. What brought float64 in?"
)
def returned_in_float64(p_data, p_g):
    return gan.optimal_discriminator(p_data, p_g).double()


@optimal_discriminator.mistake("This is the logit of D. What turns it into a probability?")
def logit_returned(p_data, p_g):
    return p_data.log() - p_g.log()


@optimal_discriminator.mistake("The sigmoid wants the logarithm of the ratio. What do you give it?")
def sigmoid_of_the_ratio(p_data, p_g):
    return torch.where(p_g > 0, (p_data / p_g).sigmoid(), 0.5)
