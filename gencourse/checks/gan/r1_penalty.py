"""Exercise on R1, the penalty on D's slope at the data."""

import warnings

import torch

from gencourse.checks import draw, exercise
from gencourse.models import gan
from gencourse.models.gan.penalties import input_gradient
from gencourse.probes.gan.critics import left_behind, penalties, pull_on_critic


@exercise(
    reference=gan.r1_penalty,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "Ask for the gradient of D's logits with respect to the data, not to D's weights.",
        "`torch.autograd.grad` of the summed logits gives a gradient for each row.",
        (
            "The cell above differentiates a derivative. Which argument does that take, so that D "
            "can learn from the penalty?"
        ),
    ),
    on_success=(
        "½|w|² for a linear D, one value for each example, and a gradient that pulls D's slope "
        "to 0."
    ),
)
def r1_penalty(answer, seed):
    real, w = draw(seed, 5, 2), draw(seed + 2, 2) + 1.3
    yield (
        "the penalties of a linear D, w·x, ½|w|² everywhere",
        answer.run(penalties, "linear", w, real),
    )
    yield "the penalties of a curved D", answer.run(penalties, "curved", w, real)
    flat = "the penalties of a flat D, whose slopes are below 1"
    yield flat, answer.run(penalties, "curved", 0.1 * w, real)
    for kind in ("linear", "curved"):
        label = f"the gradient of the penalties for the parameter of a {kind} D"
        yield label, answer.run(pull_on_critic, kind, w, real)
    level = "the gradient of the penalties for a linear D whose slope is 0"
    yield level, answer.run(pull_on_critic, "linear", 0 * w, real)
    yield "the penalties of a steep D", answer.run(penalties, "curved", 40 * w, real)
    yield "D after a call", answer.run(left_behind, "curved", w, real)
    for what, shape in (("small images", (3, 2, 5)), ("short sequences", (3, 2))):
        x, v = draw(seed, 4, *shape), 0.3 * draw(seed + 4, draw(0, *shape).numel())
        yield f"the penalties of four {what}", answer.run(penalties, "shaped", v, x)


@r1_penalty.alternative
def by_grad_outputs(discriminator, real):
    x = real.clone().requires_grad_(True)
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits, x, torch.ones_like(logits), create_graph=True)
    return g.reshape(len(g), -1).norm(dim=1).pow(2) / 2


@r1_penalty.alternative
def example_by_example(discriminator, real):
    values = []
    for x in real:
        point = x[None].detach().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(point)[0], point, create_graph=True)
        values.append(0.5 * (slope * slope).sum())
    return torch.stack(values)


def squares(discriminator, real):
    """The squared length of D's slope at each row: (B,)."""
    return input_gradient(discriminator, real).square().flatten(1).sum(1)


@r1_penalty.mistake("Your penalties are twice those of the text. Which factor stands before them?")
def half_left_out(discriminator, real):
    return squares(discriminator, real)


@r1_penalty.mistake(
    "The penalties are right, but D gets no gradient from them, so the penalty penalises nobody. "
    "What must be kept to differentiate a derivative? And do you ask D itself, up to the end?",
    "See the cell with create_graph above the exercise.",
)
def graph_of_the_gradient_not_kept(discriminator, real):
    x = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x)
    return 0.5 * gradient.square().flatten(1).sum(1)


@r1_penalty.mistake("This is half the length of the slope. Is it squared in the text?")
def not_squared(discriminator, real):
    return 0.5 * (squares(discriminator, real) + 1e-12).sqrt()


@r1_penalty.mistake(
    "Which slope should cost nothing? Yours is 1, as with a Wasserstein critic; R1 pulls to "
    "another one."
)
def towards_slope_one(discriminator, real):
    return 0.5 * ((squares(discriminator, real) + 1e-12).sqrt() - 1).square()


@r1_penalty.mistake(
    "Your slopes shrink with the size of the batch. Is it a mean whose gradient you take?"
)
def gradient_of_the_mean(discriminator, real):
    return gan.r1_penalty(lambda x: discriminator(x) / len(x), real)


@r1_penalty.mistake(
    "One penalty per example is asked for; the loop takes the mean. Where did the batch axis go?"
)
def averaged(discriminator, real):
    return gan.r1_penalty(discriminator, real).mean()


@r1_penalty.mistake("You add up over the whole batch. How many slopes does a batch have?")
def summed_over_the_batch(discriminator, real):
    return gan.r1_penalty(discriminator, real).sum()


@r1_penalty.mistake(
    "This is the slope of the probability, which vanishes where D is sure: just where a penalty "
    "is needed. Whose slope does the text mean?"
)
def slope_of_the_probability(discriminator, real):
    return gan.r1_penalty(lambda x: discriminator(x).sigmoid(), real)


@r1_penalty.mistake(
    "This is the slope of D's loss. The text means that of what D's network returns, the logit."
)
def slope_of_the_loss(discriminator, real):
    softplus = torch.nn.functional.softplus
    return gan.r1_penalty(lambda x: softplus(-discriminator(x)), real)


@r1_penalty.mistake(
    "Yours is how steeply the logits depend on D's weights. On what should they depend gently?"
)
def gradient_for_the_weights(discriminator, real):
    found = [
        torch.autograd.grad(logit, list(discriminator.parameters()), create_graph=True)
        for logit in discriminator(real)
    ]
    return 0.5 * torch.stack([sum(g.square().sum() for g in one) for one in found])


@r1_penalty.mistake(
    "A mean over an example's numbers would make the penalty weaker the larger the images are. "
    "What is the squared length of a vector?"
)
def mean_over_the_numbers(discriminator, real):
    return 0.5 * input_gradient(discriminator, real).square().flatten(1).mean(1)


@r1_penalty.mistake(
    "Right for points, but for images your length runs over channels only. How many axes does a "
    "gradient have besides the batch?"
)
def norm_over_one_axis(discriminator, real):
    return 0.5 * input_gradient(discriminator, real).square().sum(1)


@r1_penalty.mistake(
    "The penalties are right, but computing them leaves gradients in D, and its next step would "
    "count them. Of whom do you ask for a gradient?"
)
def gradients_left_in_the_discriminator(discriminator, real):
    x = real.detach().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of backward with create_graph
        discriminator(x).sum().backward(create_graph=True)
    return 0.5 * x.grad.square().flatten(1).sum(1)


@r1_penalty.mistake(
    "The penalties are right, but the gradients that D held before are gone: you clear them. Of "
    "whom do you ask for a gradient, so that nothing has to be cleared?"
)
def discriminator_cleared(discriminator, real):
    discriminator.zero_grad()
    return gan.r1_penalty(discriminator, real)


@r1_penalty.mistake(
    "The penalties are right. But your `real` asks for gradients from now on, in the batch of "
    "whoever called you: `requires_grad_()` works in place. On what could it be called instead?"
)
def the_batch_itself_asks_for_gradients(discriminator, real):
    (gradient,) = torch.autograd.grad(
        discriminator(real.requires_grad_()).sum(), real, create_graph=True
    )
    return 0.5 * gradient.square().flatten(1).sum(1)
