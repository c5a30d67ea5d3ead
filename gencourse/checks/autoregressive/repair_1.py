"""The bug hunt: piece 1, a text becomes tokens, in two parts."""

from gencourse.checks._hunt import repair
from gencourse.probes.autoregressive.hunt import prepared


def repair_1_reference(characters, learn):
    """The tokenizer, the training tokens and the held-out ones: nine tenths, and one."""
    cut = len(characters) * 9 // 10
    train, held_out = characters[:cut], characters[cut:]
    tokenizer = learn(train)
    return tokenizer, tokenizer.encode(train), tokenizer.encode(held_out)


@repair(
    reference=repair_1_reference,
    minutes=4,
    hints=(
        "A tokenizer is trained, too. On what may it be?",
        "Cut the characters, not the tokens, and cut them first.",
    ),
    on_success="Nothing of the held-out text is known before it is paid for.",
)
def repair_1(answer, seed):
    letters = "abbcddeeefghiijjkl"
    text = "".join(letters[(i * (i + seed + 3)) % 17] for i in range(95)) + "qqrrst"
    yield "a text whose end has letters of its own", answer.run(prepared, text)
    yield "a text of 27 characters", answer.run(prepared, "aabbabbaacabbaabacabcbazzab")
    yield "a text of ten characters", answer.run(prepared, "bbabcaabba")


@repair_1.alternative
def in_another_order(characters, learn):
    n = 9 * len(characters) // 10
    tokenizer = learn("".join(list(characters)[:n]))
    parts = [tokenizer.encode(part) for part in (characters[:n], characters[n:])]
    return [tokenizer, *parts]


def tokens_cut(characters, tokenizer):
    """The tokens of the whole text, cut after nine tenths of them."""
    tokens = tokenizer.encode(characters)
    cut = len(tokens) * 9 // 10
    return tokenizer, tokens[:cut], tokens[cut:]


def cut_at(characters, learn, cut, learned=None):
    """Cut at a position; the tokenizer from the part before it, or from `learned`."""
    train, held_out = characters[:cut], characters[cut:]
    tokenizer = learn(train if learned is None else learned)
    return tokenizer, tokenizer.encode(train), tokenizer.encode(held_out)


@repair_1.mistake(
    "This is still the planted piece: the tokenizer has read the text on which it will be measured."
)
def planted_prepare(characters, learn):
    return tokens_cut(characters, learn(characters))


@repair_1.mistake(
    "The characters are cut now, and the tokenizer still learns from all of them. What may it read?"
)
def learned_from_all(characters, learn):
    return cut_at(characters, learn, len(characters) * 9 // 10, characters)


@repair_1.mistake(
    "The tokenizer learns from the right part, but then the tokens are cut, and a tenth of the "
    "tokens is no tenth of the characters."
)
def tokens_cut_afterwards(characters, learn):
    return tokens_cut(characters, learn(characters[: len(characters) * 9 // 10]))


@repair_1.mistake("The tokenizer learns from the held-out part alone. Which one is for learning?")
def learned_from_the_held_out(characters, learn):
    cut = len(characters) * 9 // 10
    return cut_at(characters, learn, cut, characters[cut:])


@repair_1.mistake(
    "Each part has a tokenizer of its own: the same number means one thing in training and another "
    "afterwards."
)
def two_tokenizers(characters, learn):
    cut = len(characters) * 9 // 10
    tokenizer, other = learn(characters[:cut]), learn(characters[cut:])
    return tokenizer, tokenizer.encode(characters[:cut]), other.encode(characters[cut:])


@repair_1.mistake("The first tenth is held out. Which one does the comment of the piece name?")
def first_tenth_held_out(characters, learn):
    cut = len(characters) - len(characters) * 9 // 10
    tokenizer = learn(characters[cut:])
    return tokenizer, tokenizer.encode(characters[cut:]), tokenizer.encode(characters[:cut])


@repair_1.mistake("Both parts are right, and exchanged. Which one comes first?")
def parts_exchanged(characters, learn):
    tokenizer, train, held_out = repair_1_reference(characters, learn)
    return tokenizer, held_out, train


@repair_1.mistake("The held-out part is the whole text, which holds the training text, too.")
def all_held_out(characters, learn):
    tokenizer, train, _ = repair_1_reference(characters, learn)
    return tokenizer, train, tokenizer.encode(characters)
