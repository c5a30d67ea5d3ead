"""Exercise on what the discriminator minimises."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients


def discriminator_loss_reference(real_logits, fake_logits):
    """Mean over real of -log D plus mean over fake of -log(1 - D): logits (N,), (M,) -> nats."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


@exercise(
    reference=discriminator_loss_reference,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        (
            "A cross-entropy for each kind of example: which label do real ones have, and which "
            "label fakes?"
        ),
        "Which loss of torch takes logits, so that no sigmoid is ever computed?",
        "Take each mean before you add: the two batches need not be equally large.",
    ),
    exempt={"larger numbers": "the text speaks of logits up to ±200, not of twelve times these"},
    on_success=(
        "2 log 2 for a D that cannot tell, nearly 0 for one that can, and finite at logits of "
        "±200, where every probability has rounded."
    ),
)
def discriminator_loss(answer, seed):
    real, fake, more = (2 * draw(seed + i, 5) + 0.3 for i in range(3))
    yield "the loss for four real and four fake logits", answer(real[:4], fake[:4])
    yield "the loss at logits of 0, where D cannot tell", answer(torch.zeros(4), torch.zeros(4))
    far = torch.tensor([80.0, 200.0, 6.0])
    right = "a D that is sure and right: real at 80, 200 and 6, fake at -80, -200 and -6"
    wrong = "a D that is sure and wrong: real at -80, -200 and -6, fake at 80, 200 and 6"
    yield f"the loss of {right}", answer(far, -far)
    yield f"the loss of {wrong}", answer(-far, far)
    yield f"the gradients for the logits of {wrong}", answer.run(gradients, -far, far)
    yield f"the gradients for the logits of {right}", answer.run(gradients, far, -far)
    fresh = "the gradients at logits of 0, which a D gives whose last layer starts at 0"
    yield fresh, answer.run(gradients, torch.zeros(3), torch.zeros(2))
    yield "the loss for five real and three fake logits", answer(real, fake[:3])
    yield "the loss for two real and five fake logits", answer(more[:2], fake)
    many, fakes = (
        2 * draw(seed + i, n) + torch.linspace(-3, 3, n) for i, n in ((3, 1500), (4, 1200))
    )
    yield "the loss for 1500 real and 1200 fake logits", answer(many, fakes)
    unequal = "the gradients for five real and two fake logits"
    yield unequal, answer.run(gradients, real, more[:2])


@discriminator_loss.alternative
def by_cross_entropy(real_logits, fake_logits):
    loss = F.binary_cross_entropy_with_logits
    return loss(real_logits, torch.ones_like(real_logits)) + loss(
        fake_logits, torch.zeros_like(fake_logits)
    )


@discriminator_loss.alternative
def by_logsigmoid(real_logits, fake_logits):
    return -(F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean())


@discriminator_loss.alternative
def by_probabilities_in_float64(real_logits, fake_logits):
    real, fake = (x.double().sigmoid().log().mean() for x in (real_logits, -fake_logits))
    return -(real + fake)


@discriminator_loss.mistake(
    "Was the sigmoid applied twice? Look at what the function that you use expects: logits or "
    "probabilities."
)
def sigmoid_twice(real_logits, fake_logits):
    return discriminator_loss_reference(real_logits.sigmoid(), fake_logits.sigmoid())


@discriminator_loss.mistake(
    "Your loss is small for a D that takes fakes for real. Which label belongs to which batch?"
)
def labels_exchanged(real_logits, fake_logits):
    return discriminator_loss_reference(-real_logits, -fake_logits)


@discriminator_loss.mistake(
    "At logits of 0 you get half of what D should pay. Which examples does your loss say nothing "
    "about?"
)
def real_half_only(real_logits, fake_logits):
    return F.softplus(-real_logits).mean()


@discriminator_loss.mistake(
    "A D that calls everything a fake has loss 0 here. Which batch is missing?"
)
def fake_half_only(real_logits, fake_logits):
    return F.softplus(fake_logits).mean()


@discriminator_loss.mistake(
    "The loss is right, but no gradient reaches the logits of the fakes. In D's turn the graph is "
    "cut behind the samples: what would D learn from them if it were cut here?"
)
def fake_logits_detached(real_logits, fake_logits):
    return discriminator_loss_reference(real_logits, fake_logits.detach())


@discriminator_loss.mistake(
    "Both batches are called real in your loss. What should D say about a fake?"
)
def everything_called_real(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(-fake_logits).mean()


@discriminator_loss.mistake(
    "Half too small for equal batches, and for unequal ones the larger batch counts more. Where "
    "did your mean run?"
)
def mean_over_both_together(real_logits, fake_logits):
    return torch.cat([F.softplus(-real_logits), F.softplus(fake_logits)]).mean()


@discriminator_loss.mistake(
    "Everything is half of what the docstring says. Is it a sum of two means, or the mean of the "
    "two?"
)
def halved(real_logits, fake_logits):
    return 0.5 * discriminator_loss_reference(real_logits, fake_logits)


@discriminator_loss.mistake(
    "This is the objective that D maximises. What does an optimiser do with what you hand to it?"
)
def objective_without_its_minus(real_logits, fake_logits):
    return -discriminator_loss_reference(real_logits, fake_logits)


@discriminator_loss.mistake("Your loss grows with the batch. Is a sum asked for, or a mean?")
def summed(real_logits, fake_logits):
    return F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()


@discriminator_loss.mistake(
    "One number is asked for. Each of your values belongs to a pair of a real and a fake example: "
    "are they pairs at all?"
)
def not_reduced(real_logits, fake_logits):
    return F.softplus(-real_logits) + F.softplus(fake_logits)


@discriminator_loss.mistake(
    "Right while both batches are equally large. Which comes first, the mean of each batch or the "
    "sum of the two?"
)
def added_before_the_mean(real_logits, fake_logits):
    return (F.softplus(-real_logits) + F.softplus(fake_logits)).mean()


@discriminator_loss.mistake(
    "Infinite or NaN where D is sure. What does float32 make of 1 - sigmoid(80), and of its "
    "logarithm?"
)
def log_of_sigmoid(real_logits, fake_logits):
    return -real_logits.sigmoid().log().mean() - (1 - fake_logits.sigmoid()).log().mean()


@discriminator_loss.mistake(
    "Infinite where D is sure and wrong. What does exp(200) give in float32, and so sigmoid(−200)?"
    " Which function of torch avoids it?"
)
def exponential_overflows(real_logits, fake_logits):
    return (1 + (-real_logits).exp()).log().mean() + (1 + fake_logits.exp()).log().mean()


@discriminator_loss.mistake(
    "Right for small logits, too small where D is sure and wrong. Is something clamped on the way "
    "through a probability?"
)
def cross_entropy_of_probabilities(real_logits, fake_logits):
    D, E = real_logits.sigmoid(), fake_logits.sigmoid()
    return F.binary_cross_entropy(D, torch.ones_like(D)) + F.binary_cross_entropy(
        E, torch.zeros_like(E)
    )


@discriminator_loss.mistake(
    "Right for small logits. Where D is sure and wrong, what does the small constant in your "
    "logarithm do?"
)
def probabilities_with_a_floor(real_logits, fake_logits):
    return (
        -(real_logits.sigmoid() + 1e-8).log().mean()
        - (1 - fake_logits.sigmoid() + 1e-8).log().mean()
    )


@discriminator_loss.mistake(
    "The values are right, but no gradient reaches the logits, and through them D. What cuts the "
    "graph?"
)
def cut_off(real_logits, fake_logits):
    return discriminator_loss_reference(real_logits, fake_logits).detach()


@discriminator_loss.mistake(
    "The values are right. At a logit of exactly 0 your gradient is 0, so a D that starts there "
    "never moves. Which slopes does torch give relu, clamp and |x| at their corners?"
)
def flat_at_zero(real_logits, fake_logits):
    real, fake = (F.relu(x) + (-x.abs()).exp().log1p() for x in (-real_logits, fake_logits))
    return real.mean() + fake.mean()
