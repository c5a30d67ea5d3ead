"""The bug hunt: piece 3, attention to what came before, with a cache or without."""

import math

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.general import gradients


def repair_3_reference(q, k, v):
    """Causal attention: q (B, heads, T, d), the last T of the S positions of k and v."""
    T, S = q.shape[-2], k.shape[-2]
    visible = torch.ones(T, S, dtype=torch.bool).tril(S - T)
    scores = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).masked_fill(~visible, -math.inf)
    return scores.softmax(-1) @ v


@exercise(
    reference=repair_3_reference,
    difficulty=2,
    minutes=8,
    points=2,
    hints=(
        "What is the sum of a row's weights if some of them are set to 0 after the softmax?",
        "And what does the softmax's denominator know of a key that is hidden afterwards?",
        "The first of the T queries stands at position S - T: tril has a second argument.",
    ),
    on_success="What is hidden is hidden from the denominator, too.",
)
def repair_3(answer, seed):
    q, k, v = (draw(4 * seed + i, 2, 3, 7, 4) for i in range(3))
    yield "the output for 7 queries and 7 keys", answer(q, k, v)
    yield "the output for the last query and 7 keys", answer(q[:, :, -1:], k, v)
    yield "the output for the last 3 queries and 7 keys", answer(q[:, :, -3:], k, v)
    yield "the output for one query and one key", answer(q[:, :, :1], k[:, :, :1], v[:, :, :1])
    ones = torch.ones_like(v)
    yield "the sums of the weights: values of 1", answer(q, k, ones)
    loud = k.clone()
    loud[:, :, -1] = 300.0
    yield "the output when the last key has a huge score", answer(q.abs(), loud, v)
    yield "the gradients of the output, summed, for q, k and v", answer.run(gradients, q, k, v)


@repair_3.alternative
def by_torch(q, k, v):
    T, S = q.shape[-2], k.shape[-2]
    bias = torch.full((T, S), -torch.inf, dtype=q.dtype).triu(S - T + 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


@repair_3.alternative
def by_positions(q, k, v):
    keys = torch.arange(k.shape[-2])
    queries = keys[len(keys) - q.shape[-2] :]
    scores = torch.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5
    scores = torch.where(keys[None] > queries[:, None], -1e30, scores)
    shares = (scores - scores.amax(-1, keepdim=True)).exp()
    return shares @ v / shares.sum(-1, keepdim=True)


def weights(q, k, visible=None, scale=None, dim=-1):
    """Weights with knobs: what is visible, the scale, and over what the softmax runs."""
    scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    return scores.softmax(dim)


def seen(q, k, diagonal=None):
    T, S = q.shape[-2], k.shape[-2]
    table = torch.ones(T, S, dtype=torch.bool)
    return table.tril(S - T if diagonal is None else diagonal)


@repair_3.mistake(
    "This is still the planted piece: weights are cut after the softmax, and rows no longer sum to "
    "1."
)
def planted_attend(q, k, v):
    return weights(q, k) * seen(q, k) @ v


@repair_3.mistake(
    "The weights sum to 1 again, and the softmax has seen the hidden scores: where one of them is "
    "huge, nothing is left to renormalise. When should they be hidden?"
)
def renormalised(q, k, v):
    cut = weights(q, k) * seen(q, k)
    return cut / cut.sum(-1, keepdim=True) @ v


@repair_3.mistake("Nothing is hidden now. What may a position know?")
def no_mask(q, k, v):
    return weights(q, k) @ v


@repair_3.mistake(
    "Right for a whole text. With fewer queries than keys your mask begins at the first position: "
    "where do the queries stand?"
)
def mask_from_the_first(q, k, v):
    return weights(q, k, seen(q, k, 0)) @ v


@repair_3.mistake("Queries may look one position ahead. What is on the diagonal of the mask?")
def one_ahead(q, k, v):
    return weights(q, k, seen(q, k, k.shape[-2] - q.shape[-2] + 1)) @ v


@repair_3.mistake(
    "A position does not see itself, and the first one sees nothing. May it look at itself?"
)
def not_itself(q, k, v):
    return weights(q, k, seen(q, k, k.shape[-2] - q.shape[-2] - 1)) @ v


@repair_3.mistake("The scores are not divided. By what should they be?")
def unscaled(q, k, v):
    return weights(q, k, seen(q, k), scale=1.0) @ v


@repair_3.mistake("The scores are divided by d. What does the formula say?")
def divided_by_d(q, k, v):
    return weights(q, k, seen(q, k), scale=1 / q.shape[-1]) @ v


@repair_3.mistake("Hidden scores are 0, and exp 0 is 1. Which score gives a weight of 0?")
def zero_scores(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~seen(q, k), 0.0).softmax(-1) @ v


@repair_3.mistake("The softmax runs over the queries. Whose weights should sum to 1?")
def softmax_over_queries(q, k, v):
    return weights(q, k, seen(q, k), dim=-2).nan_to_num() @ v


@repair_3.mistake("Your positions look ahead and not back. Which triangle stays?")
def looks_ahead(q, k, v):
    T, S = q.shape[-2], k.shape[-2]
    return weights(q, k, torch.ones(T, S, dtype=torch.bool).triu(S - T)) @ v


@repair_3.mistake("The numbers are right. Where was the graph cut, so that nothing is learned?")
def detached(q, k, v):
    return autoregressive.causal_attention(q, k, v).detach()
