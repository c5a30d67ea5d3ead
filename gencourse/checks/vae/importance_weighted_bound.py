"""Exercise on a tighter bound."""

import math

import torch

from gencourse import evaluation
from gencourse.checks import draw, exercise


@exercise(
    reference=evaluation.iwae_bound,
    difficulty=2,
    minutes=12,
    points=4,
    hints=(
        (
            "The bound is the logarithm of an average of weights. You have the logarithms of the "
            "weights."
        ),
        (
            "exp(-1000) is 0 in float32. Which function of torch sums exponentials without leaving "
            "the logarithm?"
        ),
        "An average divides by K. What does that become outside the logarithm?",
    ),
    on_success=(
        "With equal weights it returns their value, at K = 1 it is the ELBO's term, and -1000 nats "
        "do no harm."
    ),
)
def importance_weighted_bound(answer, seed):
    log_w = 3 * draw(seed, 7, 4)
    yield "the bound from K = 7 draws for each of B = 4 examples", answer(log_w)
    yield "the bound near -1000 nats", answer(log_w - 1000)
    yield "the bound near +1000 nats", answer(log_w + 1000)
    yield "the bound from a single draw", answer(log_w[:1])
    apart = log_w + torch.tensor([0.0, -1000.0, 1000.0, -300.0])
    yield "the bound when one example lies near 0, others near -1000, 1000 and -300", answer(apart)
    hundreds = "the bound when the weights of one example lie hundreds of nats apart"
    yield hundreds, answer(100 * log_w)
    yield "the bound from six equal weights", answer(20 * draw(seed + 1, 1, 5).expand(6, 5))
    yield "the bound from K = 3 draws for each of B = 8 examples", answer(draw(seed + 2, 3, 8))
    yield "the bound from K = 60 draws for two examples", answer(4 * draw(seed + 3, 60, 2))
    small = draw(seed + 4, 1500, 1)
    small[1:] -= 12.5
    yield "the bound from K = 1500 draws of which the first weighs most", answer(small)
    alone = torch.full((1500, 1), -100.0)
    alone[0] = math.log(1500)
    yield "the bound from K = 1500 draws of which the first alone counts", answer(alone)
    none = torch.where(draw(seed + 5, 7, 4) > 0.8, -torch.inf, log_w - 2000)
    none[0] = log_w[0] - 2000
    yield "the bound when some of the weights are 0, the others near -2000 nats", answer(none)


@importance_weighted_bound.alternative
def by_hand(log_w):
    top = log_w.max(dim=0, keepdim=True).values
    return (top + (log_w - top).exp().mean(0, keepdim=True).log()).squeeze(0)


@importance_weighted_bound.alternative
def one_after_another(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - torch.tensor(len(log_w)).log()


@importance_weighted_bound.mistake(
    "The mean of the logarithms is the ELBO. What stands inside the logarithm of the IWAE bound?"
)
def mean_of_logarithms(log_w):
    return log_w.mean(0)


@importance_weighted_bound.mistake(
    "With K equal weights the bound should be their common value. What is yours too high by?"
)
def sum_instead_of_mean(log_w):
    return log_w.logsumexp(0)


@importance_weighted_bound.mistake(
    "With K equal weights the bound should be their common value. Does an average multiply or "
    "divide by K?"
)
def log_k_added(log_w):
    return log_w.logsumexp(0) + torch.tensor(float(len(log_w))).log()


@importance_weighted_bound.mistake(
    "Some examples come out infinite: one shift serves the whole batch. Which weights should "
    "share a shift?"
)
def one_shift_for_the_batch(log_w):
    shift = log_w.max()
    return shift + (log_w - shift).exp().mean(0).log()


@importance_weighted_bound.mistake(
    "At -1000 nats you get -inf, or at +1000 inf. What does the computer make of those "
    "exponentials?"
)
def naive_exponential(log_w):
    return log_w.exp().mean(0).log()


@importance_weighted_bound.mistake(
    "Your result is stable, but the shift that you took out has not come back. Add what you "
    "subtracted."
)
def shift_not_restored(log_w):
    return (log_w - log_w.amax(0)).exp().mean(0).log()


@importance_weighted_bound.mistake(
    "You averaged over the examples. Which axis holds the draws of one example?"
)
def over_the_batch_axis(log_w):
    return log_w.logsumexp(1) - torch.tensor(float(log_w.shape[1])).log()


@importance_weighted_bound.mistake(
    "The number that you divide by is the batch size. How many draws are averaged?"
)
def divided_by_batch_size(log_w):
    return log_w.logsumexp(0) - torch.tensor(float(log_w.shape[1])).log()


@importance_weighted_bound.mistake(
    "You kept the best draw only. Is the logarithm of an average its largest term?"
)
def best_draw_only(log_w):
    return log_w.amax(0)


@importance_weighted_bound.mistake(
    "Normalised weights belong to the gradient of the bound. What is the bound's own value?"
)
def self_normalised_average(log_w):
    return (log_w.softmax(0) * log_w).sum(0)


@importance_weighted_bound.mistake(
    "This is the loss. A bound on log p(x) should go up when the weights do."
)
def negative_bound(log_w):
    return -evaluation.iwae_bound(log_w)


@importance_weighted_bound.mistake(
    "One bound per example is asked for. Where did the batch axis go?"
)
def one_number_for_the_batch(log_w):
    return evaluation.iwae_bound(log_w).mean()
