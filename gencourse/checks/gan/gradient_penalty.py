"""Exercise on the gradient penalty that keeps a critic smooth."""

import warnings

import torch

from gencourse.checks import draw, exercise
from gencourse.models import gan
from gencourse.models.gan.penalties import input_gradient
from gencourse.probes.gan.critics import at_a_flat_critic, left_behind, penalties, pull_on_critic


@exercise(
    reference=gan.gradient_penalty,
    difficulty=3,
    minutes=15,
    points=4,
    hints=(
        (
            "Three steps: a point between each pair, the critic's gradient at that point, and how "
            "far its length is from 1."
        ),
        (
            "`torch.autograd.grad` of the summed outputs gives the gradient of each row, since "
            "rows do not see one another."
        ),
        (
            "The critic learns from this penalty, so there is a derivative of a derivative. What "
            "does torch.autograd.grad need to be told?"
        ),
        "eps is (B,). What shape does it need to multiply (B, 2), and (B, C, H, W)?",
    ),
    on_success=(
        "(|w| − 1)² for a linear critic, one value per example, and a gradient that pulls the "
        "critic's slope to 1."
    ),
)
def gradient_penalty(answer, seed):
    real, fake, w = draw(seed, 5, 2), 2 * draw(seed + 1, 5, 2) + 0.5, draw(seed + 2, 2) + 1.3
    pairs = (real, fake, torch.tensor([0.6, 0.1, 0.95, 0.35, 0.8]))
    flat = "the penalties of a flat critic, whose slopes are below 1"
    linear = "the penalties of a linear critic w·x, (|w| - 1)² everywhere"
    yield linear, answer.run(penalties, "linear", w, *pairs)
    yield flat, answer.run(penalties, "linear", 0.2 * w, *pairs)
    steep = "the penalties of a steep critic, whose slopes are 100 times those of the first"
    yield steep, answer.run(penalties, "linear", 100 * w, *pairs)
    yield "the penalties of a curved critic", answer.run(penalties, "curved", w, *pairs)
    for kind in ("linear", "curved"):
        label = f"the gradient of the penalties for the parameter of a {kind} critic"
        yield label, answer.run(pull_on_critic, kind, w, *pairs)
    at_the_data = answer.run(penalties, "curved", w, real, fake, torch.ones(5))
    yield "the penalties at the data, eps = 1", at_the_data
    label = "the gradient of the penalties for a linear critic whose slopes are 0.008"
    yield label, answer.run(pull_on_critic, "linear", 0.008 / w.norm() * w, *pairs)
    yield "a linear critic whose slope is 0", answer.run(at_a_flat_critic, w, *pairs)
    yield "the critic after a call", answer.run(left_behind, "curved", w, *pairs)
    ends = torch.tensor([0.3, 0.0, 0.85, 0.55])
    for what, shape in (("small images", (3, 2, 5)), ("short sequences", (3, 2))):
        real, fake = draw(seed, 4, *shape), draw(seed + 3, 4, *shape) + 0.2
        w = 0.3 * draw(seed + 4, real[0].numel())
        yield f"the penalties of four {what}", answer.run(penalties, "shaped", w, real, fake, ends)


@gradient_penalty.alternative
def by_grad_outputs(critic, real, fake, eps):
    x = torch.lerp(fake, real, eps.reshape([len(real)] + [1] * (real.dim() - 1))).requires_grad_()
    out = critic(x)
    (gradient,) = torch.autograd.grad(
        out, x, grad_outputs=torch.ones_like(out), create_graph=True, retain_graph=True
    )
    return (gradient.reshape(len(x), -1).norm(2, dim=1) - 1) ** 2


@gradient_penalty.alternative
def example_by_example(critic, real, fake, eps):
    values = []
    for x, y, e in zip(real, fake, eps, strict=True):
        point = (y + e * (x - y))[None].requires_grad_()
        (slope,) = torch.autograd.grad(critic(point).squeeze(), point, create_graph=True)
        values.append((torch.linalg.vector_norm(slope) - 1).square())
    return torch.stack(values)


def between(real, fake, eps):
    eps = eps.view(-1, *[1] * (real.ndim - 1))
    return eps * real + (1 - eps) * fake


def norms(gradient):
    return (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()


def slopes(critic, real, fake, eps):
    return norms(input_gradient(critic, between(real, fake, eps)))


@gradient_penalty.mistake(
    "Your penalty is the same for every critic. Whose gradient is it: the critic's, or the "
    "point's own length?",
    "A penalty that never calls the critic cannot change it. At which point does the critic have "
    "to be evaluated?",
)
def critic_never_called(critic, real, fake, eps):
    return (norms(between(real, fake, eps)) - 1).square()


@gradient_penalty.mistake(
    "The penalties are right, but the critic gets no gradient from them. What must be kept to "
    "differentiate a derivative? And can the critic's parameters learn while you call it?"
)
def graph_of_the_gradient_not_kept(critic, real, fake, eps):
    x = between(real, fake, eps).requires_grad_()
    return (norms(torch.autograd.grad(critic(x).sum(), x)[0]) - 1).square()


@gradient_penalty.mistake(
    "You took one norm over the whole batch. How many gradients does a batch hold?"
)
def one_norm_for_the_batch(critic, real, fake, eps):
    gradient = input_gradient(critic, between(real, fake, eps))
    return (gradient.norm() - 1).square()


@gradient_penalty.mistake(
    "One penalty per example is asked for; the loop takes the mean. Where did the batch axis go?"
)
def averaged(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real, fake, eps).mean()


@gradient_penalty.mistake(
    "All pairs share one eps in your version. How many numbers were you given?"
)
def one_eps_for_all(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real, fake, eps[:1].expand(len(real)))


@gradient_penalty.mistake(
    "The given eps is not used as it is: at eps = 1 you are at the samples. Which of the two does "
    "the text weigh by eps?"
)
def eps_the_other_way_round(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real, fake, 1 - eps)


@gradient_penalty.mistake(
    "Your critic is asked at the data only. Where between data and samples does the text put the "
    "points?"
)
def at_the_data(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real, fake, torch.ones_like(eps))


@gradient_penalty.mistake(
    "Your critic is asked at the samples only. Where between data and samples does the text put "
    "the points?"
)
def at_the_samples(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real, fake, torch.zeros_like(eps))


@gradient_penalty.mistake("You always take the middle between data and sample. What is eps for?")
def in_the_middle(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real, fake, torch.full_like(eps, 0.5))


@gradient_penalty.mistake(
    "This is the squared slope: it pulls the critic to be flat. Which slope should cost nothing?"
)
def squared_norm(critic, real, fake, eps):
    return slopes(critic, real, fake, eps).square()


@gradient_penalty.mistake(
    "What is compared with 1: the length of the gradient, or the square of its length?"
)
def squared_norm_minus_one(critic, real, fake, eps):
    return (slopes(critic, real, fake, eps).square() - 1).square()


@gradient_penalty.mistake(
    "Your penalty is negative where the slope is below 1: a reward. What makes a distance from 1 "
    "out of a difference?"
)
def not_squared(critic, real, fake, eps):
    return slopes(critic, real, fake, eps) - 1


@gradient_penalty.mistake(
    "How far the slope is from 1 is right, but it is not squared. What shape should the penalty "
    "have near 1?"
)
def absolute_value(critic, real, fake, eps):
    return (slopes(critic, real, fake, eps) - 1).abs()


@gradient_penalty.mistake(
    "Your penalties are ten times too large. Who decides how much the penalty weighs: this "
    "function or the loop?"
)
def weight_inside(critic, real, fake, eps):
    return 10 * gan.gradient_penalty(critic, real, fake, eps)


@gradient_penalty.mistake(
    "Slopes below 1 cost nothing in your version. That penalty exists too, but the text asks for "
    "both sides."
)
def one_sided(critic, real, fake, eps):
    return (slopes(critic, real, fake, eps) - 1).clamp_min(0).square()


@gradient_penalty.mistake(
    "Your slopes shrink with the size of the batch. Is it a mean whose gradient you take?"
)
def gradient_of_the_mean(critic, real, fake, eps):
    return (slopes(lambda x: critic(x) / len(x), real, fake, eps) - 1).square()


@gradient_penalty.mistake(
    "Right for points, but for images your norm runs over channels only. How many axes does a "
    "gradient have besides the batch?"
)
def norm_over_one_axis(critic, real, fake, eps):
    return (input_gradient(critic, between(real, fake, eps)).norm(dim=1) - 1).square()


@gradient_penalty.mistake(
    "Right for points; images of shape (B, C, H, W) fail. What shape should eps have there, so "
    "that each image gets its own?"
)
def eps_for_points_only(critic, real, fake, eps):
    x = eps[:, None] * real + (1 - eps[:, None]) * fake
    return (norms(input_gradient(critic, x)) - 1).square()


@gradient_penalty.mistake(
    "Right for points. For images your critic gets rows of numbers: what do its convolutions "
    "expect to see?"
)
def images_flattened(critic, real, fake, eps):
    return gan.gradient_penalty(critic, real.flatten(1), fake.flatten(1), eps)


@gradient_penalty.mistake(
    "The penalties are right, but computing them leaves gradients in the critic, and its next "
    "step would count them. Of whom do you ask for a gradient?"
)
def gradients_left_in_the_critic(critic, real, fake, eps):
    x = between(real, fake, eps).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of backward with create_graph
        critic(x).sum().backward(create_graph=True)
    return (norms(x.grad) - 1).square()


@gradient_penalty.mistake(
    "Right until a slope is 0, as where a critic starts flat: there the critic gets NaN and is "
    "lost. What is the derivative of a square root at 0?"
)
def root_of_zero(critic, real, fake, eps):
    gradient = input_gradient(critic, between(real, fake, eps))
    return (gradient.flatten(1).square().sum(1).sqrt() - 1).square()


@gradient_penalty.mistake(
    "The penalties are right, but the gradients that the critic held before are gone: you clear "
    "them. Of whom do you ask for a gradient, so that nothing has to be cleared?"
)
def critic_cleared(critic, real, fake, eps):
    critic.zero_grad()
    return gan.gradient_penalty(critic, real, fake, eps)


@gradient_penalty.mistake(
    "Right for critics whose gradients lie in memory row after row. Where a critic turns its "
    "images, they do not, and `view` refuses them. Which functions flatten any tensor?"
)
def viewed(critic, real, fake, eps):
    gradient = input_gradient(critic, between(real, fake, eps))
    return (norms(gradient.view(len(gradient), -1)) - 1).square()


@gradient_penalty.mistake(
    "The penalties are right here, but the critic, or a layer of it, is in another mode while you "
    "ask it: with dropout its slopes would be others. Which mode does the text name?"
)
def asked_in_evaluation_mode(critic, real, fake, eps):
    modes = [(module, module.training) for module in critic.modules()]
    critic.eval()
    values = gan.gradient_penalty(critic, real, fake, eps)
    for module, mode in modes:
        module.training = mode
    return values
