"""The bug hunt: piece 7, what predictions cost."""

import math

import torch
import torch.nn.functional as F

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.general import gradients
from gencourse.runtime import seeded


def repair_7_reference(logits, y):
    """Nats per token of each window: logits (B, T, V), y (B, T) -> (B,)."""
    chosen = logits.gather(-1, y[..., None])[..., 0]
    return (logits.logsumexp(-1) - chosen).mean(1)


@repair(
    reference=repair_7_reference,
    minutes=3,
    hints=(
        "What is -log softmax(z)[y], written out?",
        "log Σ exp z - z[y]: what the instrument says of it should be trusted.",
    ),
    on_success="It was right as it stood. Whoever repairs what is not broken has not measured.",
)
def repair_7(answer, seed):
    logits, y = draw(seed, 4, 6, 9), torch.randint(0, 9, (4, 6), generator=seeded(seed))
    yield "the cost of four windows", answer(logits, y)
    yield "the cost of one window of one token", answer(logits[:1, :1], y[:1, :1])
    yield "the cost of guessing among 8", answer(torch.zeros(2, 3, 8), y[:2, :3] % 8)
    loud = 400 * draw(seed + 1, 4, 6, 9)
    yield "the cost when logits are hundreds apart", answer(loud, y)
    weight = torch.arange(1.0, 5.0)
    yield "the gradients for the logits", answer.run(gradients, logits * weight[:, None, None], y)


@repair_7.alternative
def by_torch(logits, y):
    return F.cross_entropy(logits.transpose(1, 2), y, reduction="none").mean(1)


@repair_7.alternative
def by_log_softmax(logits, y):
    hit = F.one_hot(y, logits.shape[-1]).bool()
    return -logits.log_softmax(-1).masked_fill(~hit, 0.0).sum((1, 2)) / y.shape[1]


def costs(logits, y):
    """Nats of every prediction, (B, T)."""
    return F.cross_entropy(logits.transpose(1, 2), y, reduction="none")


@repair_7.mistake("One number for all windows. How many does the docstring ask for?")
def mean_of_all(logits, y):
    return costs(logits, y).mean()


@repair_7.mistake("The costs of a window are added up. Per what is the loss of the comment?")
def sum_of_a_window(logits, y):
    return costs(logits, y).sum(1)


@repair_7.mistake("The costs are divided by the number of windows, not by that of tokens.")
def mean_over_windows(logits, y):
    return costs(logits, y).sum(1) / len(y)


@repair_7.mistake("These are bits. Which logarithm does the comment name?")
def bits(logits, y):
    return costs(logits, y).mean(1) / math.log(2)


@repair_7.mistake(
    "Targets are shifted here once more, although `pairs` has done it. Which logits belong to "
    "which target?"
)
def shifted_again(logits, y):
    if y.shape[1] == 1:
        return costs(logits, y).mean(1)
    return costs(logits[:, :-1], y[:, 1:]).mean(1)


@repair_7.mistake("exp of a large logit is infinite in float32. What does logsumexp do about that?")
def naive_sum(logits, y):
    chosen = logits.gather(-1, y[..., None])[..., 0]
    return (logits.exp().sum(-1).log() - chosen).mean(1)


@repair_7.mistake("The sign is turned round: a loss that training makes large.")
def negative(logits, y):
    return -costs(logits, y).mean(1)


@repair_7.mistake("A softmax of a softmax: cross_entropy takes logits, not probabilities.")
def probabilities_taken_for_logits(logits, y):
    return costs(logits.softmax(-1), y).mean(1)


@repair_7.mistake("This is how probable the targets are. What does a prediction cost?")
def probability_of_targets(logits, y):
    return 1 - (-costs(logits, y)).exp().mean(1)


@repair_7.mistake("Every position is paid, none but the mean is asked for: (B,), not (B, T).")
def one_per_token(logits, y):
    return costs(logits, y)


@repair_7.mistake("The values are right. Where was the graph cut, so that nothing is learned?")
def detached(logits, y):
    return costs(logits, y).mean(1).detach()
