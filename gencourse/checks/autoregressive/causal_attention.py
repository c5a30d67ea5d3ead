"""Exercise on causal attention: scores, scale, mask, softmax and sum."""

import math

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.arguments import unchanged
from gencourse.probes.autoregressive.attention import (
    exchanged,
    in_half_precision,
    same_before,
    unaltered,
)
from gencourse.probes.general import gradients


def draws(seed, *shape):
    """q, k and v."""
    return [draw(4 * seed + i, *shape) for i in range(3)]


@exercise(
    reference=autoregressive.causal_attention,
    difficulty=2,
    minutes=15,
    points=3,
    float64=True,
    hints=(
        "Four lines: scores, scale, mask, softmax and sum. What is the shape after each of them?",
        "A hidden position should get weight 0 after the softmax. Which score does that, in every "
        "precision?",
        "The weights of one query sum to 1. Over which dimension?",
    ),
    on_success=(
        "It agrees with torch's own function, in half precision too, and what comes later changes "
        "not one bit of what came before."
    ),
)
def causal_attention(answer, seed):
    (q, k, v), other = draws(seed, 2, 3, 5, 4), draw(4 * seed + 3, 2, 3, 5, 4)
    yield "the output for 2 texts, 3 heads, 5 positions and d = 4", answer(q, k, v)
    wide, long = (1, 2, 4, 9), (3, 1, 40, 2)
    yield "the output for 1 text, 2 heads, 4 positions and d = 9", answer(*draws(seed, *wide))
    yield "the output for 3 texts, 1 head, 40 positions and d = 2", answer(*draws(seed, *long))
    longest = 270 if seed % 3 == 2 else 75  # a loop over all pairs should not pay for it each time
    said = f"the output for 1 text, 1 head, {longest} positions and d = 2"
    yield said, answer(*draws(seed + 1, 1, 1, longest, 2))
    yield "the output for a single position, T = 1", answer(*(x[:, :, :1] for x in (q, k, v)))
    yield "the output for two positions, T = 2", answer(*(x[:, :, :2] for x in (q, k, v)))
    said = "the output for q, k and v that lie in memory as (B, T, heads, d), as in `multi_head`"
    yield said, answer.run(exchanged, q, k, v)
    later = [other + i for i in range(3)]
    for t in (1, 4):
        said = (
            f"whether the outputs before position {t} stay the same when all from there on changes"
        )
        yield said, answer.run(same_before, t, q, k, v, *later)
    loud = k.clone()
    loud[:, :, -1] = 300.0
    yield "the output when the last key has a huge score", answer(q.abs(), loud, v)
    low = torch.full((1, 1, 3, 4), 1e15)
    said = "the output when every score is -2e30, so that a position averages what it may see"
    yield said, answer(low, -low, v[:1, :1, :3])
    ranks = k[..., :1].argsort(2) - 2.0  # -2 to 2 in some order, so that no two scores are near
    loud_q, loud_k = 120 * q[..., :1].sign().expand_as(q), 40 * ranks.expand_as(k)
    said = "the output when scores lie thousands apart, in both directions"
    yield said, answer.run(unaltered, loud_q, loud_k, 10 * v)
    yield "whether q is after the call as before", answer.run(unchanged, q, k, v)
    yield "the gradients of the output, summed, for q, k and v", answer.run(gradients, q, k, v)
    yield "its gradients when the last key is huge", answer.run(gradients, q.abs(), loud, v)
    none = torch.zeros(1, 1, 64, 2)
    for said, *given in (("", q, k, v), (" for 64 values of 3000", none, none, none + 3000)):
        yield f"the output in half precision{said}", answer.run(in_half_precision, *given)
    q, k, v = torch.tensor([[100.0, 100], [-300, 300], [1, 2]]).half().view(3, 1, 1, 2, 1)
    yield "the output in half precision for scores of -30,000 and 30,000", answer(q, k, v)


@causal_attention.alternative
def by_torch(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@causal_attention.alternative
def place_by_place(q, k, v):
    outputs = []
    for t in range(q.shape[-2]):
        scores = (q[..., t, None, :] * k[..., : t + 1, :]).sum(-1) / q.shape[-1] ** 0.5
        outputs.append((scores.softmax(-1)[..., None] * v[..., : t + 1, :]).sum(-2))
    return torch.stack(outputs, -2)


@causal_attention.alternative
def by_einsum(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q / q.shape[-1] ** 0.5, k)
    hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.where(~hidden, torch.finfo(scores.dtype).min), -1)
    return torch.einsum("bhts,bhsd->bhtd", weights, v)


def attend(q, k, v, visible=None, scale=None, dim=-1, fill=-torch.inf):
    """Attention with knobs for what learners get wrong; `visible` None hides nothing."""
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if visible is not None:
        scores = scores.masked_fill(~visible, fill)
    return scores.softmax(dim) @ v


def seen(q):
    return autoregressive.causal_mask(q.shape[-2])


@causal_attention.mistake(
    "The weights of a position no longer sum to 1. When do you hide what comes later: before the "
    "softmax or after it?"
)
def masked_after_the_softmax(q, k, v):
    weights = attend(q, k, torch.eye(k.shape[-2], dtype=k.dtype))
    return weights.masked_fill(~seen(q), 0.0) @ v


@causal_attention.mistake(
    "Right on paper. But your softmax runs over hidden scores too: a huge one takes all the "
    "weight, and nothing is left to renormalise."
)
def renormalised_after_the_mask(q, k, v):
    weights = attend(q, k, torch.eye(k.shape[-2], dtype=k.dtype)).masked_fill(~seen(q), 0.0)
    return weights / weights.sum(-1, keepdim=True) @ v


@causal_attention.mistake(
    "Nothing is hidden: your positions see what comes after them. Training would look splendid, "
    "sampling would not."
)
def no_mask(q, k, v):
    return attend(q, k, v)


@causal_attention.mistake(
    "NaN at position 0: all of its scores are hidden. May a position look at itself?"
)
def not_at_itself(q, k, v):
    return attend(q, k, v, seen(q).tril(-1))


@causal_attention.mistake(
    "Your positions see themselves and the future, not the past. Which triangle is hidden?"
)
def looks_ahead(q, k, v):
    return attend(q, k, v, seen(q).T)


@causal_attention.mistake(
    "The mask is turned round: what should be visible is hidden. What does True mean in "
    "`masked_fill`?"
)
def hides_the_visible(q, k, v):
    return attend(q, k, v, ~seen(q))


@causal_attention.mistake(
    "Hidden scores are set to 0, and exp(0) = 1 is no small weight. Which score has the weight 0?"
)
def zero_for_hidden(q, k, v):
    return attend(q, k, v, seen(q), fill=0.0)


@causal_attention.mistake(
    "The scores are not scaled. How large is a sum of d products of standard normal numbers, "
    "typically?"
)
def unscaled(q, k, v):
    return attend(q, k, v, seen(q), scale=1.0)


@causal_attention.mistake(
    "You divide by d. The standard deviation of q · k is not d: variances add up, standard "
    "deviations do not."
)
def scaled_by_d(q, k, v):
    return attend(q, k, v, seen(q), scale=1 / q.shape[-1])


@causal_attention.mistake(
    "You multiply the scores where you should divide: they grow with d instead of staying in range."
)
def scaled_up(q, k, v):
    return attend(q, k, v, seen(q), scale=math.sqrt(q.shape[-1]))


@causal_attention.mistake(
    "The root of the number of positions. Over how many terms does the sum in one score run?"
)
def scaled_by_places(q, k, v):
    return attend(q, k, v, seen(q), scale=1 / math.sqrt(q.shape[-2]))


@causal_attention.mistake(
    "The root of heads times d. One head knows nothing of the others: how many terms has one of "
    "its scores?"
)
def scaled_by_the_full_width(q, k, v):
    return attend(q, k, v, seen(q), scale=1 / math.sqrt(q.shape[-1] * q.shape[1]))


@causal_attention.mistake(
    "Your softmax runs over the queries. The weights that one query gives to all keys should sum "
    "to 1."
)
def softmax_over_queries(q, k, v):
    return attend(q, k, v, seen(q), dim=-2)


@causal_attention.mistake(
    "Your softmax runs over the heads. The weights that one query gives to all keys should sum to "
    "1."
)
def softmax_over_heads(q, k, v):
    return attend(q, k, v, seen(q), dim=1)


@causal_attention.mistake(
    "Keys ask and queries answer in your scores. Row t should belong to query t: which of the two "
    "is transposed?"
)
def keys_as_queries(q, k, v):
    return attend(k, q, v, seen(q))


@causal_attention.mistake("These are the weights. What do they weigh?")
def weights_returned(q, k, v):
    return attend(q, k, torch.eye(k.shape[-2], dtype=k.dtype), seen(q))


@causal_attention.mistake(
    "Your hidden score is a large negative number, but visible ones may be lower still. Which "
    "score is below all others?"
)
def large_negative_number(q, k, v):
    return attend(q, k, v, seen(q), fill=-1e9)


@causal_attention.mistake(
    "Visible scores can be lower than the number that hides, and then the hidden positions get all "
    "the weight. Is there no lower score?"
)
def minus_ten_thousand(q, k, v):
    return attend(q, k, v, seen(q), fill=-1e4)


@causal_attention.mistake(
    "You subtract a large number from hidden scores: where scores are larger still, that hides "
    "nothing. What is below all?"
)
def large_number_subtracted(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (scores - 1e9 * torch.ones(scores.shape[-2:]).triu(1)).softmax(-1) @ v


@causal_attention.mistake(
    "Right while scores are small. What does exp(300) give in float32, and which function of torch "
    "knows how to avoid it?"
)
def exponentials_by_hand(q, k, v):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).exp().tril()
    return weights / weights.sum(-1, keepdim=True) @ v


@causal_attention.mistake(
    "Right until scores are huge. There log Σ exp is rounded to the largest score, and what you "
    "subtract leaves every weight at 1. By what should the exponentials be divided, so that they "
    "sum to 1 in any case?"
)
def log_of_the_sum_subtracted(q, k, v):
    whole = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(whole) @ k.to(whole).transpose(-2, -1) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(~seen(q), -torch.inf)
    weights = (scores - scores.logsumexp(-1, keepdim=True)).exp()
    return (weights @ v.to(whole)).to(q.dtype)


@causal_attention.mistake(
    "Right in single precision. In half precision numbers end at 65,504, and your sum of values "
    "passes that before it is divided. Which comes first: dividing the weights, or summing?"
)
def divided_after_the_sum(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(~seen(q), -torch.inf)
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return weights @ v / weights.sum(-1, keepdim=True)


@causal_attention.mistake(
    "The numbers are right, but no gradient passes: nothing below this attention would learn. What "
    "cuts the graph?"
)
def detached(q, k, v):
    return attend(q, k, v, seen(q)).detach()


@causal_attention.mistake(
    "Half precision goes in, single precision comes out. The next layer expects the kind of number "
    "that it was promised."
)
def float32_returned(q, k, v):
    return attend(q.float(), k.float(), v.float(), seen(q))


@causal_attention.mistake(
    "Right in single precision, an error in half precision. Which number or mask in your code is "
    "made for float32 alone?"
)
def made_for_float32(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (scores + torch.full(scores.shape[-2:], -torch.inf).triu(1)).softmax(-1) @ v


@causal_attention.mistake(
    "The output is right, but q is not what it was: an operation with `/=` or `_` changed your "
    "caller's tensor."
)
def scaled_in_place(q, k, v):
    q /= math.sqrt(q.shape[-1])
    return attend(q, k, v, seen(q), scale=1.0)
