"""Exercise on a prompt and its answer: one sequence, in which only the answer counts."""

import torch

from gencourse.checks import exercise
from gencourse.models.autoregressive import IGNORED
from gencourse.probes.autoregressive.prefixes import both, whole_numbers
from gencourse.runtime import seeded


def prefix_targets_reference(prompt, answer, length):
    """Inputs and targets of a conditional model: prompt (P,), answer (A,) -> x, y, both (length,).

    x is the sequence but for its last token, then zeros; y[t] is the token after x[t] if that
    belongs to the answer, -100 elsewhere, which no loss counts.
    """
    P, A = len(prompt), len(answer)
    x, y = torch.zeros(length, dtype=torch.long), torch.full((length,), IGNORED)
    x[: P + A - 1] = torch.cat([prompt, answer])[:-1]
    y[P - 1 : P + A - 1] = answer
    return x, y


@exercise(
    reference=prefix_targets_reference,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "Write down a prompt of 3 and an answer of 2 tokens, in one row. Below each token write "
        "the one that follows.",
        "The last token of the prompt is followed by the first of the answer: does that "
        "prediction count?",
        "Where does the row end, and what stands in x and in y behind it?",
    ),
    on_success=(
        "As many targets count as the answer has tokens, the first of them already at the prompt's "
        "last position. Nothing is learned about prompts or padding."
    ),
)
def prefix_targets(answer, seed):
    def tokens(n, offset):
        return torch.randint(1, 50_000, (n,), generator=seeded(seed + offset))

    prompt, reply = tokens(3, 1), tokens(4, 2)
    zeros, twin = torch.tensor([0, 7, 0]), torch.arange(1, 4)
    for said, *given in (
        ("for a prompt of 3, an answer of 4 and a length of 9", prompt, reply, 9),
        ("when the length is just enough", tokens(4, 3), tokens(2, 4), 5),
        ("for a prompt and an answer of one token each", tokens(1, 5), tokens(1, 6), 3),
        ("for one token each and a length of 1", tokens(1, 7), tokens(1, 8), 1),
        ("when token 0 occurs in prompt and answer", zeros, zeros.clone(), 8),
        ("when the answer repeats the prompt", twin, twin.clone(), 7),
        ("for a prompt of 7, an answer of 1 and a length of 20", tokens(7, 9), reply[:1], 20),
        ("for a prompt of 1, an answer of 7 and a length of 8", prompt[:1], tokens(7, 10), 8),
        (
            "for a prompt of 5, an answer of 80 and a length of 100",
            tokens(5, 11),
            tokens(80, 12),
            100,
        ),
    ):
        yield f"x and y {said}", answer.run(both, *given)
    yield "x and y of a short row", answer.run(whole_numbers, prompt, reply, 9)
    letters = [(part % 256).to(torch.uint8) for part in (prompt, reply)]
    yield "x and y when prompt and answer come as bytes", answer.run(both, *letters, 9)
    said = "x and y of a short row, when prompt and answer come as bytes"
    yield said, answer.run(whole_numbers, *letters, 9)


@prefix_targets.alternative
def by_lists(prompt, answer, length):
    row, P = prompt.tolist() + answer.tolist(), len(prompt)
    x, y = row[:-1], [-100] * (P - 1) + row[P:]
    space = length - len(x)
    return torch.tensor(x + [0] * space), torch.tensor(y + [-100] * space)


@prefix_targets.alternative
def by_places(prompt, answer, length):
    row = torch.nn.functional.pad(torch.cat([prompt, answer]).long(), (0, length))
    t, end = torch.arange(length), len(prompt) + len(answer) - 1
    x, y = row[:length] * (t < end), row[1 : length + 1]
    return x, y.masked_fill((t < len(prompt) - 1) | (t >= end), -100)


def targets(prompt, answer, length, first=0, last=0, shift=1, pad=IGNORED, whole=False):
    """x and y with knobs: where the counted part begins and ends, how far y is shifted."""
    P, A = len(prompt), len(answer)
    row = torch.cat([prompt, answer, torch.zeros(length + 2, dtype=torch.long)])
    x, y = (
        row[:length].clone(),
        row[shift : shift + length].clone() if shift >= 0 else row.roll(1)[:length].clone(),
    )
    if not whole:
        x[P + A - 1 :] = 0
    t = torch.arange(length)
    y[t < P - 1 + first] = IGNORED
    y[t >= P + A - 1 + last] = pad
    return x, y


@prefix_targets.mistake(
    "y is x itself where it counts: the model would learn to repeat what it sees. Which token "
    "follows x[t]?"
)
def not_shifted(prompt, answer, length):
    return targets(prompt, answer, length, first=1, last=1, shift=0, whole=True)


@prefix_targets.mistake(
    "y is x itself, and the answer's last token has been lost on the way. Which token follows x[t]?"
)
def not_shifted_and_cut(prompt, answer, length):
    return targets(prompt, answer, length, first=1, shift=0)


@prefix_targets.mistake(
    "Your targets stand one position too late: y[t] is the token before x[t]. Which way does time "
    "run?"
)
def shifted_the_other_way(prompt, answer, length):
    return targets(prompt, answer, length, first=2, last=2, shift=-1, whole=True)


@prefix_targets.mistake(
    "Your targets are two positions ahead. Was the row shifted twice, here and in the loss that "
    "you have in mind?"
)
def shifted_twice(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    return x, torch.cat([y[1:], torch.full((1,), IGNORED)])


@prefix_targets.mistake(
    "The prompt counts, too: the model would spend its strength on predicting questions. Which "
    "targets are answers?"
)
def prompt_counted(prompt, answer, length):
    return targets(prompt, answer, length, first=-len(prompt))


@prefix_targets.mistake(
    "The first token of the answer does not count. Which position predicts it: the prompt's last "
    "or the answer's first?"
)
def first_answer_token_ignored(prompt, answer, length):
    return targets(prompt, answer, length, first=1)


@prefix_targets.mistake(
    "The prompt's last token counts as a target. How many targets precede the first of the answer?"
)
def last_prompt_token_counted(prompt, answer, length):
    return targets(prompt, answer, length, first=-1)


@prefix_targets.mistake(
    "The padding counts: a model could earn its loss by predicting zeros. What stands in y behind "
    "the answer?"
)
def padding_counted(prompt, answer, length):
    return targets(prompt, answer, length, pad=0)


@prefix_targets.mistake(
    "One position of padding counts: the one after the answer's last token. What follows it?"
)
def one_padding_counted(prompt, answer, length):
    return targets(prompt, answer, length, last=1)


@prefix_targets.mistake(
    "The last token of the answer is not a target. From which position is it predicted?"
)
def last_answer_token_ignored(prompt, answer, length):
    return targets(prompt, answer, length, last=-1)


@prefix_targets.mistake(
    "Wherever the target is token 0 you ignore it. Is 0 padding only, or also a token like any "
    "other?"
)
def token_zero_ignored(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    return x, torch.where(y == 0, IGNORED, y)


@prefix_targets.mistake(
    "Padding in x is -100, which is no token: which row of an embedding should it find?"
)
def inputs_padded_with_ignored(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    x[len(prompt) + len(answer) - 1 :] = IGNORED
    return x, y


@prefix_targets.mistake(
    "y is right. x still ends with the answer's last token, from which nothing is predicted: the "
    "text leaves it out."
)
def last_token_kept_in_x(prompt, answer, length):
    return targets(prompt, answer, length, whole=True)


@prefix_targets.mistake(
    "x should not be hidden: the model may read the prompt. It is the targets that do not count."
)
def prompt_hidden_in_x(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    x[: len(prompt) - 1] = IGNORED
    return x, y


@prefix_targets.mistake("x and y have no padding: which length should they have?")
def not_padded(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    return x[: len(prompt) + len(answer) - 1], y[: len(prompt) + len(answer) - 1]


@prefix_targets.mistake("x and y are exchanged on the way out. Which comes first in the docstring?")
def exchanged(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    return y, x


@prefix_targets.mistake("Padding stands before the prompt. The text puts it at the end.")
def padded_in_front(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    space = length - (len(prompt) + len(answer) - 1)
    return x.roll(space), y.roll(space)


@prefix_targets.mistake(
    "Your tensors take their type from the tokens. Bytes have no -100: which type do x and y need, "
    "whatever the tokens come in?"
)
def type_of_the_tokens(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    return x.to(prompt.dtype), y.to(answer.dtype)


@prefix_targets.mistake(
    "The numbers are right and y is of type torch.long, but x is not when the tokens come as "
    "bytes. From where does x take its type?"
)
def inputs_of_the_tokens_type(prompt, answer, length):
    x, y = targets(prompt, answer, length)
    return x.to(prompt.dtype), y
