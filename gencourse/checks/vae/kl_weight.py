"""Exercise on the weight between the terms."""

import torch

from gencourse.checks import exercise
from gencourse.models import vae
from gencourse.probes.vae.objective import as_float


@exercise(
    reference=vae.kl_weight,
    difficulty=2,
    minutes=6,
    points=2,
    hints=(
        "Draw the curve first: where does it start, where does it end, and what happens after?",
        "What should no warm-up at all, warmup = 0, give?",
    ),
    on_success="It starts at 0, reaches beta_max exactly at step = warmup, and stays.",
    rtol=1e-5,
    atol=1e-9,
)
def kl_weight(answer, seed):
    w = 40 + seed % 50
    for step in (0, 1, w // 2, w - 1, w, w + 1, 10 * w, 1000 * w):
        yield f"step {step} of a warm-up of {w} to 2", answer.run(as_float, step, w, 2.0)
    for step in (0, 7):
        yield f"step {step} without warm-up, beta_max = 2", answer.run(as_float, step, 0, 2.0)
    for step in (0, 1, 2):
        yield f"step {step} of a warm-up of 1 to 0.3", answer.run(as_float, step, 1, 0.3)
    for step in (1, 12_345, 99_999, 123_456):
        said = f"step {step} of a warm-up of 100000 to 0.77"
        yield said, answer.run(as_float, step, 100_000, 0.77)
    for step, warmup, beta_max in ((5, 10, 0.0), (1, 8, 20), (7, 8, 20)):
        said = f"step {step} of a warm-up of {warmup} to {beta_max}"
        yield said, answer.run(as_float, step, warmup, beta_max)
    for step, warmup in ((2, 5), (5, 5), (3, 0)):
        said = f"step {step} of a warm-up of {warmup} when beta_max is not given"
        yield said, answer.run(as_float, step, warmup)


@kl_weight.alternative
def by_branches(step, warmup, beta_max=1.0):
    if step >= warmup:
        return beta_max
    return beta_max * step / warmup


@kl_weight.alternative
def by_clamp(step, warmup, beta_max=1.0):
    return (
        torch.tensor(step / warmup if warmup else 1.0, dtype=torch.float64).clamp(0, 1) * beta_max
    )


@kl_weight.mistake(
    "Your weight jumps from nothing to everything at the end of the warm-up. Should it not rise "
    "all the way? If you divide: which of Python's two divisions is it?"
)
def integer_division(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * min(1, step // warmup)


@kl_weight.mistake(
    "At step = warmup the weight should be beta_max. Is it, or is it one step short?"
)
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


@kl_weight.mistake(
    "Your weight arrives at beta_max too early or too late. How steep must the line be to get "
    "there at step = warmup?"
)
def slope_without_beta_max(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else min(beta_max, step / warmup)


@kl_weight.mistake("Your curve ends at 1, whatever beta_max is. What is beta_max for?")
def beta_max_ignored(step, warmup, beta_max=1.0):
    return 1.0 if warmup <= 0 else min(1.0, step / warmup)


@kl_weight.mistake("With beta_max = 0 the KL should never count. What does `or` make of a 0?")
def zero_taken_for_missing(step, warmup, beta_max=1.0):
    return vae.kl_weight(step, warmup, beta_max or 1.0)


@kl_weight.mistake(
    "warmup = 0 means: no warm-up, full weight at once. What does your division make of it?"
)
def division_by_zero(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / warmup)


@kl_weight.mistake(
    "warmup = 0 means: no warm-up, full weight at once. Which weight does your code give there?"
)
def no_warmup_means_no_weight(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / max(warmup, 1))
