"""Exercise on the mask of causal attention: who may look where."""

import functools

import torch

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.masks import kind_of_mask, looks, made_elsewhere


@exercise(
    reference=autoregressive.causal_mask,
    difficulty=1,
    minutes=5,
    points=1,
    hints=(
        "Row t belongs to the position that looks, column s to the position that is looked at. "
        "For which s is the answer yes?",
        "`torch.ones(T, T)` and `tril` or `triu`: draw the 4 × 4 table on paper before you choose. "
        "What is in row 0?",
        "The functions that make a tensor take a `dtype` and a `device`.",
    ),
    on_success=(
        "Every row has at least one True, so no softmax is taken over nothing. Place 0 sees itself "
        "alone, the last position sees all."
    ),
)
def causal_mask(answer, seed):
    for T in (4, 1, 6 + seed % 3, 20 + seed % 5):
        yield f"the mask for T = {T}", answer(T, "cpu")
    yield "the mask for T = 5 when no device is named", answer(5)
    many = 1100 if seed % 3 == 2 else 300  # a loop over all pairs should not pay for it each time
    yield f"the mask for T = {many:,}", answer.run(looks, many, "cpu")
    yield "the mask for T = 3", answer.run(kind_of_mask, 3, "cpu")
    for by_name, said in ((True, "text"), (False, "a torch.device")):
        where = (
            f"whether the mask is on the device that is asked for, one other than cpu, as {said}"
        )
        yield where, answer.run(made_elsewhere, 3, by_name)


def between(T, device, first, last):
    """True where first ≤ s - t ≤ last."""
    places = torch.arange(T, device=device)
    ahead = places[None] - places[:, None]
    return (ahead >= first) & (ahead <= last)


@causal_mask.alternative
def by_comparing_places(T, device="cpu"):
    t = torch.arange(T, device=device)
    return t.unsqueeze(1) >= t.unsqueeze(0)


@causal_mask.alternative
def row_by_row(T, device="cpu"):
    return torch.tensor([[s <= t for s in range(T)] for t in range(T)]).to(device)


@functools.cache
def table(T, device):
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()


@causal_mask.alternative
def from_a_table_of_masks(T, device="cpu"):
    return table(T, device).clone()


@causal_mask.mistake(
    "Row 0 has no True at all: a softmax over nothing gives NaN. May a position look at itself?"
)
def strictly_before(T, device="cpu"):
    return between(T, device, -T, -1)


@causal_mask.mistake(
    "Your positions look at themselves and at what comes later. Is row t the one that looks, or "
    "the one that is looked at?"
)
def upper_triangle(T, device="cpu"):
    return between(T, device, 0, T)


@causal_mask.mistake(
    "True and False are exchanged: your True means `hide`. Which meaning does the docstring give "
    "it?",
    "Both meanings are in use: torch.nn.MultiheadAttention hides where its mask is True, "
    "scaled_dot_product_attention shows.",
)
def true_hides(T, device="cpu"):
    return between(T, device, 1, T)


@causal_mask.mistake(
    "Every position sees one position too many, the one after itself. Which diagonal is the last "
    "that is True?"
)
def one_too_far(T, device="cpu"):
    return between(T, device, -T, 1)


@causal_mask.mistake(
    "Everything is True, so nothing is hidden. Which half of the table should be False?"
)
def all_true(T, device="cpu"):
    return torch.ones(T, T, dtype=torch.bool, device=device)


@causal_mask.mistake("Each position sees itself alone. It may also look back.")
def diagonal_alone(T, device="cpu"):
    return torch.eye(T, dtype=torch.bool, device=device)


@causal_mask.mistake(
    "The pattern is right, the kind of number is not: what do `~mask` and `mask1 & mask2` make of "
    "ones and zeros?"
)
def ones_and_zeros(T, device="cpu"):
    return torch.ones(T, T, device=device).tril()


@causal_mask.mistake(
    "This is a table to be *added* to scores. The text asks for the mask itself: True where a "
    "position may look."
)
def added_to_scores(T, device="cpu"):
    return torch.full((T, T), -torch.inf, device=device).triu(1)


@causal_mask.mistake(
    "The mask stays on the CPU whatever `device` says. What happens when the scores live on a GPU?"
)
def device_ignored(T, device="cpu"):
    return torch.ones(T, T, dtype=torch.bool).tril()


@causal_mask.mistake(
    "The pattern is right, with more dimensions than two. Scores of any shape (..., T, T) can be "
    "masked by (T, T)."
)
def extra_dimensions(T, device="cpu"):
    return torch.ones(1, 1, T, T, dtype=torch.bool, device=device).tril()
