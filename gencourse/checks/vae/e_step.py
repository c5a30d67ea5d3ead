"""Exercise on a mixture of normals over codes: which component a code comes from."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import vae


def log_joint(z, weights, means, logvar):
    """log of weight times density of every code under every component: (N, K)."""
    N, K = len(z), len(means)
    codes = z[:, None].expand(N, K, -1).flatten(0, 1)
    parameters = (t.expand(N, -1, -1).flatten(0, 1) for t in (means, logvar))
    return weights.log() + vae.gaussian_log_density(codes, *parameters).view(N, K)


def e_step_reference(z, weights, means, logvar):
    """log p(z) (N,), and the probabilities (N, K) with which each component made each code."""
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1), joint.softmax(1)


@exercise(
    reference=e_step_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "First the table log (πₖ N(z; mₖ, Sₖ)), of shape (N, K). What is p(z) in terms of it?",
        "exp of what lies below -103 is 0 in float32. Which function of torch adds in logarithms?",
        "Bayes: the share of a component in the sum. Which function of torch makes shares of logs?",
    ),
    on_success="Codes a thousand standard deviations from everything still get finite shares.",
    rtol=2e-4,
    exempt={
        "one example": "cut to one component, the weights no longer sum to one",
        "more examples": "with components added, the weights no longer sum to one",
    },
)
def e_step(answer, seed):
    z, weights, means, logvar = mixture(seed, 7, 4, 3)
    yield "seven codes and four components", answer(z, weights, means, logvar)
    yield "a single code", answer(z[:1], weights, means, logvar)
    yield "a single component", answer(z, torch.ones(1), means[:1], logvar[:1])
    yield "as many codes as components and dimensions", answer(*mixture(seed + 1, 4, 4, 4))
    yield "131 codes of 16 numbers, of 5 components", answer(*mixture(seed + 2, 131, 5, 16))
    yield "codes far from all components", answer(300 * z, weights, means, logvar)
    yield "narrow components", answer(means + 0.01 * z[:4], weights, means, logvar - 9)
    yield "components of one place and width", answer(z, weights, 0 * means + 1, 0 * logvar)
    # the last weighs a millionth, and is the only one near
    rare = torch.tensor([0.6, 0.3, 0.1 - 1e-6, 1e-6])
    near = torch.cat([means[:3] + 20, means[3:]])
    yield "a component of a millionth, near all codes", answer(0.3 * z, rare, near, 0 * logvar)


def mixture(seed, N, K, D):
    """Codes (N, D), weights (K,), means and log variances (K, D), all of them different."""
    z, means, logvar = 2 * draw(seed, N, D), 2 * draw(seed + 10, K, D), draw(seed + 20, K, D)
    return z, draw(seed + 30, K).softmax(0), means, logvar


@e_step.alternative
def by_distributions(z, weights, means, logvar):
    components = torch.distributions.Independent(
        torch.distributions.Normal(means, (0.5 * logvar).exp()), 1
    )
    joint = components.log_prob(z.unsqueeze(1)) + weights.log()
    log_prob = torch.logsumexp(joint, dim=-1)
    return log_prob, torch.exp(joint - log_prob.unsqueeze(-1))


@e_step.alternative
def component_by_component(z, weights, means, logvar):
    columns = []
    for weight, mean, width in zip(weights, means, logvar, strict=True):
        squares = (z - mean) ** 2 / width.exp() + width + torch.tensor(2 * torch.pi).log()
        columns.append(weight.log() - 0.5 * squares.sum(1))
    joint = torch.stack(columns, 1)
    top = joint.max(1, keepdim=True).values
    shares = (joint - top).exp()
    total = shares.sum(1, keepdim=True)
    return (top + total.log())[:, 0], shares / total


def both(joint):
    """What the right answer makes of a table of logarithms."""
    return joint.logsumexp(1), joint.softmax(1)


@e_step.mistake("Every component counts alike in your answer. Where do their weights enter?")
def weights_left_out(z, weights, means, logvar):
    return both(log_joint(z, torch.ones_like(weights), means, logvar))


@e_step.mistake(
    "The weights are added to logarithms as they are. What is the log of weight times density?"
)
def weights_without_logarithm(z, weights, means, logvar):
    return both(log_joint(z, torch.ones_like(weights), means, logvar) + weights)


@e_step.mistake(
    "Near the components the numbers are right. Far from all of them every density is 0 in "
    "float32: where did you leave the logarithm?"
)
def through_densities(z, weights, means, logvar):
    p = log_joint(z, weights, means, logvar).exp()
    return p.sum(1).log(), p / p.sum(1, keepdim=True)


@e_step.mistake(
    "A tiny number beside each density keeps the division finite, and makes the shares of a far "
    "code wrong. Which operation needs no such number?"
)
def through_densities_with_a_tiny_number(z, weights, means, logvar):
    p = log_joint(z, weights, means, logvar).exp()
    total = p.sum(1) + 1e-12
    return total.log(), p / total[:, None]


@e_step.mistake(
    "log p(z) is right. The shares of one code should sum to 1: along which axis do yours?"
)
def shares_over_the_codes(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1), joint.softmax(0)


@e_step.mistake("log p(z) is right. The shares are still logarithms: do they sum to 1?")
def logarithms_of_the_shares(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1), joint.log_softmax(1)


@e_step.mistake(
    "log p(z) is right. You gave each code to one component alone. Between two of them, is that "
    "what Bayes' rule says?"
)
def hard_assignment(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1), torch.eye(len(means))[joint.argmax(1)].to(z)


@e_step.mistake("The shares are right. Is the log of a sum its largest term?")
def best_component_alone(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.amax(1), joint.softmax(1)


@e_step.mistake(
    "The shares are right. A weighted mean of logarithms lies below the log of the mean: which of "
    "the two is log p(z)?"
)
def weighted_mean_of_logarithms(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return (weights * log_joint(z, torch.ones_like(weights), means, logvar)).sum(1), joint.softmax(
        1
    )


@e_step.mistake("exp(logvar) is the variance. Which power of it divides the distance?")
def variance_taken_for_std(z, weights, means, logvar):
    return both(log_joint(z, weights, means, 2 * logvar))


@e_step.mistake(
    "The squares are right. A wide normal is lower in its middle: which term in logvar says so?"
)
def width_left_out(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return both(joint + 0.5 * logvar.sum(1))


@e_step.mistake("The shares are right, log p(z) is too high. Which constant has a density?")
def constant_left_out(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1) + 0.919 * z.shape[1], joint.softmax(1)


@e_step.mistake("log p(z) should be one number for each code. Where did their axis go?")
def averaged_over_the_codes(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1).mean(), joint.softmax(1)


@e_step.mistake("The numbers are right. Codes are rows, components columns: which are yours?")
def transposed(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1), joint.softmax(1).T


@e_step.mistake("Both are right, in the other order. Which one does the text want first?")
def in_the_other_order(z, weights, means, logvar):
    return both(log_joint(z, weights, means, logvar))[::-1]


@e_step.mistake("log p(z) is right. Do the shares know the weights, or the densities alone?")
def shares_without_weights(z, weights, means, logvar):
    joint = log_joint(z, weights, means, logvar)
    return joint.logsumexp(1), (joint - weights.log()).softmax(1)
