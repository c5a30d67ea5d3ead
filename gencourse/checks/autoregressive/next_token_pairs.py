"""Exercise on cutting a text into windows and their next tokens."""

import torch

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.tokens import kinds_of_windows, windows
from gencourse.runtime import seeded


def shuffled(seed, N):
    """N different tokens in random order, too large for two bytes: none is its neighbour plus 1."""
    return 70_000 + 3 * torch.randperm(50_000, generator=seeded(seed))[:N]


@exercise(
    reference=autoregressive.next_token_pairs,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "Write the tokens 0 to 8 on paper with block = 4. Which are the inputs of the first "
            "window, and which its targets?"
        ),
        "y is cut exactly as x is, out of a text that starts somewhere else.",
        "The last target of all has to exist. So how many of the N tokens can be inputs?",
    ),
    on_success=(
        "Every token but the first is a target at most once, and each window gives `block` "
        "predictions, not one."
    ),
)
def next_token_pairs(answer, seed):
    def asked(tokens, block):
        return answer.run(windows, tokens, block)

    yield "the tokens 0 … 22 in order and block = 4", asked(torch.arange(23), 4)
    yield "23 tokens in random order and block = 4", asked(shuffled(seed, 23), 4)
    yield "x and y of 23 tokens", answer.run(kinds_of_windows, shuffled(seed, 23), 4)
    last = "21 tokens and block = 4, where the last target is the last token"
    yield last, asked(shuffled(seed + 1, 21), 4)
    yield "6 tokens and block = 1", asked(shuffled(seed + 2, 6), 1)
    yield "8 tokens and block = 7, a single window", asked(shuffled(seed + 3, 8), 7)
    without = "20 tokens and block = 4, where the last token has no successor"
    yield without, asked(shuffled(seed + 4, 20), 4)
    few = torch.randint(0, 3, (40,), generator=seeded(seed + 5))
    yield "40 tokens, all of them 0, 1 or 2, and block = 5", asked(few, 5)
    long, block = 200 + seed % 7, 11 + seed % 3
    yield f"{long} tokens and block = {block}", asked(shuffled(seed + 6, long), block)
    for N, block in ((1000, 8), (2500, 1), (2500, 1030)):
        yield f"{N:,} tokens and block = {block:,}", asked(shuffled(seed + 7, N), block)


@next_token_pairs.alternative
def window_by_window(tokens, block):
    starts = range(0, len(tokens) - block, block)
    return torch.stack([tokens[i : i + block] for i in starts]), torch.stack(
        [tokens[i + 1 : i + block + 1] for i in starts]
    )


@next_token_pairs.alternative
def by_unfolding(tokens, block):
    w = tokens.unfold(0, block + 1, block)
    return w[:, :-1], w[:, 1:]


@next_token_pairs.alternative
def by_places(tokens, block):
    M = (tokens.numel() - 1) // block
    place = block * torch.arange(M)[:, None] + torch.arange(block)
    return [tokens[place], tokens[place + 1]]


def cut(tokens, block, windows, start=0):
    """`windows` windows one after the other, from `start` on: (windows, block)."""
    return tokens[start : start + windows * block].view(windows, block)


@next_token_pairs.mistake(
    "y equals x: a model that repeats its input would be perfect. Which token should it predict "
    "at each position?"
)
def target_is_the_input(tokens, block):
    x, _ = autoregressive.next_token_pairs(tokens, block)
    return x, x


@next_token_pairs.mistake(
    "Your targets are the tokens before the inputs: a model of the past. Which of the two starts "
    "later in the text?"
)
def shifted_the_wrong_way(tokens, block):
    return autoregressive.next_token_pairs(tokens, block)[::-1]


@next_token_pairs.mistake(
    "Right as long as tokens are left over. If the text is used up exactly, which window is "
    "missing?"
)
def last_window_dropped(tokens, block):
    starts = range(0, len(tokens) - block - 1, block)
    return torch.stack([tokens[i : i + block] for i in starts]), torch.stack(
        [tokens[i + 1 : i + block + 1] for i in starts]
    )


@next_token_pairs.mistake(
    "There is always one more window in the text than you return. What do you subtract from N, "
    "and before or after dividing?"
)
def one_window_fewer(tokens, block):
    M = (len(tokens) - 1) // block - 1
    return cut(tokens, block, M), cut(tokens, block, M, 1)


@next_token_pairs.mistake(
    "One window fewer than the text holds, for most lengths. How many of the N tokens have a "
    "successor?"
)
def windows_of_n_less_one(tokens, block):
    M = len(tokens) // block - 1
    return cut(tokens, block, M), cut(tokens, block, M, 1)


@next_token_pairs.mistake(
    "With 20 tokens and block = 4 a target is asked for that the text does not hold. How many "
    "tokens have a successor?"
)
def window_crosses_the_end(tokens, block):
    M = len(tokens) // block
    return cut(tokens, block, M), cut(tokens, block, M, 1)


@next_token_pairs.mistake(
    "The last target of your last window is the first token of the text. What comes after the "
    "last token?"
)
def wrapped_round_the_end(tokens, block):
    M = len(tokens) // block
    return cut(tokens, block, M), cut(tokens.roll(-1), block, M)


@next_token_pairs.mistake(
    "Each window ends with its own first token as a target. What follows a window in the text?"
)
def rolled_within_the_window(tokens, block):
    x, _ = autoregressive.next_token_pairs(tokens, block)
    return x, x.roll(-1, 1)


@next_token_pairs.mistake(
    "Your windows overlap, so that most tokens are targets `block` times. Where does the second "
    "window start?"
)
def overlapping_windows(tokens, block):
    w = tokens.unfold(0, block + 1, 1)
    return w[:, :-1], w[:, 1:]


@next_token_pairs.mistake(
    "One target per window wastes the others. Of how many positions of a window is the next token "
    "known?"
)
def one_target_per_window(tokens, block):
    x, y = autoregressive.next_token_pairs(tokens, block)
    return x, y[:, -1]


@next_token_pairs.mistake(
    "Your target is the token one window later. How far ahead should a model look?"
)
def next_window_as_target(tokens, block):
    M = len(tokens) // block - 1
    return cut(tokens, block, M), cut(tokens, block, M, block)


@next_token_pairs.mistake(
    "Your windows are one token short: the last position of each lost its target. Which came "
    "first, the cut or the shift?"
)
def shifted_after_the_cut(tokens, block):
    w = cut(tokens, block, len(tokens) // block)
    return w[:, :-1], w[:, 1:]


@next_token_pairs.mistake(
    "Some tokens are never an input. The last target of a window should be the first input of the "
    "next: how far is one start from the next?"
)
def token_lost_between_windows(tokens, block):
    w = cut(tokens, block + 1, len(tokens) // (block + 1))
    return w[:, :-1], w[:, 1:]


@next_token_pairs.mistake(
    "Your target is the input plus one: true for counting 0, 1, 2, … and for no other text. Where "
    "is the next token to be found?"
)
def token_plus_one(tokens, block):
    x, _ = autoregressive.next_token_pairs(tokens, block)
    return x, x + 1


@next_token_pairs.mistake(
    "Rows are windows, columns are positions. Which of your two sizes comes first?"
)
def sizes_exchanged(tokens, block):
    x, y = autoregressive.next_token_pairs(tokens, block)
    return x.reshape(block, -1), y.reshape(block, -1)


@next_token_pairs.mistake(
    "The shape is right and the text is not: read along a row of x. Do neighbours there stand "
    "side by side in the text?"
)
def text_runs_down_the_columns(tokens, block):
    x, y = autoregressive.next_token_pairs(tokens, block)
    return x.reshape(block, -1).T, y.reshape(block, -1).T


@next_token_pairs.mistake(
    "The numbers are right, but they are floats, and nothing can be looked up with 3.0. Which "
    "kind did the tokens have?"
)
def floats_returned(tokens, block):
    x, y = autoregressive.next_token_pairs(tokens, block)
    return x.float(), y.float()
