"""Exercise on perplexity, the exponential of the mean cost of a token."""

import math

import torch

from gencourse.checks import exercise
from gencourse.runtime import seeded


def perplexity_reference(nll, counts):
    """exp of the mean nats per token over all tokens: nll (B,), counts (B,) -> a number."""
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
    on_success=(
        "A model with perplexity 10 is as unsure, on average, as one that has to choose among 10 "
        "tokens that are all equally likely."
    ),
)
def perplexity(answer, seed):
    nll = 0.5 + 2 * torch.rand(4, generator=seeded(seed))
    said = "the perplexity of four sequences with"
    yield f"{said} 9, 1, 4 and 2 tokens", answer(nll, torch.tensor([9, 1, 4, 2]))
    yield f"{said} 3 tokens each", answer(nll, torch.tensor([3, 3, 3, 3]))
    even = torch.full((3,), math.log(7.0))
    guess = "the perplexity of a model that guesses among 7 tokens"
    yield guess, answer(even, torch.tensor([5, 2, 4]))
    none = torch.cat([nll[:2], torch.zeros(1)])
    label = "the perplexity when the last of three sequences has no token, and loss 0"
    yield label, answer(none, torch.tensor([6, 1, 0]))
    long = torch.tensor([700, 70_001, 30_011])
    yield "the perplexity of 700, 70,001 and 30,011 tokens", answer(nll[:3], long)
    yield (
        "the perplexity of a model that is nearly sure",
        answer(nll / 50, torch.tensor([2, 7, 1, 3])),
    )
    dear = "the perplexity of a model that pays about 14 nats per token"
    yield dear, answer(nll + 12, torch.tensor([1, 2, 8, 3]))
    dearer = "the perplexity of a model that pays about 25 nats per token"
    yield dearer, answer(nll + 24, torch.tensor([4, 2, 1, 3]))
    certain = "the perplexity when one of two sequences was certain, so that it costs 0"
    yield certain, answer(torch.cat([torch.zeros(1), nll[:1]]), torch.tensor([5, 4]))
    one = "the perplexity when one token costs 100 nats, and 200 others little"
    yield one, answer(torch.cat([nll[:1], torch.full((1,), 100.0)]), torch.tensor([200, 1]))


@perplexity.alternative
def by_weights(nll, counts):
    return math.exp(
        sum(n * loss for n, loss in zip(counts.tolist(), nll.tolist(), strict=True))
        / int(counts.sum())
    )


@perplexity.alternative
def token_by_token(nll, counts):
    return torch.repeat_interleave(nll, counts).mean().exp()


@perplexity.mistake(
    "Every sequence weighs the same, short or long, so a token in a short one counts for more. "
    "How many tokens has each?"
)
def mean_of_the_sequence_means(nll, counts):
    return nll.mean().exp()


@perplexity.mistake(
    "You average perplexities. The mean of exponentials is not the exponential of the mean: which "
    "comes first?"
)
def mean_of_perplexities(nll, counts):
    return (nll.exp() * counts).sum() / counts.sum()


@perplexity.mistake(
    "You average one perplexity per sequence. What should be averaged first, and with which "
    "weights?"
)
def plain_mean_of_perplexities(nll, counts):
    return nll.exp().mean()


@perplexity.mistake("This is the mean loss in nats per token. What turns log 7 into 7?")
def exponential_forgotten(nll, counts):
    return perplexity_reference(nll, counts).log()


@perplexity.mistake(
    "2 to the power of nats: the unit and the base do not belong together. Which base have "
    "natural logarithms?"
)
def base_two(nll, counts):
    return 2 ** ((nll * counts).sum() / counts.sum())


@perplexity.mistake("The total is divided by the number of sequences. Per what is it asked for?")
def divided_by_the_sequences(nll, counts):
    return ((nll * counts).sum() / len(nll)).exp()


@perplexity.mistake(
    "nll is given per token already, and you add it up as if it were the cost of a sequence. What "
    "does a sequence cost?"
)
def per_token_taken_for_total(nll, counts):
    return (nll.sum() / counts.sum()).exp()


@perplexity.mistake(
    "One number per sequence came back. What is the perplexity of all of them together?"
)
def one_per_sequence(nll, counts):
    return nll.exp()


@perplexity.mistake(
    "Below 1: this is the typical probability of a token. A perplexity is its reciprocal: which "
    "sign goes into the exponential?"
)
def typical_probability(nll, counts):
    return 1 / perplexity_reference(nll, counts)
