"""Exercise on the loss and the bound."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.models import vae
from gencourse.probes.vae.objective import bound, gradients_of_loss


def elbo_terms_reference(log_likelihood, kl, beta):
    """{"loss", "elbo"} from log p(x given z) and KL, each (B,): only the loss carries β."""
    return {"loss": vae.beta_vae_loss(-log_likelihood, kl, beta), "elbo": log_likelihood - kl}


def at_the_exact_posterior(x, w, s2):
    """E_q[log p(x given z)] and KL where p(z) = N(0, 1), p(x given z) = N(wz, s2), q exact."""
    v = 1 / (1 + w**2 / s2)
    m = v * w / s2 * x
    expected = -0.5 * (math.log(2 * math.pi * s2) + ((x - w * m) ** 2 + w**2 * v) / s2)
    return expected, vae.kl_to_standard_normal(m[:, None], torch.full_like(m[:, None], math.log(v)))


@exercise(
    reference=elbo_terms_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Write log p(x) ≥ ... first. Which of the two terms is a reward, which a price?",
        (
            "The loss is minimised, the bound is maximised. β belongs to the training, not to the "
            "bound that you report."
        ),
    ),
    on_success=(
        "In the linear-Gaussian model your bound meets log p(x) exactly, as it must at the exact "
        "posterior."
    ),
)
def elbo_terms(answer, seed):
    log_likelihood, kl = -10 + draw(seed, 5), draw(seed + 1, 5).abs() + 0.5
    for beta in (1.0, 4.0, 0.3, 2.57, 0.0, 12.5):
        yield f"five examples at beta = {beta:g}", answer(log_likelihood, kl, beta)
    said = "the bound at the exact posterior of a linear-Gaussian model, where it equals log p(x)"
    terms = at_the_exact_posterior(draw(seed, 4), 1.5, 0.5)
    yield said, answer.run(bound, *terms, 2.0)
    log_likelihood, kl = 300 * draw(seed + 2, 7), 40 * draw(seed + 3, 7).square()
    said = "seven examples whose log-densities have either sign, at beta = 0.73"
    yield said, answer(log_likelihood, kl, 0.73)
    said = "the gradients of the loss at beta = 0.73"
    yield said, answer.run(gradients_of_loss, log_likelihood, kl, 0.73)


@elbo_terms.alternative
def bound_first(log_likelihood, kl, beta):
    elbo = log_likelihood - kl
    return dict(elbo=elbo, loss=(beta - 1) * kl - elbo)


@elbo_terms.mistake(
    "Your loss rewards a large KL. Which way should training push q?",
    "With the minus sign training drives q away from the prior without bound.",
)
def kl_subtracted_from_the_loss(log_likelihood, kl, beta):
    return {"loss": -log_likelihood - beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake(
    "log_likelihood is a reward: higher is better. The chapter's reconstruction cost is minus "
    "it. Which one does your loss hold?"
)
def likelihood_taken_for_a_cost(log_likelihood, kl, beta):
    return {"loss": log_likelihood + beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake(
    "You treat log_likelihood as a cost in both terms. Is a large log-likelihood good or bad?"
)
def likelihood_a_cost_in_both(log_likelihood, kl, beta):
    return {"loss": log_likelihood + beta * kl, "elbo": -(log_likelihood + kl)}


@elbo_terms.mistake("β weighs one of the two terms. Which one did you give it to?")
def beta_on_the_reconstruction(log_likelihood, kl, beta):
    return {"loss": -beta * log_likelihood + kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake(
    "Should a bound on log p(x) depend on how you chose to train? Look at where β ended up."
)
def beta_in_the_bound(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood - beta * kl}


@elbo_terms.mistake("β weighs one term against the other. What does it do if both carry it?")
def beta_on_both_terms(log_likelihood, kl, beta):
    return {"loss": beta * (-log_likelihood + kl), "elbo": log_likelihood - kl}


@elbo_terms.mistake("β seems to change nothing. Where should it enter?")
def beta_ignored(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake(
    "One of the two is to be minimised and one maximised. Which sign does your loss have?"
)
def loss_is_the_bound(log_likelihood, kl, beta):
    return {"loss": log_likelihood - beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake(
    "A lower bound of a log-probability of binary images: can it be positive, as yours is?"
)
def elbo_is_a_loss(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": -log_likelihood + kl}


@elbo_terms.mistake("The bound should be lower than log p(x given z) by the KL. Is yours higher?")
def kl_added_to_the_bound(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood + kl}


@elbo_terms.mistake(
    "One value per example is asked for; the loop takes the mean. Where did the batch axis go?"
)
def averaged_over_the_batch(log_likelihood, kl, beta):
    return {"loss": (-log_likelihood + beta * kl).mean(), "elbo": (log_likelihood - kl).mean()}
