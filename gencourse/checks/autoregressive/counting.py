"""Exercises on counting pairs of tokens, and on turning counts into probabilities."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse.checks._exercise import exercise
from gencourse.models import autoregressive
from gencourse.runtime import seeded

# --- counts_with_start ---------------------------------------------------------------------------------------------


def pair_counts(documents, V, start):
    """How often token j follows token i with the tokens of `start` in front of each document: (V + 1, V)."""
    counts = torch.zeros(V + 1, V, dtype=torch.long)
    for tokens in documents:
        for i, j in pairwise([*start, *tokens.tolist()]):
            counts[i, j] += 1
    return counts


def counts_with_start_reference(documents, V):
    """How often token j follows token i inside a document; row V counts the first tokens: (N_i,), ... -> (V + 1, V)."""
    return pair_counts(documents, V, start=[V])


def written(seed, *lengths, below):
    """Documents of these lengths, tokens below `below` drawn at random."""
    generator = seeded(seed)
    return [torch.randint(0, below, (n,), generator=generator) for n in lengths]


@exercise(
    reference=counts_with_start_reference,
    difficulty=1,
    minutes=10,
    points=2,
    hints=(
        "Imagine a token V written in front of every document. Which pairs does the document [3, 1] then hold?",
        "A pair that occurs ten times should count ten times. Does `counts[i, j] += 1` do that when i and j are tensors?",
        "Where one document ends and another begins there is no pair.",
    ),
    insight="The last row says how documents begin. Without it a model could continue a text but never start one.",
)
def counts_with_start(ask, seed):
    def asked(documents, V):
        return ask("counts_with_start(documents, V)", documents=documents, V=V)

    yield "the counts of the single document 0, 1, 1, 2 with V = 4", asked([torch.tensor([0, 1, 1, 2])], 4)
    yield "the counts of the document 2, 0, 2, 0, 2, 0, 2, where pairs repeat", asked([torch.tensor([2, 0, 2, 0, 2, 0, 2])], 4)
    several = asked(written(seed, 6, 1, 9, 4, below=5), 5)
    yield "the counts of documents with 6, 1, 9 and 4 tokens, V = 5", several
    yield "whether the counts are a tensor of whole numbers", isinstance(several, Tensor) and not several.is_floating_point()
    yield "the counts of two documents in which only 3 of 6 tokens occur", asked(written(seed + 1, 7, 5, below=3), 6)
    empty = [*written(seed + 2, 3, below=4), torch.zeros(0, dtype=torch.long), *written(seed + 3, 4, below=4)]
    yield "the counts when the second of three documents is empty", asked(empty, 4)


@counts_with_start.mistake("No document ever begins in your table: its last row is empty. What stands before the first token?")
def no_start_token(documents, V):
    return pair_counts(documents, V, start=[])


@counts_with_start.mistake("Your table has no row for the start at all. With how many rows can it say what a document begins with?")
def no_row_for_the_start(documents, V):
    return pair_counts(documents, V, start=[])[:V]


@counts_with_start.mistake("Token 0 is your start, and it is a token like any other: its row now counts two things. Which number is free?")
def token_0_as_start(documents, V):
    return pair_counts(documents, V, start=[0])


@counts_with_start.mistake(
    "The documents are joined before counting, so the last token of one seems to be followed by the first of the next. Who wrote that pair?"
)
def pairs_across_documents(documents, V):
    return counts_with_start_reference([torch.cat(documents)], V)


@counts_with_start.mistake(
    "Every start is counted, and the pairs across the ends of documents as well. Which of the two is left to remove?"
)
def starts_and_pairs_across(documents, V):
    counts = pair_counts([torch.cat(documents)], V, start=[])
    counts[V] = counts_with_start_reference(documents, V)[V]
    return counts


@counts_with_start.mistake("counts[i, j] should say how often j follows i. Which index is your row: the token before, or the one after?")
def rows_and_columns_exchanged(documents, V):
    return counts_with_start_reference(documents, V).T


@counts_with_start.mistake(
    "Right, but turned over within the square: there column i follows row j. Which token comes first in counts[i, j]?"
)
def pairs_backwards(documents, V):
    counts = counts_with_start_reference(documents, V)
    return torch.cat([counts[:V].T, counts[V:]])


@counts_with_start.mistake(
    "A pair that a document holds several times is counted once. What does `counts[i, j] += 1` do when a pair occurs twice in i and j?"
)
def repeated_pairs_lost(documents, V):
    counts = torch.zeros(V + 1, V, dtype=torch.long)
    for tokens in documents:
        row = torch.cat([torch.tensor([V]), tokens])
        counts[row[:-1], row[1:]] += 1
    return counts


@counts_with_start.mistake("Your table says which pairs occur, not how often.")
def presence_for_counts(documents, V):
    return counts_with_start_reference(documents, V).clamp(max=1)


@counts_with_start.mistake("Only one document is counted. Is the table made anew for each?")
def last_document_alone(documents, V):
    return counts_with_start_reference(documents[-1:], V)


@counts_with_start.mistake("Counts are whole numbers. Yours are right, but floats: which kind has torch.zeros, if you do not say?")
def floats_for_counts(documents, V):
    return counts_with_start_reference(documents, V).float()


@counts_with_start.mistake("An empty document has no first token, and yours stops there. What does it add to the counts?")
def empty_document_fails(documents, V):
    for tokens in documents:
        tokens[0]
    return counts_with_start_reference(documents, V)


@counts_with_start.also_right
def by_bincount(documents, V):
    rows = [torch.cat([torch.tensor([V]), tokens]) for tokens in documents]
    pairs = torch.cat([row[:-1] * V + row[1:] for row in rows])
    return torch.bincount(pairs, minlength=(V + 1) * V).view(V + 1, V)


@counts_with_start.also_right
def by_one_hot(documents, V):
    counts = torch.zeros(V + 1, V, dtype=torch.int32)
    for tokens in documents:
        before = F.one_hot(torch.cat([torch.tensor([V]), tokens])[:-1], V + 1)
        counts += (before.T @ F.one_hot(tokens, V)).int()
    return counts


# --- bigram_probs --------------------------------------------------------------------------------------------------


@exercise(
    reference=autoregressive.bigram_probs,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "Given token i, something has to follow. So which sums should be 1: those of the rows, or those of the columns?",
        "Print the shape of your sums. If they are (V,), which dimension of the table does torch divide by them?",
        "α is added to every count. What does that do to the sum of a row?",
    ),
    insight="α = 0 believes the counts alone, a huge α nothing but that there are V tokens. Text that was held out says what is best between.",
)
def bigram_probs(ask, seed):
    call = "bigram_probs(counts, alpha)"
    generator = seeded(seed)
    counts = torch.randint(0, 9, (5, 5), generator=generator) + torch.eye(5, dtype=torch.long).roll(1, 1)
    counts[3, 1] = 0
    yield "the probabilities for a 5 by 5 table without smoothing", ask(call, counts=counts, alpha=0.0)
    yield "the probabilities with alpha = 0.5", ask(call, counts=counts, alpha=0.5)
    yield "the probabilities with alpha = 3", ask(call, counts=counts, alpha=3)
    yield "the table of counts after the call with alpha = 3, which should be as before", ask(f"{call}\ncounts", counts=counts, alpha=3)
    yield "the probabilities with alpha = 10,000,000: all nearly alike", ask(call, counts=counts, alpha=1e7)
    wide = torch.randint(1, 9, (3, 4), generator=generator)
    yield "the probabilities for a table with 3 rows and 4 columns, alpha = 0.2", ask(call, counts=wide, alpha=0.2)
    hollow = wide * torch.tensor([[1], [0], [1]])
    yield "the probabilities for 3 rows and 4 columns, the second row empty, alpha = 0", ask(call, counts=hollow, alpha=0.0)
    empty = counts.clone()
    empty[2] = 0
    yield "the probabilities with an empty row, alpha = 0.01", ask(call, counts=empty, alpha=0.01)
    yield "the probabilities with an empty row, alpha = 0: that row is uniform", ask(call, counts=empty, alpha=0.0)


def ratio(counts, alpha, total):
    """(counts + α) / total, rows without a total uniform."""
    return torch.where(total > 0, (counts + alpha) / total, 1 / counts.shape[1])


@bigram_probs.mistake(
    "Your columns add up to 1. That answers another question, what came before j: which sums should be 1 when i is given?"
)
def columns_normalised(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts.T, alpha).T


@bigram_probs.mistake(
    "The sums lost a dimension, so torch lays them along the columns: every count is divided by the sum of another row. What keeps (V, 1)?",
    "A tensor of shape (V,) is read as one row, (1, V), when it meets (V, V). The function that sums has an argument for this.",
)
def sums_without_keepdim(counts, alpha=0.0):
    smoothed = counts + alpha
    return ratio(counts, alpha, smoothed.sum(1))


@bigram_probs.mistake("The whole table adds up to 1: that is p(i, j), the pair. What should add up to 1 when i is known?")
def joint_probabilities(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed / smoothed.sum()


@bigram_probs.mistake("α joins after the division, so your rows add up to more than 1. What is it added to in the formula?")
def smoothed_after_normalising(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, 0.0) + alpha


@bigram_probs.mistake("α is added to probabilities, and a frequent token feels it as much as a rare one. What should it be added to?")
def smoothed_after_normalising_and_normalised_again(counts, alpha=0.0):
    smoothed = autoregressive.bigram_probs(counts, 0.0) + alpha
    return smoothed / smoothed.sum(1, keepdim=True)


@bigram_probs.mistake("With α above 0 your rows add up to more than 1. α went into the counts: did it go into what they are divided by?")
def total_without_alpha(counts, alpha=0.0):
    return ratio(counts, alpha, counts.sum(1, keepdim=True))


@bigram_probs.mistake("α is added once to the sum of a row, and to each of its V counts. By how much does the sum grow?")
def total_with_one_alpha(counts, alpha=0.0):
    return ratio(counts, alpha, counts.sum(1, keepdim=True) + alpha)


@bigram_probs.mistake("Only pairs that were never seen get an α. What do the others get in the formula?")
def alpha_for_zeros_alone(counts, alpha=0.0):
    smoothed = torch.where(counts == 0, alpha, counts)
    return ratio(smoothed, 0.0, smoothed.sum(1, keepdim=True))


@bigram_probs.mistake("α changes nothing in your table. Where does it enter?")
def alpha_ignored(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, 0.0)


@bigram_probs.mistake("Right for the first tables, but what happens to a row that is all zeros when nothing is added? Look for NaN.")
def empty_row_is_nan(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed / smoothed.sum(1, keepdim=True)


@bigram_probs.mistake("Without smoothing your empty row is all zeros: then nothing could follow that token. What should its sum be?")
def empty_row_stays_zero(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed / smoothed.sum(1, keepdim=True).clamp(min=1e-9)


@bigram_probs.mistake("Your quotients are whole numbers, so nearly all are 0. Which sign divides without rounding down?")
def integer_division(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed // smoothed.sum(1, keepdim=True).clamp(min=1e-9)


@bigram_probs.mistake(
    "The table is right, but the counts that you were given have changed: α stays in them for the next call. What works in place?"
)
def counts_changed(counts, alpha=0.0):
    probs = autoregressive.bigram_probs(counts, alpha)
    counts += int(alpha)
    return probs


@bigram_probs.mistake("A softmax makes exponentials of the counts: 8 would be e times as likely as 7. What ratio should they have?")
def softmax_of_counts(counts, alpha=0.0):
    return (counts + alpha).float().softmax(1)


@bigram_probs.mistake("These are logarithms. The probabilities themselves are asked for.")
def logarithms_returned(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, alpha).log()


@bigram_probs.also_right
def row_by_row(counts, alpha=0.0):
    V = counts.shape[1]
    rows = [row.double() + alpha if row.sum() + alpha > 0 else torch.ones(V).double() for row in counts]
    return torch.stack([row / row.sum() for row in rows])


@bigram_probs.also_right
def empty_rows_filled(counts, alpha=0.0):
    smoothed = counts.float() + alpha
    smoothed[smoothed.sum(1) == 0] = 1.0
    return F.normalize(smoothed, p=1, dim=1)
