"""Exercise on attention one position at a time, with the earlier keys and values kept."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.autoregressive import caches


def cached_attention_step_reference(x, positions, weights, cache_k, cache_v):
    """Attention of a new position to itself and to all before: x (B, C), caches (B, t, C).

    h = x + positions[t]; q, k, v = h Wq, h Wk, h Wv; over positions 0 ... t the output (B, C) is
    Σ_s softmax_s(q · k_s / √C) v_s. The caches that come back are (B, t + 1, C).
    """
    Wq, Wk, Wv = weights
    h = x + positions[cache_k.shape[1]]
    cache_k = torch.cat([cache_k, (h @ Wk)[:, None]], 1)
    cache_v = torch.cat([cache_v, (h @ Wv)[:, None]], 1)
    scores = (h @ Wq)[:, None] @ cache_k.transpose(1, 2) / math.sqrt(x.shape[-1])  # (B, 1, t + 1)
    return (scores.softmax(-1) @ cache_v)[:, 0], cache_k, cache_v


@exercise(
    reference=cached_attention_step_reference,
    difficulty=3,
    minutes=15,
    points=3,
    hints=(
        "One query, t + 1 keys: what shape do the scores have, and is there anything later to "
        "hide?",
        "How does the function know at which position it is? Something that it is given has as "
        "many entries as there are earlier positions.",
        "First the new key and value join the cache, then the query looks at all of it. Along "
        "which dimension do positions lie?",
    ),
    exempt={
        "one column": "it cuts the channels of x, and the positions of the caches",
        "float64": "the text speaks of no other precision, so a buffer may be float32",
        "larger numbers": "they come in float64, of which the text does not speak",
    },
    on_success=(
        "The same numbers as attention over the whole text at every step, for one row of scores in "
        "place of t + 1. Nothing was remembered but the caches."
    ),
)
def cached_attention_step(answer, seed):
    B, T, C = 2, 4, 4
    layer = draw(5 * seed, T + 3, C), draw(5 * seed + 1, 3, C, C)  # positions and weights
    x, y = draw(5 * seed + 2, B, T, C), draw(5 * seed + 3, B, T, C)
    kept = draw(5 * seed + 4, B, 3, C), draw(5 * seed + 5, B, 3, C)
    none = caches.empty(x)

    def one_step(x, *inputs):
        return answer.run(caches.one_step, x, *inputs)

    yield "the first position, when the caches are empty", one_step(x[:, 0], *layer, *none)
    yield "one step when three positions are cached", one_step(x[:, 3], *layer, *kept)
    wide = draw(seed, 4, 9), draw(seed + 1, 3, 9, 9)
    others = draw(seed + 3, 3, 2, 9), draw(seed + 4, 3, 2, 9)
    said = "one step for 3 texts of 9 channels with two positions cached"
    yield said, one_step(draw(seed + 2, 3, 9), *wide, *others)
    thin = [part[..., :1] for part in (x[:, 3], layer[0], layer[1][:, :1], *kept)]
    yield "one step for 2 texts of one channel", one_step(*thin)
    one = [cache[:1] for cache in kept]
    yield "one step for a single text, B = 1", one_step(x[:1, 3], *layer, *one)
    many = draw(seed + 5, 1, 70, C), draw(seed + 6, 1, 70, C)
    for block in (80, 71):
        said = f"one step of a single text when 70 positions of at most {block} are cached"
        yield said, one_step(x[:1, 2], draw(seed + 7, block, C), layer[1], *many)
    yield "one step when cached keys are 0", one_step(x[:, 3], *layer, 0 * kept[0], kept[1])
    yield "one step, scores far apart", one_step(x[:, 3], *layer, 300 * kept[0].round(), kept[1])
    yield "four steps in a row, beginning with empty caches", answer.run(caches.one_text, x, *layer)
    said = "the outputs when two texts take turns, each with its own caches"
    yield said, answer.run(caches.in_turns, x[:, :3], y[:, :3], *layer)
    said = "the outputs when both rows continue the caches of row 1"
    yield said, answer.run(caches.both_from_the_last_row, x[:, :3], y[:, :3], *layer)
    said = "two texts that continue the same caches in turns"
    yield said, answer.run(caches.continued_twice, x[:, :2], y[:, 2:], x[:, 2:], *layer)


@cached_attention_step.alternative
def by_einsum(x, positions, weights, cache_k, cache_v):
    t = cache_v.size(1)
    q, k, v = torch.einsum("bc,ncd->nbd", x + positions[t], weights)
    keys = torch.cat((cache_k, k.unsqueeze(1)), dim=1)
    values = torch.cat((cache_v, v.unsqueeze(1)), dim=1)
    weight = torch.softmax(torch.einsum("bc,bsc->bs", q, keys) * q.shape[-1] ** -0.5, dim=1)
    return torch.einsum("bs,bsc->bc", weight, values), keys, values


@cached_attention_step.alternative
def into_longer_caches(x, positions, weights, cache_k, cache_v):
    (B, t, C), h = cache_k.shape, x[:, None] + positions[cache_k.shape[1]]
    longer = [torch.zeros(B, t + 1, C) for _ in range(2)]
    for new, old, W in zip(longer, (cache_k, cache_v), weights[1:], strict=True):
        new[:, :t], new[:, t:] = old, h @ W
    attended = torch.nn.functional.scaled_dot_product_attention(h @ weights[0], *longer)
    return attended.squeeze(1), *longer


def step(
    x,
    positions,
    weights,
    cache_k,
    cache_v,
    place=None,
    visible=None,
    scale=None,
    key_place=True,
    value_place=True,
):
    """The reference with knobs for what learners get wrong."""
    Wq, Wk, Wv = weights
    h = x + positions[cache_k.shape[1] if place is None else place]
    cache_k = torch.cat([cache_k, ((h if key_place else x) @ Wk)[:, None]], 1)
    cache_v = torch.cat([cache_v, ((h if value_place else x) @ Wv)[:, None]], 1)
    scores = (
        (h @ Wq)[:, None]
        @ cache_k.transpose(1, 2)
        * (1 / math.sqrt(x.shape[-1]) if scale is None else scale)
    )
    if visible is not None:
        scores = scores.masked_fill(~visible(cache_k.shape[1]), -torch.inf)
    return (scores.softmax(-1) @ cache_v)[:, 0], cache_k, cache_v


@cached_attention_step.mistake(
    "Right at the first position. After it, which row of `positions` is added, and how many "
    "positions came before?"
)
def position_always_zero(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, place=0)


@cached_attention_step.mistake(
    "You count one position too many. Which position does the very first token have?"
)
def position_one_too_far(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, place=cache_k.shape[1] + 1)


@cached_attention_step.mistake(
    "You count one position too few: the first two positions get the same position, if not the "
    "last one of the table."
)
def position_one_too_few(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, place=max(0, cache_k.shape[1] - 1))


@cached_attention_step.mistake(
    "No row of `positions` is added. Without it, does attention know in which order the cached "
    "tokens came?"
)
def positions_forgotten(x, positions, weights, cache_k, cache_v):
    return step(x, torch.zeros_like(positions), weights, cache_k, cache_v)


@cached_attention_step.mistake(
    "The query knows where it is, the key and the value do not. To what do the matrices apply?"
)
def position_for_the_query_alone(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, key_place=False, value_place=False)


@cached_attention_step.mistake(
    "The value is made from x without its position. To what do the matrices apply?"
)
def value_without_position(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, value_place=False)


@cached_attention_step.mistake(
    "Your new position sees the first key alone: the mask is the first row of the triangle, not "
    "the last. Does a newest position need one at all?"
)
def first_row_of_the_mask(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, visible=lambda S: torch.arange(S) == 0)


@cached_attention_step.mistake(
    "The new position does not see itself. Of the t + 1 keys, which may it look at?"
)
def not_at_itself(x, positions, weights, cache_k, cache_v):
    return step(
        x, positions, weights, cache_k, cache_v, visible=lambda S: torch.arange(S) < max(1, S - 1)
    )


@cached_attention_step.mistake(
    "The new key and value are cached after the query has looked: the position does not see "
    "itself. In which order?"
)
def looked_before_appending(x, positions, weights, cache_k, cache_v):
    Wq, Wk, Wv = weights
    h = x + positions[cache_k.shape[1]]
    output = ((h @ Wq)[:, None] @ cache_k.transpose(1, 2) / math.sqrt(x.shape[-1])).softmax(
        -1
    ) @ cache_v
    return (
        output[:, 0],
        torch.cat([cache_k, (h @ Wk)[:, None]], 1),
        torch.cat([cache_v, (h @ Wv)[:, None]], 1),
    )


@cached_attention_step.mistake(
    "The new key and value are appended twice. How many positions should the caches hold after the "
    "first step?"
)
def appended_twice(x, positions, weights, cache_k, cache_v):
    output, k, v = step(x, positions, weights, cache_k, cache_v)
    return output, torch.cat([k, k[:, -1:]], 1), torch.cat([v, v[:, -1:]], 1)


@cached_attention_step.mistake(
    "The new position counts twice in your softmax: it was appended before, and appended again for "
    "looking."
)
def twice_in_the_softmax(x, positions, weights, cache_k, cache_v):
    _, k, v = step(x, positions, weights, cache_k, cache_v)
    q = (x + positions[cache_k.shape[1]]) @ weights[0]
    keys, values = torch.cat([k, k[:, -1:]], 1), torch.cat([v, v[:, -1:]], 1)
    return (
        ((q[:, None] @ keys.transpose(1, 2) / math.sqrt(x.shape[-1])).softmax(-1) @ values)[:, 0],
        k,
        v,
    )


@cached_attention_step.mistake(
    "The output is right, and the caches come back as they were. How will the next step know of "
    "this position?"
)
def caches_not_extended(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v)[0], cache_k, cache_v


@cached_attention_step.mistake(
    "You return the new key and value alone. Where do those of the earlier positions go?"
)
def new_entries_alone(x, positions, weights, cache_k, cache_v):
    output, k, v = step(x, positions, weights, cache_k, cache_v)
    return output, k[:, -1:], v[:, -1:]


@cached_attention_step.mistake(
    "The newest position stands first in your caches. The text puts it at the end."
)
def appended_in_front(x, positions, weights, cache_k, cache_v):
    output, k, v = step(x, positions, weights, cache_k, cache_v)
    return output, torch.cat([k[:, -1:], cache_k], 1), torch.cat([v[:, -1:], cache_v], 1)


@cached_attention_step.mistake(
    "The caches are exchanged on the way out. In which order does the function take them?"
)
def caches_exchanged(x, positions, weights, cache_k, cache_v):
    output, k, v = step(x, positions, weights, cache_k, cache_v)
    return output, v, k


@cached_attention_step.mistake(
    "The scores are not scaled. By what are they divided in the formula?"
)
def unscaled(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, scale=1.0)


@cached_attention_step.mistake(
    "Your scale changes from step to step: it knows the number of positions. Over how many terms "
    "does one score sum?"
)
def scaled_by_places(x, positions, weights, cache_k, cache_v):
    return step(x, positions, weights, cache_k, cache_v, scale=1 / math.sqrt(cache_k.shape[1] + 1))


@cached_attention_step.mistake(
    "Right for several texts. For one alone your output lost its first dimension: it had size 1 by "
    "chance. Which one did you mean?"
)
def squeezed(x, positions, weights, cache_k, cache_v):
    output, k, v = step(x, positions, weights, cache_k, cache_v)
    return output.squeeze(), k, v


@cached_attention_step.mistake(
    "All is right, but x is not what it was: your caller's token got its position added. Which "
    "operation works in place?"
)
def x_changed(x, positions, weights, cache_k, cache_v):
    result = step(x, positions, weights, cache_k, cache_v)
    x += positions[cache_k.shape[1]]
    return result


@cached_attention_step.mistake(
    "Row 1 gets what belongs to row 0: all rows look at the caches of the first. Which dimension "
    "is the batch?"
)
def caches_of_the_first_row(x, positions, weights, cache_k, cache_v):
    _, k, v = step(x, positions, weights, cache_k, cache_v)
    q = (x + positions[cache_k.shape[1]]) @ weights[0]
    return (q @ k[0].T / math.sqrt(x.shape[-1])).softmax(-1) @ v[0], k, v
