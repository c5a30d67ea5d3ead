"""Exercise on byte pairs: one step of training, in which the most frequent pair becomes a token."""

import itertools
from collections import Counter

import torch

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.models.autoregressive import merge_pair, pair_counts
from gencourse.probes.autoregressive.merges import one_merge, several_merges
from gencourse.runtime import seeded


@exercise(
    reference=autoregressive.bpe_merge_step,
    difficulty=2,
    minutes=20,
    points=3,
    hints=(
        "Count first: for every word all its pairs, each as often as the word occurs.",
        "min over the pairs with a key of two parts finds the most frequent, and the smallest of "
        "those.",
        "Walk through a word with an index: if the pair begins here, write `new` and go on by two, "
        "else copy one token.",
    ),
    on_success=(
        "This step, 512 times, is all the training that a tokenizer gets. It counts words, not the "
        "text, so it is quick."
    ),
)
def bpe_merge_step(answer, seed):
    a, b, c, d = 97 + seed % 20, 98 + seed % 20, 120, 100
    text = [((a, a, a, b, d, a, a, a, b, a, c), 1)]
    yield "aaabdaaabac as one word", answer.run(one_merge, text, 256)
    yield "the word aaaaa", answer.run(one_merge, [((a,) * 5, 1)], 256)
    frequent = [((c, d, c, d, c, d), 1), ((a, b), 7), ((d,), 50), ((b, a, c), 2)]
    yield "words that occur 1, 7, 50 and 2 times", answer.run(one_merge, frequent, 300)
    tied = [((d, 3), 2), ((c, 1), 2), ((c, 0), 1), ((d, 2), 2), ((d, 200), 2)]
    yield "four pairs that are equally frequent", answer.run(one_merge, tied, 256)
    yield "the same words in another order", answer.run(one_merge, tied[::-1], 256)
    big = [((5, 400), 3), ((300, 4), 3), ((299, 399, 4), 3), ((300, 4, 300, 4), 1)]
    yield "words in which merges stand already", answer.run(one_merge, big, 401)
    over = [((a, a, b), 2), ((a, a, a), 1), ((b, a, c), 3), ((b, a, a), 1)]
    yield "pairs that overlap", answer.run(one_merge, over, 256)
    both = [((a, b), 3), ((b, a), 4), ((b, c, a), 1), ((c, a, b), 1)]
    yield "ab four times, and ba four times", answer.run(one_merge, both, 256)
    inside = [((a, b, a, b), 2), ((b, c), 3), ((c, b, c, d), 2)]
    yield "a pair that stands twice in one word", answer.run(one_merge, inside, 256)
    row = [((c,) * 4, 1), ((a, b), 2)]
    yield "xxxx once, and another pair twice", answer.run(one_merge, row, 256)
    again = [((c, d, b, c, d), 1), ((a, b), 1), ((b, a), 1)]
    yield "a pair twice in one word, others once in several", answer.run(one_merge, again, 256)
    drawn = random_words(seed)
    yield "one step on some 30 words", answer.run(one_merge, drawn, 256)
    yield "twelve steps on some 30 words", answer.run(several_merges, drawn, 256, 12)


@bpe_merge_step.alternative
def by_sorting(words, new):
    whole = [word for word, times in words.items() for _ in range(times)]
    counts = Counter((w[i], w[i + 1]) for w in whole for i in range(len(w) - 1))
    pair = max(sorted(counts), key=counts.__getitem__)
    merged = {}
    for word, times in words.items():
        tokens = list(word)
        for i in range(len(tokens) - 1):
            if tuple(tokens[i : i + 2]) == pair:
                tokens[i : i + 2] = [new, None]
        merged[tuple(t for t in tokens if t is not None)] = times
    return list(pair), merged


def random_words(seed):
    """Some 30 words of 2 to 7 letters out of four, of which each occurs 1 to 9 times."""
    generator = seeded(seed + 5)

    def whole(low, high, n=1):
        return torch.randint(low, high, (n,), generator=generator).tolist()

    words = {tuple(whole(97, 101, *whole(2, 8))): whole(1, 10)[0] for _ in range(30)}
    return list(words.items())


def merged_words(words, pair, new):
    return {merge_pair(word, pair, new): times for word, times in words.items()}


def step(words, new, counted=None, rank=lambda pair, times: (-times, pair)):
    """A step with knobs: what is counted, and which pair comes first."""
    counts = pair_counts(words if counted is None else counted)
    pair = min(counts, key=lambda p: rank(p, counts[p]))
    return pair, merged_words(words, pair, new)


@bpe_merge_step.mistake(
    "Each word counts once, however often it occurs. How often do its pairs occur in the text?"
)
def words_counted_once(words, new):
    return step(words, new, dict.fromkeys(words, 1))


@bpe_merge_step.mistake(
    "Of equally frequent pairs you take the one that was seen first, so the order of the words "
    "decides. Which one does the text name?"
)
def first_seen(words, new):
    return step(words, new, rank=lambda pair, times: -times)


@bpe_merge_step.mistake("Of equally frequent pairs you take the largest. Which does the text name?")
def largest_of_equals(words, new):
    return step(words, new, rank=lambda pair, times: (-times, -pair[0], -pair[1]))


@bpe_merge_step.mistake("You merge the rarest pair. Which one saves most?")
def rarest(words, new):
    return step(words, new, rank=lambda pair, times: (times, pair))


@bpe_merge_step.mistake(
    "Pairs are counted without overlap: in aaaaa you count aa twice. The text counts every "
    "neighbourhood."
)
def counted_without_overlap(words, new):
    counts = Counter()
    for word, times in words.items():
        i, last = 0, None
        for i, pair in enumerate(itertools.pairwise(word)):
            if last == (pair, i - 1):
                last = None
                continue
            counts[pair] += times
            last = (pair, i)
    pair = min(counts, key=lambda p: (-counts[p], p))
    return pair, merged_words(words, pair, new)


@bpe_merge_step.mistake(
    "A pair counts once in a word, even where it stands twice. How often does it occur in the text?"
)
def once_in_a_word(words, new):
    counts = Counter()
    for word, times in words.items():
        for pair in set(itertools.pairwise(word)):
            counts[pair] += times
    pair = min(counts, key=lambda p: (-counts[p], p))
    return pair, merged_words(words, pair, new)


@bpe_merge_step.mistake("You count ab and ba as one pair. Are they the same token when joined?")
def order_ignored(words, new):
    counts = Counter()
    for pair, times in pair_counts(words).items():
        counts[min(pair, pair[::-1])] += times
    pair = min(counts, key=lambda p: (-counts[p], p))
    return pair, merged_words(words, pair, new)


@bpe_merge_step.mistake(
    "The last token of a word and the first of the next one are a pair for you. Do they stand next "
    "to each other in the text?"
)
def across_words(words, new):
    whole = tuple(token for word, times in words.items() for token in word * times)
    return step(words, new, {whole: 1})


@bpe_merge_step.mistake(
    "The right pair. In each word only its first occurrence is merged: what of the others?"
)
def first_occurrence_alone(words, new):
    pair, _ = autoregressive.bpe_merge_step(words, new)

    def once(word):
        at = next((i for i, p in enumerate(itertools.pairwise(word)) if p == pair), None)
        return word if at is None else (*word[:at], new, *word[at + 2 :])

    return pair, {once(word): times for word, times in words.items()}


@bpe_merge_step.mistake(
    "The right pair, merged from the right: aaa becomes a and the new token. On which side should "
    "it begin?"
)
def from_the_right(words, new):
    pair, _ = autoregressive.bpe_merge_step(words, new)
    back = {w: merge_pair(w[::-1], pair[::-1], new)[::-1] for w in words}
    return pair, {back[word]: times for word, times in words.items()}


@bpe_merge_step.mistake(
    "After a merge you go on by one token, so the pair's second token stays, or is used twice. By "
    "how many should you go on?"
)
def second_token_kept(words, new):
    pair, _ = autoregressive.bpe_merge_step(words, new)

    def walk(word):
        ends = [*itertools.pairwise(word), None]
        return tuple(new if p == pair else t for t, p in zip(word, ends, strict=True))

    return pair, {walk(word): times for word, times in words.items()}


@bpe_merge_step.mistake("The right pair, and words without it are gone. Do they still occur?")
def other_words_lost(words, new):
    pair, merged = autoregressive.bpe_merge_step(words, new)
    return pair, {word: times for word, times in merged.items() if word not in words}


@bpe_merge_step.mistake("The right pair, and the words are as before. Where is `new`?")
def words_as_before(words, new):
    return autoregressive.bpe_merge_step(words, new)[0], words


@bpe_merge_step.mistake(
    "The words are right, and each occurs once now. How often does a word occur after its tokens "
    "have changed?"
)
def counts_lost(words, new):
    pair, merged = autoregressive.bpe_merge_step(words, new)
    return pair, dict.fromkeys(merged, 1)
