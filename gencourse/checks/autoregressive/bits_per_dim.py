"""Exercise on bits per dimension."""

import math

import torch

from gencourse import evaluation
from gencourse.checks import draw, exercise
from gencourse.runtime import seeded


@exercise(
    reference=evaluation.bits_per_dim,
    difficulty=1,
    minutes=4,
    points=1,
    rtol=1e-5,
    hints=(
        (
            "An 8-bit pixel that is one of 256 values, all equally likely, costs 8 bits. How many "
            "nats is that?"
        ),
        "One bit is log 2 = 0.693 nats. Are there more bits than nats in a message, or fewer?",
    ),
    on_success=(
        "256 equally likely values cost 8 bits per dimension, whatever the size of the image: now "
        "models of 8 × 8 and 28 × 28 can be compared."
    ),
)
def bits_per_dim(answer, seed):
    nll = 300 + 80 * torch.rand(4, generator=seeded(seed))
    yield "the bits per dimension of four images of 3 × 8 × 8", answer(nll, 192)
    uniform = torch.full((2,), 784 * math.log(256))
    yield "256 equally likely values for each of 784 pixels: 8 bits", answer(uniform, 784)
    yield "a model of one pixel at 0.5 nats", answer(torch.tensor([0.5]), 1)
    yield "a density, whose nll may be below 0", answer(torch.tensor([-20.0, 5.0]), 10)
    yield "an nll that is a Python number", answer(123.4, 64)
    yield "an nll that is a whole Python number", answer(500, 12)
    yield "an nll that is a Python number below 0", answer(-7.25, 3)
    yield "an nll in whole numbers, in a tensor", answer(torch.tensor([300, 250]), 64)
    yield "images of 3 × 256 × 256", answer(1e6 * (1 + draw(seed + 1, 3).abs()), 196_608)
    yield "a single number in a tensor", answer(200 + 50 * draw(seed + 2, 1)[0], 49)


@bits_per_dim.alternative
def by_the_logarithm_of_e(nll, dims):
    return nll / dims * math.log2(math.e)


@bits_per_dim.alternative
def in_torch(nll, dims):
    return torch.as_tensor(nll) / torch.tensor(2.0).log() / dims


@bits_per_dim.mistake(
    "The factor is the wrong way round: a bit is smaller than a nat, so are there more bits or "
    "fewer?"
)
def factor_inverted(nll, dims):
    return nll * math.log(2) / dims


@bits_per_dim.mistake("These are the bits of the whole image. How many dimensions share them?")
def dims_forgotten(nll, dims):
    return nll / math.log(2)


@bits_per_dim.mistake("These are nats per dimension. What is log 256 in bits?")
def nats_per_dim(nll, dims):
    return nll / dims


@bits_per_dim.mistake(
    "You take a logarithm of the nll, which is one already. What changes when a logarithm gets "
    "another base?"
)
def logarithm_of_a_logarithm(nll, dims):
    return torch.as_tensor(nll).log2() / dims


@bits_per_dim.mistake(
    "Multiplied by the dimensions: a larger image would cost more per pixel. Which way round is it?"
)
def multiplied_by_dims(nll, dims):
    return nll / math.log(2) * dims


@bits_per_dim.mistake("Your value has the other sign. nll is a cost: so is the number of bits.")
def other_sign(nll, dims):
    return -nll / (dims * math.log(2))


@bits_per_dim.mistake("The mean over the images can wait. One value per image is asked for.")
def mean_over_the_images(nll, dims):
    return torch.as_tensor(nll / (dims * math.log(2))).mean()


@bits_per_dim.mistake(
    "Infinite, because exp of some hundred nats is beyond float32. Does a change of base need the "
    "probability at all?"
)
def through_the_probability(nll, dims):
    return torch.as_tensor(nll).exp().log2() / dims
