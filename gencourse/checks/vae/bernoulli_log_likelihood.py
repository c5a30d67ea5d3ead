"""Exercise on the log-likelihood of binary pixels."""

import torch
import torch.nn.functional as F
from torch import distributions

from gencourse.checks import draw, exercise
from gencourse.models import vae


@exercise(
    reference=vae.bernoulli_log_likelihood,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "For one pixel: log s(l) if it is on, log(1 - s(l)) if it is off. Which torch function "
            "takes logits, not probabilities?"
        ),
        "A batch of images has four axes. Which of them should be left in the result?",
    ),
    on_success=(
        "It stays finite at logits of ±1000, where every probability has long rounded to 0 or 1."
    ),
)
def bernoulli_log_likelihood(answer, seed):
    logits = 2 * draw(seed, 4, 1, 3, 5)
    x = (draw(seed + 100, 4, 1, 3, 5) > 0).float()
    yield "the log-likelihoods of four small images", answer(logits, x)
    fair = "the value at logits of 0, where every pixel is a fair coin"
    yield fair, answer(torch.zeros_like(logits), x)
    sure = logits.sign() * (1000 + 50 * logits.abs())
    yield "the value at logits around +1000 and -1000", answer(sure, x)
    logits, x = draw(seed + 1, 3, 3, 4, 2), (draw(seed + 101, 3, 3, 4, 2) > 0.5).float()
    yield "three images of two pixels", answer(logits[:, :1, :1], x[:, :1, :1])
    yield "three images with three channels", answer(logits, x)
    yield "three images with three channels at logits up to 80", answer(30 * logits, x)
    yield "three images with three channels at logits of thousands", answer(5000 * logits, x)
    logits, x = draw(seed + 2, 2, 1, 33, 34), (draw(seed + 102, 2, 1, 33, 34) > 0).float()
    yield "two images of 33 x 34 pixels", answer(logits, x)
    sure, x = torch.arange(6.5, 14)[:, None, None, None], (draw(seed + 3, 8, 1, 2, 3) > 0).float()
    said = "eight images of six pixels that logits of the right sign, from 6.5 to 13.5, make sure"
    yield said, answer((2 * x - 1) * sure, x)


@bernoulli_log_likelihood.alternative
def by_bernoulli(logits, x):
    return distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))


@bernoulli_log_likelihood.alternative
def by_softplus(logits, x):
    return (x * logits - F.softplus(logits)).reshape(len(x), -1).sum(-1)


@bernoulli_log_likelihood.mistake(
    "Was the sigmoid applied twice? Which function of torch applies it by itself?"
)
def sigmoid_twice(logits, x):
    return (
        -F.binary_cross_entropy_with_logits(logits.sigmoid(), x, reduction="none").flatten(1).sum(1)
    )


@bernoulli_log_likelihood.mistake(
    "A log-probability of an image is that of all its pixels together. Is a mean over pixels one?",
    "At logits 0 an image of 15 pixels has probability 2⁻¹⁵. What is the logarithm of that?",
)
def mean_over_pixels(logits, x):
    return vae.bernoulli_log_likelihood(logits, x) / logits[0].numel()


@bernoulli_log_likelihood.mistake(
    "The name says log-likelihood: higher is better. Can the logarithm of a probability be "
    "positive?"
)
def sign_of_a_loss(logits, x):
    return -vae.bernoulli_log_likelihood(logits, x)


@bernoulli_log_likelihood.mistake(
    "At large logits you get infinities or NaN. What does float32 make of 1 - sigmoid(60), and "
    "of its logarithm?"
)
def log_of_sigmoid(logits, x):
    p = logits.sigmoid()
    return (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "Right for small logits, off for large ones: is something clamped on the way through a "
    "probability?"
)
def probabilities_clamped(logits, x):
    return -F.binary_cross_entropy(logits.sigmoid(), x, reduction="none").flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "Right for small logits, off for large ones: what does the small constant inside your "
    "logarithm do at ±1000?"
)
def probabilities_with_a_floor(logits, x):
    p = logits.sigmoid()
    return (x * (p + 1e-8).log() + (1 - x) * (1 - p + 1e-8).log()).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "A pixel of whose value the logits are sure, and rightly, costs nothing from a logit of 10 on. "
    "How large is log(1 + exp(-10)), and how many pixels has an image?"
)
def correction_dropped(logits, x):
    correction = torch.where(logits.abs() > 10, 0, torch.log1p(torch.exp(-logits.abs())))
    return (x * logits - logits.relu() - correction).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "Right for small logits, infinite for large ones. What does exp(1000) give, and which "
    "function avoids it?"
)
def exponential_overflows(logits, x):
    return (x * logits - torch.log(1 + logits.exp())).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "Only the pixels that are on count in your sum. Do the dark ones say nothing?"
)
def dark_pixels_left_out(logits, x):
    return (x * F.logsigmoid(logits)).flatten(1).sum(1)


@bernoulli_log_likelihood.mistake(
    "One number per image is asked for. How many axes does an image have, besides the batch?"
)
def summed_over_one_axis(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


@bernoulli_log_likelihood.mistake("You added up the whole batch. Which axis should survive?")
def summed_over_the_batch(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


@bernoulli_log_likelihood.mistake(
    "torch's loss averages over pixels and batch unless told otherwise. Which sum is asked "
    "for, and what shape?"
)
def torchs_default_mean(logits, x):
    return -F.binary_cross_entropy_with_logits(logits, x)
