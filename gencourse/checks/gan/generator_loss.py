"""Exercise on what the generator minimises in the non-saturating game."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.models import gan
from gencourse.probes.general import gradients


def generator_loss_reference(fake_logits):
    """Mean of -log D over the fakes: logits (M,) -> a number, nats."""
    return gan.generator_loss(fake_logits).mean()


@exercise(
    reference=generator_loss_reference,
    difficulty=1,
    minutes=6,
    points=2,
    hints=(
        "The generator wants its samples called real. Which label does it wish for?",
        (
            "At a logit of −10, where D is sure that the sample is a fake: how large should the "
            "gradient be for G to learn at all?"
        ),
    ),
    atol=1e-6,
    exempt={"larger numbers": "logits up to ±200 occur, and twelve times these do not"},
    on_success=(
        "At a logit of −10 the gradient is nearly −1. The minimax loss log(1 − D) would have sent "
        "one that is 20,000 times smaller."
    ),
)
def generator_loss(answer, seed):
    logits, sure = 2 * draw(seed, 5) - 0.5, torch.tensor([-10.0])
    yield "the loss of five samples", answer(logits)
    yield "the loss of two samples", answer(logits[:2])
    many = 2 * draw(seed + 1, 1500) + torch.linspace(-4, 2, 1500)
    yield "the loss of 1500 samples", answer(many)
    yield "the loss at a logit of 0", answer(torch.zeros(1))
    yield "the gradient at a logit of -10, where D is sure", answer.run(gradients, sure)
    yield "the gradients of five samples", answer.run(gradients, logits)
    yield "the gradients at logits of 0", answer.run(gradients, torch.zeros(2))
    far = torch.tensor([-200.0, 200.0, 80.0, -6.0])
    yield "the loss at logits of -200, 200, 80 and -6", answer(far)
    yield "the gradients at logits of -200, 200, 80 and -6", answer.run(gradients, far)
    fooled = torch.tensor([5.0, 7.0, 9.0, 12.0])
    yield "the loss where D is fooled, at logits of 5, 7, 9 and 12", answer(fooled)
    yield "the gradients at logits of 5, 7, 9 and 12", answer.run(gradients, fooled)


@generator_loss.alternative
def by_binary_cross_entropy(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


@generator_loss.alternative
def by_logaddexp(fake_logits):
    return torch.logaddexp(torch.zeros_like(fake_logits), -fake_logits).sum() / fake_logits.numel()


@generator_loss.alternative
def by_probabilities_in_float64(fake_logits):
    return -fake_logits.double().sigmoid().log().mean()


@generator_loss.mistake(
    (
        "At a logit of −10 almost no gradient arrives: this loss is flat where D is sure, and that"
        " is where G starts. What else pushes D up?"
    ),
    (
        "Lowering log(1 − D) and raising log D have the same aim. Compare their slopes at a logit "
        "of −10."
    ),
)
def saturating(fake_logits):
    return gan.saturating_loss(fake_logits).mean()


@generator_loss.mistake(
    "This is log(1 − D), the minimax loss: flat where D is sure of a fake, and infinite where D is"
    " fooled. What else pushes D up?"
)
def saturating_by_the_sigmoid(fake_logits):
    return (1 - fake_logits.sigmoid()).log().mean()


@generator_loss.mistake(
    "Your generator is content when its samples are called fake. Which label should it wish for?"
)
def zeros_as_labels(fake_logits):
    return F.softplus(fake_logits).mean()


@generator_loss.mistake(
    "The loss falls when D says fake more loudly. A loss is minimised: which sign does it need?"
)
def sign_reversed(fake_logits):
    return -generator_loss_reference(fake_logits)


@generator_loss.mistake(
    "The value is right, but no gradient reaches the logits, and through them the generator. What "
    "cuts the graph?"
)
def detached(fake_logits):
    return generator_loss_reference(fake_logits.detach())


@generator_loss.mistake(
    "Your loss is minus the mean logit, however it is written: log D - log(1 - D) is the logit. "
    "That is the Wasserstein critic's game. Which loss is asked for here?"
)
def wasserstein(fake_logits):
    return -fake_logits.mean()


@generator_loss.mistake(
    "Was the sigmoid applied twice? Look at what the function that you use expects: logits or "
    "probabilities."
)
def sigmoid_applied_twice(fake_logits):
    return generator_loss_reference(fake_logits.sigmoid())


@generator_loss.mistake(
    "Infinite at −200. Which number on the way to your logarithm is too small or too large for "
    "float32?"
)
def log_of_the_sigmoid(fake_logits):
    return -fake_logits.sigmoid().log().mean()


@generator_loss.mistake(
    "At −200 your loss stays at a ceiling and sends no gradient: G would never leave that place. "
    "What is clamped?"
)
def cross_entropy_of_a_probability(fake_logits):
    return F.binary_cross_entropy(fake_logits.sigmoid(), torch.ones_like(fake_logits))


@generator_loss.mistake(
    "At −200 the small constant in your logarithm takes over, and no gradient is left. Which "
    "function needs no constant?"
)
def probability_with_a_floor(fake_logits):
    return -(fake_logits.sigmoid() + 1e-8).log().mean()


@generator_loss.mistake("Your loss grows with the batch. Is a sum asked for, or a mean?")
def sum_over_the_batch(fake_logits):
    return F.softplus(-fake_logits).sum()


@generator_loss.mistake("One number is asked for, and you return one per sample. What joins them?")
def one_per_sample(fake_logits):
    return F.softplus(-fake_logits)


@generator_loss.mistake(
    "The values are right. At a logit of exactly 0 no gradient arrives. Which slopes does torch "
    "give relu, clamp and |x| at their corners?"
)
def flat_at_zero(fake_logits):
    return (F.relu(-fake_logits) + (-fake_logits.abs()).exp().log1p()).mean()


@generator_loss.mistake(
    "Right but where D is fooled: there your logits stop at an upper limit, so that the loss gets "
    "no smaller and no gradient is left. What does a large logit cost?"
)
def large_logits_clamped(fake_logits):
    return F.softplus(-fake_logits.clamp(max=10)).mean()


@generator_loss.mistake(
    "Right but where D is fooled: there your loss has a floor, and sends no gradient. How small "
    "can -log D get?"
)
def loss_with_a_floor(fake_logits):
    return F.softplus(-fake_logits).clamp_min(0.01).mean()
