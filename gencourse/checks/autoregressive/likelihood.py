"""Exercise on the loss of sequences, in nats per token."""

import math

import torch
import torch.nn.functional as F

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw, gradients
from gencourse.checks._values import agree
from gencourse.models import autoregressive
from gencourse.runtime import seeded


def sequence_nll_reference(logits, targets, ignored=-100):
    """Nats per token of each sequence, over targets that are not `ignored`: logits (B, T, V), targets (B, T) -> (B,)."""
    return autoregressive.sequence_nll(logits, targets.masked_fill(targets == ignored, autoregressive.IGNORED))


@exercise(
    reference=sequence_nll_reference,
    difficulty=1,
    minutes=12,
    points=3,
    hints=(
        "First one number per token, (B, T): minus the log-probability of its target. Then one per sequence.",
        "Which function of torch turns logits into log-probabilities, and along which of the three dimensions?",
        "What do the ignored targets add to the sum of a sequence, and what to the number that it is divided by?",
    ),
    insight="A model that knows nothing pays log V per token, however long or padded a sequence is.",
)
def sequence_nll(ask, seed):
    B, T, V = 3, 5, 7
    call, inputs = "sequence_nll(logits, targets, ignored)", ("logits",)
    logits, targets = 2 * draw(seed, B, T, V), torch.randint(1, V, (B, T), generator=seeded(seed + 1))
    yield "the loss of 3 sequences of 5 tokens, V = 7, none ignored", ask(call, logits=logits, targets=targets, ignored=-100)
    flat = torch.zeros(B, T, V)
    yield "the loss when all logits are 0: log 7 in every sequence", ask(call, logits=flat, targets=targets, ignored=-100)
    padded = targets.clone()
    padded[0, 4:], padded[1, 1:] = -100, -100
    yield "the loss when 1, 4 and 0 targets of the three sequences are ignored", ask(call, logits=logits, targets=padded, ignored=-100)
    slopes = gradients(call, *inputs)
    yield "the gradients for the logits, with ignored targets", ask(slopes, logits=logits, targets=padded, ignored=-100)
    yield "the loss when it is token 0 that is ignored", ask(call, logits=logits, targets=padded.clamp(min=0), ignored=0)
    inside = targets.clone()
    inside[:, 1] = -100
    yield "the loss when the second target of each sequence is ignored", ask(call, logits=logits, targets=inside, ignored=-100)
    one = dict(logits=3 * draw(seed + 2, 1, 1, V), targets=targets[:1, :1], ignored=-100)
    yield "the loss of a single sequence with a single token", ask(call, **one)
    far = dict(logits=150 * draw(seed + 3, 2, T, V), targets=torch.full((2, T), 1), ignored=-100)
    yield "the loss at logits of some hundred, where probabilities round to 0", ask(call, **far)
    empty = padded.clone()
    empty[1] = -100
    yield "the loss when all targets of the second sequence are ignored", ask(call, logits=logits, targets=empty, ignored=-100)
    yield "the gradients then", ask(slopes, logits=logits, targets=empty, ignored=-100)
    yield "the targets after the call, which should be as before", ask(f"{call}\ntargets", logits=logits, targets=padded, ignored=-100)
    mixed = targets.where(targets != 3, 4)
    mixed[:, 0], mixed[:, 3] = 0, 3
    three = ask(call, logits=logits, targets=mixed, ignored=3)
    yield "the loss when it is token 3 that is ignored, and token 0 counts", three
    if agree(three, sequence_nll_reference(logits, mixed, 3), 1e-4, 1e-5):  # else an error here would hide the slip there
        beyond = targets.clone()
        beyond[:, 2] = V
        said = "the loss when the number that is ignored is V = 7, for which there is no logit"
        yield said, ask(call, logits=logits, targets=beyond, ignored=V)


def per_token(logits, targets, ignored=-100):
    """Nats of each token, 0 where it is ignored, and which of them count: (B, T), (B, T)."""
    kept = targets != ignored
    nll = F.cross_entropy(logits.transpose(1, 2), targets.masked_fill(~kept, -100), ignore_index=-100, reduction="none")
    return nll, kept


@sequence_nll.mistake("Was the softmax applied twice? Look at what the function that you use expects: logits or probabilities.")
def softmax_before_cross_entropy(logits, targets, ignored=-100):
    return sequence_nll_reference(logits.softmax(-1), targets, ignored)


@sequence_nll.mistake("Your probabilities add up to 1 over the places of a sequence. Over what should they?")
def softmax_over_places(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(1).gather(2, targets.masked_fill(~kept, 0)[..., None])[..., 0]
    return -(log_p * kept).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake(
    "The vocabulary was moved to the second dimension by a reshape, which reads the numbers in their old order. What exchanges two dimensions?"
)
def reshaped_for_transposed(logits, targets, ignored=-100):
    B, T, V = logits.shape
    return sequence_nll_reference(logits.reshape(B, V, T).transpose(1, 2), targets, ignored)


@sequence_nll.mistake("Right without padding. The ignored targets add nothing to your sum: by how many tokens is it divided?")
def divided_by_all_places(logits, targets, ignored=-100):
    return per_token(logits, targets, ignored)[0].mean(1)


@sequence_nll.mistake("The ignored targets are counted as token 0 in your loss. What should they add to the sum, and to the count?")
def padding_counted_as_a_token(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets.masked_fill(targets == ignored, 0))


@sequence_nll.mistake("Your sums are divided by the tokens of the whole batch. How many does each sequence have itself?")
def divided_by_the_count_of_the_batch(logits, targets, ignored=-100):
    nll, kept = per_token(logits, targets, ignored)
    return nll.sum(1) / kept.sum().clamp(min=1)


@sequence_nll.mistake("One number for the whole batch came back. One per sequence is asked for: over which dimension does your mean run?")
def one_number_for_all_tokens(logits, targets, ignored=-100):
    nll, kept = per_token(logits, targets, ignored)
    return nll.sum() / kept.sum().clamp(min=1)


@sequence_nll.mistake(
    "You take the mean over the sequences, too: short ones then weigh as much as long ones. One value per sequence is asked for."
)
def mean_of_the_means(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets, ignored).mean()


@sequence_nll.mistake("Longer sequences cost more in your loss: it is their sum. What does `per token` ask for?")
def summed_over_tokens(logits, targets, ignored=-100):
    return per_token(logits, targets, ignored)[0].sum(1)


@sequence_nll.mistake("One number per token came back. What is left to do to get one per sequence?")
def not_reduced(logits, targets, ignored=-100):
    return per_token(logits, targets, ignored)[0]


@sequence_nll.mistake("Your values are below zero: they are log-probabilities. Which sign has something that is minimised?")
def sign_forgotten(logits, targets, ignored=-100):
    return -sequence_nll_reference(logits, targets, ignored)


@sequence_nll.mistake("These are bits. In which unit is the loss asked for, and what is log 7 in it?")
def bits_for_nats(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets, ignored) / math.log(2)


@sequence_nll.mistake("Right while −100 is the target that is ignored. What is the third argument for?")
def minus_100_typed_in(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets)


@sequence_nll.mistake(
    "Only targets above 0 count in your loss: token 0 is one like any other, and another number may be ignored. What says which?"
)
def positive_targets_alone(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets.masked_fill(targets <= 0, -100))


@sequence_nll.mistake(
    "Every target below `ignored` is left out as well. Which targets does the text exclude: how do they compare with `ignored`?"
)
def targets_above_ignored_alone(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets.masked_fill(targets < ignored, ignored), ignored)


@sequence_nll.mistake(
    "Right as long as `ignored` lies below 0 or is a token. If it is V or more, you look up a logit that does not exist. What could stand there meanwhile?"
)
def looked_up_beyond_the_vocabulary(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(-1).gather(2, targets.clamp(min=0)[..., None])[..., 0]
    return -(log_p * kept).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake(
    "The loss is right, but the targets that you were given have changed: the caller still counts by them. What works in place?"
)
def targets_changed(logits, targets, ignored=-100):
    loss = sequence_nll_reference(logits, targets, ignored)
    targets[targets == ignored] = 0
    return loss


@sequence_nll.mistake(
    "The logits are shifted against the targets, and they were already: logits at place t belong to target t. Who shifts twice?"
)
def shifted_once_more(logits, targets, ignored=-100):
    return sequence_nll_reference(logits[:, :-1], targets[:, 1:], ignored)


@sequence_nll.mistake("Infinite where a probability has rounded to 0. Which function of torch takes softmax and logarithm in one go?")
def log_of_the_softmax(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.softmax(-1).gather(2, targets.masked_fill(~kept, 0)[..., None])[..., 0].log()
    return -log_p.masked_fill(~kept, 0).sum(1) / kept.sum(1).clamp(min=1)


@sequence_nll.mistake("NaN for a sequence whose targets are all ignored. What do you divide by there, and what should its loss be?")
def nothing_divided_by_nothing(logits, targets, ignored=-100):
    nll, kept = per_token(logits, targets, ignored)
    return nll.sum(1) / kept.sum(1)


@sequence_nll.mistake(
    "The losses are right, but the gradient of an ignored sequence is NaN, and one NaN is enough to spoil all weights. Where does 0/0 still arise?",
    "Replacing NaN by 0 afterwards mends the value, not the derivative of the division. Mend what you divide by.",
)
def nan_replaced_afterwards(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(-1).gather(2, targets.masked_fill(~kept, 0)[..., None])[..., 0]
    return (-(log_p * kept).sum(1) / kept.sum(1)).nan_to_num()


@sequence_nll.mistake("The values are right, but no gradient reaches the logits: nothing would be learned. What cuts the graph?")
def no_gradient(logits, targets, ignored=-100):
    return sequence_nll_reference(logits, targets, ignored).detach()


@sequence_nll.also_right
def by_log_softmax(logits, targets, ignored=-100):
    kept = targets != ignored
    log_p = logits.log_softmax(-1).gather(-1, targets.where(kept, 0).unsqueeze(-1)).squeeze(-1)
    return torch.stack([-row[keep].sum() / max(1, int(keep.sum())) for row, keep in zip(log_p, kept, strict=True)])


@sequence_nll.also_right
def nan_behind_a_wall(logits, targets, ignored=-100):
    return nothing_divided_by_nothing(logits, targets, ignored).nan_to_num()  # cross_entropy sends nothing to ignored places


@sequence_nll.also_right
def sequence_by_sequence(logits, targets, ignored=-100):
    losses = []
    for row, target in zip(logits, targets, strict=True):
        total = F.cross_entropy(row, target, ignore_index=ignored, reduction="sum")
        losses.append(total / max((target != ignored).sum().item(), 1))
    return torch.stack(losses)
