"""The bug hunt: piece 2, the schedule."""

import torch

from gencourse.checks._hunt import repair
from gencourse.models.diffusion import alpha_bars, linear_betas
from gencourse.probes.diffusion.hunt import levels_by_name


def of(betas):
    """α and σ, each (T + 1,), of betas."""
    bars = alpha_bars(betas)
    return bars.sqrt(), (1 - bars).sqrt()


def repair_2_reference(T):
    """α and σ, each (T + 1,), of betas that are evenly spaced from 0.1/T to 20/T."""
    return of(linear_betas(T, 0.1 / T, 20 / T))


@repair(
    reference=repair_2_reference,
    minutes=4,
    hints=(
        "DDPM's betas go with its 1,000 steps. Fewer steps have to be larger.",
        "The sum of the betas should not depend on T: which factor does that?",
    ),
    on_success="Now the last signal-to-noise ratio is small for any T: pure noise is where x_T is.",
)
def repair_2(answer, seed):
    yield "the levels of 50 steps", answer.run(levels_by_name, 50)
    T = (40, 100, 64, 90, 33)[seed % 5]
    yield f"the levels of {T} steps", answer.run(levels_by_name, T)
    yield "the levels of 1,000 steps", answer.run(levels_by_name, 1000)


@repair_2.alternative
def with_float32(T):
    betas = torch.linspace(0.1, 20, T) / T
    bars = torch.cat([torch.ones(1), torch.cumprod(1 - betas, 0)])
    return torch.sqrt(bars), torch.sqrt(1 - bars)


@repair_2.alternative
def by_a_loop(T):
    alpha = [1.0]
    for n in range(T):
        beta = (0.1 + 19.9 * n / (T - 1)) / T
        alpha.append(alpha[-1] * (1 - beta) ** 0.5)
    alpha = torch.tensor(alpha, dtype=torch.float64)
    return [alpha, (1 - alpha**2) ** 0.5]


@repair_2.mistake(
    "This is still the planted piece: at T = 1000 it is right. What is left of the signal after 50 "
    "steps?"
)
def planted_levels(T):
    return of(linear_betas(T))


@repair_2.mistake("Which numbers should the betas run between? Yours are T times too large.")
def not_divided(T):
    return of(torch.linspace(0.1, 20, T).double().clamp(max=0.999))


@repair_2.mistake("The last beta is right. The first is not stretched with it: what is 0.1/T?")
def first_beta_kept(T):
    return of(linear_betas(T, 1e-4, 20 / T))


@repair_2.mistake("The first beta is right. The last is not stretched with it: what is 20/T?")
def last_beta_kept(T):
    return of(linear_betas(T, 0.1 / T, 0.02))


@repair_2.mistake(
    "These are ᾱ and 1 - ᾱ, the shares of the variance. What multiplies x, and what ε?"
)
def without_roots(T):
    bars = alpha_bars(linear_betas(T, 0.1 / T, 20 / T))
    return bars, 1 - bars


@repair_2.mistake("The T levels after the steps are right. Where are the data, before all steps?")
def data_left_out(T):
    alpha, sigma = repair_2_reference(T)
    return alpha[1:], sigma[1:]


@repair_2.mistake("Entry 0 is noise, the last one data. Which way do the steps of noise count?")
def in_reverse(T):
    alpha, sigma = repair_2_reference(T)
    return alpha.flip(0), sigma.flip(0)


@repair_2.mistake("Both are right, in the other order. Which one does the text want first?")
def in_the_other_order(T):
    return repair_2_reference(T)[::-1]
