"""Exercise on several attentions side by side, each on its own part of the channels."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.attention import (
    gradients_with_heads,
    in_slices_with_heads,
    with_heads,
)


def multi_head_reference(attend, q, k, v, heads):
    """Attention in each of `heads` parts of the channels: q, k, v (B, T, C) -> (B, T, C).

    `attend` maps (..., T, d) thrice to (..., T, d).

    Source: Vaswani et al. 2017, section 3.2.2 (arXiv 1706.03762), without the linear layers.
    """
    q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    return attend(q, k, v).transpose(1, 2).flatten(2)


@exercise(
    reference=multi_head_reference,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        "`attend` looks at the last two dimensions only: positions, channels. Where do the heads"
        " have to stand meanwhile?",
        "First split C into (heads, d), which is a view of the last dimension. Then exchange two "
        "dimensions.",
        "On the way back do the same in the opposite order.",
    ),
    on_success=(
        "Each head saw its own d channels of every position, and nothing but a rearrangement of "
        "numbers happened before and after."
    ),
)
def multi_head(answer, seed):
    q, k, v = (1.5 * draw(3 * seed + i, 2, 5, 12) for i in range(3))
    yield (
        "the output for 2 texts, 5 positions, 12 channels and 3 heads",
        answer.run(with_heads, q, k, v, 3),
    )
    yield "the output for one head", answer.run(with_heads, q, k, v, 1)
    yield "the output for as many heads as channels", answer.run(with_heads, q, k, v, 12)
    first = [x[:, :1] for x in (q, k, v)]
    yield "the output for a single position and 4 heads", answer.run(with_heads, *first, 4)
    other = "the output for 3 heads when `attend` is an attention without mask and scale"
    yield other, answer.run(with_heads, q, k, v, 3, masked=False)
    small = [x[:, :4, :8] for x in (q, k, v)]
    yield "the output for 4 positions, 8 channels and 4 heads", answer.run(with_heads, *small, 4)
    long = [draw(3 * seed + i, 1, 270, 6) for i in range(3)]
    yield "the output for 270 positions, 6 channels and 3 heads", answer.run(with_heads, *long, 3)
    one = [x[:1] for x in (q, k, v)]
    yield "the output for a single text and 2 heads", answer.run(with_heads, *one, 2)
    yield "the gradients for q, k and v with 3 heads", answer.run(gradients_with_heads, q, k, v, 3)
    sliced = answer.run(in_slices_with_heads, q, k, v, 3)
    yield "whether slices of longer tensors give the same, as those of `chunk` below", sliced


@multi_head.alternative
def head_by_head(attend, q, k, v, heads):
    d = q.shape[-1] // heads
    return torch.cat(
        [attend(*(part[..., h * d : (h + 1) * d] for part in (q, k, v))) for h in range(heads)], -1
    )


@multi_head.alternative
def heads_in_the_batch(attend, q, k, v, heads):
    B, T, C = q.shape
    q, k, v = (
        part.view(B, T, heads, -1).permute(0, 2, 1, 3).reshape(B * heads, T, -1)
        for part in (q, k, v)
    )
    return attend(q, k, v).view(B, heads, T, -1).permute(0, 2, 1, 3).reshape(B, T, C)


@multi_head.alternative
def in_chunks(attend, q, k, v, heads):
    q, k, v = (torch.stack(part.chunk(heads, dim=2)) for part in (q, k, v))
    return torch.cat(list(attend(q, k, v)), dim=2)


def split(heads, *parts):
    return (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)


@multi_head.mistake(
    "All channels go into one attention, `heads` changes nothing. What should head 0 know of the "
    "last channel?"
)
def heads_ignored(attend, q, k, v, heads):
    return attend(q, k, v)


@multi_head.mistake(
    "You cut the numbers into (B, heads, T, d) as they lie in memory: a head gets some positions "
    "with all channels. Which dimension is to be cut?"
)
def reshaped_without_exchange(attend, q, k, v, heads):
    B, T, C = q.shape
    q, k, v = (part.reshape(B, heads, T, C // heads) for part in (q, k, v))
    return attend(q, k, v).transpose(1, 2).reshape(B, T, C)


@multi_head.mistake(
    "The heads are merged as they lie in memory, (B, heads, T, d): positions get mixed. What must "
    "be exchanged before?"
)
def merged_without_exchange(attend, q, k, v, heads):
    return attend(*split(heads, q, k, v)).reshape(q.shape)


@multi_head.mistake(
    "Both ways your numbers are cut as they lie in memory. They come back in order, but what each "
    "head saw was some positions with all channels."
)
def reshaped_both_ways(attend, q, k, v, heads):
    B, T, C = q.shape
    return attend(*(part.reshape(B, heads, T, C // heads) for part in (q, k, v))).reshape(B, T, C)


@multi_head.mistake(
    "In your (B, T, heads, d) the last two dimensions are heads and channels: heads look at heads, "
    "positions see only themselves."
)
def attention_between_heads(attend, q, k, v, heads):
    return attend(*(part.unflatten(-1, (heads, -1)) for part in (q, k, v))).flatten(2)


@multi_head.mistake(
    "Every head gets each `heads`-th channel, so (d, heads) where (heads, d) is meant. Which "
    "channels should lie next to each other in a head?"
)
def channels_interleaved(attend, q, k, v, heads):
    q, k, v = (part.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2) for part in (q, k, v))
    return attend(q, k, v).permute(0, 2, 3, 1).flatten(2)


@multi_head.mistake(
    "Split rightly. Merged, the channels of the heads take turns: head 0 should fill the first d "
    "channels."
)
def merged_in_turns(attend, q, k, v, heads):
    return attend(*split(heads, q, k, v)).permute(0, 2, 3, 1).flatten(2)


@multi_head.mistake("Your heads are added up. How many channels should come out?")
def heads_added(attend, q, k, v, heads):
    return attend(*split(heads, q, k, v)).sum(1)


@multi_head.mistake("Your heads are averaged. How many channels should come out?")
def heads_averaged(attend, q, k, v, heads):
    return attend(*split(heads, q, k, v)).mean(1)


@multi_head.mistake(
    "`heads` is taken for the number of channels of a head. Which of the two is C / heads?"
)
def heads_taken_for_width(attend, q, k, v, heads):
    return multi_head_reference(attend, q, k, v, q.shape[-1] // heads)


@multi_head.mistake(
    "Right for one attention, and you use it whatever you are given. What is the argument `attend` "
    "for?"
)
def attend_ignored(attend, q, k, v, heads):
    return multi_head_reference(autoregressive.causal_attention, q, k, v, heads)


@multi_head.mistake(
    "All your heads are there, and not yet merged. Which shape does the docstring promise?"
)
def not_merged(attend, q, k, v, heads):
    return attend(*split(heads, q, k, v)).transpose(1, 2)


@multi_head.mistake(
    "The values are not cut: every head weighs all channels. How many channels does one head give?"
)
def values_not_split(attend, q, k, v, heads):
    q, k = split(heads, q, k)
    return attend(q, k, v[:, None]).mean(1)


@multi_head.mistake(
    "Right for tensors that lie in memory in one piece. Parts of others and transposed ones do "
    "not, and `view` may refuse to join their dimensions. Which single dimension has to be cut?"
)
def joined_by_view(attend, q, k, v, heads):
    B, T, C = q.shape
    rows = (part.view(B * T, heads, C // heads) for part in (q, k, v))
    q, k, v = (part.view(B, T, heads, C // heads).transpose(1, 2) for part in rows)
    return attend(q, k, v).transpose(1, 2).reshape(B, T, C)
