"""Exercise on the nucleus: the fewest tokens that hold a mass p."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.arguments import independent, unchanged
from gencourse.probes.autoregressive.filters import keeps_all
from gencourse.probes.autoregressive.masks import is_tensor


@exercise(
    reference=autoregressive.top_p_filter,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        "With probabilities ½, 3/10, 3/20, 1/20 and p = 0.7: which tokens stay? How much mass "
        "stands before each of them in the order?",
        "Sort the probabilities of a row, largest first, and add them up. A token stays as "
        "long as those before it hold less than p.",
        "`sort` also returns where each value came from. What takes a decision about the "
        "sorted row back to those indices?",
    ),
    exempt={"more columns": "where a sum reaches p to within rounding, the last token is open"},
    on_success=(
        "Where the model is sure one token is left, where it hesitates there are many. A fixed k "
        "cannot do that."
    ),
)
def top_p_filter(answer, seed):
    known = torch.tensor([[0.15, 0.5, 0.05, 0.3]]).log()
    square = shuffled(seed, 0.64, 0.24, 0.09, 0.03, scales=(1.0, 3.0, 0.1, 0.5))
    calm = (0.429, 0.258, 0.191, 0.087, 0.035)  # sums: 0.429, 0.687, 0.878, …
    cube = torch.stack([shuffled(seed + i, *calm, scales=(1.0, 2.0, 0.5)) for i in (1, 2)])
    one = shuffled(seed + 3, *calm)[0]
    tail = shuffled(seed + 5, 0.9, 0.0925, 0.004, 0.0033, 0.0002, 0.0, 0.0)
    many = shuffled(seed + 6, *(0.2 * 0.8**i for i in range(40)), scales=(1.0, 0.3), move=400.0)
    equal = shuffled(seed + 7, 0.29, 0.29, 0.21, 0.08, 0.08, 0.05, move=-900.0)
    sure = torch.tensor([[0.0, 40.0, -40.0, -torch.inf], [1.0, 2.0, 3.0, 0.0]])
    for p in (0.7, 0.9, 0.2, 0.97, 0.01):
        yield f"the probabilities 0.15, 0.5, 0.05, 0.3 with p = {p}", answer(known, p)
    yield "logits (4, 4) with p = 0.8, rows of very different scale", answer(square, 0.8)
    yield "whether a tensor is returned", answer.run(is_tensor, square, 0.8)
    yield "whether the logits are after the call as before", answer.run(unchanged, square, 0.8)
    yield "logits (2, 3, 5) with p = 0.64", answer(cube, 0.64)
    yield "logits (2, 3, 1, 5) with p = 0.64", answer(cube[:, :, None], 0.64)
    yield "logits (5,) with p = 0.75", answer(one, 0.75)
    for p in (0.9962, 0.9968, 0.9995):
        yield f"one token of 0.9, four unlikely ones, two of -∞, p = {p}", answer(tail, p)
    steep = shuffled(seed + 11, 0.9, 0.0999, 0.00008, 0.00002)
    for p in (0.89995, 0.90005, 0.99995):  # nearer to a sum than half precision can tell
        yield f"the probabilities 0.9, 0.0999, 0.00008, 0.00002 with p = {p}", answer(steep, p)
    yield "logits (2, 40) of some hundred with p = 0.9", answer(many, 0.9)
    yield "equal logits inside and outside, none at the border, p = 0.75", answer(equal, 0.75)
    flat = shuffled(seed + 9, *(0.015 + 0.00002 * i for i in range(65)))
    yield "logits (1, 65), all nearly equal, with p = 0.95", answer(flat, 0.95)
    large = 1.2 * draw(seed + 10, 1, 1000)
    reached = large.double().softmax(-1).sort(descending=True).values.cumsum(-1)[0]
    for n in (1, 150, 330, 550):  # p in the middle between two sums, so that rounding moves nothing
        p = float(reached[n : n + 2].mean())
        yield f"logits (1, 1000) with p = {p:.6f}", answer(large, p)
    yield "p = 1, which keeps all, even a token of probability 1e-35", answer(sure, 1.0)
    table = 3 * draw(seed + 8, 500, 65)
    sums = table.softmax(-1).sort(-1, descending=True).values[:, :-1].cumsum(-1)
    wide = answer.run(keeps_all, table[(sums > 1).any(-1)], 1.0)
    yield "whether p = 1 keeps tokens behind a sum that rounding has made larger than 1", wide
    for p in (1.0, 0.99):
        said = f"whether the logits keep their numbers when the result is filled with 7, p = {p:g}"
        yield said, answer.run(independent, one, p)


@top_p_filter.alternative
def row_by_row(logits, p):
    result = torch.full_like(logits, -torch.inf)
    rows = logits.reshape(-1, logits.shape[-1])
    for row, out in zip(rows, result.view_as(rows), strict=True):
        probs, total = row.softmax(0), 0.0
        for token in row.argsort(descending=True).tolist():
            if total >= p and p < 1:
                break
            out[token] = row[token]
            total += probs[token].item()
    return result


@top_p_filter.alternative
def by_sorting_twice(logits, p):
    order = logits.argsort(-1, descending=True)
    drop = (logits.gather(-1, order).softmax(-1).cumsum(-1) >= p).roll(1, -1) & (p < 1)
    drop[..., 0] = False
    return torch.where(drop.gather(-1, order.argsort(-1)), -torch.inf, logits)


@top_p_filter.alternative
def by_a_threshold(logits, p):
    ranked = logits.sort(-1, descending=True).values
    last = (ranked.softmax(-1).cumsum(-1)[..., :-1] < p).sum(-1, keepdim=True)
    return logits.masked_fill((logits < ranked.gather(-1, last)) & (p < 1), -torch.inf)


def shuffled(seed, *probs, scales=(1.0,), move=0.0):
    """Logits of these probabilities: a row for each scale, with an order and offset of its own."""
    order = draw(seed, len(scales), len(probs)).argsort(-1)
    logits = torch.tensor(scales)[:, None] * torch.tensor(probs).log()
    return logits.gather(-1, order) + 3 * draw(seed + 50, len(scales), 1) + move


def nucleus(logits, keep):
    """Logits whose sorted position is not kept become -∞: keep(sorted probabilities) says which."""
    ranked, order = logits.softmax(-1).sort(-1, descending=True)
    return logits.masked_fill(
        torch.zeros_like(logits).bool().scatter(-1, order, ~keep(ranked)), -torch.inf
    )


def below(p, ranked):
    """Whether the tokens before each hold less than p; all of them for p = 1."""
    return (ranked.cumsum(-1) - ranked < p) | (p == 1)


@top_p_filter.mistake(
    "The token with which the sum passes p is cut, so what stays holds less than p. Which sum "
    "decides about a token?"
)
def crossing_token_cut(logits, p):
    return nucleus(logits, lambda ranked: (ranked.cumsum(-1) <= p) | (p == 1))


@top_p_filter.mistake(
    "One token always stays in your filter, but the token with which the sum passes p is still "
    "cut. Which sum decides about a token?"
)
def crossing_token_cut_unless_first(logits, p):
    def keep(ranked):
        kept = (ranked.cumsum(-1) <= p) | (p == 1)
        kept[..., 0] = True
        return kept

    return nucleus(logits, keep)


@top_p_filter.mistake(
    "One token too many stays: those before it hold p already. By how many positions did you shift?"
)
def one_token_too_many(logits, p):
    def keep(ranked):
        kept = below(p, ranked)
        return torch.cat([torch.ones_like(kept[..., :1]), kept[..., :-1]], -1)

    return nucleus(logits, keep)


@top_p_filter.mistake(
    (
        "What you decided for the sorted row is applied to the row as it stands. Which token is "
        "the first of the sorted ones?"
    ),
    "`sort` returns the indices, too. `scatter` brings a mask back to them.",
)
def sort_not_undone(logits, p):
    ranked = logits.softmax(-1).sort(-1, descending=True).values
    return logits.masked_fill(~below(p, ranked), -torch.inf)


@top_p_filter.mistake(
    "Your rows come back sorted, so position 0 is no longer token 0. Where should each logit stand?"
)
def sorted_rows_returned(logits, p):
    return autoregressive.top_p_filter(logits.sort(-1, descending=True).values, p)


@top_p_filter.mistake(
    "You undo the sort with `gather` and the same order: that sorts once more. If position 0 came "
    "from token 3, where must it go?"
)
def gathered_for_scattered(logits, p):
    ranked, order = logits.softmax(-1).sort(-1, descending=True)
    return logits.masked_fill((~below(p, ranked)).gather(-1, order), -torch.inf)


@top_p_filter.mistake(
    "You begin with the least likely tokens. The fewest tokens that hold p: with which do they "
    "start?"
)
def least_likely_first(logits, p):
    ranked, order = logits.softmax(-1).sort(-1)
    return logits.masked_fill(
        torch.zeros_like(logits).bool().scatter(-1, order, ~below(p, ranked)), -torch.inf
    )


@top_p_filter.mistake(
    "You add up logits, which may be negative and have no sum to compare p with. What adds up to 1?"
)
def logits_added_up(logits, p):
    ranked, order = logits.sort(-1, descending=True)
    return logits.masked_fill(
        torch.zeros_like(logits).bool().scatter(-1, order, ~below(p, ranked)), -torch.inf
    )


@top_p_filter.mistake(
    "Each token is compared with p by itself. p is a mass that several tokens hold together: what "
    "is missing?"
)
def each_token_by_itself(logits, p):
    probs = logits.softmax(-1)
    return logits.masked_fill((probs < p) & (p < 1), -torch.inf)


@top_p_filter.mistake(
    "Every token stays that is more likely than 1 − p. p is a mass that several tokens hold "
    "together: what is added up?"
)
def more_likely_than_the_rest(logits, p):
    return logits.masked_fill((logits.softmax(-1) < 1 - p) & (p < 1), -torch.inf)


@top_p_filter.mistake(
    "What stays has the right tokens, but it is probabilities, which no longer add up to 1. "
    "Logits are asked for."
)
def probabilities_cut(logits, p):
    return logits.softmax(-1).masked_fill(autoregressive.top_p_filter(logits, p) == -torch.inf, 0.0)


@top_p_filter.mistake(
    "The right tokens stay, as probabilities. Logits are asked for, with the values they had."
)
def probabilities_renormalised(logits, p):
    return autoregressive.top_p_filter(logits, p).softmax(-1)


@top_p_filter.mistake(
    "The right tokens stay, but their logits are not those that were given: they became "
    "log-probabilities on the way."
)
def log_probabilities_returned(logits, p):
    return autoregressive.top_p_filter(logits, p).where(
        autoregressive.top_p_filter(logits, p) == -torch.inf, logits.log_softmax(-1)
    )


@top_p_filter.mistake(
    "The others are set to 0. What is exp(0), and what probability does such a token get?"
)
def zeros_for_minus_infinity(logits, p):
    return logits.masked_fill(autoregressive.top_p_filter(logits, p) < logits, 0.0)


@top_p_filter.mistake("A large negative number is not −∞. The docstring says what is asked for.")
def large_negative_number(logits, p):
    return logits.masked_fill(autoregressive.top_p_filter(logits, p) < logits, -1e9)


@top_p_filter.mistake(
    "In every row as many tokens stay as in the first. Is the model equally sure everywhere?"
)
def as_many_as_in_the_first_row(logits, p):
    ranked = (
        logits.softmax(-1).sort(-1, descending=True).values.flatten(0, -2)[0]
        if logits.ndim > 1
        else logits.softmax(-1).sort(descending=True).values
    )
    return nucleus(logits, lambda _: below(p, ranked).expand_as(logits))


@top_p_filter.mistake(
    "The result is right, but the logits that you were given have changed. Which operation works "
    "in place?"
)
def logits_changed(logits, p):
    return logits.copy_(autoregressive.top_p_filter(logits, p))


@top_p_filter.mistake(
    "With p = 1 a token of tiny probability is lost. Do the others add up to 1 in float32 without "
    "it, or is it too small for a bound of yours? What should p = 1 always mean?"
)
def token_lost_at_one(logits, p):
    return nucleus(logits, lambda ranked: ranked.cumsum(-1) - ranked < p)


@top_p_filter.mistake(
    "With p = 1 some tokens of a large table are lost: a sum of probabilities in float32 can be a "
    "little above 1. What should p = 1 always mean?"
)
def lost_by_rounding(logits, p):
    ranked, order = logits.softmax(-1).sort(-1, descending=True)
    over = ranked.cumsum(-1) > p
    drop = torch.cat(
        [torch.zeros_like(over[..., :1]), over[..., :-1]], -1
    )  # the first token over p stays
    return logits.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), -torch.inf)


@top_p_filter.mistake(
    "With p = 1 the very tensor that you were given comes back: who writes into one writes into "
    "both. What does the docstring promise?"
)
def logits_themselves(logits, p):
    return logits if p == 1 else autoregressive.top_p_filter(logits, p)


@top_p_filter.mistake(
    "The token with which the sum passes p is cut, so what stays holds less than p. Which sum "
    "decides about a token? (And p = 1 loses tokens by rounding.)"
)
def crossing_token_cut_even_at_one(logits, p):
    return nucleus(logits, lambda ranked: ranked.cumsum(-1) <= p)
