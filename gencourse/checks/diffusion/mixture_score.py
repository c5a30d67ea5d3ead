"""Exercise on the exact score of a mixture at any noise level."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import diffusion


def mixture(seed, K, D):
    """Means (K, D), deviations and weights (K,), all different."""
    weights = torch.linspace(1, 2.5, K) + 0.2 * draw(seed + 50, K).sigmoid()
    return draw(seed + 51, K, D), 0.3 + draw(seed + 52, K).sigmoid(), weights / weights.sum()


@exercise(
    reference=diffusion.mixture_score,
    difficulty=3,
    minutes=15,
    points=5,
    hints=(
        "At level (α, σ) each component is a normal again. What are its mean and its variance?",
        (
            "The score of a sum of densities is a mean of the components' scores, each weighed by "
            "the probability that x_t came from it."
        ),
        (
            "In D dimensions the density of a component has v to the power -D/2. Its exponent may "
            "be far below zero: softmax of the logarithms knows a way."
        ),
    ),
    on_success="This is what every network of the chapter tries to be. Keep it as its judge.",
    exempt={"more columns": "in 70 dimensions one component has all of the probability"},
)
def mixture_score(answer, seed):
    x, mix = 1.5 * draw(seed, 6, 3), mixture(seed, 4, 3)
    yield "the score at six points, α = 0.7, σ = 0.5", answer(x, 0.7, 0.5, *mix)
    yield "the score at little noise", answer(0.5 * x, 0.95, 0.1, *mix)
    yield "the score on the line", answer(draw(seed + 1, 5, 1), 0.6, 0.8, *mixture(seed + 1, 2, 1))
    yield "the score at α = 1, σ = 3", answer(3 * x, 1.0, 3.0, *mix)
    yield "the score of the data, σ = 0", answer(x, 1.0, 0.0, *mix)
    yield "the score of one component alone", answer(x, 0.8, 0.4, *mixture(seed + 2, 1, 3))
    yield "the score a hundred deviations away", answer(100 * x, 0.7, 0.5, *mix)


@mixture_score.alternative
def by_automatic_differentiation(x_t, alpha, sigma, means, stds, weights):
    x = x_t.detach().clone().requires_grad_()
    v = (alpha * stds) ** 2 + sigma**2
    apart = ((x[:, None, :] - alpha * means) ** 2).sum(-1)
    joint = weights.log() - apart / (2 * v) - 0.5 * x.shape[1] * v.log()
    return torch.autograd.grad(joint.logsumexp(1).sum(), x)[0]


@mixture_score.alternative
def component_by_component(x_t, alpha, sigma, means, stds, weights):
    logs, scores = [], []
    for m, s, w in zip(means, stds, weights, strict=True):
        std = torch.sqrt(alpha**2 * s**2 + sigma**2)
        normal = torch.distributions.Normal(alpha * m, std)
        logs.append(w.log() + normal.log_prob(x_t).sum(1))
        scores.append((alpha * m - x_t) / std**2)
    r = torch.softmax(torch.stack(logs, 1), 1)
    return torch.einsum("bk,kbd->bd", r, torch.stack(scores))


def score(x, means, v, weights, half=None, axis=1):
    """The score of components at `means` of variance v; log v is counted `half` times."""
    apart = means - x[:, None]  # (B, K, D)
    half = 0.5 * x.shape[1] if half is None else half
    joint = weights.log() - 0.5 * apart.square().sum(2) / v - half * v.log()
    return (joint.softmax(axis)[:, :, None] * apart / v[:, None]).sum(1)


@mixture_score.mistake(
    "Without noise it is right. The sum of a component and of noise is wider: which variance was "
    "not added?"
)
def noise_left_out(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, alpha**2 * stds**2, weights)


@mixture_score.mistake("At α = 1 it is right. Where do the components' centres lie at level α?")
def means_not_scaled(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, means, alpha**2 * stds**2 + sigma**2, weights)


@mixture_score.mistake("At α = 1 it is right. How wide is a component after its data were scaled?")
def widths_not_scaled(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, stds**2 + sigma**2, weights)


@mixture_score.mistake("At α = 1 it is right. α scales a deviation: what does it do to a variance?")
def alpha_not_squared(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, alpha * stds**2 + sigma**2, weights)


@mixture_score.mistake(
    "You added standard deviations before squaring. What adds up for independent numbers?"
)
def deviations_added(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, (alpha * stds + sigma) ** 2, weights)


@mixture_score.mistake(
    "Components with more of the data should count more. Where do the weights come in?"
)
def weights_left_out(x_t, alpha, sigma, means, stds, weights):
    v = alpha**2 * stds**2 + sigma**2
    return score(x_t, alpha * means, v, torch.full_like(weights, 1 / len(weights)))


@mixture_score.mistake(
    "You weighed with the weights alone. Does a point know nothing of where it came from?"
)
def weights_alone(x_t, alpha, sigma, means, stds, weights):
    v = alpha**2 * stds**2 + sigma**2
    return (weights[:, None] * (alpha * means - x_t[:, None]) / v[:, None]).sum(1)


@mixture_score.mistake("It points away from the data. Which way does log p rise?")
def sign_turned(x_t, alpha, sigma, means, stds, weights):
    return -score(x_t, alpha * means, alpha**2 * stds**2 + sigma**2, weights)


@mixture_score.mistake(
    "Each point has the score of its most probable component. Between two of them, is that what "
    "Bayes' rule says?"
)
def hard_assignment(x_t, alpha, sigma, means, stds, weights):
    v = alpha**2 * stds**2 + sigma**2
    apart = alpha * means - x_t[:, None]
    joint = weights.log() - 0.5 * apart.square().sum(2) / v - 0.5 * x_t.shape[1] * v.log()
    return (apart / v[:, None])[torch.arange(len(x_t)), joint.argmax(1)]


@mixture_score.mistake(
    "A wide normal is lower in its middle. Which term of the log density says so, and in how many "
    "dimensions?"
)
def width_left_out(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, alpha**2 * stds**2 + sigma**2, weights, half=0.0)


@mixture_score.mistake(
    "On the line it is right. The width counts once for each dimension: how often did you count it?"
)
def width_of_one_dimension(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, alpha**2 * stds**2 + sigma**2, weights, half=0.5)


@mixture_score.mistake(
    "The probabilities of one point's components should sum to 1: along which axis do yours?"
)
def shares_over_the_points(x_t, alpha, sigma, means, stds, weights):
    return score(x_t, alpha * means, alpha**2 * stds**2 + sigma**2, weights, axis=0)


@mixture_score.mistake(
    "Near the data it is right, far away it is no number: densities there are 0 in the computer. "
    "What stays finite?"
)
def through_densities(x_t, alpha, sigma, means, stds, weights):
    v, apart = alpha**2 * stds**2 + sigma**2, alpha * means - x_t[:, None]
    p = weights * (-0.5 * apart.square().sum(2) / v).exp() * v ** (-0.5 * x_t.shape[1])
    return (p[:, :, None] * apart / v[:, None]).sum(1) / p.sum(1, keepdim=True)


@mixture_score.mistake(
    "This is σ² times the score: how far it is to the mean of what x_t came from. Does the score "
    "say a distance?"
)
def step_for_score(x_t, alpha, sigma, means, stds, weights):
    return sigma**2 * score(x_t, alpha * means, alpha**2 * stds**2 + sigma**2, weights)
