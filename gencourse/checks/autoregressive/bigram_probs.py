"""Exercise on turning counts of pairs into probabilities."""

import torch
import torch.nn.functional as F

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.arguments import unchanged
from gencourse.probes.autoregressive.filters import kind_of_probabilities, zeros
from gencourse.runtime import seeded


@exercise(
    reference=autoregressive.bigram_probs,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "Given token i, something has to follow. So which sums should be 1: those of the "
            "rows, or those of the columns?"
        ),
        (
            "Print the shape of your sums. If they are (V,), which dimension of the table does "
            "torch divide by them?"
        ),
        "α is added to every count. What does that do to the sum of a row?",
    ),
    on_success=(
        "α = 0 believes the counts alone, a huge α nothing but that there are V tokens. Text that "
        "was held out says what is best between."
    ),
)
def bigram_probs(answer, seed):
    generator = seeded(seed)
    counts = torch.randint(0, 9, (5, 5), generator=generator)
    counts += torch.eye(5, dtype=torch.long).roll(1, 1)
    counts[3, 1] = 0
    wide = torch.randint(1, 9, (3, 4), generator=generator)
    empty, hollow, tall = (
        counts.clone(),
        wide * torch.tensor([[1], [0], [1]]),
        counts[:, :4].clone(),
    )
    empty[2], tall[0], hollow[0] = 0, 0, torch.tensor([0, 1, 0, 0])

    yield "the probabilities for a 5 by 5 table without smoothing", answer(counts, 0.0)
    yield "the probabilities with alpha = 0.5", answer(counts, 0.5)
    yield "the probabilities with alpha = 3", answer(counts, 3)
    yield "the table for alpha = 0.5", answer.run(kind_of_probabilities, counts, 0.5)
    kept = "whether the table of counts is after the call as before,"
    yield f"{kept} alpha = 3", answer.run(unchanged, counts, 3)
    yield "the probabilities with alpha = 40.5", answer(counts, 40.5)
    yield "the probabilities with alpha = 10,000,000: all nearly alike", answer(counts, 1e7)
    yield "the probabilities with 3 rows and 4 columns, alpha = 0.2", answer(wide, 0.2)
    yield (
        "the probabilities with 3 rows and 4 columns with 1, 0 and more counts, alpha = 0",
        answer(hollow, 0.0),
    )
    yield "the probabilities with single counts and alpha = 0.0005", answer(hollow, 5e-4)
    yield (
        "the probabilities with 5 rows and 4 columns, the first row empty, alpha = 1.5",
        answer(tall, 1.5),
    )
    yield (
        "the probabilities with 5 rows and 4 columns, the first row empty, alpha = 0",
        answer(tall, 0),
    )
    yield "the probabilities with an empty row, alpha = 0.01", answer(empty, 0.01)
    yield "the probabilities with an empty row, alpha = 0.00001", answer(empty, 1e-5)
    yield "the probabilities with an empty row, alpha = 0: that row is uniform", answer(empty, 0.0)
    yield f"{kept} an empty row and alpha = 0", answer.run(unchanged, empty, 0.0)
    exact = (
        "which probabilities are exactly 0 without smoothing: those of pairs that were never seen"
    )
    yield exact, answer.run(zeros, counts, 0.0)
    yield "the probabilities when nothing was counted, alpha = 0", answer(0 * wide, 0.0)
    yield (
        "the probabilities with counts up to some 100,000, alpha = 0.25",
        answer(wide * (wide + 9) ** 4, 0.25),
    )
    yield "the probabilities with counts in int32, alpha = 0.7", answer(counts.int(), 0.7)


@bigram_probs.alternative
def row_by_row(counts, alpha=0.0):
    V = counts.shape[1]
    rows = [
        row.double() + alpha if row.sum() + alpha > 0 else torch.ones(V).double() for row in counts
    ]
    return torch.stack([row / row.sum() for row in rows])


@bigram_probs.alternative
def empty_rows_filled(counts, alpha=0.0):
    smoothed = counts.float() + alpha
    smoothed[smoothed.sum(1) == 0] = 1.0
    return F.normalize(smoothed, p=1, dim=1)


def ratio(counts, alpha, total):
    """(counts + α) / total, rows without a total uniform."""
    return torch.where(total > 0, (counts + alpha) / total, 1 / counts.shape[1])


@bigram_probs.mistake(
    "Your columns add up to 1. That answers another question, what came before j: which sums "
    "should be 1 when i is given?"
)
def columns_normalised(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts.T, alpha).T


@bigram_probs.mistake(
    (
        "The sums lost a dimension, so torch lays them along the columns: every count is divided "
        "by the sum of another row. What keeps (V, 1)?"
    ),
    (
        "A tensor of shape (V,) is read as one row, (1, V), when it meets (V, V). The function "
        "that sums has an argument for this."
    ),
)
def sums_without_keepdim(counts, alpha=0.0):
    smoothed = counts + alpha
    return ratio(counts, alpha, smoothed.sum(1))


@bigram_probs.mistake(
    "The whole table adds up to 1: that is p(i, j), the pair. What should add up to 1 when i is "
    "known?"
)
def joint_probabilities(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed / smoothed.sum()


@bigram_probs.mistake(
    "α joins after the division, so your rows add up to more than 1. What is it added to in the "
    "formula?"
)
def smoothed_after_normalising(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, 0.0) + alpha


@bigram_probs.mistake(
    "α is added to probabilities, and a frequent token feels it as much as a rare one. What "
    "should it be added to?"
)
def smoothed_after_normalising_and_normalised_again(counts, alpha=0.0):
    smoothed = autoregressive.bigram_probs(counts, 0.0) + alpha
    return smoothed / smoothed.sum(1, keepdim=True)


@bigram_probs.mistake(
    "With α above 0 your rows add up to more than 1. α went into the counts: did it go into what "
    "they are divided by?"
)
def total_without_alpha(counts, alpha=0.0):
    return ratio(counts, alpha, counts.sum(1, keepdim=True))


@bigram_probs.mistake(
    "α is added once to the sum of a row, and to each of its V counts. By how much does the sum "
    "grow?"
)
def total_with_one_alpha(counts, alpha=0.0):
    return ratio(counts, alpha, counts.sum(1, keepdim=True) + alpha)


@bigram_probs.mistake(
    "Only pairs that were never seen get an α. What do the others get in the formula?"
)
def alpha_for_zeros_alone(counts, alpha=0.0):
    smoothed = torch.where(counts == 0, alpha, counts)
    return ratio(smoothed, 0.0, smoothed.sum(1, keepdim=True))


@bigram_probs.mistake("α changes nothing in your table. Where does it enter?")
def alpha_ignored(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, 0.0)


@bigram_probs.mistake(
    "Right for the first tables, but what happens to a row that is all zeros when nothing is "
    "added? Look for NaN."
)
def empty_row_is_nan(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed / smoothed.sum(1, keepdim=True)


@bigram_probs.mistake(
    "Without smoothing your empty row is all zeros: then nothing could follow that token. What "
    "should its sum be?"
)
def empty_row_stays_zero(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed / smoothed.sum(1, keepdim=True).clamp(min=1e-9)


@bigram_probs.mistake(
    "Your quotients are whole numbers, so nearly all are 0. Which sign divides without rounding "
    "down?"
)
def integer_division(counts, alpha=0.0):
    smoothed = counts + alpha
    return smoothed // smoothed.sum(1, keepdim=True).clamp(min=1e-9)


@bigram_probs.mistake(
    "The table is right, but the counts that you were given have changed: α stays in them for the "
    "next call. What works in place?"
)
def counts_changed(counts, alpha=0.0):
    probs = autoregressive.bigram_probs(counts, alpha)
    counts += int(alpha)
    return probs


@bigram_probs.mistake(
    "The table is right, but an empty row of your caller's counts is filled afterwards: what was "
    "never seen has been counted. What works in place?"
)
def empty_rows_filled_in_place(counts, alpha=0.0):
    if alpha == 0:
        counts[counts.sum(1) == 0] = 1
    return autoregressive.bigram_probs(counts, alpha)


@bigram_probs.mistake(
    "Where α is 0 you add a small number all the same: a pair that was never seen gets a "
    "probability. Which rows need help at α = 0?"
)
def small_number_for_zero(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, max(alpha, 1e-9))


@bigram_probs.mistake(
    "A softmax makes exponentials of the counts: 8 would be e times as likely as 7. What ratio "
    "should they have?"
)
def softmax_of_counts(counts, alpha=0.0):
    return (counts + alpha).float().softmax(1)


@bigram_probs.mistake("These are logarithms. The probabilities themselves are asked for.")
def logarithms_returned(counts, alpha=0.0):
    return autoregressive.bigram_probs(counts, alpha).log()
