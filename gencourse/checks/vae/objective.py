"""Exercises on the loss, the bound, and the weight between their terms."""

import math

import torch

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw
from gencourse.models import vae

# --- elbo_terms ----------------------------------------------------------------------------------------------------


def elbo_terms_reference(log_likelihood, kl, beta):
    """{"loss", "elbo"} from log p(x given z) and KL, each (B,): the loss carries β, the bound does not."""
    return {"loss": vae.negative_elbo(-log_likelihood, kl, beta), "elbo": log_likelihood - kl}


@exercise(
    reference=elbo_terms_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Write log p(x) ≥ ... first. Which of the two terms is a reward, which a price?",
        "The loss is minimised, the bound is maximised. β belongs to the training, not to the bound that you report.",
    ),
    insight="In the linear-Gaussian model your bound meets log p(x) exactly, as it must at the exact posterior.",
)
def elbo_terms(ask, seed):
    log_likelihood, kl = -10 + draw(seed, 5), draw(seed + 1, 5).abs() + 0.5
    call = "elbo_terms(log_likelihood, kl, beta)"
    yield "five examples at beta = 1", ask(call, log_likelihood=log_likelihood, kl=kl, beta=1.0)
    yield "five examples at beta = 4", ask(call, log_likelihood=log_likelihood, kl=kl, beta=4.0)
    # p(z) = N(0, 1), p(x given z) = N(wz, s²): posterior N(m, v); E_q[log p(x given z)] has a closed form
    w, s2, x = 1.5, 0.5, draw(seed, 4)
    v = 1 / (1 + w**2 / s2)
    m = v * w / s2 * x
    expected = -0.5 * (math.log(2 * math.pi * s2) + ((x - w * m) ** 2 + w**2 * v) / s2)
    divergence = vae.kl_to_standard_normal(m[:, None], torch.full((4, 1), math.log(v)))
    bound = ask(f'{call}["elbo"]', log_likelihood=expected, kl=divergence, beta=2.0)
    yield "the bound at the exact posterior of a linear-Gaussian model, where it equals log p(x)", bound


@elbo_terms.mistake(
    "Your loss rewards a large KL. Which way should training push q?",
    "With the minus sign training drives q away from the prior without bound.",
)
def kl_subtracted_from_the_loss(log_likelihood, kl, beta):
    return {"loss": -log_likelihood - beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake(
    "log_likelihood is a reward: higher is better. The chapter's reconstruction cost is minus it. Which one does your loss hold?"
)
def likelihood_taken_for_a_cost(log_likelihood, kl, beta):
    return {"loss": log_likelihood + beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("You treat log_likelihood as a cost in both terms. Is a large log-likelihood good or bad?")
def likelihood_a_cost_in_both(log_likelihood, kl, beta):
    return {"loss": log_likelihood + beta * kl, "elbo": -(log_likelihood + kl)}


@elbo_terms.mistake("β weighs one of the two terms. Which one did you give it to?")
def beta_on_the_reconstruction(log_likelihood, kl, beta):
    return {"loss": -beta * log_likelihood + kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("Should a bound on log p(x) depend on how you chose to train? Look at where β ended up.")
def beta_in_the_bound(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood - beta * kl}


@elbo_terms.mistake("β weighs one term against the other. What does it do if both carry it?")
def beta_on_both_terms(log_likelihood, kl, beta):
    return {"loss": beta * (-log_likelihood + kl), "elbo": log_likelihood - kl}


@elbo_terms.mistake("β seems to change nothing. Where should it enter?")
def beta_ignored(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("One of the two is to be minimised and one maximised. Which sign does your loss have?")
def loss_is_the_bound(log_likelihood, kl, beta):
    return {"loss": log_likelihood - beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("A lower bound of a log-probability of binary images: can it be positive, as yours is?")
def elbo_is_a_loss(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": -log_likelihood + kl}


@elbo_terms.mistake("The bound should be lower than log p(x given z) by the KL. Is yours higher?")
def kl_added_to_the_bound(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood + kl}


@elbo_terms.mistake("One value per example is asked for; the loop takes the mean. Where did the batch axis go?")
def averaged_over_the_batch(log_likelihood, kl, beta):
    return {"loss": (-log_likelihood + beta * kl).mean(), "elbo": (log_likelihood - kl).mean()}


@elbo_terms.also_right
def bound_first(log_likelihood, kl, beta):
    elbo = log_likelihood - kl
    return dict(elbo=elbo, loss=(beta - 1) * kl - elbo)


# --- kl_weight -----------------------------------------------------------------------------------------------------


@exercise(
    reference=vae.kl_weight,
    difficulty=2,
    minutes=6,
    points=2,
    hints=(
        "Draw the curve first: where does it start, where does it end, and what happens after?",
        "What should no warm-up at all, warmup = 0, give?",
    ),
    insight="It starts at 0, reaches beta_max exactly at step = warmup, and stays.",
)
def kl_weight(ask, seed):
    warmup, beta_max = 40 + seed, 2.0
    at = ask("[float(kl_weight(s, w, b)) for s in (0, 1, w // 2, w - 1, w, 10 * w)]", w=warmup, b=beta_max)
    yield "the weight at steps 0, 1, warmup // 2, warmup - 1, warmup and 10 · warmup", at
    yield "the weight without warm-up, at steps 0 and 7", ask("[float(kl_weight(s, 0, b)) for s in (0, 7)]", b=beta_max)
    yield "the weight at the end of a warm-up when beta_max is not given", ask("float(kl_weight(5, 5))")


@kl_weight.mistake("Your weight jumps from nothing to everything. Which of the two divisions of Python did you use?")
def integer_division(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * min(1, step // warmup)


@kl_weight.mistake("At step = warmup the weight should be beta_max. Is it, or is it one step short?")
def never_arrives(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / (warmup + 1))


@kl_weight.mistake("At step 0 the weight should be 0. Does your count start at one?")
def one_step_ahead(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * min(1.0, (step + 1) / warmup)


@kl_weight.mistake("What happens after the warm-up? Yours goes on rising.")
def not_clipped(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * step / warmup


@kl_weight.mistake("The ceiling is beta_max. Where did your minimum with 1 stop it?")
def clipped_at_one(step, warmup, beta_max=1.0):
    return min(1.0, beta_max) if warmup <= 0 else min(1.0, beta_max * step / warmup)


@kl_weight.mistake("Your weight arrives at beta_max too early or too late. How steep must the line be to get there at step = warmup?")
def slope_without_beta_max(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else min(beta_max, step / warmup)


@kl_weight.mistake("Your curve ends at 1, whatever beta_max is. What is beta_max for?")
def beta_max_ignored(step, warmup, beta_max=1.0):
    return 1.0 if warmup <= 0 else min(1.0, step / warmup)


@kl_weight.mistake("warmup = 0 means: no warm-up, full weight at once. What does your division make of it?")
def division_by_zero(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / warmup)


@kl_weight.mistake("warmup = 0 means: no warm-up, full weight at once. Which weight does your code give there?")
def no_warmup_means_no_weight(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / max(warmup, 1))


@kl_weight.also_right
def by_branches(step, warmup, beta_max=1.0):
    if step >= warmup:
        return beta_max
    return beta_max * step / warmup


@kl_weight.also_right
def by_clamp(step, warmup, beta_max=1.0):
    return torch.tensor(step / warmup if warmup else 1.0, dtype=torch.float64).clamp(0, 1) * beta_max
