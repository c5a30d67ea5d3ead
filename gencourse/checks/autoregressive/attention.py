"""Exercise on causal attention: scores, scale, mask, softmax and sum."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw, gradients
from gencourse.models import autoregressive


def attend(q, k, v, visible=None, scale=None, dim=-1, fill=-torch.inf):
    """Attention with knobs for what learners get wrong; `visible` None hides nothing."""
    scores = q @ k.transpose(-2, -1) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if visible is not None:
        scores = scores.masked_fill(~visible, fill)
    return scores.softmax(dim) @ v


def seen(q):
    return autoregressive.causal_mask(q.shape[-2])


@exercise(
    reference=autoregressive.causal_attention,
    difficulty=2,
    minutes=15,
    points=3,
    hints=(
        "Four lines: scores, scale, mask, softmax and sum. What is the shape after each of them?",
        "A hidden place should get weight 0 after the softmax. Which score does that, in every precision?",
        "The weights of one query sum to 1. Over which dimension?",
    ),
    insight="It agrees with torch's own function, in half precision too, and what comes later changes not one bit of what came before.",
)
def causal_attention(ask, seed):
    call = "causal_attention(q, k, v)"
    q, k, v, other = (draw(4 * seed + i, 2, 3, 5, 4) for i in range(4))
    yield "the output for 2 texts, 3 heads, 5 places and d = 4", ask(call, q=q, k=k, v=v)
    wide = (draw(4 * seed + i, 1, 2, 4, 9) for i in range(3))
    yield "the output for 1 text, 2 heads, 4 places and d = 9", ask(call, **dict(zip("qkv", wide, strict=True)))
    yield "the output for a single place, T = 1", ask(call, q=q[:, :, :1], k=k[:, :, :1], v=v[:, :, :1])
    for t in (1, 4):
        changed = [torch.cat([a[:, :, :t], other[:, :, t:] + i], 2) for i, a in enumerate((q, k, v))]
        names = dict(q=q, k=k, v=v, q2=changed[0], k2=changed[1], v2=changed[2])
        same = f"before = {call}\nq, k, v = q2, k2, v2\nafter = {call}\ntorch.equal(before[:, :, :{t}], after[:, :, :{t}])"
        yield f"whether the outputs before place {t} stay the same when everything from place {t} on changes", ask(same, **names)
    loud = k.clone()
    loud[:, :, -1] = 300.0
    yield "the output when the last key has a huge score", ask(call, q=q.abs(), k=loud, v=v)
    low = torch.full((1, 1, 3, 4), 1e15)
    yield "the output when every score is -2e30, so that a place averages what it may see", ask(call, q=low, k=-low, v=v[:1, :1, :3])
    loud_q, loud_k = (15 * q).round(), (15 * k).round()  # whole numbers, so that no score is rounded
    yield "the output when scores lie some hundreds apart, in both directions", ask(call, q=loud_q, k=loud_k, v=v)
    kept = f"before = [t.clone() for t in (q, k, v)]\n{call}\n[torch.equal(a, b) for a, b in zip(before, (q, k, v))]"
    yield "whether q, k and v are as they were", ask(kept, q=q, k=k, v=v)
    yield "the gradients of the output, summed, for q, k and v", ask(gradients(call, "q", "k", "v"), q=q, k=k, v=v)
    half = ask(call, q=q.half(), k=k.half(), v=v.half())
    close = isinstance(half, Tensor) and half.shape == v.shape and half.dtype == torch.half
    close = close and bool((half.float() - autoregressive.causal_attention(q, k, v)).abs().max() < 0.02)
    yield "whether half precision gives half precision, right to two digits", close


@causal_attention.mistake("The weights of a place no longer sum to 1. When do you hide what comes later: before the softmax or after it?")
def masked_after_the_softmax(q, k, v):
    weights = attend(q, k, torch.eye(k.shape[-2], dtype=k.dtype))
    return weights.masked_fill(~seen(q), 0.0) @ v


@causal_attention.mistake(
    "Right on paper. But your softmax runs over hidden scores too: a huge one takes all the weight, and nothing is left to renormalise."
)
def renormalised_after_the_mask(q, k, v):
    weights = attend(q, k, torch.eye(k.shape[-2], dtype=k.dtype)).masked_fill(~seen(q), 0.0)
    return weights / weights.sum(-1, keepdim=True) @ v


@causal_attention.mistake("Nothing is hidden: your places see what comes after them. Training would look splendid, sampling would not.")
def no_mask(q, k, v):
    return attend(q, k, v)


@causal_attention.mistake("NaN at place 0: all of its scores are hidden. May a place look at itself?")
def not_at_itself(q, k, v):
    return attend(q, k, v, seen(q).tril(-1))


@causal_attention.mistake("Your places see themselves and the future, not the past. Which triangle is hidden?")
def looks_ahead(q, k, v):
    return attend(q, k, v, seen(q).T)


@causal_attention.mistake("The mask is turned round: what should be visible is hidden. What does True mean in `masked_fill`?")
def hides_the_visible(q, k, v):
    return attend(q, k, v, ~seen(q))


@causal_attention.mistake("Hidden scores are set to 0, and exp(0) = 1 is no small weight. Which score has the weight 0?")
def zero_for_hidden(q, k, v):
    return attend(q, k, v, seen(q), fill=0.0)


@causal_attention.mistake("The scores are not scaled. How large is a sum of d products of standard normal numbers, typically?")
def unscaled(q, k, v):
    return attend(q, k, v, seen(q), scale=1.0)


@causal_attention.mistake("You divide by d. The standard deviation of q · k is not d: variances add up, standard deviations do not.")
def scaled_by_d(q, k, v):
    return attend(q, k, v, seen(q), scale=1 / q.shape[-1])


@causal_attention.mistake("You multiply the scores where you should divide: they grow with d instead of staying in range.")
def scaled_up(q, k, v):
    return attend(q, k, v, seen(q), scale=math.sqrt(q.shape[-1]))


@causal_attention.mistake("The root of the number of places. Over how many terms does the sum in one score run?")
def scaled_by_places(q, k, v):
    return attend(q, k, v, seen(q), scale=1 / math.sqrt(q.shape[-2]))


@causal_attention.mistake("The root of heads times d. One head knows nothing of the others: how many terms has one of its scores?")
def scaled_by_the_full_width(q, k, v):
    return attend(q, k, v, seen(q), scale=1 / math.sqrt(q.shape[-1] * q.shape[1]))


@causal_attention.mistake("Your softmax runs over the queries. The weights that one query gives to all keys should sum to 1.")
def softmax_over_queries(q, k, v):
    return attend(q, k, v, seen(q), dim=-2)


@causal_attention.mistake("Your softmax runs over the heads. The weights that one query gives to all keys should sum to 1.")
def softmax_over_heads(q, k, v):
    return attend(q, k, v, seen(q), dim=1)


@causal_attention.mistake("Keys ask and queries answer in your scores. Row t should belong to query t: which of the two is transposed?")
def keys_as_queries(q, k, v):
    return attend(k, q, v, seen(q))


@causal_attention.mistake("These are the weights. What do they weigh?")
def weights_returned(q, k, v):
    return attend(q, k, torch.eye(k.shape[-2], dtype=k.dtype), seen(q))


@causal_attention.mistake(
    "Your hidden score is a large negative number, but visible ones may be lower still. Which score is below all others?"
)
def large_negative_number(q, k, v):
    return attend(q, k, v, seen(q), fill=-1e9)


@causal_attention.mistake(
    "Visible scores can be lower than -10000, and then the hidden places get all the weight. Is there no lower score?"
)
def minus_ten_thousand(q, k, v):
    return attend(q, k, v, seen(q), fill=-1e4)


@causal_attention.mistake(
    "You subtract a large number from hidden scores: where scores are larger still, that hides nothing. What is below all?"
)
def large_number_subtracted(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (scores - 1e9 * torch.ones(scores.shape[-2:]).triu(1)).softmax(-1) @ v


@causal_attention.mistake(
    "Right while scores are small. What does exp(300) give in float32, and which function of torch knows how to avoid it?"
)
def exponentials_by_hand(q, k, v):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).exp().tril()
    return weights / weights.sum(-1, keepdim=True) @ v


@causal_attention.mistake("The numbers are right, but no gradient passes: nothing below this attention would learn. What cuts the graph?")
def detached(q, k, v):
    return attend(q, k, v, seen(q)).detach()


@causal_attention.mistake(
    "Half precision goes in, single precision comes out. The next layer expects the kind of number that it was promised."
)
def float32_returned(q, k, v):
    return attend(q.float(), k.float(), v.float(), seen(q))


@causal_attention.mistake(
    "Right in single precision, an error in half precision. Which number or mask in your code is made for float32 alone?"
)
def made_for_float32(q, k, v):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return (scores + torch.full(scores.shape[-2:], -torch.inf).triu(1)).softmax(-1) @ v


@causal_attention.mistake("The output is right, but q is not what it was: an operation with `/=` or `_` changed your caller's tensor.")
def scaled_in_place(q, k, v):
    q /= math.sqrt(q.shape[-1])
    return attend(q, k, v, seen(q), scale=1.0)


@causal_attention.also_right
def by_torch(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@causal_attention.also_right
def place_by_place(q, k, v):
    outputs = []
    for t in range(q.shape[-2]):
        scores = (q[..., t, None, :] * k[..., : t + 1, :]).sum(-1) / q.shape[-1] ** 0.5
        outputs.append((scores.softmax(-1)[..., None] * v[..., : t + 1, :]).sum(-2))
    return torch.stack(outputs, -2)


@causal_attention.also_right
def by_einsum(q, k, v):
    scores = torch.einsum("bhtd,bhsd->bhts", q / q.shape[-1] ** 0.5, k)
    hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
    weights = torch.softmax(scores.where(~hidden, torch.finfo(scores.dtype).min), -1)
    return torch.einsum("bhts,bhsd->bhtd", weights, v)
