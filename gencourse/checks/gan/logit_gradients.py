"""Exercise on where the two losses of a generator send a gradient, and where they do not."""

import torch

from gencourse.checks import draw, exercise


def logit_gradients_reference(logits):
    """d log(1 - D)/d logit = -D, d(-log D)/d logit = D - 1 with D = sigmoid(logit): (B,) each."""
    return {"saturating": -logits.sigmoid(), "non_saturating": -(-logits).sigmoid()}


@exercise(
    reference=logit_gradients_reference,
    difficulty=2,
    minutes=10,
    points=3,
    atol=1e-6,
    exempt={"larger numbers": "the text speaks of logits of ±100, not of twelve times these"},
    hints=(
        (
            "With D = sigmoid(l), dD/dl = D(1 − D). The chain rule then cancels a fraction in each"
            " of the two."
        ),
        (
            "At l = 0 both derivatives are −½. At l = −10 one is almost −1 and the other almost 0:"
            " which is which?"
        ),
        "You need no logarithm and no division, so nothing can overflow.",
    ),
    on_success=(
        "Where D is sure of a fake, only the second has a slope. Where D is fooled, only the "
        "first has: there G has nothing left to learn."
    ),
)
def logit_gradients(answer, seed):
    yield "the two derivatives at six logits", answer(3 * draw(seed, 6))
    yield "the two derivatives at a logit of 0", answer(torch.zeros(1))
    for logit in (10.0, 40.0, 100.0):
        both = torch.tensor([-logit, logit])
        yield f"the two derivatives at logits of -{logit:g} and {logit:g}", answer(both)


def by_autograd(saturating, non_saturating, logits, reduce=torch.sum):
    """The two derivatives of losses written as code, whatever they are worth."""
    with torch.enable_grad():
        logits = logits.detach().requires_grad_()
        found = [
            torch.autograd.grad(reduce(loss(logits)), logits)[0]
            for loss in (saturating, non_saturating)
        ]
    return dict(zip(("saturating", "non_saturating"), found, strict=True))


@logit_gradients.alternative
def by_autograd_of_stable_losses(logits):
    F = torch.nn.functional
    return by_autograd(lambda x: F.logsigmoid(-x), lambda x: -F.logsigmoid(x), logits)


@logit_gradients.alternative
def in_terms_of_the_probability(logits):
    D = torch.sigmoid(logits)
    return {"saturating": -D, "non_saturating": D - 1}


@logit_gradients.mistake(
    "These are derivatives with respect to D. The network's output is the logit: what does the "
    "chain rule add?"
)
def with_respect_to_the_probability(logits):
    D = logits.sigmoid()
    return {"saturating": -1 / (1 - D), "non_saturating": -1 / D}


@logit_gradients.mistake(
    (
        "At ±100 one derivative should be −1, and yours is 0. What is the slope of a clamp beyond "
        "its bounds?"
    ),
    (
        "A clamp protects the logarithm from infinity, and takes away the gradient exactly where "
        "it is needed most."
    ),
)
def clamped_probability(logits):
    def D(x):
        return x.sigmoid().clamp(1e-6, 1 - 1e-6)

    return by_autograd(lambda x: (1 - D(x)).log(), lambda x: -D(x).log(), logits)


@logit_gradients.mistake(
    "NaN or infinity at large logits: a probability has rounded to 0, and you divide by it or take"
    " its logarithm. What does the chain rule cancel?"
)
def autograd_through_the_logarithm(logits):
    return by_autograd(lambda x: (1 - x.sigmoid()).log(), lambda x: -x.sigmoid().log(), logits)


@logit_gradients.mistake(
    "NaN at ±100. What does exp(100) give in float32, and what is infinity divided by infinity?"
)
def exponentials_overflow(logits):
    return {
        "saturating": -logits.exp() / (1 + logits.exp()),
        "non_saturating": -(-logits).exp() / (1 + (-logits).exp()),
    }


@logit_gradients.mistake(
    "Both have the other sign. To lower either loss, should G raise the logit or lower it?"
)
def signs_reversed(logits):
    return {name: -value for name, value in logit_gradients_reference(logits).items()}


@logit_gradients.mistake(
    "At a logit of −10 your `saturating` is large. Which of the two losses is flat where D is sure"
    " of a fake?"
)
def exchanged(logits):
    right = logit_gradients_reference(logits)
    return {"saturating": right["non_saturating"], "non_saturating": right["saturating"]}


@logit_gradients.mistake(
    "`non_saturating` is right. The other loss is log(1 − D), without a minus: should its slope be"
    " positive?"
)
def minus_log_of_one_minus_d(logits):
    return logit_gradients_reference(logits) | {"saturating": logits.sigmoid()}


@logit_gradients.mistake("`saturating` is right. Does −log D rise or fall when the logit rises?")
def plus_log_d(logits):
    return logit_gradients_reference(logits) | {"non_saturating": (-logits).sigmoid()}


@logit_gradients.mistake("These are the values of the two losses. How steep are they?")
def losses_returned(logits):
    softplus = torch.nn.functional.softplus
    return {"saturating": -softplus(logits), "non_saturating": softplus(-logits)}


@logit_gradients.mistake(
    "At a logit of 0 you give −¼ twice. That is the slope of the sigmoid itself: what does the "
    "logarithm add?"
)
def slope_of_the_sigmoid(logits):
    slope = logits.sigmoid() * (1 - logits.sigmoid())
    return {"saturating": -slope, "non_saturating": -slope}


@logit_gradients.mistake(
    "Every value is divided by the number of logits. Did a mean come in before the derivative?"
)
def of_the_mean(logits):
    F = torch.nn.functional
    return by_autograd(
        lambda x: -F.softplus(x), lambda x: F.softplus(-x), logits, reduce=torch.mean
    )
