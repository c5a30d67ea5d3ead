"""Byte-pair encoding: tokens between bytes and words, learned by counting.

A text is bytes; the pair of tokens that is counted most becomes one token, again and again. The
same merges, in the order in which they were learned, encode any text. Sources: Sennrich, Haddow &
Birch 2016 (arXiv 1508.07909), Radford et al. 2019 (on bytes).
"""

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.models.autoregressive.tokens import require_sequence
from gencourse.validation import require_count

BYTES = 256  # tokens 0 ... 255 are the bytes; the first merge makes token 256
# a word with the space before it, other signs likewise, or what is left of spaces and line breaks
WORD = re.compile(r" ?\w+| ?[^\s\w]+|\s+(?!\S)|\s")

Pair = tuple[int, int]
Word = tuple[int, ...]  # tokens


def split_words(text: str | bytes) -> list[bytes]:
    """The pieces across whose borders nothing is merged: " word", " ,", line breaks. Joined they
    are the text in UTF-8; bytes that are no UTF-8 pass through as they are.
    """
    if not isinstance(text, str | bytes):
        raise InputTypeError(
            f"split_words: text should be a string or bytes, got {describe(text)}. Decode tokens "
            "first."
        )
    characters = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    return [word.encode("utf-8", "surrogateescape") for word in WORD.findall(characters)]


def pair_counts(words: Mapping[Word, int]) -> Counter[Pair]:
    """How often two tokens stand side by side, in words that occur `words[word]` times each.

    Overlapping pairs count, too: (a, a) four times in aaaaa.
    """
    counts: Counter[Pair] = Counter()
    for word, times in words.items():
        for pair in itertools.pairwise(word):
            counts[pair] += times
    return counts


def merge_pair(word: Sequence[int], pair: Pair, new: int) -> Word:
    """`word` with the token `new` wherever the pair stands, from left to right and without overlap:
    aaaaa becomes (new, new, a).
    """
    merged, i = [], 0
    while i < len(word):
        found = tuple(word[i : i + 2]) == pair
        merged.append(new if found else word[i])
        i += 2 if found else 1
    return tuple(merged)


def bpe_merge_step(words: Mapping[Word, int], new: int) -> tuple[Pair, dict[Word, int]]:
    """One step of training: the pair that is counted most (see `pair_counts`), and the words with
    `new` in its place.

    Of pairs that are counted equally often the smallest is taken: the smaller first token, then
    the smaller second.
    """
    counts = pair_counts(words)
    if not counts:
        raise InputError(
            "bpe_merge_step: words should have one of at least two tokens, got none. Merge less "
            "often, or pass more text."
        )
    pair = min(counts, key=lambda p: (-counts[p], p))
    return pair, {merge_pair(word, pair, new): times for word, times in words.items()}


def bpe_train(text: str | bytes, merges: int) -> dict[Pair, int]:
    """{pair: the token that it becomes}, in the order learned, from BYTES on: `merges` of them, or
    fewer if every word has become one token.

    What repeating `bpe_merge_step` gives; after a merge only the words that it changed are counted
    again.
    """
    require_count("bpe_train", "merges", merges, at_least=0)
    times = Counter(split_words(text))
    words: list[Word] = [tuple(word) for word in times]
    n = list(times.values())
    counts: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = defaultdict(set)  # words that have, or had, a pair

    def count(i: int, sign: int) -> None:
        for pair in itertools.pairwise(words[i]):
            counts[pair] += sign * n[i]
            where[pair].add(i)

    for i in range(len(words)):
        count(i, 1)
    learned: dict[Pair, int] = {}
    for new in range(BYTES, BYTES + merges):
        counts = +counts  # drops what no longer occurs
        if not counts:
            break
        pair = min(counts, key=lambda p: (-counts[p], p))
        for i in where.pop(pair):
            count(i, -1)
            words[i] = merge_pair(words[i], pair, new)
            count(i, 1)
        learned[pair] = new
    return learned


def bpe_encode(word: bytes, merges: Mapping[Pair, int]) -> Word:
    """The tokens of one word: of all pairs in it the one that was learned first is merged, until
    none of them was learned.

    So a text is encoded as the training text was. Always taking the longest token that fits gives
    other tokens.
    """
    tokens: Word = tuple(word)
    while len(tokens) > 1:
        pair = min(itertools.pairwise(tokens), key=lambda p: merges.get(p, math.inf))
        if pair not in merges:
            break
        tokens = merge_pair(tokens, pair, merges[pair])
    return tokens


class BPE:
    """A tokenizer: 256 bytes, the merges of `bpe_train`, and special tokens with the last numbers.

    `vocabulary` holds the bytes of every token. A special token has a name to be shown by, and no
    text becomes one, whatever it says: `encode` gives bytes and merges alone; a program that wants
    a special token takes its number, `special[name]`.
    """

    def __init__(self, merges: Mapping[Pair, int], specials: Sequence[str] = ()) -> None:
        pieces = [bytes([i]) for i in range(BYTES)]
        for (first, second), new in merges.items():
            if new != len(pieces) or not 0 <= min(first, second) <= max(first, second) < new:
                raise InputError(
                    f"BPE: merges should number their tokens from {BYTES} on, each made of earlier "
                    f"ones, got {(first, second)}: {new}. Pass what bpe_train returns."
                )
            pieces.append(pieces[first] + pieces[second])
        self.merges = dict(merges)
        self.special = {name: len(pieces) + i for i, name in enumerate(specials)}
        self.vocabulary = (*pieces, *(name.encode("utf-8") for name in specials))
        self.known: dict[bytes, Word] = {}  # words that have been encoded

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.vocabulary)

    def encode(self, text: str | bytes) -> Tensor:
        """The tokens (N,) of a text; each word is encoded once and then known."""
        tokens: list[int] = []
        for word in split_words(text):
            if word not in self.known:
                self.known[word] = bpe_encode(word, self.merges)
            tokens += self.known[word]
        return torch.tensor(tokens, dtype=torch.long, device="cpu")

    def decode_bytes(self, tokens: Tensor) -> bytes:
        """The bytes of tokens (N,), of a special token those of its name."""
        require_sequence("BPE.decode", tokens, len(self))
        return b"".join(self.vocabulary[i] for i in tokens.tolist())

    def decode(self, tokens: Tensor) -> str:
        """The string of tokens (N,). A character of several bytes may be cut in two, by a model or
        at a border: what is no UTF-8 is shown as \N{REPLACEMENT CHARACTER}.
        """
        return self.decode_bytes(tokens).decode("utf-8", "replace")


def bits_per_byte(nats: float, size: int) -> float:
    """nats / (log 2 · size): what a text costs, -log p of all its tokens together, per byte of it.

    Nats per token depend on how long tokens are; this does not, so it compares models with
    different vocabularies on the same bytes.
    """
    require_count("bits_per_byte", "size", size)
    return nats / (math.log(2) * size)
