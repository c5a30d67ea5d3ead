"""Exercise on counting pairs of tokens, with a start in front of every document."""

from itertools import pairwise

import torch
import torch.nn.functional as F

from gencourse.checks import exercise
from gencourse.probes.autoregressive.arguments import afterwards
from gencourse.probes.autoregressive.tokens import kind_of_table
from gencourse.runtime import seeded


def pair_counts(documents, V, start):
    """How often j follows i with the tokens of `start` in front of each document: (V + 1, V)."""
    counts = [[0] * V for _ in range(V + 1)]
    for tokens in documents:
        for i, j in pairwise([*start, *tokens.tolist()]):
            counts[i][j] += 1
    return torch.tensor(counts)


def counts_with_start_reference(documents, V):
    """How often j follows i inside a document; row V counts the first tokens: -> (V + 1, V)."""
    return pair_counts(documents, V, start=[V])


def written(seed, *lengths, below):
    """Documents of these lengths, tokens below `below` drawn at random."""
    generator = seeded(seed)
    return [torch.randint(0, below, (n,), generator=generator) for n in lengths]


def in_bytes(seed):
    """Documents of bytes from 140 to 149, so that V times a token is none."""
    return [(140 + tokens).to(torch.uint8) for tokens in written(seed, 40, 1, 3, below=10)]


@exercise(
    reference=counts_with_start_reference,
    difficulty=1,
    minutes=10,
    points=2,
    hints=(
        (
            "Imagine a token V written in front of every document. Which pairs does the document "
            "[3, 1] then hold?"
        ),
        (
            "A pair that occurs ten times should count ten times. Does `counts[i, j] += 1` do "
            "that when i and j are tensors?"
        ),
        "Where one document ends and another begins there is no pair.",
    ),
    on_success=(
        "The last row says how documents begin. Without it a model could continue a text but "
        "never start one."
    ),
)
def counts_with_start(answer, seed):
    one = torch.tensor([0, 1, 1, 2])
    yield "the counts of the single document 0, 1, 1, 2 with V = 4", answer([one], 4)
    again = torch.tensor([2, 0, 2, 0, 2, 0, 2])
    yield "the counts of the document 2, 0, 2, 0, 2, 0, 2, where pairs repeat", answer([again], 4)
    several = written(seed, 6, 1, 9, 4, below=5)
    yield "the counts of documents with 6, 1, 9 and 4 tokens, V = 5", answer(several, 5)
    yield "the table", answer.run(kind_of_table, several, 5)
    few = written(seed + 1, 7, 5, below=3)
    yield "the counts of two documents in which only 3 of 6 tokens occur", answer(few, 6)
    empty = written(seed + 2, 3, 0, 4, 0, below=4)
    after = answer.run(afterwards, written(seed + 4, 3, 5, below=4), 4)
    yield "the documents themselves after the call, which should be as before", after
    yield "the counts when the second and the fourth document are empty", answer(empty, 4)
    yield "the counts when the first document is empty", answer(empty[1:3], 4)
    yield "the counts when the only document is empty", answer([empty[1]], 4)
    zeros = torch.zeros(2100, dtype=torch.long)
    yield "the counts of a document of 2,100 tokens, V = 1", answer([zeros], 1)
    many = 1200 if seed % 3 == 2 else 150  # a loop over documents should not pay for it each time
    ones = written(seed + 5, *[1] * many, below=2)
    yield f"the counts of {many:,} documents of one token each, V = 2", answer(ones, 2)
    yield "the counts of documents that come as bytes, V = 256", answer(in_bytes(seed + 6), 256)


@counts_with_start.alternative
def by_bincount(documents, V):
    rows = [torch.cat([torch.tensor([V]), tokens]) for tokens in documents]
    pairs = torch.cat([row[:-1] * V + row[1:] for row in rows])
    return torch.bincount(pairs, minlength=(V + 1) * V).view(V + 1, V)


@counts_with_start.alternative
def by_one_hot(documents, V):
    counts = torch.zeros(V + 1, V, dtype=torch.int32)
    for tokens in documents:
        before = F.one_hot(torch.cat([torch.tensor([V]), tokens])[:-1], V + 1)
        counts += (before.T @ F.one_hot(tokens.long(), V)).int()
    return counts


@counts_with_start.mistake(
    "No document ever begins in your table: its last row is empty. What stands before the first "
    "token?"
)
def no_start_token(documents, V):
    return pair_counts(documents, V, start=[])


@counts_with_start.mistake(
    "Your table has no row for the start at all. With how many rows can it say what a document "
    "begins with?"
)
def no_row_for_the_start(documents, V):
    return pair_counts(documents, V, start=[])[:V]


@counts_with_start.mistake(
    "Token 0 is your start, and it is a token like any other: its row now counts two things. "
    "Which number is free?"
)
def token_0_as_start(documents, V):
    return pair_counts(documents, V, start=[0])


@counts_with_start.mistake(
    "The documents are joined before counting, so the last token of one seems to be followed by "
    "the first of the next. Who wrote that pair?"
)
def pairs_across_documents(documents, V):
    return counts_with_start_reference([torch.cat(documents)], V)


@counts_with_start.mistake(
    "Every start is counted, and the pairs across the ends of documents as well. Which of the two "
    "is left to remove?"
)
def starts_and_pairs_across(documents, V):
    counts = pair_counts([torch.cat(documents)], V, start=[])
    counts[V] = counts_with_start_reference(documents, V)[V]
    return counts


@counts_with_start.mistake(
    "counts[i, j] should say how often j follows i. Which index is your row: the token before, or "
    "the one after?"
)
def rows_and_columns_exchanged(documents, V):
    return counts_with_start_reference(documents, V).T


@counts_with_start.mistake(
    "Right, but turned over within the square: there column i follows row j. Which token comes "
    "first in counts[i, j]?"
)
def pairs_backwards(documents, V):
    counts = counts_with_start_reference(documents, V)
    return torch.cat([counts[:V].T, counts[V:]])


@counts_with_start.mistake(
    "A pair that a document holds several times is counted once. What does `counts[i, j] += 1` do "
    "when a pair occurs twice in i and j?"
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


@counts_with_start.mistake(
    "Counts are whole numbers. Yours are right, but floats: which kind has torch.zeros, if you do "
    "not say?"
)
def floats_for_counts(documents, V):
    return counts_with_start_reference(documents, V).float()


@counts_with_start.mistake(
    "The counts are right, but your caller's list of documents has changed: the start token stays "
    "in it. Where is it written?"
)
def documents_changed(documents, V):
    counts = counts_with_start_reference(documents, V)
    for i, tokens in enumerate(documents):
        documents[i] = torch.cat([torch.tensor([V]), tokens])
    return counts


@counts_with_start.mistake(
    "An empty document has no first token, and yours stops there. What does it add to the counts?"
)
def empty_document_fails(documents, V):
    for tokens in documents:
        tokens[0]
    return counts_with_start_reference(documents, V)


@counts_with_start.mistake(
    "Right but for bytes: a tensor of torch.uint8 as an index is a mask for torch, as one of "
    "booleans is. Which type should an index have?"
)
def bytes_as_index(documents, V):
    counts = torch.zeros(V + 1, V, dtype=torch.long)
    for tokens in documents:
        counts[V] += torch.bincount(tokens[:1], minlength=V)
        counts.index_put_((tokens[:-1], tokens[1:]), torch.tensor(1), accumulate=True)
    return counts


@counts_with_start.mistake(
    "Right but for bytes: a single token of torch.uint8 in `counts[i, j]` is a mask, too, and says "
    "yes or no to the whole table. What makes a plain number of it?"
)
def byte_as_index(documents, V):
    counts = torch.zeros(V + 1, V, dtype=torch.long)
    for tokens in documents:
        counts[V] += torch.bincount(tokens[:1], minlength=V)
        for i, j in pairwise(tokens):
            counts[i, j] += 1
    return counts


@counts_with_start.mistake(
    "Right but for bytes: i · V + j in torch.uint8 goes round at 256. In which type should it be "
    "computed?"
)
def place_in_bytes(documents, V):
    counts = torch.zeros((V + 1) * V, dtype=torch.long)
    for tokens in documents:
        before = torch.cat([torch.tensor([V], dtype=tokens.dtype), tokens])[:-1]
        counts += torch.bincount(before * V + tokens, minlength=len(counts))
    return counts.view(V + 1, V)


@counts_with_start.mistake(
    "Documents may come as bytes, and V may be 256. Which number does a byte hold when 256 is "
    "written into it?"
)
def start_as_a_byte(documents, V):
    rows = [torch.cat([torch.tensor([V]).to(d.dtype), d]).tolist() for d in documents]
    counts = torch.zeros(V + 1, V, dtype=torch.long)
    for row in rows:
        for i, j in pairwise(row):
            counts[i, j] += 1
    return counts
