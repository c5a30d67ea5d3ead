"""Byte pairs: words and merges as plain lists, and what an answer makes of them."""

from collections.abc import Callable


def one_merge(step: Callable, words: list, new: int) -> dict[str, object]:
    """One step on words, a list of (tokens, how often): the pair, and the words in order."""
    pair, merged = step({tuple(tokens): times for tokens, times in words}, new)
    return {"the pair": listed(pair), "the words, and how often each occurs": in_order(merged)}


def several_merges(step: Callable, words: list, new: int, n: int) -> dict[str, object]:
    """n steps, one after the other: the pairs, and what has become of the words."""
    known, pairs = {tuple(tokens): times for tokens, times in words}, []
    for i in range(n):
        pair, known = step(known, new + i)
        pairs.append(listed(pair))
    return {"the pairs": pairs, "the words, and how often each occurs": in_order(known)}


def listed(tokens: object) -> list[int]:
    """Tokens, or a pair of them, as a list of Python's numbers."""
    return [int(token) for token in tokens]  # type: ignore[attr-defined]


def in_order(words: dict) -> list:
    """A dict of words as a sorted list."""
    return sorted([listed(tokens), int(times)] for tokens, times in words.items())


def encoded(encode: Callable, word: str, merges: list) -> list[int]:
    """The tokens of a word in UTF-8; merges is a list of (first, second, new)."""
    return coded(encode, list(word.encode("utf-8")), merges)


def coded(encode: Callable, numbers: list[int], merges: list) -> list[int]:
    """The tokens of a word, of which the numbers of its bytes are given."""
    tokens = encode(bytes(numbers), {(a, b): new for a, b, new in merges})
    return listed(tokens)[: len(tokens)]  # a generator has no length
