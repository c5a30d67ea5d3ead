"""The bug hunt: piece 3, the cost of the pixels."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.models import vae
from gencourse.probes.general import gradients


def reconstruction_reference(logits, x):
    """-log p(x given z) for binary pixels: logits, x (B, ...) -> (B,), nats."""
    return -vae.bernoulli_log_likelihood(logits, x)


@exercise(
    reference=reconstruction_reference,
    difficulty=2,
    minutes=4,
    points=2,
    hints=(
        "Which distribution of the pixels makes this a -log p? How many pixels does an image have?",
    ),
    on_success="Now both terms are in nats per image, and their sum is a bound on something.",
    exempt={"one column": "the docstring promises the 784 pixels of an image"},
)
def repair_3(answer, seed):
    logits, x = 2 * draw(seed, 4, 784) + 0.5, (draw(seed + 9, 4, 784) > 0.6).float()
    sure = 1000 * logits.sign() * draw(seed + 10, 4, 784).exp()
    to_logits = "the gradients that training sends to the logits"
    yield "the reconstruction term of four images", answer(logits, x)
    # few pixels are on, so that no large numbers cancel in any right formula
    shown = (draw(seed + 11, 131, 784) > 2.3).float()
    well = (2 * shown - 1) * (5 + draw(seed + 12, 131, 784).abs())
    yield "the term of 131 images that came back well", answer(well, shown)
    yield "the term at logits around +1000 and -1000", answer(sure, x)
    yield to_logits, answer.run(gradients, logits, x, wrt=(0,))
    yield f"{to_logits} around +1000 and -1000", answer.run(gradients, sure, x, wrt=(0,))
    fair = torch.zeros_like(logits)
    yield f"{to_logits} at 0", answer.run(gradients, fair, x, wrt=(0,))


@repair_3.alternative
def reconstruction_by_bernoulli(logits, x):
    return -torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(dim=1)


@repair_3.alternative
def reconstruction_in_two_sums(logits, x):
    on = torch.einsum("bp,bp->b", logits, x)
    return torch.logaddexp(logits, torch.zeros_like(logits)).sum(1) - on


@repair_3.mistake(
    "This is still the planted piece: a mean over pixels and over the batch. In what unit is it?"
)
def planted_reconstruction(logits, x):
    return (logits.sigmoid() - x).square().mean()


@repair_3.mistake(
    "Squared error adds up per image now. Of which distribution with which variance is that -log "
    "p? These pixels are 0 or 1."
)
def squared_error_summed(logits, x):
    return (logits.sigmoid() - x).square().sum(1)


@repair_3.mistake(
    "The cross-entropy is right, but averaged over pixels. How much does the KL then weigh against "
    "it?"
)
def cross_entropy_averaged(logits, x):
    return reconstruction_reference(logits, x) / x.shape[1]


@repair_3.mistake(
    "torch's loss averages over pixels and batch unless told otherwise. Which sum is asked for, "
    "and what shape?"
)
def torchs_mean(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x)


@repair_3.mistake("You added up the whole batch. Which axis should survive?")
def whole_batch(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


@repair_3.mistake("This is log p. The program minimises; which sign should its term have?")
def log_likelihood_returned(logits, x):
    return vae.bernoulli_log_likelihood(logits, x)


@repair_3.mistake(
    "Right for small logits, not for large ones. What happens to a probability near 0 or 1 before "
    "its logarithm?"
)
def reconstruction_through_probabilities(logits, x):
    return F.binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(1)


@repair_3.mistake(
    "The values are right. Where a logit is 0, as in a network that starts from zeros, a bend of "
    "relu, clamp or abs gives a wrong gradient. Which smooth function of torch is log(1 + exp(l))?"
)
def bent_at_zero(logits, x):
    return (logits.relu() - logits * x + torch.log1p((-logits.abs()).exp())).sum(1)


@repair_3.mistake("Is the sigmoid applied twice now?")
def reconstruction_with_two_sigmoids(logits, x):
    return reconstruction_reference(logits.sigmoid(), x)
