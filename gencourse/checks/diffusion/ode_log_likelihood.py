"""Exercise on the likelihood of a flow."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.fields import log_likelihood, log_likelihood_of_a_diagonal


def normal(x):
    """log N(x; 0, I) of each row, nats."""
    return -0.5 * (x.square() + math.log(2 * math.pi)).sum(1)


def slope(velocity, x, t):
    """u at x (B, D) and its Jacobian (B, D, D)."""
    x = x.detach().clone().requires_grad_()
    u = velocity(x, t)
    rows = [torch.autograd.grad(u[:, d].sum(), x, retain_graph=True)[0] for d in range(x.shape[1])]
    return u.detach(), torch.stack(rows, 1)


def trace(J):
    """The sum of the diagonal of each matrix."""
    return J.diagonal(dim1=1, dim2=2).sum(1)


def ode_log_likelihood_reference(velocity, x, times):
    """log p(x) = log N(x_1; 0, I) + Σ h div u, by Euler's steps along rising times: (B,)."""
    return followed(velocity, x, times)


def followed(velocity, x, times, traced=trace, prior=normal, sign=1.0):
    """The sum over the steps, and the prior at the end of the way."""
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        u, J = slope(velocity, x, t)
        total, x = total + sign * (s - t) * traced(J), x + (s - t) * u
    return prior(x) + total


@exercise(
    reference=ode_log_likelihood_reference,
    difficulty=3,
    minutes=20,
    points=6,
    hints=(
        "Two things are carried along: x, and a sum. At the end log N(x_1; 0, I) is added.",
        (
            "Where u spreads points the density falls on the way, d log p/dt = -div u. So was "
            "it higher or lower at the data?"
        ),
        "Both the step of x and the divergence are those at the beginning of the step.",
    ),
    on_success="An exact likelihood, but for the steps, of a model that was never trained for it.",
    exempt={"more columns": "70 backward passes in each step; D = 1, 2 and 3 are tried"},
)
def ode_log_likelihood(answer, seed):
    x, times = draw(seed, 4, 3), torch.tensor([0.0, 0.15, 0.2, 0.6, 1.0])
    yield "log p of four points, four uneven steps", answer.run(log_likelihood, x, times)
    yield "log p in one step", answer.run(log_likelihood, x, times[[0, 4]])
    yield "log p on the line", answer.run(log_likelihood, draw(seed + 1, 3, 1), times)
    apart = answer.run(log_likelihood_of_a_diagonal, draw(seed + 2, 6, 2), times)
    yield "log p where each dimension flows alone", apart


@ode_log_likelihood.alternative
def by_directions(velocity, x, times):
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, h in zip(times[:-1].tolist(), times.diff().tolist(), strict=True):
        x = x.detach().clone().requires_grad_()
        u = velocity(x, t)
        for d in range(x.size(1)):
            direction = torch.zeros_like(x)
            direction[:, d] = 1
            vjp = torch.autograd.grad(u, x, direction, retain_graph=True)[0]
            total = total + h * (vjp * direction).sum(1)
        x = x + h * u
    return (torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1) + total).detach()


@ode_log_likelihood.alternative
def with_the_graph(velocity, x, times):
    x, total = x.detach().clone().requires_grad_(), torch.zeros(len(x), dtype=x.dtype)
    for t, h in zip(times[:-1], times.diff(), strict=True):
        u = velocity(x, t.expand(len(x)))
        for d in range(x.shape[1]):
            column = torch.autograd.grad(u[:, d].sum(), x, create_graph=True)[0][:, d]
            total = total + h.to(x) * column
        x = x + h.to(x) * u
    return (total - 0.5 * x.square().sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi)).detach()


@ode_log_likelihood.mistake(
    "The prior and the way are right. Where points are spread on the way to the noise, the data "
    "lay denser: with which sign does the divergence count?"
)
def sign_of_the_divergence(velocity, x, times):
    return followed(velocity, x, times, sign=-1.0)


@ode_log_likelihood.mistake(
    "The integral is right. Along it the density changes; from which density does it start?"
)
def prior_left_out(velocity, x, times):
    return followed(velocity, x, times, prior=lambda x: torch.zeros(len(x), dtype=x.dtype))


@ode_log_likelihood.mistake(
    "The integral is right. The prior was asked at the data. Which point of the way is noise?"
)
def prior_at_the_data(velocity, x, times):
    return followed(velocity, x, times, prior=lambda _: normal(x))


@ode_log_likelihood.mistake(
    "You have the prior at the end of the way. What did the density do along it?"
)
def prior_alone(velocity, x, times):
    return followed(velocity, x, times, sign=0.0)


@ode_log_likelihood.mistake(
    "You summed all entries of the Jacobian, as the derivative of u.sum() does. It is right where "
    "each dimension flows alone. Which entries are in a divergence?"
)
def all_entries_of_the_jacobian(velocity, x, times):
    return followed(velocity, x, times, traced=lambda J: J.sum((1, 2)))


@ode_log_likelihood.mistake("The divergence has a term for each dimension. Where are the others?")
def first_dimension_alone(velocity, x, times):
    return followed(velocity, x, times, traced=lambda J: J[:, 0, 0])


@ode_log_likelihood.mistake(
    "You took the mean of the diagonal. A volume grows in every direction: do rates add up?"
)
def mean_of_the_diagonal(velocity, x, times):
    return followed(velocity, x, times, traced=lambda J: trace(J) / J.shape[1])


@ode_log_likelihood.mistake(
    "You took the determinant of u's Jacobian. That of a small step is 1 + h div u: what is its "
    "logarithm?"
)
def determinant_for_trace(velocity, x, times):
    return followed(velocity, x, times, traced=torch.linalg.det)


@ode_log_likelihood.mistake(
    "The steps of x are right. In the integral every step counts the same, however long it is: "
    "these are not."
)
def steps_of_equal_weight(velocity, x, times):
    total, n = torch.zeros(len(x), dtype=x.dtype), len(times) - 1
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        u, J = slope(velocity, x, t)
        total, x = total + trace(J) / n, x + (s - t) * u
    return normal(x) + total


@ode_log_likelihood.mistake("The divergences are summed. An integral: what multiplies each?")
def no_step_in_the_integral(velocity, x, times):
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        u, J = slope(velocity, x, t)
        total, x = total + trace(J), x + (s - t) * u
    return normal(x) + total


@ode_log_likelihood.mistake(
    "x stays where it is, so that every divergence is asked at the data. Who follows the flow?"
)
def stays_at_the_data(velocity, x, times):
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        total = total + (s - t) * trace(slope(velocity, x, t)[1])
    return normal(x) + total


@ode_log_likelihood.mistake(
    "Each divergence is that of the point to which the step leads, at the old time. Euler's step "
    "takes both where it begins."
)
def divergence_after_the_step(velocity, x, times):
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        x = x + (s - t) * slope(velocity, x, t)[0]
        total = total + (s - t) * trace(slope(velocity, x, t)[1])
    return normal(x) + total


@ode_log_likelihood.mistake("The prior lacks its constant. What does a density integrate to?")
def constant_left_out(velocity, x, times):
    return followed(velocity, x, times, prior=lambda x: -0.5 * x.square().sum(1))


@ode_log_likelihood.mistake("One number for each point is asked for. Where did a mean come in?")
def mean_over_the_points(velocity, x, times):
    return followed(velocity, x, times).mean()


@ode_log_likelihood.mistake("These are bits. Nats are asked for: which logarithm is theirs?")
def in_bits(velocity, x, times):
    return followed(velocity, x, times) / math.log(2)


@ode_log_likelihood.mistake(
    "This is -log p, a loss. The text asks for log p itself, which is high where data are dense."
)
def negative(velocity, x, times):
    return -followed(velocity, x, times)
