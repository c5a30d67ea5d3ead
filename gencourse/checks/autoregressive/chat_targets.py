"""Exercise on the loss mask of fine-tuning: a dialogue, in which one speaker is learned from."""

import torch

from gencourse.checks import exercise
from gencourse.models.autoregressive import IGNORED
from gencourse.probes.autoregressive.prefixes import dialogue
from gencourse.runtime import seeded


def chat_targets_reference(rows, spoken, lengths):
    """x and y (B, T): rows and spoken (B, T + 1), lengths (B,); y is -100 where nothing counts."""
    t = torch.arange(1, rows.shape[1])
    counted = spoken[:, 1:] & (t < lengths[:, None])
    return rows[:, :-1], rows[:, 1:].masked_fill(~counted, IGNORED)


@exercise(
    reference=chat_targets_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        "Write down one row, below it the row shifted by one, and below that who spoke which "
        "target.",
        "A target counts if *it* was spoken by the assistant. Whose `spoken` is that: the input's "
        "or the target's?",
        "Padding begins at position lengths[b] of the row. A look at the token's number cannot "
        "tell it from an end.",
    ),
    on_success=(
        "Every turn of the assistant is learned, its end included: a model that never sees an end "
        "as a target never stops."
    ),
)
def chat_targets(answer, seed):
    rows, spoken, lengths = chat(seed)
    yield "x and y of three dialogues", answer.run(dialogue, rows, spoken, lengths)
    whole = torch.full((3,), rows.shape[1])
    yield "x and y without padding", answer.run(dialogue, rows, spoken, whole)
    yield "x and y of one dialogue", answer.run(dialogue, rows[1:2], spoken[1:2], lengths[1:2])
    nobody = torch.zeros_like(spoken)
    yield "x and y where the assistant says nothing", answer.run(dialogue, rows, nobody, lengths)
    everybody = torch.ones_like(spoken)
    yield "x and y where all is the assistant's", answer.run(dialogue, rows, everybody, lengths)
    two = torch.tensor([[5, 0]]), torch.tensor([[False, True]]), torch.tensor([2])
    yield "x and y of a row of two tokens", answer.run(dialogue, *two)


def chat(seed):
    """Three dialogues of 14 positions; token 0 ends a turn and fills what is left."""
    rows = torch.randint(1, 90, (3, 14), generator=seeded(seed))
    lengths = torch.tensor([9, 14, 12])
    spoken = torch.zeros(3, 14, dtype=torch.bool)
    for b, turns in enumerate(((3, 5, 7, 9), (2, 4, 5, 9, 12, 14), (4, 12))):
        rows[b, [end - 1 for end in turns]] = 0  # the last token of each turn, whoever speaks
        for start, end in zip(turns[0::2], turns[1::2], strict=True):
            spoken[b, start:end] = True
        rows[b, lengths[b] :], spoken[b, lengths[b] :] = 0, True
    return rows, spoken, lengths


@chat_targets.alternative
def by_loops(rows, spoken, lengths):
    x, y = rows[:, :-1].clone(), torch.full_like(rows[:, 1:], IGNORED)
    for b, length in enumerate(lengths.tolist()):
        for t in range(1, min(length, rows.shape[1])):
            if spoken[b, t]:
                y[b, t - 1] = rows[b, t]
    return x, y


@chat_targets.alternative
def by_where(rows, spoken, lengths):
    place = torch.arange(rows.shape[1]).expand_as(rows)
    marked = torch.where(spoken * (place < lengths.unsqueeze(1)), rows, -100)
    return rows[..., :-1], marked[..., 1:]


def targets(rows, spoken, lengths, shift=1, own=0, extra=0, fill=IGNORED):
    """x and y with knobs: by how much y, and who spoke, are shifted, and where padding begins."""
    T = rows.shape[1] - 1
    t = torch.arange(1, T + 1)
    said = spoken.roll(-own, 1)[:, 1:]
    counted = said & (t < lengths[:, None] + extra)
    y = rows.roll(-shift, 1)[:, :T]
    return rows[:, :T], y.masked_fill(~counted, fill)


@chat_targets.mistake(
    "Who spoke is read at the input, not at the target: the first token of each answer does not "
    "count, and the one after its end does. Which of the two was spoken?"
)
def mask_not_shifted(rows, spoken, lengths):
    return targets(rows, spoken, lengths, own=-1)


@chat_targets.mistake(
    "Wherever the target is the end token you ignore it, so padding and ends are both gone: this "
    "model would never stop. What tells the two apart?"
)
def padding_by_value(rows, spoken, lengths):
    x, y = targets(rows, spoken, lengths)
    return x, torch.where(y == 0, IGNORED, y)


@chat_targets.mistake(
    "The padding counts: a model could earn its loss with it. What do you know about where a row "
    "ends?"
)
def padding_counted(rows, spoken, lengths):
    return targets(rows, spoken, lengths, extra=rows.shape[1])


@chat_targets.mistake("The user's part counts, too. From whom should the model learn to speak?")
def all_counted(rows, spoken, lengths):
    return targets(rows, torch.ones_like(spoken), lengths)


@chat_targets.mistake("What the user said counts, and what the assistant said does not.")
def the_other_speaker(rows, spoken, lengths):
    return targets(rows, ~spoken, lengths)


@chat_targets.mistake(
    "The last token of each answer does not count: it is the one that ends it. When would this "
    "model stop?"
)
def ends_ignored(rows, spoken, lengths):
    following = torch.cat([spoken[:, 1:], torch.zeros_like(spoken[:, :1])], 1)
    place = torch.arange(rows.shape[1])
    inside = following & (place < lengths[:, None] - 1)
    return targets(rows, spoken & inside, lengths)


@chat_targets.mistake("y is x itself where it counts. Which token follows x[b, t]?")
def not_shifted(rows, spoken, lengths):
    return targets(rows, spoken, lengths, shift=0)


@chat_targets.mistake(
    "Your targets are two positions ahead. Was the row shifted twice, here and in the loss that "
    "you have in mind?"
)
def shifted_twice(rows, spoken, lengths):
    return targets(rows, spoken, lengths, shift=2)


@chat_targets.mistake(
    "One position of padding counts: the target after a row's last token. Position lengths[b] is "
    "where padding begins."
)
def one_padding_counted(rows, spoken, lengths):
    return targets(rows, spoken, lengths, extra=1)


@chat_targets.mistake("The last token of each row does not count. At which position does it stand?")
def last_token_ignored(rows, spoken, lengths):
    return targets(rows, spoken, lengths, extra=-1)


@chat_targets.mistake("Every row is taken to be as long as the first. How long is each?")
def length_of_the_first(rows, spoken, lengths):
    return targets(rows, spoken, lengths[:1].expand_as(lengths))


@chat_targets.mistake(
    "Only the last answer of a dialogue counts. May the model not learn from the others?"
)
def last_answer_alone(rows, spoken, lengths):
    inside = spoken & (torch.arange(rows.shape[1]) < lengths[:, None])
    changes = (inside[:, 1:] != inside[:, :-1]).long().flip(1).cumsum(1).flip(1)
    later = torch.cat([changes, torch.zeros_like(changes[:, :1])], 1)
    last = later == (later * inside + 99 * ~inside).amin(1, keepdim=True)
    return targets(rows, inside & last, lengths)


@chat_targets.mistake(
    "What does not count is 0 in y, and that is a token. Which number does cross_entropy leave out?"
)
def zero_for_ignored(rows, spoken, lengths):
    return targets(rows, spoken, lengths, fill=0)


@chat_targets.mistake(
    "The prompts are hidden in x as well: the model should read them, and not be judged on them."
)
def hidden_in_x(rows, spoken, lengths):
    x, y = targets(rows, spoken, lengths)
    return torch.where(spoken[:, :-1], x, IGNORED), y


@chat_targets.mistake("x and y are exchanged on the way out. Which comes first in the docstring?")
def exchanged(rows, spoken, lengths):
    return targets(rows, spoken, lengths)[::-1]


@chat_targets.mistake("Row and targets have all T + 1 positions: what follows the last token?")
def one_too_long(rows, spoken, lengths):
    _, y = targets(rows, spoken, lengths)
    return rows, torch.cat([y, torch.full_like(y[:, :1], IGNORED)], 1)
