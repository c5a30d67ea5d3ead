"""Byte-pair encoding against known answers, a slow training of a few lines, and properties."""

import itertools
import math
import random
from collections import Counter

import pytest
import torch

from gencourse.data import text
from gencourse.errors import InputError, InputTypeError
from gencourse.models import autoregressive as m

PLAY = "Hello, hello! The Hell that he held: hello.\n\n  'Tis 40 or 400 he'll see —\tnaïve?\n" * 3


def counted_again(source, merges):
    """Training as its definition says: all words counted again for each merge."""
    words = Counter(tuple(word) for word in m.split_words(source))
    learned = {}
    for new in range(256, 256 + merges):
        pair, words = m.bpe_merge_step(words, new)
        learned[pair] = new
    return learned


def some_bytes(seed, n):
    draw = random.Random(seed)
    return bytes(draw.choice((32, 10, 97, 98, 200, draw.randrange(256))) for _ in range(n))


def test_the_example_of_wikipedia():
    """aa becomes 256, then two pairs are tied; either way the same tokens result."""
    merges = m.bpe_train("aaabdaaabac", 3)
    assert list(merges.items()) == [((97, 97), 256), ((97, 98), 257), ((256, 257), 258)]
    tokenizer = m.BPE(merges)
    assert tokenizer.encode("aaabdaaabac").tolist() == [258, 100, 258, 97, 99]
    other = m.BPE({(97, 97): 256, (256, 97): 257, (257, 98): 258})  # the larger of the two first
    assert other.encode("aaabdaaabac").tolist() == [258, 100, 258, 97, 99]
    assert tokenizer.vocabulary[258] == b"aaab" and len(tokenizer) == 259


def test_overlapping_pairs_are_counted_and_merged_from_the_left():
    assert m.pair_counts({(97,) * 5: 1}) == {(97, 97): 4}
    assert m.merge_pair((97,) * 5, (97, 97), 256) == (256, 256, 97)
    assert m.BPE(m.bpe_train("aaaaa", 1)).encode("aaaaa").tolist() == [256, 256, 97]
    assert m.BPE(m.bpe_train("aaaaa", 9)).encode("aaaaa").tolist() == [258]  # none is left to merge


def test_ties_go_to_the_smallest_pair_wherever_it_stands():
    for source in ("ba ca ab", "ab ca ba", "ca ba ab"):
        pair, _ = m.bpe_merge_step(Counter(tuple(w.strip()) for w in m.split_words(source)), 256)
        assert pair == (97, 98)


def test_hello_is_merged_by_rank_and_not_across_words():
    tokenizer = m.BPE(m.bpe_train("hello hello, hell, lo lo lo lo\n", 6))
    by_hand = [b"h", b"e", b"l", b"lo"]  # "lo" was learned first, so "ll" cannot be
    assert [tokenizer.vocabulary[i] for i in tokenizer.encode("Hello,").tolist()][-1] == b","
    spelled = {b: i for i, b in enumerate(tokenizer.vocabulary)}
    assert spelled[b"lo"] == 256
    assert tuple(m.bpe_encode(b"hello", {(108, 111): 256})) == tuple(spelled[b] for b in by_hand)
    assert m.split_words("Hello, world!\n\n  It's") == [
        b"Hello", b",", b" world", b"!", b"\n\n ", b" It", b"'", b"s"
    ]  # fmt: skip


def test_the_longest_token_is_not_always_taken():
    """abc is in the vocabulary; but bc was learned before ab, and a text is encoded as it was."""
    merges = {(98, 99): 256, (97, 98): 257, (257, 99): 258}
    assert m.bpe_encode(b"abc", merges) == (97, 256)


@pytest.mark.parametrize("source", [PLAY, "ab" * 40 + "ba" * 70 + "aab" * 30, some_bytes(5, 600)])
def test_training_equals_counting_everything_again(source):
    assert list(m.bpe_train(source, 20).items()) == list(counted_again(source, 20).items())


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_go_through_tokens_and_back(seed):
    tokenizer = m.BPE(m.bpe_train(PLAY, 60), specials=("<end>",))
    data = some_bytes(seed, 300)
    assert b"".join(m.split_words(data)) == data
    assert tokenizer.decode_bytes(tokenizer.encode(data)) == data
    assert tokenizer.decode_bytes(tokenizer.encode(data)) == data  # with words that are known
    everything = torch.randint(len(tokenizer) - 1, (200,))
    spelled = tokenizer.decode_bytes(everything)
    assert tokenizer.decode_bytes(tokenizer.encode(spelled)) == spelled


def test_the_training_text_is_encoded_as_training_left_it():
    words = Counter(tuple(word) for word in m.split_words(PLAY))
    merges, spelled = m.bpe_train(PLAY, 40), dict.fromkeys(words)
    for pair, new in merges.items():
        spelled = {word: m.merge_pair(spelled[word] or word, pair, new) for word in spelled}
    for word, tokens in spelled.items():
        assert m.bpe_encode(bytes(word), merges) == tokens


def test_strings_come_back_and_pieces_of_characters_are_shown_as_such():
    tokenizer = m.BPE(m.bpe_train(PLAY, 40))
    for string in (PLAY, "", "naïve — 日本語 🙂", "\x00\r\n\t"):
        assert tokenizer.decode(tokenizer.encode(string)) == string
    assert tokenizer.decode(tokenizer.encode("é")[:1]) == "\N{REPLACEMENT CHARACTER}"


def test_no_text_becomes_a_special_token():
    tokenizer = m.BPE(m.bpe_train("<end> <|user|> " * 50, 60), specials=("<end>", "<|user|>"))
    first = min(tokenizer.special.values())
    assert tokenizer.special == {"<end>": first, "<|user|>": first + 1} and first == 256 + len(
        tokenizer.merges
    )
    for forged in (
        "<end>",
        " <end>",
        "<|user|>",
        "<" + "end>",
        "<end><end>",
        b"<end>",
        "<en\x00d>",
    ):
        assert int(tokenizer.encode(forged).max()) < first
    both = torch.cat([tokenizer.encode("hi"), torch.tensor([tokenizer.special["<end>"]])])
    assert tokenizer.decode(both) == "hi<end>"


def test_shakespeare_in_merges():
    """Few merges, so that it takes a second; {: stands in the held-out part alone."""
    data = text()
    train = data.decode(data.train[:100_000])
    tokenizer = m.BPE(m.bpe_train(train, 64))
    held_out = data.decode(data.validation)
    tokens = tokenizer.encode(held_out)
    assert tokenizer.decode(tokens) == held_out
    assert 1.3 < len(held_out) / len(tokens) < 2
    assert list(itertools.islice(tokenizer.merges, 4)) == list(counted_again(train, 4))


def test_bits_per_byte_of_a_coin_and_of_uniform_bytes():
    assert m.bits_per_byte(10 * math.log(2), 10) == pytest.approx(1)
    assert m.bits_per_byte(7 * math.log(256), 7) == pytest.approx(8)
    tokens, size = 50, 104  # a vocabulary of 768, two bytes and a bit in a token
    assert m.bits_per_byte(tokens * math.log(768), size) == pytest.approx(math.log2(768) * 50 / 104)


def test_faults_are_told():
    with pytest.raises(InputTypeError, match="string or bytes"):
        m.split_words(7)
    with pytest.raises(InputError, match="at least two tokens"):
        m.bpe_merge_step({(97,): 4}, 256)
    with pytest.raises(InputError, match="at least 0"):
        m.bpe_train("a text", -1)
    with pytest.raises(InputError, match="number their tokens from 256 on"):
        m.BPE({(97, 98): 97})
    with pytest.raises(InputError, match="each made of earlier"):
        m.BPE({(97, 300): 256})
    with pytest.raises(InputError, match="lie in 0"):
        m.BPE(m.bpe_train("aaabdaaabac", 3)).decode(torch.tensor([259]))
    with pytest.raises(InputTypeError, match="int64"):
        m.BPE({}).decode(torch.tensor([1.5]))
    with pytest.raises(InputError, match="size should be at least 1"):
        m.bits_per_byte(1.0, 0)
