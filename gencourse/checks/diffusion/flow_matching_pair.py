"""Exercise on what flow matching trains with."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import diffusion
from gencourse.probes.general import gradients


@exercise(
    reference=diffusion.flow_matching_pair,
    difficulty=1,
    minutes=5,
    points=2,
    hints=(
        "At t = 0 it should be data, at t = 1 noise, and straight between them.",
        "The velocity is dx_t/dt. Differentiate the line.",
        "One time for each row: which axis of x is that?",
    ),
    on_success=(
        "The target does not depend on t. Its mean given x_t does, and that is what is learned."
    ),
)
def flow_matching_pair(answer, seed):
    x, eps = draw(seed, 2, 2, 3, 4, 5)
    yield "where images are and where they go", answer(x, eps, torch.tensor([0.3, 0.85]))
    x, eps = draw(seed + 1, 2, 6, 2)
    yield "where points are and where they go", answer(x, eps, torch.linspace(0.05, 0.9, 6))
    x, eps = draw(seed + 2, 2, 4, 4)
    mixed = torch.tensor([0.9, 0.2, 0.65, 0.1])
    yield "where points are, as many as they have numbers", answer(x, eps, mixed)
    ends = torch.tensor([0.0, 1.0, 0.0, 1.0])
    yield "where points are at t = 0 and t = 1", answer(x, eps, ends)
    yield "its gradients", answer.run(gradients, x, eps, mixed)


@flow_matching_pair.alternative
def by_lerp(x, eps, t):
    while t.ndim < x.ndim:
        t = t[..., None]
    return torch.lerp(x, eps, t), eps - x


@flow_matching_pair.alternative
def from_the_velocity(x, eps, t):
    u = eps - x
    return [x + t.view(-1, *[1] * (x.ndim - 1)) * u, u]


def between(a, b, t):
    """From a at t = 0 to b at t = 1."""
    t = t.view(-1, *[1] * (a.ndim - 1))
    return (1 - t) * a + t * b


@flow_matching_pair.mistake(
    "x_t is right. The target points to the data, as it does where time runs from noise to data. "
    "Yours runs to the noise: what is dx_t/dt?"
)
def target_to_the_data(x, eps, t):
    return between(x, eps, t), x - eps


@flow_matching_pair.mistake(
    "This is the whole pair of those who have noise at t = 0 and data at t = 1, and it is right "
    "there. In this chapter data are at t = 0: exchange what?"
)
def noise_at_zero(x, eps, t):
    return between(eps, x, t), x - eps


@flow_matching_pair.mistake(
    "The target is right for data at t = 0, x_t is that of data at t = 1. Each convention is right "
    "where it is kept; a mixture of them makes noise."
)
def two_conventions_mixed(x, eps, t):
    return between(eps, x, t), eps - x


@flow_matching_pair.mistake(
    "x_t is right. The noise alone is what DDPM's networks say. How fast does x_t move?"
)
def noise_as_target(x, eps, t):
    return between(x, eps, t), eps


@flow_matching_pair.mistake("x_t is right. The target is a velocity. Is x one?")
def data_as_target(x, eps, t):
    return between(x, eps, t), x


@flow_matching_pair.mistake(
    "x_t is right. You took how far it has come since t = 0. How far would it come in a whole unit "
    "of time?"
)
def way_so_far(x, eps, t):
    return between(x, eps, t), between(x, eps, t) - x


@flow_matching_pair.mistake(
    "x_t is right. You took how far it is to the noise still. The velocity is the same all the way."
)
def way_to_go(x, eps, t):
    return between(x, eps, t), eps - between(x, eps, t)


@flow_matching_pair.mistake(
    "Between the ends it is right. At t = 0 you divide 0 by 0: which formula needs no division?"
)
def divided_by_time(x, eps, t):
    x_t = between(x, eps, t)
    return x_t, (x_t - x) / t.view(-1, *[1] * (x.ndim - 1))


@flow_matching_pair.mistake("Every row got the time of the first. Which one is its own?")
def one_time_for_all(x, eps, t):
    return between(x, eps, t[:1].expand_as(t)), eps - x


@flow_matching_pair.mistake(
    "(B,) beside (B, ...) meets the last axis. Each row has its own time: which axis is that?",
    "With as many rows as numbers in a row nothing complains, and the times go to the columns.",
)
def times_along_the_last_axis(x, eps, t):
    return (1 - t) * x + t * eps, eps - x


@flow_matching_pair.mistake(
    "The target is right. x_t runs on an arc, √(1 - t) x + √t ε, which keeps the variance. Here "
    "the way is straight."
)
def on_an_arc(x, eps, t):
    t = t.view(-1, *[1] * (x.ndim - 1))
    return (1 - t).sqrt() * x + t.sqrt() * eps, eps - x


@flow_matching_pair.mistake(
    "Both are right, in the other order. Which one does the text want first?"
)
def in_the_other_order(x, eps, t):
    return eps - x, between(x, eps, t)
