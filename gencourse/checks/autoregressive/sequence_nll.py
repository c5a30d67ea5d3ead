"""Exercise on the loss of sequences, in nats per token."""

import math

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.arguments import in_slices, unchanged
from gencourse.probes.autoregressive.tokens import has_slope
from gencourse.probes.general import gradients
from gencourse.runtime import seeded


def sequence_nll_reference(logits, targets, ignored=-100):
    """Nats per token of each sequence, over targets not `ignored`: (B, T, V), (B, T) -> (B,)."""
    kept = targets != ignored
    return autoregressive.sequence_nll(logits, targets.masked_fill(~kept, autoregressive.IGNORED))


@exercise(
    reference=sequence_nll_reference,
    difficulty=1,
    minutes=12,
    points=3,
    rtol=1e-5,
    hints=(
        "First one number per token, (B, T): minus the log-probability of its target. Then "
        "one per sequence.",
        "Which function of torch turns logits into log-probabilities, and along which of the "
        "three dimensions?",
        "What do the ignored targets add to the sum of a sequence, and what to the number "
        "that it is divided by?",
    ),
    on_success=(
        "A model that knows nothing pays log V per token, however long or padded a sequence is."
    ),
)
def sequence_nll(answer, seed):
    B, T, V = 3, 5, 7
    logits, generator = 2 * draw(seed, B, T, V), seeded(seed + 1)
    targets = torch.randint(1, V, (B, T), generator=generator)
    padded, inside, empty, beyond = (targets.clone() for _ in range(4))
    padded[0, 4:], padded[1, 1:], inside[:, 1], beyond[:, 2] = -100, -100, -100, V
    empty[0, :2], empty[1] = -100, -100
    mixed = targets.where(targets != 3, 4)
    mixed[:, 0], mixed[:, 3] = 0, 3

    yield "the loss of 3 sequences of 5 tokens, V = 7", answer(logits, targets, -100)
    yield "the loss when all logits are 0", answer(torch.zeros(B, T, V), targets, -100)
    yield "the loss when 1, 4 and 0 targets are ignored", answer(logits, padded, -100)
    slopes = answer.run(gradients, logits, padded, -100, wrt=(0,))
    yield "the gradients for the logits, with ignored targets", slopes
    yield "the loss when it is token 0 that is ignored", answer(logits, padded.clamp(min=0), 0)
    yield "the loss when the second target of each is ignored", answer(logits, inside, -100)
    single = answer(3 * draw(seed + 2, 1, 1, V), targets[:1, :1], -100)
    yield "the loss of a single sequence with a single token", single
    yield "the loss when V = 1, with padding", answer(logits[..., :1], padded.clamp(max=0), -100)
    for size in (150, 5000):
        far = answer(size * draw(seed + 3, 2, T, V) - 5 * size, torch.full((2, T), 1), -100)
        yield f"the loss at logits that lie {size} apart, where probabilities round to 0", far
    yield "the loss when all targets of the second are ignored", answer(logits, empty, -100)
    then = "the gradients for the logits when all targets of the second are ignored"
    yield then, answer.run(gradients, logits, empty, -100, wrt=(0,))
    nothing = answer.run(gradients, logits[:1], empty[1:2], -100, wrt=(0,))
    yield "the gradients when all targets of the only sequence are ignored", nothing
    yield "whether that can be differentiated", answer.run(has_slope, logits[:1], empty[1:2], -100)
    yield "whether targets stay as they are", answer.run(unchanged, logits, padded, -100, at=1)
    yield "the loss when token 3 is ignored, and token 0 counts", answer(logits, mixed, 3)
    long = torch.randint(0, 4, (2, 300), generator=generator)
    long[0, 260:], long[1, 130:] = -100, -100
    said = "the loss of 2 sequences of 300 tokens, of which 260 and 130 count"
    yield said, answer(draw(seed + 4, 2, 300, 4), long, -100)
    yield "the loss when V = 7 is ignored, which has no logit", answer(logits, beyond, V)
    sliced = answer.run(in_slices, logits, padded, -100)
    yield "whether slices of longer tensors cost the same, as rows[:, 1:] below", sliced


@sequence_nll.alternative
def by_log_softmax(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(-1).gather(-1, targets.where(kept, 0).unsqueeze(-1)).squeeze(-1)
    return torch.stack(
        [-row[keep].sum() / max(1, int(keep.sum())) for row, keep in zip(log_p, kept, strict=True)]
    )


@sequence_nll.alternative
def nan_behind_a_wall(logits, targets, ignored=-100):
    return nothing_divided_by_nothing(logits, targets, ignored).nan_to_num()  # slopes are 0 there


@sequence_nll.alternative
def sequence_by_sequence(logits, targets, ignored=-100):
    losses = []
    for row, target in zip(logits, targets, strict=True):
        total = F.cross_entropy(row, target, ignore_index=ignored, reduction="sum")
        losses.append(total / max((target != ignored).sum().item(), 1))
    return torch.stack(losses)


def per_token(logits, targets, ignored=-100):
    """Nats of each token, 0 where it is ignored, and which of them count: (B, T), (B, T)."""
    kept = targets != ignored
    nll = F.cross_entropy(
        logits.transpose(1, 2),
        targets.masked_fill(~kept, -100),
        ignore_index=-100,
        reduction="none",
    )
    return nll, kept


@sequence_nll.mistake(
    "Was the softmax applied twice? Look at what the function that you use expects: logits or "
    "probabilities."
)
def softmax_before_cross_entropy(logits, targets, ignored=-100):
    return sequence_nll_reference(logits.softmax(-1), targets, ignored)


@sequence_nll.mistake(
    "Your probabilities add up to 1 over the positions of a sequence. Over what should they?"
)
def softmax_over_places(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(1).gather(2, targets.masked_fill(~kept, 0)[..., None])[..., 0]
    return -(log_p * kept).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake(
    "The vocabulary was moved to the second dimension by a reshape, which reads the numbers in "
    "their old order. What exchanges two dimensions?"
)
def reshaped_for_transposed(logits, targets, ignored=-100):
    B, T, V = logits.shape
    return sequence_nll_reference(logits.reshape(B, V, T).transpose(1, 2), targets, ignored)


@sequence_nll.mistake(
    "Right without padding. The ignored targets add nothing to your sum: by how many tokens is it "
    "divided?"
)
def divided_by_all_places(logits, targets, ignored=-100):
    return per_token(logits, targets, ignored)[0].mean(1)


@sequence_nll.mistake(
    "The ignored targets are counted as token 0 in your loss. What should they add to the sum, "
    "and to the count?"
)
def padding_counted_as_a_token(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets.masked_fill(targets == ignored, 0))


@sequence_nll.mistake(
    "Your sums are divided by the tokens of the whole batch. How many does each sequence have "
    "itself?"
)
def divided_by_the_count_of_the_batch(logits, targets, ignored=-100):
    nll, kept = per_token(logits, targets, ignored)
    return nll.sum(1) / kept.sum().clamp(min=1)


@sequence_nll.mistake(
    "One number for the whole batch came back. One per sequence is asked for: over which "
    "dimension does your mean run?"
)
def one_number_for_all_tokens(logits, targets, ignored=-100):
    nll, kept = per_token(logits, targets, ignored)
    return nll.sum() / kept.sum().clamp(min=1)


@sequence_nll.mistake(
    "You take the mean over the sequences, too: short ones then weigh as much as long ones. One "
    "value per sequence is asked for."
)
def mean_of_the_means(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets, ignored).mean()


@sequence_nll.mistake(
    "Longer sequences cost more in your loss: it is their sum. What does `per token` ask for?"
)
def summed_over_tokens(logits, targets, ignored=-100):
    return per_token(logits, targets, ignored)[0].sum(1)


@sequence_nll.mistake("One number per token came back. What is left to do to get one per sequence?")
def not_reduced(logits, targets, ignored=-100):
    return per_token(logits, targets, ignored)[0]


@sequence_nll.mistake(
    "Your values are below zero: they are log-probabilities. Which sign has something that is "
    "minimised?"
)
def sign_forgotten(logits, targets, ignored=-100):
    return -sequence_nll_reference(logits, targets, ignored)


@sequence_nll.mistake(
    "These are bits. In which unit is the loss asked for, and what is log 7 in it?"
)
def bits_for_nats(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets, ignored) / math.log(2)


@sequence_nll.mistake(
    "Right while −100 is the target that is ignored. What is the third argument for?"
)
def minus_100_typed_in(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets)


@sequence_nll.mistake(
    "Only targets above 0 count in your loss: token 0 is one like any other, and another number "
    "may be ignored. What says which?"
)
def positive_targets_alone(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets.masked_fill(targets <= 0, -100))


@sequence_nll.mistake(
    "Every target below `ignored` is left out as well. Which targets does the text exclude: how "
    "do they compare with `ignored`?"
)
def targets_above_ignored_alone(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets.masked_fill(targets < ignored, ignored), ignored)


@sequence_nll.mistake(
    "Right as long as `ignored` lies below 0 or is a token. If it is V or more, you look up a "
    "logit that does not exist. What could stand there meanwhile?"
)
def looked_up_beyond_the_vocabulary(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(-1).gather(2, targets.clamp(min=0)[..., None])[..., 0]
    return -(log_p * kept).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake(
    "The loss is right, but the targets that you were given have changed: the caller still counts "
    "by them. What works in place?"
)
def targets_changed(logits, targets, ignored=-100):
    loss = sequence_nll_reference(logits, targets, ignored)
    targets[targets == ignored] = 0
    return loss


@sequence_nll.mistake(
    "The logits are shifted against the targets, and they were already: logits at position t "
    "belong to target t. Who shifts twice?"
)
def shifted_once_more(logits, targets, ignored=-100):
    return sequence_nll_reference(logits[:, :-1], targets[:, 1:], ignored)


@sequence_nll.mistake(
    "Infinite where a probability has rounded to 0. Which function of torch takes softmax and "
    "logarithm in one go?"
)
def log_of_the_softmax(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.softmax(-1).gather(2, targets.masked_fill(~kept, 0)[..., None])[..., 0].log()
    return -log_p.masked_fill(~kept, 0).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake(
    "Right for tensors that lie in memory in one piece. Slices do not, such as rows[:, 1:] below, "
    "and `view` refuses to join their dimensions. What joins them wherever they lie?"
)
def joined_by_view(logits, targets, ignored=-100):
    flat = F.cross_entropy(
        logits.view(-1, logits.shape[-1]), targets.view(-1), reduction="none", ignore_index=ignored
    )
    kept = targets != ignored
    return flat.view(targets.shape).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake(
    "NaN for a sequence whose targets are all ignored. What do you divide by there, and what "
    "should its loss be?"
)
def nothing_divided_by_nothing(logits, targets, ignored=-100):
    nll, kept = per_token(logits, targets, ignored)
    return nll.sum(1) / kept.sum(1)


@sequence_nll.mistake(
    (
        "The losses are right, but the gradient of an ignored sequence is NaN, and one NaN is "
        "enough to spoil all weights. Where does 0/0 still arise?"
    ),
    (
        "Replacing NaN by 0 afterwards mends the value, not the derivative of the division. Mend "
        "what you divide by."
    ),
)
def nan_replaced_afterwards(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(-1).gather(2, targets.masked_fill(~kept, 0)[..., None])[..., 0]
    return (-(log_p * kept).sum(1) / kept.sum(1)).nan_to_num()


@sequence_nll.mistake(
    "The values are right, but no gradient reaches the logits: nothing would be learned. What "
    "cuts the graph?"
)
def no_gradient(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets, ignored).detach()
