"""Exercise on byte pairs: a word becomes tokens by the merges, in the order of their learning."""

import itertools
import math

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.models.autoregressive import merge_pair
from gencourse.probes.autoregressive.merges import coded, encoded

A, B, C, D, E, H, L, ROUND = (ord(letter) for letter in "abcdehlo")
HELLO = [
    (L, ROUND, 256),
    (H, E, 257),
    (L, L, 258),
    (257, 258, 259),
    (257, L, 260),
    (259, ROUND, 261),
]
SHORT = [(B, C, 256), (A, B, 257), (257, C, 258), (257, 257, 259), (256, D, 260)]
RUNS = [(A, A, 256), (256, 256, 257), (256, A, 258), (257, A, 259), (257, 257, 260)]
LATE = [(C, D, 256), (B, 256, 257), (A, 257, 258), (A, B, 259), (D, E, 260)]
FEW = [(32, 72, 300), (E, L, 411), (300, 411, 412), (195, 175, 500)]  # of many, those that matter


@exercise(
    reference=autoregressive.bpe_encode,
    difficulty=2,
    minutes=15,
    points=3,
    hints=(
        "Begin with the bytes: tuple(word) is already a tuple of their numbers.",
        "Of all pairs that stand in the word, which was learned first? merges.get(pair, math.inf) "
        "says when.",
        "Merge it, look again, and stop when no pair in the word was ever learned.",
    ),
    on_success=(
        "Every text is cut as the training text was, whatever is the longest token that would fit."
    ),
)
def bpe_encode(answer, seed):
    for word in ("hello", "hell", "lohell", "hehello"):
        yield f"the tokens of {word!r}", answer.run(encoded, word, HELLO)
    for word in ("abc", "abab", "ababcd", "abcdabcabab", "bcbc"):
        yield f"the tokens of {word!r}, bc learned before ab", answer.run(encoded, word, SHORT)
    for n in (1, 2, 3, 5, 8, 11 + seed % 5):
        yield f"the tokens of a word of {n} times a", answer.run(encoded, n * "a", RUNS)
    for word in ("abcd", "abab", "abcdeabde", "cde"):
        yield f"the tokens of {word!r}, cd learned first", answer.run(encoded, word, LATE)
    for word, merges in (("hehello", HELLO), ("abcdabcabab", SHORT), ("abcdeabde", LATE)):
        yield (
            f"the tokens of {word!r}, the same merges in another order of the dict",
            answer.run(encoded, word, merges[::-1]),
        )
    yield (
        "the tokens of 'ollehehlo', in which pairs stand backwards",
        answer.run(encoded, "ollehehlo", HELLO),
    )
    for word in (" Hello ", "hELlo", "naïve"):
        yield f"the tokens of {word!r}, numbers with gaps", answer.run(encoded, word, FEW)
    yield "the tokens of bytes that are no text", answer.run(coded, [255, 98, 99, 128], SHORT)
    yield "the tokens of 'dada' without merges", answer.run(encoded, "dada", [])
    yield "the tokens of 'naïve', seven letters or six bytes", answer.run(encoded, "naïve", HELLO)
    yield "the tokens of an empty word", answer.run(encoded, "", RUNS)


@bpe_encode.alternative
def merge_after_merge(word, merges):
    tokens = tuple(word)
    for pair in sorted(merges, key=merges.get):
        tokens = merge_pair(tokens, pair, merges[pair])
    return tokens


@bpe_encode.alternative
def one_at_a_time(word, merges):
    tokens = list(word)
    while True:
        pairs = list(itertools.pairwise(tokens))
        known = [(merges[pair], i) for i, pair in enumerate(pairs) if pair in merges]
        if not known:
            return tokens
        new, i = min(known)
        tokens[i : i + 2] = [new]


def best(tokens, merges, key):
    """The pair of the word that has been learned and comes first by `key`, or None."""
    known = [pair for pair in itertools.pairwise(tokens) if pair in merges]
    return min(known, key=lambda pair: key(merges[pair])) if known else None


def spelled(merges):
    """The bytes of every token."""
    pieces = {i: bytes([i]) for i in range(256)}
    for (a, b), new in sorted(merges.items(), key=lambda item: item[1]):
        pieces[new] = pieces[a] + pieces[b]
    return pieces


@bpe_encode.mistake(
    "You take the longest token that fits, from the left. Was the training text cut in this way?"
)
def longest_first(word, merges):
    tokens, pieces = [], spelled(merges)
    while word:
        token = max((t for t in pieces if word.startswith(pieces[t])), key=lambda t: len(pieces[t]))
        tokens.append(token)
        word = word[len(pieces[token]) :]
    return tokens


@bpe_encode.mistake(
    "You merge the first pair from the left that was learned at all. Which one was learned first?"
)
def leftmost_first(word, merges):
    tokens = tuple(word)
    while known := [i for i, p in enumerate(itertools.pairwise(tokens)) if p in merges]:
        i = known[0]
        tokens = (*tokens[:i], merges[tokens[i], tokens[i + 1]], *tokens[i + 2 :])
    return tokens


@bpe_encode.mistake(
    "You begin with the pair that was learned last. Does a small number say early or late?"
)
def last_learned_first(word, merges):
    tokens = tuple(word)
    while (pair := best(tokens, merges, lambda new: -new)) is not None:
        tokens = merge_pair(tokens, pair, merges[pair])
    return tokens


@bpe_encode.mistake("One merge, and you stop. Can the new token be part of another pair?")
def stops_after_one(word, merges):
    tokens = tuple(word)
    pair = best(tokens, merges, lambda new: new)
    return tokens if pair is None else merge_pair(tokens, pair, merges[pair])


@bpe_encode.mistake(
    "You go through the merges as the dict holds them. Which number says when a pair was learned?"
)
def order_of_the_dict(word, merges):
    tokens = tuple(word)
    for pair, new in merges.items():
        tokens = merge_pair(tokens, pair, new)
    return tokens


@bpe_encode.mistake(
    "You go through the merges in order, and make each of them once at most: a pair may stand in a "
    "word several times."
)
def each_merge_once(word, merges):
    tokens = tuple(word)
    for pair, new in sorted(merges.items(), key=lambda item: item[1]):
        at = next((i for i, p in enumerate(itertools.pairwise(tokens)) if p == pair), None)
        if at is not None:
            tokens = (*tokens[:at], new, *tokens[at + 2 :])
    return tokens


@bpe_encode.mistake(
    "Pairs are joined in a single walk from the left, and tokens that result are not joined "
    "further. Look again after each merge."
)
def one_walk(word, merges):
    tokens, i = [], 0
    while i < len(word):
        pair = tuple(word[i : i + 2])
        tokens.append(merges.get(pair, word[i]))
        i += 2 if pair in merges else 1
    return tokens


@bpe_encode.mistake("Where a pair overlaps with itself you begin on the right. Where did training?")
def from_the_right(word, merges):
    tokens = tuple(word)
    while (pair := best(tokens, merges, lambda new: new)) is not None:
        tokens = merge_pair(tokens[::-1], pair[::-1], merges[pair])[::-1]
    return tokens


@bpe_encode.mistake(
    "These are the numbers of characters, not of bytes: a character outside of ASCII has several "
    "bytes."
)
def characters_for_bytes(word, merges):
    tokens = tuple(map(ord, word.decode("utf-8")))
    while (pair := best(tokens, merges, lambda new: new)) is not None:
        tokens = merge_pair(tokens, pair, merges[pair])
    return tokens


@bpe_encode.mistake("You return the bytes, and nothing was merged. What are the merges for?")
def bytes_alone(word, merges):
    return tuple(word)


@bpe_encode.mistake(
    "You stop as soon as the word's first pair was never learned. Could another one have been?"
)
def stops_at_an_unknown_pair(word, merges):
    tokens = tuple(word)
    while len(tokens) > 1 and merges.get(tokens[:2], math.inf) < math.inf:
        pair = best(tokens, merges, lambda new: new)
        tokens = merge_pair(tokens, pair, merges[pair])
    return tokens
