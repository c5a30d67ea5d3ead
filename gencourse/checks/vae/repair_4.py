"""The bug hunt: piece 4, the price of a code."""

import torch
from torch import distributions

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.general import gradients


def repair_4_reference(mu, std):
    """KL(N(mu, std²) ‖ N(0, I)): mu, std (B, D) -> (B,), nats."""
    return 0.5 * (mu**2 + std**2 - 1 - 2 * std.log()).sum(1)


@repair(
    reference=repair_4_reference,
    minutes=3,
    hints=(
        "What did its instrument measure, and what did your own trust_kl say of it?",
        "Go through the four terms: mu², σ², 1, log σ². Which sign has each, all in all?",
        "A piece that every test acquits may stay as it is.",
    ),
    on_success="There was nothing to repair: a minus before the sum, and minus signs in it.",
)
def repair_4(answer, seed):
    mu, width = draw(seed, 2, 5, 3)
    yield "the KL of five codes", answer(mu, (0.8 * width).exp())
    yield "the KL at mean 1, standard deviation 2", answer(torch.ones(2, 3), 2 * torch.ones(2, 3))
    yield "the KL of the prior from itself", answer(torch.zeros(3, 2), torch.ones(3, 2))
    mu, width = draw(seed + 1, 2, 4, 6)
    yield "the KL near the prior", answer(0.1 * mu, (0.1 * width).exp())
    yield "the KL of means up to 30 and widths up to 100", answer(10 * mu, (2 * width).exp())
    yield "the KL of codes that are almost points", answer(0.3 * mu, (width - 13).exp())
    yield "the KL of codes that are very wide", answer(mu, (width + 12).exp())
    learned = "the gradients that training sends to mu and std"
    yield learned, answer.run(gradients, mu, (0.7 * width).exp())
    yield f"{learned} far from the prior", answer.run(gradients, 10 * mu, (width - 5).exp())


@repair_4.alternative
def as_it_was(mu, std):
    var = std**2
    return -0.5 * (1 + var.log() - mu**2 - var).sum(1)


@repair_4.alternative
def by_kl_divergence(mu, std):
    prior = distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return distributions.kl_divergence(distributions.Normal(mu, std), prior).sum(-1)


@repair_4.mistake(
    "It is negative now. Did you take a minus away? Count what it does to the terms inside."
)
def sign_taken_away(mu, std):
    return -repair_4_reference(mu, std)


@repair_4.mistake("Twice what it should be. Which factor is missing?")
def without_half(mu, std):
    return 2 * repair_4_reference(mu, std)


@repair_4.mistake("You treat std as log σ². Which pieces of this program hold a logarithm?")
def std_taken_for_logvar(mu, std):
    return 0.5 * (mu**2 + std.exp() - 1 - std).sum(1)


@repair_4.mistake("You treat std as the variance. What has to be squared first?")
def std_taken_for_variance(mu, std):
    return 0.5 * (mu**2 + std - 1 - std.log()).sum(1)


@repair_4.mistake("log σ² is twice log σ. How often does yours count?")
def log_counted_once(mu, std):
    return 0.5 * (mu**2 + std**2 - 1 - std.log()).sum(1)


@repair_4.mistake("Latent numbers are averaged. Do their divergences add up or average?")
def averaged_over_dimensions(mu, std):
    return repair_4_reference(mu, std) / mu.shape[1]


@repair_4.mistake("One value per image, please: the loop takes the mean.")
def averaged_over_the_batch(mu, std):
    return repair_4_reference(mu, std).mean()


@repair_4.mistake(
    "This is the other divergence, of the prior from q. In which order do they stand?"
)
def reversed_divergence(mu, std):
    return (std.log() + 0.5 * (1 + mu**2) / std**2 - 0.5).sum(1)


@repair_4.mistake("The means have no part in it. What does a code pay for lying far out?")
def means_left_out(mu, std):
    return repair_4_reference(0 * mu, std)


@repair_4.mistake("The numbers are right. Where was the graph cut?")
def without_gradient(mu, std):
    return repair_4_reference(mu, std).detach()


@repair_4.mistake(
    "A number added to σ² keeps its logarithm finite, and makes narrow codes cheaper than they "
    "are. Is a σ of 0 ever there?"
)
def number_added_in_the_logarithm(mu, std):
    return 0.5 * (mu**2 + std**2 - 1 - (std**2 + 1e-8).log()).sum(1)


@repair_4.mistake("Where mu and std stand in each other's place, what is a KL of?")
def arguments_exchanged(mu, std):
    return repair_4_reference(std, mu.abs())
