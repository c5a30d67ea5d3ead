"""Exercises on the units of a likelihood: perplexity, and bits per dimension."""

import math

import torch

from gencourse import evaluation
from gencourse.checks._legacy import exercise
from gencourse.runtime import seeded

# --- perplexity ----------------------------------------------------------------------------------------------------


def perplexity_reference(nll, counts):
    """exp of the mean nats per token over all tokens: nll (B,) nats per token, counts (B,) tokens -> a number."""
    return ((nll * counts).sum() / counts.sum()).exp()


@exercise(
    reference=perplexity_reference,
    difficulty=1,
    minutes=5,
    points=1,
    hints=(
        "How many nats do all tokens of all sequences cost together?",
        "A sequence of 700 tokens should weigh seven times as much as one of 100.",
    ),
    insight="A model with perplexity 10 is as unsure, on average, as one that has to choose among 10 tokens that are all equally likely.",
)
def perplexity(ask, seed):
    call = "perplexity(nll, counts)"
    nll = 0.5 + 2 * torch.rand(4, generator=seeded(seed))
    yield "the perplexity of four sequences with 9, 1, 4 and 2 tokens", ask(call, nll=nll, counts=torch.tensor([9, 1, 4, 2]))
    yield "the perplexity of four sequences with 3 tokens each", ask(call, nll=nll, counts=torch.tensor([3, 3, 3, 3]))
    even = torch.full((3,), math.log(7.0))
    yield "the perplexity of a model that guesses among 7 tokens", ask(call, nll=even, counts=torch.tensor([5, 2, 4]))
    none = torch.cat([nll[:2], torch.zeros(1)])
    yield "the perplexity when the last of three sequences has no token, and loss 0", ask(call, nll=none, counts=torch.tensor([6, 1, 0]))


@perplexity.mistake("Every sequence weighs the same, short or long, so a token in a short one counts for more. How many tokens has each?")
def mean_of_the_sequence_means(nll, counts):
    return nll.mean().exp()


@perplexity.mistake("You average perplexities. The mean of exponentials is not the exponential of the mean: which comes first?")
def mean_of_perplexities(nll, counts):
    return (nll.exp() * counts).sum() / counts.sum()


@perplexity.mistake("You average one perplexity per sequence. What should be averaged first, and with which weights?")
def plain_mean_of_perplexities(nll, counts):
    return nll.exp().mean()


@perplexity.mistake("This is the mean loss in nats per token. What turns log 7 into 7?")
def exponential_forgotten(nll, counts):
    return perplexity_reference(nll, counts).log()


@perplexity.mistake("2 to the power of nats: the unit and the base do not belong together. Which base have natural logarithms?")
def base_two(nll, counts):
    return 2 ** ((nll * counts).sum() / counts.sum())


@perplexity.mistake("The total is divided by the number of sequences. Per what is it asked for?")
def divided_by_the_sequences(nll, counts):
    return ((nll * counts).sum() / len(nll)).exp()


@perplexity.mistake("nll is given per token already, and you add it up as if it were the cost of a sequence. What does a sequence cost?")
def per_token_taken_for_total(nll, counts):
    return (nll.sum() / counts.sum()).exp()


@perplexity.mistake("One number per sequence came back. What is the perplexity of all of them together?")
def one_per_sequence(nll, counts):
    return nll.exp()


@perplexity.mistake(
    "Below 1: this is the typical probability of a token. A perplexity is its reciprocal: which sign goes into the exponential?"
)
def typical_probability(nll, counts):
    return 1 / perplexity_reference(nll, counts)


@perplexity.also_right
def by_weights(nll, counts):
    return math.exp(sum(n * loss for n, loss in zip(counts.tolist(), nll.tolist(), strict=True)) / int(counts.sum()))


@perplexity.also_right
def token_by_token(nll, counts):
    return torch.repeat_interleave(nll, counts).mean().exp()


# --- bits_per_dim --------------------------------------------------------------------------------------------------


@exercise(
    reference=evaluation.bits_per_dim,
    difficulty=1,
    minutes=4,
    points=1,
    hints=(
        "An 8-bit pixel that is one of 256 values, all equally likely, costs 8 bits. How many nats is that?",
        "One bit is log 2 = 0.693 nats. Are there more bits than nats in a message, or fewer?",
    ),
    insight="256 equally likely values cost 8 bits per dimension, whatever the size of the image: now models of 8 × 8 and 28 × 28 can be compared.",
)
def bits_per_dim(ask, seed):
    call = "bits_per_dim(nll, dims)"
    nll = 300 + 80 * torch.rand(4, generator=seeded(seed))
    yield "the bits per dimension of four images of 3 × 8 × 8", ask(call, nll=nll, dims=192)
    uniform = torch.full((2,), 784 * math.log(256))
    yield "256 equally likely values for each of 784 pixels: 8 bits", ask(call, nll=uniform, dims=784)
    yield "a model of one pixel at 0.5 nats", ask(call, nll=torch.tensor([0.5]), dims=1)
    yield "a density, whose nll may be below 0", ask(call, nll=torch.tensor([-20.0, 5.0]), dims=10)
    yield "an nll that is a Python number", ask(call, nll=123.4, dims=64)


@bits_per_dim.mistake("The factor is the wrong way round: a bit is smaller than a nat, so are there more bits or fewer?")
def factor_inverted(nll, dims):
    return nll * math.log(2) / dims


@bits_per_dim.mistake("These are the bits of the whole image. How many dimensions share them?")
def dims_forgotten(nll, dims):
    return nll / math.log(2)


@bits_per_dim.mistake("These are nats per dimension. What is log 256 in bits?")
def nats_per_dim(nll, dims):
    return nll / dims


@bits_per_dim.mistake("You take a logarithm of the nll, which is one already. What changes when a logarithm gets another base?")
def logarithm_of_a_logarithm(nll, dims):
    return torch.as_tensor(nll).log2() / dims


@bits_per_dim.mistake("Multiplied by the dimensions: a larger image would cost more per pixel. Which way round is it?")
def multiplied_by_dims(nll, dims):
    return nll / math.log(2) * dims


@bits_per_dim.mistake("Your value has the other sign. nll is a cost: so is the number of bits.")
def other_sign(nll, dims):
    return -nll / (dims * math.log(2))


@bits_per_dim.mistake("The mean over the images can wait. One value per image is asked for.")
def mean_over_the_images(nll, dims):
    return torch.as_tensor(nll / (dims * math.log(2))).mean()


@bits_per_dim.mistake("Infinite, because exp of some hundred nats is beyond float32. Does a change of base need the probability at all?")
def through_the_probability(nll, dims):
    return torch.as_tensor(nll).exp().log2() / dims


@bits_per_dim.also_right
def by_the_logarithm_of_e(nll, dims):
    return nll / dims * math.log2(math.e)


@bits_per_dim.also_right
def in_torch(nll, dims):
    return torch.as_tensor(nll) / torch.tensor(2.0).log() / dims
