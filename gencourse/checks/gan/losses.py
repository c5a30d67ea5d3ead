"""Exercises on the losses of the two players and on the gradients that they send."""

import torch
import torch.nn.functional as F

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw, gradients
from gencourse.models import gan

# --- discriminator_loss --------------------------------------------------------------------------------------------


def discriminator_loss_reference(real_logits, fake_logits):
    """Mean over real of -log D plus mean over fake of -log(1 - D): logits (N,), (M,) -> a number, nats."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@exercise(
    reference=discriminator_loss_reference,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "A cross-entropy for each kind of example: which label do real ones have, and which label fakes?",
        "Which loss of torch takes logits, so that no sigmoid is ever computed?",
        "Take each mean before you add: the two batches need not be equally large.",
    ),
    insight="2 log 2 for a D that cannot tell, nearly 0 for one that can, and finite at logits of ±200, where every probability has rounded.",
)
def discriminator_loss(ask, seed):
    real, fake, more = (2 * draw(seed + i, 4) + 0.3 for i in range(3))
    call = "discriminator_loss(real_logits, fake_logits)"
    yield "the loss for four real and four fake logits", ask(call, real_logits=real, fake_logits=fake)
    yield "the loss at logits of 0, where D cannot tell", ask(call, real_logits=torch.zeros(4), fake_logits=torch.zeros(4))
    far = torch.tensor([80.0, 200.0])
    yield "the loss of a D that is sure and right: real at 80 and 200, fake at -80 and -200", ask(call, real_logits=far, fake_logits=-far)
    yield "the loss of a D that is sure and wrong: real at -80 and -200, fake at 80 and 200", ask(call, real_logits=-far, fake_logits=far)
    wrong = ask(gradients(call, "real_logits", "fake_logits"), real_logits=-far, fake_logits=far)
    yield "the gradients for the logits of a D that is sure and wrong", wrong
    larger = torch.cat([real, more[:1]])
    yield "the loss for five real and three fake logits", ask(call, real_logits=larger, fake_logits=fake[:3])


@discriminator_loss.mistake("Was the sigmoid applied twice? Look at what the function that you use expects: logits or probabilities.")
def sigmoid_twice(real_logits, fake_logits):
    return discriminator_loss_reference(real_logits.sigmoid(), fake_logits.sigmoid())


@discriminator_loss.mistake("Your loss is small for a D that takes fakes for real. Which label belongs to which batch?")
def labels_exchanged(real_logits, fake_logits):
    return discriminator_loss_reference(-real_logits, -fake_logits)


@discriminator_loss.mistake("At logits of 0 you get half of what D should pay. Which examples does your loss say nothing about?")
def real_half_only(real_logits, fake_logits):
    return F.softplus(-real_logits).mean()


@discriminator_loss.mistake("A D that calls everything a fake has loss 0 here. Which batch is missing?")
def fake_half_only(real_logits, fake_logits):
    return F.softplus(fake_logits).mean()


@discriminator_loss.mistake("Both batches are called real in your loss. What should D say about a fake?")
def everything_called_real(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(-fake_logits).mean()


@discriminator_loss.mistake("Half too small for equal batches, and for unequal ones the larger batch counts more. Where did your mean run?")
def mean_over_both_together(real_logits, fake_logits):
    return torch.cat([F.softplus(-real_logits), F.softplus(fake_logits)]).mean()


@discriminator_loss.mistake("Everything is half of what the docstring says. Is it a sum of two means, or the mean of the two?")
def halved(real_logits, fake_logits):
    return 0.5 * discriminator_loss_reference(real_logits, fake_logits)


@discriminator_loss.mistake("This is the objective that D maximises. What does an optimiser do with what you hand to it?")
def objective_without_its_minus(real_logits, fake_logits):
    return -discriminator_loss_reference(real_logits, fake_logits)


@discriminator_loss.mistake("Your loss grows with the batch. Is a sum asked for, or a mean?")
def summed(real_logits, fake_logits):
    return F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()


@discriminator_loss.mistake(
    "One number is asked for. Each of your values belongs to a pair of a real and a fake example: are they pairs at all?"
)
def not_reduced(real_logits, fake_logits):
    return F.softplus(-real_logits) + F.softplus(fake_logits)


@discriminator_loss.mistake("Right while both batches are equally large. Which comes first, the mean of each batch or the sum of the two?")
def added_before_the_mean(real_logits, fake_logits):
    return (F.softplus(-real_logits) + F.softplus(fake_logits)).mean()


@discriminator_loss.mistake("Infinite or NaN where D is sure. What does float32 make of 1 - sigmoid(80), and of its logarithm?")
def log_of_sigmoid(real_logits, fake_logits):
    return -real_logits.sigmoid().log().mean() - (1 - fake_logits.sigmoid()).log().mean()


@discriminator_loss.mistake(
    "Infinite where D is sure and wrong. What does exp(200) give in float32, and so sigmoid(−200)? Which function of torch avoids it?"
)
def exponential_overflows(real_logits, fake_logits):
    return (1 + (-real_logits).exp()).log().mean() + (1 + fake_logits.exp()).log().mean()


@discriminator_loss.mistake(
    "Right for small logits, too small where D is sure and wrong. Is something clamped on the way through a probability?"
)
def cross_entropy_of_probabilities(real_logits, fake_logits):
    D, E = real_logits.sigmoid(), fake_logits.sigmoid()
    return F.binary_cross_entropy(D, torch.ones_like(D)) + F.binary_cross_entropy(E, torch.zeros_like(E))


@discriminator_loss.mistake("Right for small logits. Where D is sure and wrong, what does the small constant in your logarithm do?")
def probabilities_with_a_floor(real_logits, fake_logits):
    return -(real_logits.sigmoid() + 1e-8).log().mean() - (1 - fake_logits.sigmoid() + 1e-8).log().mean()


@discriminator_loss.mistake("The values are right, but no gradient reaches the logits, and through them D. What cuts the graph?")
def cut_off(real_logits, fake_logits):
    return discriminator_loss_reference(real_logits, fake_logits).detach()


@discriminator_loss.also_right
def by_cross_entropy(real_logits, fake_logits):
    loss = F.binary_cross_entropy_with_logits
    return loss(real_logits, torch.ones_like(real_logits)) + loss(fake_logits, torch.zeros_like(fake_logits))


@discriminator_loss.also_right
def by_logsigmoid(real_logits, fake_logits):
    return -(F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean())


# --- generator_loss ------------------------------------------------------------------------------------------------


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
        "At a logit of −10, where D is sure that the sample is a fake: how large should the gradient be for G to learn at all?",
    ),
    insight="At a logit of −10 the gradient is nearly −1. The minimax loss log(1 − D) would have sent one that is 20,000 times smaller.",
)
def generator_loss(ask, seed):
    logits = 2 * draw(seed, 5) - 0.5
    call = "generator_loss(fake_logits)"
    yield "the loss of five samples", ask(call, fake_logits=logits)
    yield "the loss at a logit of 0", ask(call, fake_logits=torch.zeros(1))
    yield "the gradient at a logit of -10, where D is sure", ask(gradients(call, "fake_logits"), fake_logits=torch.tensor([-10.0]))
    yield "the gradients of five samples", ask(gradients(call, "fake_logits"), fake_logits=logits)
    far = torch.tensor([-200.0, 200.0, 80.0])
    yield "the loss at logits of -200, 200 and 80", ask(call, fake_logits=far)
    yield "the gradients at logits of -200, 200 and 80", ask(gradients(call, "fake_logits"), fake_logits=far)


@generator_loss.mistake(
    "At a logit of −10 almost no gradient arrives: this loss is flat where D is sure, and that is where G starts. What else pushes D up?",
    "Lowering log(1 − D) and raising log D have the same aim. Compare their slopes at a logit of −10.",
)
def saturating(fake_logits):
    return gan.saturating_loss(fake_logits).mean()


@generator_loss.mistake(
    "This is log(1 − D), the minimax loss: flat where D is sure of a fake, and infinite where D is fooled. What else pushes D up?"
)
def saturating_by_the_sigmoid(fake_logits):
    return (1 - fake_logits.sigmoid()).log().mean()


@generator_loss.mistake("Your generator is content when its samples are called fake. Which label should it wish for?")
def zeros_as_labels(fake_logits):
    return F.softplus(fake_logits).mean()


@generator_loss.mistake("The loss falls when D says fake more loudly. A loss is minimised: which sign does it need?")
def sign_reversed(fake_logits):
    return -generator_loss_reference(fake_logits)


@generator_loss.mistake("The value is right, but no gradient reaches the logits, and through them the generator. What cuts the graph?")
def detached(fake_logits):
    return generator_loss_reference(fake_logits.detach())


@generator_loss.mistake("This is the Wasserstein critic's game: no logarithm at all. Which loss is asked for here?")
def wasserstein(fake_logits):
    return -fake_logits.mean()


@generator_loss.mistake("Was the sigmoid applied twice? Look at what the function that you use expects: logits or probabilities.")
def sigmoid_applied_twice(fake_logits):
    return generator_loss_reference(fake_logits.sigmoid())


@generator_loss.mistake("Infinite at −200. Which number on the way to your logarithm is too small or too large for float32?")
def log_of_the_sigmoid(fake_logits):
    return -fake_logits.sigmoid().log().mean()


@generator_loss.mistake("At −200 your loss stays at a ceiling and sends no gradient: G would never leave that place. What is clamped?")
def cross_entropy_of_a_probability(fake_logits):
    return F.binary_cross_entropy(fake_logits.sigmoid(), torch.ones_like(fake_logits))


@generator_loss.mistake(
    "At −200 the small constant in your logarithm takes over, and no gradient is left. Which function needs no constant?"
)
def probability_with_a_floor(fake_logits):
    return -(fake_logits.sigmoid() + 1e-8).log().mean()


@generator_loss.mistake("Your loss grows with the batch. Is a sum asked for, or a mean?")
def sum_over_the_batch(fake_logits):
    return F.softplus(-fake_logits).sum()


@generator_loss.mistake("One number is asked for, and you return one per sample. What joins them?")
def one_per_sample(fake_logits):
    return F.softplus(-fake_logits)


@generator_loss.also_right
def by_binary_cross_entropy(fake_logits):
    return F.binary_cross_entropy_with_logits(fake_logits, torch.ones_like(fake_logits))


@generator_loss.also_right
def by_logaddexp(fake_logits):
    return torch.logaddexp(torch.zeros_like(fake_logits), -fake_logits).sum() / fake_logits.numel()
