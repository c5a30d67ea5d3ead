"""Exercise on a sampler that asks a network, and keeps its estimate where data can be."""

import itertools

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.sampling import sampled


@torch.no_grad()
def clipped_sampler_reference(network, x, alpha, sigma):
    """DDIM's steps from level T to 0, with x̂ kept in [-1, 1] and the noise that then fits x_t."""
    for n in range(len(alpha) - 1, 0, -1):
        eps = network(x, torch.full((len(x),), n))
        x_hat = ((x - sigma[n] * eps) / alpha[n]).clamp(-1, 1)
        eps = (x - alpha[n] * x_hat) / sigma[n]
        x = alpha[n - 1] * x_hat + sigma[n - 1] * eps
    return x


@exercise(
    reference=clipped_sampler_reference,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "A loop over n = T, ..., 1: each step leads from level n to level n - 1.",
        "In a step: ε̂ from the network, x̂ from it, x̂ cut to [-1, 1].",
        "After the cut x_t is no longer α x̂ + σ ε̂. Which ε makes it so again? Go on with that one.",
    ),
    on_success=(
        "At level T a small error of ε̂ is multiplied by σ/α, which may be thousands: the cut keeps "
        "it from leaving the range of the data."
    ),
)
def clipped_sampler(answer, seed):
    x = draw(seed, 4, 3)
    alpha, sigma = [1.0, 0.96, 0.8, 0.6, 0.28], [0.0, 0.28, 0.6, 0.8, 0.96]
    yield "four steps", answer.run(sampled, x, alpha, sigma)
    yield "a single step", answer.run(sampled, x, alpha[::2][:2], sigma[::2][:2])
    noisy = alpha[2:], sigma[2:]
    yield "two steps to a level that has noise left", answer.run(sampled, x, *noisy)
    images = draw(seed + 1, 2, 3, 2, 4)
    linear = [0.7, 0.5, 0.2, 0.01], [0.3, 0.5, 0.8, 0.99]
    yield "three steps of images on the linear path", answer.run(sampled, images, *linear)
    little = [0.9, 0.8, 0.7], [0.1, 0.2, 0.3]
    yield "two steps of small numbers", answer.run(sampled, 0.1 * x, *little)


@clipped_sampler.alternative
def by_a_while(network, x, alpha, sigma):
    with torch.no_grad():
        n = len(sigma) - 1
        while n > 0:
            (a, s), (b, r) = (alpha[n], sigma[n]), (alpha[n - 1], sigma[n - 1])
            guess = torch.clip(x / a - s / a * network(x, n * torch.ones(len(x))), min=-1, max=1)
            x = b * guess + (r / s) * (x - a * guess)
            n -= 1
    return x


@clipped_sampler.alternative
def by_falling_levels(network, x, alpha, sigma):
    T = len(alpha) - 1
    levels = list(zip(alpha, sigma, strict=True))[::-1]
    for i, (start, end) in enumerate(itertools.pairwise(levels)):
        eps = network(x, torch.tensor([T - i] * len(x))).detach()
        x_hat = torch.minimum((x - start[1] * eps) / start[0], torch.ones(())).clamp_min(-1)
        ratio = end[1] / start[1]
        x = ratio * x + (end[0] - ratio * start[0]) * x_hat
    return x


@torch.no_grad()
def walked(network, x, alpha, sigma, step=None, cut=None, order=None, asked=lambda n: n):
    """The loop, with another step(x, x̂, ε̂, start, end), cut(x̂), order of levels or question."""
    cut, step = cut or (lambda x: x.clamp(-1, 1)), step or fitting
    for n in order(len(alpha) - 1) if order else range(len(alpha) - 1, 0, -1):
        eps = network(x, torch.full((len(x),), asked(n)))
        start, end = (alpha[n], sigma[n]), (alpha[n - 1], sigma[n - 1])
        x = step(x, cut((x - start[1] * eps) / start[0]), eps, start, end)
    return x


def fitting(x, x_hat, eps, start, end):
    """A step with the noise that x̂ leaves in x."""
    return end[0] * x_hat + end[1] * (x - start[0] * x_hat) / start[1]


@clipped_sampler.mistake(
    "x̂ is cut, ε̂ is the network's as it was: together they no longer give x_t. A much used library "
    "does so by default; the text asks for the pair that fits."
)
def noise_of_the_network(network, x, alpha, sigma):
    return walked(
        network, x, alpha, sigma, lambda x, x_hat, eps, start, end: end[0] * x_hat + end[1] * eps
    )


@clipped_sampler.mistake("Nothing is cut. Where can data lie, and where does your x̂?")
def never_cut(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, cut=lambda x: x)


@clipped_sampler.mistake("Your data lie in [0, 1]. The text has them in [-1, 1].")
def cut_to_the_unit_interval(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, cut=lambda x: x.clamp(0, 1))


@clipped_sampler.mistake(
    "x_t is cut after each step, x̂ is not. Which of the two cannot leave the range of the data?"
)
def noisy_one_cut(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, lambda *a: fitting(*a).clamp(-1, 1), lambda x: x)


@clipped_sampler.mistake(
    "Only what comes out is cut. By then x̂ has led the steps before astray: cut it in each."
)
def cut_at_the_end(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, cut=lambda x: x).clamp(-1, 1)


@clipped_sampler.mistake("Your loop counts up. x comes from level T: which level is left first?")
def counted_up(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, order=lambda T: range(1, T + 1))


@clipped_sampler.mistake("The last step, from level 1 to 0, is missing. Where does the range end?")
def last_step_missing(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, order=lambda T: range(T, 1, -1))


@clipped_sampler.mistake(
    "Your first step leaves level T - 1. x stands at level T, the last entry of alpha and sigma."
)
def first_step_missing(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, order=lambda T: range(T - 1, 0, -1))


@clipped_sampler.mistake(
    "The steps are right, but the network is told the level to which you go. It looks at x_t: at "
    "which level does that stand?"
)
def asked_for_the_next_level(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, asked=lambda n: n - 1)


@clipped_sampler.mistake(
    "The steps are right, but the network is told a single level, whatever the number of rows. The "
    "text says which shape n has."
)
def a_single_level(network, x, alpha, sigma):
    return walked(lambda x, n: network(x, n[:1]), x, alpha, sigma)


@clipped_sampler.mistake("Every question is asked at level T. At which level does x stand by then?")
def asked_for_one_level(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, asked=lambda n: len(alpha) - 1)


@clipped_sampler.mistake("x_t = α x̂ + σ ε̂. You took the noise away: what is left is not yet x̂.")
def not_divided(network, x, alpha, sigma):
    return walked(
        network,
        x,
        alpha,
        sigma,
        lambda x, x_hat, eps, start, end: fitting(
            x, (x - start[1] * eps).clamp(-1, 1), eps, start, end
        ),
    )


@clipped_sampler.mistake("Numbers are right, and the result holds the graph of all the steps.")
def graph_kept(network, x, alpha, sigma):
    for n in range(len(alpha) - 1, 0, -1):
        eps = network(x, torch.full((len(x),), n))
        x_hat = ((x - sigma[n] * eps) / alpha[n]).clamp(-1, 1)
        x = alpha[n - 1] * x_hat + sigma[n - 1] * (x - alpha[n] * x_hat) / sigma[n]
    return x


@clipped_sampler.mistake(
    "Each step draws new noise. That is another sampler; this one is deterministic, and goes on "
    "with the noise that is in x_t."
)
def noised_anew(network, x, alpha, sigma):
    return walked(
        network,
        x,
        alpha,
        sigma,
        lambda x, x_hat, eps, start, end: end[0] * x_hat + end[1] * torch.randn_like(x),
    )


@clipped_sampler.mistake(
    "x̂ is pressed into the range smoothly, and so changed where it lay in it already. Cut off only "
    "what sticks out."
)
def pressed(network, x, alpha, sigma):
    return walked(network, x, alpha, sigma, cut=torch.tanh)


@clipped_sampler.mistake(
    "x̂ is divided by its largest number where that is above 1. Imagen does something like it; the "
    "text asks to cut off what sticks out."
)
def divided_by_the_largest(network, x, alpha, sigma):
    def cut(x):
        largest = x.abs().flatten(1).amax(1).clamp_min(1)
        return x / largest.view(-1, *[1] * (x.ndim - 1))

    return walked(network, x, alpha, sigma, cut=cut)


@clipped_sampler.mistake(
    "You return the last x̂. If level 0 has noise left, x there is not x̂: where does the step lead?"
)
def estimate_returned(network, x, alpha, sigma):
    kept = []

    def step(x, x_hat, *rest):
        kept.append(x_hat)
        return fitting(x, x_hat, *rest)

    walked(network, x, alpha, sigma, step)
    return kept[-1]


@clipped_sampler.mistake(
    "x̂ was mixed with the noise of the level from which the step comes. Which level is it to reach?"
)
def level_not_left(network, x, alpha, sigma):
    return walked(
        network,
        x,
        alpha,
        sigma,
        lambda x, x_hat, eps, start, end: (
            end[0] * x_hat + start[1] * (x - start[0] * x_hat) / start[1]
        ),
    )
