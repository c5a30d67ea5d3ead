"""Exercise on which tokens may be drawn at all: the k most likely."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.arguments import independent, unchanged
from gencourse.probes.autoregressive.masks import is_tensor


def uneven(seed, B, V):
    """Logits (B, V) whose rows differ in scale and position by far."""
    return draw(seed, B, V) * torch.logspace(-1, 1, B)[:, None] + 8 * torch.arange(B)[:, None]


@exercise(
    reference=autoregressive.top_k_filter,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "What is the smallest logit of a row that may stay? `torch.topk` knows, row by row.",
        (
            "Print the shape of your thresholds. If they are (B,), which dimension of (B, V) does "
            "torch compare them with?"
        ),
        "What becomes 0 after a softmax?",
    ),
    on_success=(
        "Whatever was cut has probability 0 after the softmax, and the others share its mass."
    ),
)
def top_k_filter(answer, seed):
    square, beyond, one = uneven(seed, 4, 4), uneven(seed + 5, 3, 5), draw(seed + 3, 5)
    tied = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0], [4.0, 4.0, 1.0, 1.0, 1.0]])
    yield "the logits 3, 1, 2, 0 with k = 2", answer(torch.tensor([[3.0, 1.0, 2.0, 0.0]]), 2)
    yield "logits (4, 4) with k = 2, rows of very different scale", answer(square, 2)
    yield "whether a tensor is returned", answer.run(is_tensor, square, 2)
    yield "whether the logits are after the call as before", answer.run(unchanged, square, 2)
    yield "logits (3, 6) with k = 1", answer(uneven(seed + 1, 3, 6), 1)
    yield "logits (2, 3, 5) with k = 3", answer(draw(seed + 2, 2, 3, 5), 3)
    yield "logits (2, 3, 1, 5) with k = 3", answer(draw(seed + 2, 2, 3, 1, 5), 3)
    yield "logits (5,) with k = 2", answer(one, 2)
    yield "logits (3, 5) with k = 5, which keeps all", answer(uneven(seed + 4, 3, 5), 5)
    yield "a row in which the second and the third largest are equal, k = 2", answer(tied[:1], 2)
    for k in (1, 2, 3):
        yield f"rows with ties, k = {k}", answer(tied - 3, k)
    closed = torch.tensor([[-math.inf, 1.0, -math.inf, -2.0]])
    for k in (1, 2, 3):
        yield f"a row in which two logits are -∞ already, k = {k}", answer(closed, k)
    low = torch.tensor([[0.0, -200.0, -300.0]])
    yield (
        "the logits 0, -200, -300 with k = 2: in float32 the last two have probability 0",
        answer(low, 2),
    )
    said = "whether the logits keep their numbers when the result is then filled with 7,"
    yield f"{said} k = 2 of 5", answer.run(independent, one, 2)
    yield "logits (3, 5) with k = 9, more than there are", answer(beyond, 9)
    yield f"{said} k = 9 of 5", answer.run(independent, beyond, 9)
    for k in (40, 60):
        yield f"logits (2, 65) with k = {k}", answer(uneven(seed + 6, 2, 65) - 500, k)
    yield "logits (1, 1100) with k = 1050", answer(uneven(seed + 7, 1, 1100), 1050)
    near = 100 + torch.tensor([[3.0, 1.0, 4.0, 0.0, 5.0, 9.0, 2.0, 6.0]]) / 2**17
    yield "logits that differ in their last digit alone, k = 3", answer(near, 3)
    nearer = 100 + (near - 100).double() / 2**12
    yield "logits in float64 that float32 cannot tell apart, k = 3", answer(nearer, 3)


@top_k_filter.alternative
def by_sorting(logits, k):
    V = logits.size(-1)
    ranked = torch.sort(logits, dim=-1).values
    return torch.where(
        logits >= ranked[..., max(V - k, 0)].unsqueeze(-1), logits, torch.tensor(-math.inf)
    )


@top_k_filter.alternative
def by_counting_larger_ones(logits, k):
    larger = (logits[..., None, :] > logits[..., :, None]).sum(-1)
    result = logits.clone()
    result[larger >= k] = float("-inf")
    return result


def kth(logits, k):
    """The k-th largest of each row, or the smallest: (..., 1)."""
    return logits.topk(min(k, logits.shape[-1]), -1).values[..., -1:]


@top_k_filter.mistake(
    (
        "Each row is compared with the thresholds of other rows, one per column. Which shape do "
        "your thresholds need beside (B, V)?"
    ),
    "The index −1 takes a dimension away. A slice would leave it there.",
)
def threshold_without_its_dimension(logits, k):
    threshold = logits.topk(min(k, logits.shape[-1]), -1).values[..., -1]
    return logits.masked_fill(logits < threshold, -math.inf)


@top_k_filter.mistake(
    "All rows are cut at the threshold of the first. Is a logit of 3 large in every row?"
)
def threshold_of_the_first_row(logits, k):
    return logits.masked_fill(logits < kth(logits, k).flatten()[0], -math.inf)


@top_k_filter.mistake(
    "k counts over the whole batch in your filter, so a row may lose everything. Along which "
    "dimension should it?"
)
def k_of_the_whole_batch(logits, k):
    threshold = logits.flatten().topk(min(k, logits.numel())).values[-1]
    return logits.masked_fill(logits < threshold, -math.inf)


@top_k_filter.mistake("Right until k is larger than V. How many can be asked for at most?")
def more_than_there_are(logits, k):
    return logits.masked_fill(logits < logits.topk(k, -1).values[..., -1:], -math.inf)


@top_k_filter.mistake(
    "The k-th largest itself is cut: you keep k − 1. Which comparison keeps what equals the "
    "threshold?"
)
def threshold_itself_cut(logits, k):
    return logits.masked_fill(logits <= kth(logits, k), -math.inf)


@top_k_filter.mistake(
    "Of equal logits at the threshold you keep some and cut some, and by what right? Here all of "
    "them stay."
)
def tied_tokens_cut(logits, k):
    places = logits.topk(min(k, logits.shape[-1]), -1).indices
    return torch.full_like(logits, -math.inf).scatter(-1, places, logits.gather(-1, places))


@top_k_filter.mistake(
    "The others are set to 0. What is exp(0), and what probability does such a token get?"
)
def zeros_for_minus_infinity(logits, k):
    return logits.masked_fill(logits < kth(logits, k), 0.0)


@top_k_filter.mistake(
    "A large negative number is not −∞. What if a user's logits lie there, too? The docstring "
    "says what is asked for."
)
def large_negative_number(logits, k):
    return logits.masked_fill(logits < kth(logits, k), -1e9)


@top_k_filter.mistake(
    "You return probabilities that were cut and no longer add up to 1. Logits are asked for."
)
def probabilities_cut(logits, k):
    return logits.softmax(-1).masked_fill(logits < kth(logits, k), 0.0)


@top_k_filter.mistake(
    "You return probabilities. Logits are asked for, those that stay with the values they had."
)
def probabilities_renormalised(logits, k):
    return logits.masked_fill(logits < kth(logits, k), -math.inf).softmax(-1)


@top_k_filter.mistake("The k least likely tokens stay. Which end of the order is wanted?")
def smallest_kept(logits, k):
    return -autoregressive.top_k_filter(-logits, k) - 2 * math.inf * (
        autoregressive.top_k_filter(-logits, k) == -math.inf
    )


@top_k_filter.mistake(
    "The k largest values are right, but which tokens are they? The result should have the shape "
    "of the logits."
)
def values_alone(logits, k):
    return logits.topk(min(k, logits.shape[-1]), -1).values


@top_k_filter.mistake(
    "Your rows are sorted, so position 0 is no longer token 0. Where should each logit stand?"
)
def sort_not_undone(logits, k):
    return autoregressive.top_k_filter(logits.sort(-1, descending=True).values, k)


@top_k_filter.mistake(
    "The result is right, but the logits that you were given have changed. Which operation works "
    "in place?"
)
def logits_changed(logits, k):
    threshold = kth(logits, k).clone()
    logits[logits < threshold] = -math.inf
    return logits


@top_k_filter.mistake(
    "Where nothing is cut the very tensor that you were given comes back: who writes into one "
    "writes into both. What does the docstring promise?"
)
def logits_themselves(logits, k):
    return logits if k >= logits.shape[-1] else autoregressive.top_k_filter(logits, k)


@top_k_filter.mistake(
    "Your thresholds are probabilities, and unlikely ones all round to the same 0. Do you need a "
    "softmax to find the largest?"
)
def threshold_of_probabilities(logits, k):
    probs = logits.softmax(-1)
    return logits.masked_fill(probs < kth(probs, k), -math.inf)
