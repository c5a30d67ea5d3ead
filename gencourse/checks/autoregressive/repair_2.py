"""The bug hunt: piece 2, windows of a text and what comes next."""

import torch

from gencourse.checks._hunt import repair
from gencourse.probes.autoregressive.prefixes import both
from gencourse.runtime import seeded


def repair_2_reference(tokens, start, T):
    """x and y, both (B, T): tokens (N,), start (B,); y is one position later than x."""
    at = start[:, None] + torch.arange(T)
    return tokens[at], tokens[at + 1]


@repair(
    reference=repair_2_reference,
    minutes=3,
    hints=(
        "The planted piece asks for what it has just shown. What should be asked?",
        "y[b, t] is the token after x[b, t], also at the window's end.",
    ),
    on_success="Now the loss is the price of a prediction, not of a copy.",
)
def repair_2(answer, seed):
    tokens = torch.randint(0, 9_000, (40,), generator=seeded(seed))
    start = torch.tensor([3, 0, 17, 33, 17])
    yield "x and y of five windows of 6", answer.run(both, tokens, start, 6)
    yield "x and y of windows of one token", answer.run(both, tokens, start, 1)
    yield "x and y of a window that ends with the text", answer.run(both, tokens, start[3:4], 6)
    yield "x and y of a counting text", answer.run(both, torch.arange(50), start[:3], 4)


@repair_2.alternative
def row_by_row(tokens, start, T):
    x = torch.stack([tokens[s : s + T] for s in start.tolist()])
    y = torch.stack([tokens[s + 1 : s + T + 1] for s in start.tolist()])
    return x, y


@repair_2.alternative
def from_longer_windows(tokens, start, T):
    rows = tokens.unfold(0, T + 1, 1)[start]
    return rows[:, :-1], rows[:, 1:]


def shifted(tokens, start, T, of_x=0, of_y=1):
    """Windows of x and y, shifted."""
    at = start[:, None] + torch.arange(T)
    return tokens[at + of_x], tokens[(at + of_y) % len(tokens)]


@repair_2.mistake("This is still the planted piece: y is x. What comes after x[b, t]?")
def planted_pairs(tokens, start, T):
    return shifted(tokens, start, T, of_y=0)


@repair_2.mistake("Your targets are the tokens before. Which way does the text run?")
def one_before(tokens, start, T):
    return shifted(tokens, start, T, of_y=-1)


@repair_2.mistake("Your targets are two positions later. Which one does x[b, t] have to predict?")
def two_later(tokens, start, T):
    return shifted(tokens, start, T, of_y=2)


@repair_2.mistake("y is right; x begins where y does. At which position does window b start?")
def x_shifted_too(tokens, start, T):
    _, y = repair_2_reference(tokens, start, T)
    return y, y


@repair_2.mistake("x and y are exchanged: the token before is asked for.")
def exchanged(tokens, start, T):
    return repair_2_reference(tokens, start, T)[::-1]


@repair_2.mistake("The last target of a window is its own first token. Where does the text go on?")
def rolled(tokens, start, T):
    x, _ = repair_2_reference(tokens, start, T)
    return x, x.roll(-1, 1)


@repair_2.mistake(
    "Only the last position of each window has a target. How many questions does it ask?"
)
def last_target_alone(tokens, start, T):
    x, y = repair_2_reference(tokens, start, T)
    return x, y[:, -1]


@repair_2.mistake("All windows begin where the first one does.")
def first_start_for_all(tokens, start, T):
    return repair_2_reference(tokens, start[:1].expand_as(start), T)


@repair_2.mistake("Your windows are T + 1 long. How many positions should each have?")
def one_too_long(tokens, start, T):
    at = start[:, None] + torch.arange(T + 1)
    return tokens[at], tokens[(at + 1) % len(tokens)]


@repair_2.mistake("Window b starts at b · T. What is `start` for?")
def start_ignored(tokens, start, T):
    return repair_2_reference(tokens, torch.arange(len(start)) * T % (len(tokens) - T), T)
