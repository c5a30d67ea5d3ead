"""Exercise on learning a score without knowing it."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import implicit_score_matching_loss
from gencourse.probes.diffusion.fields import per_point, taught


@exercise(
    reference=implicit_score_matching_loss,
    difficulty=2,
    minutes=12,
    points=4,
    hints=(
        "Two terms for each point: a square, and a divergence.",
        (
            "The divergence is the sum of ∂s_d/∂x_d. torch.autograd.grad of s[:, d].sum() gives "
            "all ∂s_d/∂x_e: which of them do you take?"
        ),
        "Training differentiates the loss. create_graph=True keeps the graph of a derivative.",
    ),
    on_success="No true score came in: one integration by parts took it out.",
)
def implicit_score_matching(answer, seed):
    yield "the loss at four points with three numbers", answer.run(per_point, draw(seed, 4, 3))
    yield "the loss at five points of the plane", answer.run(per_point, 2 * draw(seed + 1, 5, 2))
    yield "the loss at three points of the line", answer.run(per_point, draw(seed + 2, 3, 1))
    yield "what training teaches the score", answer.run(taught, draw(seed + 3, 4, 3))


@implicit_score_matching.alternative
def by_jacobian(score, x):
    def alone(row):
        return score(row[None])[0]

    rows = [torch.autograd.functional.jacobian(alone, row, create_graph=True) for row in x]
    return 0.5 * (score(x) ** 2).sum(1) + torch.stack([J.trace() for J in rows])


@implicit_score_matching.alternative
def column_by_column(score, x):
    x = x.detach().clone().requires_grad_(True)
    s = score(x)
    loss = s.norm(dim=1) ** 2 / 2
    for d, column in enumerate(s.unbind(1)):
        loss = loss + torch.autograd.grad(column.sum(), x, create_graph=True)[0][:, d]
    return loss


def parts(score, x, create_graph=True):
    """The score (B, D), and all of its derivatives (B, D, D)."""
    x = x.detach().clone().requires_grad_()
    s = score(x)
    rows = [
        torch.autograd.grad(s[:, d].sum(), x, create_graph=create_graph, retain_graph=True)[0]
        for d in range(x.shape[1])
    ]
    return s, torch.stack(rows, 1)


def trace(J):
    """The sum of the diagonal of each matrix."""
    return J.diagonal(dim1=1, dim2=2).sum(1)


@implicit_score_matching.mistake(
    "The divergence is right. Expand ½ |s - ∇ log p|²: which factor does |s|² have?"
)
def without_the_half(score, x):
    s, J = parts(score, x)
    return s.square().sum(1) + trace(J)


@implicit_score_matching.mistake(
    "The divergence is right. Is the first term a length, or the square of one?"
)
def length_for_square(score, x):
    s, J = parts(score, x)
    return 0.5 * s.norm(dim=1) + trace(J)


@implicit_score_matching.mistake(
    "You summed all entries of the Jacobian, as the derivative of s.sum() does. Which of them are "
    "in a divergence?"
)
def all_entries_of_the_jacobian(score, x):
    s, J = parts(score, x)
    return 0.5 * s.square().sum(1) + J.sum((1, 2))


@implicit_score_matching.mistake(
    "The square is right. The cross term has a minus, and integration by parts gives another: "
    "what is left?"
)
def divergence_subtracted(score, x):
    s, J = parts(score, x)
    return 0.5 * s.square().sum(1) - trace(J)


@implicit_score_matching.mistake(
    "Without the divergence the best score is 0 everywhere. Which term rewards it for pointing "
    "to the data?"
)
def square_alone(score, x):
    return 0.5 * score(x).square().sum(1)


@implicit_score_matching.mistake("The divergence is there. Where is the square of the score?")
def divergence_alone(score, x):
    return trace(parts(score, x)[1])


@implicit_score_matching.mistake(
    "The ½ belongs to the square. Does the divergence have one too after (a - b)² is expanded?"
)
def half_of_both(score, x):
    s, J = parts(score, x)
    return 0.5 * (s.square().sum(1) + trace(J))


@implicit_score_matching.mistake(
    "Every value is right, but training learns from the square alone. What does a derivative need "
    "so that it can be differentiated again?",
    "torch.autograd.grad has an argument for that.",
)
def divergence_without_a_graph(score, x):
    s, J = parts(score, x, create_graph=False)
    return 0.5 * s.square().sum(1) + trace(J)


@implicit_score_matching.mistake(
    "Every value is right, but nothing can be learned from it. What cuts the graph?"
)
def detached(score, x):
    s, J = parts(score, x)
    return (0.5 * s.square().sum(1) + trace(J)).detach()


@implicit_score_matching.mistake(
    "One number for each point is asked for. Which mean did you take, and whose is it?"
)
def mean_over_the_points(score, x):
    s, J = parts(score, x)
    return (0.5 * s.square().sum(1) + trace(J)).mean()


@implicit_score_matching.mistake(
    "You averaged over the dimensions. The text fixes the sum; with the mean the loss of D "
    "dimensions is D times smaller."
)
def mean_over_the_dimensions(score, x):
    s, J = parts(score, x)
    return (0.5 * s.square().sum(1) + trace(J)) / x.shape[1]


@implicit_score_matching.mistake(
    "The divergence has a term for each dimension. Which ones did you leave away?"
)
def first_dimension_alone(score, x):
    s, J = parts(score, x)
    return 0.5 * s.square().sum(1) + J[:, 0, 0]
