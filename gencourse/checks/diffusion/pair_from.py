"""Exercise on one thing under five names."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients

KINDS = ("x", "eps", "v", "u", "score")


def pair_from_reference(value, kind, x_t, alpha, sigma):
    """x and ε, each (B, D), of x_t = αx + σε and of one of x, ε, v, u, score (B, D)."""
    alpha, sigma = alpha[:, None], sigma[:, None]
    a, b = {
        "x": (1.0, 0.0),
        "eps": (0.0, 1.0),
        "v": (-sigma, alpha),
        "u": (-1.0, 1.0),
        "score": (0.0, -1 / sigma),
    }[kind]
    d = alpha * b - sigma * a
    return (b * x_t - sigma * value) / d, (alpha * value - a * x_t) / d


@exercise(
    reference=pair_from_reference,
    difficulty=2,
    minutes=12,
    points=5,
    hints=(
        "Two equations for two unknowns: x_t = αx + σε, and what the kind says of x and ε.",
        (
            "Multiply v = αε - σx by σ and x_t by α, and subtract. Which sum of squares stands "
            "before x?"
        ),
        "Where x is known, ε is what is left of x_t, divided by σ; and the other way round.",
    ),
    on_success="One network, five names. What it is asked for decides only what its loss weighs.",
)
def pair_from(answer, seed):
    value, x_t = draw(seed, 2, 5, 3)
    alpha = torch.tensor([0.9, 0.7, 0.5, 0.3, 0.15])
    preserving, linear = (1 - alpha**2).sqrt(), 1 - alpha
    other = torch.tensor([0.4, 2.0, 1.1, 3.0, 0.25])
    for kind in KINDS:
        yield f"x and ε from {kind}, α² + σ² = 1", answer(value, kind, x_t, alpha, preserving)
        yield f"x and ε from {kind}, α + σ = 1", answer(value, kind, x_t, alpha, linear)
        yield f"x and ε from {kind}, other levels", answer(value, kind, x_t, alpha, other)
        found = answer.run(gradients, value, kind, x_t, alpha, other)
        yield f"the gradients of x and ε from {kind}", found
    value, x_t = draw(seed + 1, 2, 2, 2)
    ends = torch.tensor([1.0, 0.0])
    for kind in ("v", "u"):
        yield f"x and ε from {kind} at both ends", answer(value, kind, x_t, ends, 1 - ends)
        yield f"its gradients for {kind}", answer.run(gradients, value, kind, x_t, ends, 1 - ends)


@pair_from.alternative
def case_by_case(value, kind, x_t, alpha, sigma):
    a, s = alpha.unsqueeze(1), sigma.unsqueeze(1)
    if kind == "score":
        kind, value = "eps", -s * value
    if kind == "x":
        return value, (x_t - a * value) / s
    if kind == "eps":
        return (x_t - s * value) / a, value
    if kind == "v":
        return (a * x_t - s * value) / (a**2 + s**2), (s * x_t + a * value) / (a**2 + s**2)
    return (x_t - s * value) / (a + s), (x_t + a * value) / (a + s)


@pair_from.alternative
def by_linear_algebra(value, kind, x_t, alpha, sigma):
    one, none = torch.ones_like(alpha), torch.zeros_like(alpha)
    second = {"x": (one, none), "eps": (none, one), "v": (-sigma, alpha), "u": (-one, one)}
    row = second.get(kind) or (none, -1 / sigma)
    M = torch.stack([torch.stack([alpha, sigma], 1), torch.stack(row, 1)], 1)  # (B, 2, 2)
    solved = torch.linalg.solve(M, torch.stack([x_t, value], 1))
    return [solved[:, 0], solved[:, 1]]


def but(kind, formula):
    """A right answer for all kinds but one, for which the formula gives the pair."""

    def answer(value, asked, x_t, alpha, sigma):
        if asked != kind:
            return pair_from_reference(value, asked, x_t, alpha, sigma)
        return formula(value, x_t, alpha[:, None], sigma[:, None])

    return answer


def of_v(value, x_t, a, s, sign=1, square=None):
    """The pair of v, with another sign, or another denominator."""
    square = a**2 + s**2 if square is None else square
    return (a * x_t - sign * s * value) / square, (s * x_t + sign * a * value) / square


def of_u(value, x_t, a, s, sign=1, total=None):
    """The pair of u, with another sign, or another denominator."""
    total = a + s if total is None else total
    return (x_t - sign * s * value) / total, (x_t + sign * a * value) / total


def of_score(factor):
    """The pair of a score, where ε is taken for factor(σ) times it."""

    def formula(value, x_t, a, s):
        return (x_t - s * factor(s) * value) / a, factor(s) * value

    return formula


@pair_from.mistake(
    "All but v are right. v = αε - σx: when ε is large, should v rise or fall? Yours has the other "
    "sign."
)
def sign_of_v(value, kind, x_t, alpha, sigma):
    return but("v", lambda *all: of_v(*all, sign=-1))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "From v it is right where α² + σ² = 1, which these levels need not have. Solve the two "
    "equations once more: by what do you divide?"
)
def v_of_preserving_paths(value, kind, x_t, alpha, sigma):
    return but("v", lambda *all: of_v(*all, square=1.0))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "All but v are right. In v, which level belongs to ε and which to x? v = αε - σx."
)
def v_with_levels_exchanged(value, kind, x_t, alpha, sigma):
    return but("v", lambda v, x_t, a, s: of_v(v, x_t, s, a))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "Yours is the velocity of those who count time from noise to data, u = x - ε. Both are right "
    "if they are kept. In this chapter u points to the noise, ε - x: does every step of yours?"
)
def velocity_to_the_data(value, kind, x_t, alpha, sigma):
    return but("u", lambda *all: of_u(*all, sign=-1))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "From u it is right where α + σ = 1, which these levels need not have. What else can you "
    "divide by?"
)
def u_of_the_linear_path(value, kind, x_t, alpha, sigma):
    return but("u", lambda *all: of_u(*all, total=1.0))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "All but the score are right. score = -ε/σ: which power of σ takes you from one to the other?"
)
def score_times_the_variance(value, kind, x_t, alpha, sigma):
    return but("score", of_score(lambda s: -(s**2)))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "All but the score are right. The score points to the data. Where does the noise point?"
)
def sign_of_the_score(value, kind, x_t, alpha, sigma):
    return but("score", of_score(lambda s: s))(value, kind, x_t, alpha, sigma)


@pair_from.mistake("All but the score are right. Is it as long as the noise, whatever the level?")
def score_for_noise(value, kind, x_t, alpha, sigma):
    return but("score", of_score(lambda s: -1))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "From eps x is αx still: the noise is off, but the data are as small as they were made."
)
def x_not_divided(value, kind, x_t, alpha, sigma):
    return but("eps", lambda e, x_t, a, s: (x_t - s * e, e))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "From x ε is too small where there is little noise: σε is left. What is it divided by?"
)
def eps_not_divided(value, kind, x_t, alpha, sigma):
    return but("x", lambda x, x_t, a, s: (x, x_t - a * x))(value, kind, x_t, alpha, sigma)


@pair_from.mistake(
    "From x, the data are taken off at full size. In x_t = αx + σε, how much of them is there?"
)
def x_taken_off_whole(value, kind, x_t, alpha, sigma):
    return but("x", lambda x, x_t, a, s: (x, (x_t - x) / s))(value, kind, x_t, alpha, sigma)


@pair_from.mistake("Both are right, in the other order. Which one does the text want first?")
def in_the_other_order(value, kind, x_t, alpha, sigma):
    return pair_from_reference(value, kind, x_t, alpha, sigma)[::-1]
