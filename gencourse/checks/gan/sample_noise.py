"""Exercise on the noise that a generator starts from."""

import math

import numpy as np
import torch
from torch import Tensor

from gencourse.checks import exercise
from gencourse.probes.gan import noise
from gencourse.runtime import seeded


def sample_noise_reference(n: int, dim: int, generator: torch.Generator) -> Tensor:
    """n codes z ~ N(0, I), drawn with the generator: (n, dim)."""
    return torch.randn(n, dim, generator=generator)


@exercise(
    reference=sample_noise_reference,
    difficulty=1,
    minutes=4,
    points=1,
    hints=(
        "Which function of torch draws from N(0, 1), and which from [0, 1]?",
        (
            "The state of the generator should be the only thing that decides which numbers come, "
            "and a draw should move it on."
        ),
    ),
    on_success=(
        "New noise at every call, the same noise again for a generator in the same state, and "
        "nobody else's numbers are disturbed."
    ),
)
def sample_noise(answer, seed):
    start = seed + 500  # another state than that of the global generator
    yield "4000 codes of 3 numbers", answer.run(noise.codes, seeded(start), 4000, 3)
    yield "120,000 numbers of a large batch", answer.run(noise.large_batch, seeded(start), 150, 800)
    yield "a batch of five codes", answer.run(noise.batch_of_five, seeded(start))
    yield "60 batches of two codes", answer.run(noise.many_calls, seeded(start), 60)
    same, untouched = noise.same_state, noise.global_numbers
    yield (
        "whether a generator in the same state gives the same codes",
        answer.run(same, seeded(start)),
    )
    yield "the global generators", answer.run(untouched, seeded(start))
    for n, dim in ((1, 3), (4, 1), (2, 7)):
        yield f"n = {n} and dim = {dim}", answer.run(noise.few_codes, seeded(start), n, dim)


@sample_noise.alternative
def by_normal(n, dim, generator):
    return torch.normal(0.0, 1.0, (n, dim), generator=generator)


@sample_noise.alternative
def code_by_code(n, dim, generator):
    return torch.stack([torch.empty(dim).normal_(generator=generator) for _ in range(n)])


@sample_noise.alternative
def by_box_and_muller(n, dim, generator):
    u, v = torch.rand(2, n, dim, dtype=torch.float64, generator=generator)
    return ((-2 * (1 - u).log()).sqrt() * (2 * math.pi * v).cos()).float()


@sample_noise.mistake(
    "Your numbers are never negative. Which function of torch draws from N(0, 1), and which from "
    "[0, 1]?"
)
def uniform(n, dim, generator):
    return torch.rand(n, dim, generator=generator)


@sample_noise.mistake(
    "Your numbers have mean 0, but they are spread evenly over an interval. Which law does the "
    "docstring name?"
)
def uniform_around_zero(n, dim, generator):
    return 2 * torch.rand(n, dim, generator=generator) - 1


@sample_noise.mistake(
    "Mean and spread are right, and yet no number is ever large. Is a normal distribution bounded?"
)
def uniform_of_unit_variance(n, dim, generator):
    return math.sqrt(12) * (torch.rand(n, dim, generator=generator) - 0.5)


@sample_noise.mistake(
    "The bell has the right shape and the wrong width. Which standard deviation does N(0, 1) have?"
)
def too_wide(n, dim, generator):
    return 2 * torch.randn(n, dim, generator=generator)


@sample_noise.mistake(
    "All your codes have the same length: they lie on a sphere. Did the text ask for unit vectors?"
)
def on_a_sphere(n, dim, generator):
    return torch.nn.functional.normalize(torch.randn(n, dim, generator=generator), dim=1)


@sample_noise.mistake(
    "Rows are examples, columns are the numbers of a code. Which of the two sizes should come "
    "first?"
)
def sizes_exchanged(n, dim, generator):
    return torch.randn(dim, n, generator=generator)


@sample_noise.mistake(
    "A generator in the same state should give the same codes, and others' numbers should stay "
    "theirs. Who drew yours?"
)
def generator_ignored(n, dim, generator):
    return torch.randn(n, dim)


@sample_noise.mistake(
    "A second call gave the first one's numbers again: training would see a single batch of noise."
    " What is reset inside?"
)
def reseeded_inside(n, dim, generator):
    return torch.randn(n, dim, generator=generator.manual_seed(0))


@sample_noise.mistake(
    "All numbers of a code are equal, so it holds one number and not `dim`. How many draws does a "
    "row need?"
)
def one_number_per_code(n, dim, generator):
    return torch.randn(n, 1, generator=generator).expand(n, dim)


@sample_noise.mistake(
    "All codes are the same one, so a generator network would make one sample n times. How many "
    "draws does a column need?"
)
def one_code_for_all(n, dim, generator):
    return torch.randn(1, dim, generator=generator).expand(n, dim)


@sample_noise.mistake(
    "Your codes have mean 0 exactly, in every batch: each of them depends on all the others. What "
    "does the text say of them?"
)
def standardised(n, dim, generator):
    z = torch.randn(n, dim, generator=generator)
    return (z - z.mean(0)) / z.std(0, correction=0)


@sample_noise.mistake(
    "All the numbers of a batch together have mean 0 and spread 1 exactly: each of them depends on "
    "all the others. What does the text say of them?"
)
def standardised_as_a_whole(n, dim, generator):
    z = torch.randn(n, dim, generator=generator)
    return (z - z.mean()) / z.std()


@sample_noise.mistake(
    "A generator in the same state should give the same codes. Yours come from NumPy's global "
    "numbers: who else draws from those?"
)
def from_numpy(n, dim, generator):
    return torch.from_numpy(np.random.randn(n, dim)).float()


@sample_noise.mistake(
    "Your codes are right, but NumPy's global numbers are seeded for it, and whoever draws from "
    "them next is disturbed. Which function of torch takes the generator itself?"
)
def numpy_seeded(n, dim, generator):
    np.random.seed(int(torch.randint(2**31, (1,), generator=generator)))
    return from_numpy(n, dim, generator)


@sample_noise.mistake("Right for `dim` = 3 only. Is a number typed in that is an argument?")
def width_typed_in(n, dim, generator):
    return torch.randn(n, 3, generator=generator)
