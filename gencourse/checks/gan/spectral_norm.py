"""Exercise on the largest singular value of a layer, by power iteration."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.probes.gan.layers import in_proportion
from gencourse.probes.general import gradients


def spectral_norm_reference(W, u, steps):
    """σ = uᵀ W v after `steps` rounds of v ← Wᵀu / |Wᵀu|, u ← Wv / |Wv|: W (m, n), u (m,).

    u and v count as constants, so dσ/dW = u vᵀ. Source: Miyato et al. 2018, algorithm 1.
    """
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(W.T @ u, dim=0)
            u = F.normalize(W @ v, dim=0)
    return u @ W @ v


def with_singular_values(seed, *values, rows):
    """A matrix (rows, K) with these K singular values and random directions."""
    K = len(values)
    left, right = torch.linalg.qr(draw(seed, rows, K)).Q, torch.linalg.qr(draw(seed + 1, K, K)).Q
    return left @ torch.diag(torch.tensor(values)) @ right


@exercise(
    reference=spectral_norm_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        (
            "W stretches the unit circle to an ellipse. Going there and back, by W and its "
            "transpose, turns almost any vector towards the longest axis."
        ),
        (
            "What happens to the length of a vector that is multiplied fifty times by a matrix "
            "that stretches by 1000?"
        ),
        (
            "At the end u and v are unit vectors. By how much does W stretch v in the direction "
            "of u?"
        ),
    ),
    on_success=(
        "A few matrix products find what a full decomposition would. Divided by "
        "it, once it has arrived, a layer stretches nothing by more than 1."
    ),
)
def spectral_norm(answer, seed):
    W, u = with_singular_values(seed, 3.0, 1.4, 0.5, rows=5), draw(seed + 2, 5)
    yield "the estimate for a 5 by 3 matrix after one round", answer(W, u, 1)
    yield "the estimate after two rounds", answer(W, u, 2)
    yield "the estimate after 60 rounds, for the largest singular value 3", answer(W, u, 60)
    diagonal = torch.diag(torch.tensor([0.5, -2.0, 1.0]))
    label = "the estimate after 30 rounds for the diagonal matrix of 0.5, -2 and 1"
    yield label, answer(diagonal, draw(seed + 3, 3), 30)
    wide = with_singular_values(seed + 4, 1.3, 0.6, rows=4).T.contiguous()
    yield "the estimate after 30 rounds for a 2 by 4 matrix", answer(wide, draw(seed + 5, 2), 30)
    stretching, shrinking = answer(1000 * W, u, 30), answer(0.001 * W, u, 30)
    yield "the estimate after 30 rounds for a matrix that stretches by 3000", stretching
    yield "the estimate after 30 rounds for a matrix that shrinks to 0.003", shrinking
    gradient = answer.run(gradients, W, u, 30, wrt=(0,))
    yield "the gradient of the estimate after 30 rounds for the matrix", gradient
    close = with_singular_values(seed + 6, 2.0, 1.9, 1.0, 0.3, rows=4)
    for rounds in (5, 12):
        label = f"the estimate after {rounds} rounds where two singular values are close"
        yield label, answer(close, 100 * draw(seed + 7, 4), rounds)
    slow, start = torch.diag(torch.tensor([1.99, 2.0, 0.7])), torch.tensor([1.0, 0.1, 0.4])
    yield "the estimate after 150 rounds where it arrives slowly", answer(slow, start, 150)
    across = torch.tensor([1.0, 1e-9, 0.01])  # nearly at right angles to the longest axis
    late = "the estimate after 60 rounds where it stays at a smaller value for a while"
    yield late, answer(torch.diag(torch.tensor([1.5, 2.0, 0.7])), across, 60)
    for scale, length in ((1, 1e-7), (1, 1e7), (0.005, 1e-7), (1000, 1e7)):  # 0.005: as a DCGAN's
        label = f"the estimate after one round from {length:g} · u for {scale:g} · W"
        yield label, answer(scale * W, length * u, 1)
    tiny = "whether the estimate for 1e-5 · W is 1e-5 times that for W, to within 1%"
    yield tiny, answer.run(in_proportion, W, u, 8, 1e-5)


@spectral_norm.alternative
def length_of_the_image(W, u, steps):
    for _ in range(steps):
        v = W.t() @ u
        v = v / v.norm()
        u = W @ v
        u = u / u.norm()
    return (W @ v).norm()


@spectral_norm.alternative
def with_constants_detached(W, u, steps):
    for _ in range(steps):
        v = F.normalize(torch.mv(W.detach().T, u), dim=0)
        u = F.normalize(torch.mv(W.detach(), v), dim=0)
    return torch.dot(u, torch.mv(W, v))


@spectral_norm.mistake("All singular values enter your number. Which one is asked for?")
def frobenius(W, u, steps):
    return W.norm()


@spectral_norm.mistake(
    "Right for a few rounds only: your vectors grow or shrink at every round. How long should "
    "they be?"
)
def vectors_not_normalised(W, u, steps):
    for _ in range(steps):
        v = W.T @ u
        u = W @ v
    return F.normalize(u, dim=0) @ W @ F.normalize(v, dim=0)


@spectral_norm.mistake(
    "This is the square of what is asked for. How often does W act in your last product, and is u "
    "a unit vector there?"
)
def squared(W, u, steps):
    for _ in range(steps):
        v = F.normalize(W.T @ u, dim=0)
        u = W @ v
    return u @ W @ v


@spectral_norm.mistake(
    "Your start u is still the one that you were given when you multiply at the end. Should it not "
    "have turned with v?"
)
def start_used_at_the_end(W, u, steps):
    start = F.normalize(u, dim=0)
    for _ in range(steps):
        v = F.normalize(W.T @ u, dim=0)
        u = F.normalize(W @ v, dim=0)
    return start @ W @ v


@spectral_norm.mistake(
    "After one round you are right already, and then nothing changes. What does `steps` say?"
)
def one_round_only(W, u, steps):
    return spectral_norm_reference(W, u, 1)


@spectral_norm.mistake(
    "Exact, and not what is asked for: after one round the estimate is not there yet. "
    "Decompositions are what this method avoids."
)
def by_decomposition(W, u, steps):
    return torch.linalg.matrix_norm(W, 2)


@spectral_norm.mistake(
    "You go half a round further than the text: at the end W acts once more. What are u and v when "
    "the rounds are over?"
)
def half_a_round_more(W, u, steps):
    for _ in range(steps):
        u = F.normalize(W @ F.normalize(W.T @ u, dim=0), dim=0)
    return (W.T @ u).norm()


@spectral_norm.mistake(
    "The longest row or column, or the largest entry, is a lower bound only. Which direction is "
    "stretched most?"
)
def longest_column(W, u, steps):
    return W.norm(dim=0).max()


@spectral_norm.mistake(
    "You return the matrix divided by its largest singular value. The value itself is asked for."
)
def normalised_matrix(W, u, steps):
    return W / spectral_norm_reference(W, u, steps)


@spectral_norm.mistake(
    "The number is right, but after 30 rounds no gradient reaches W, or next to none: a layer that "
    "is divided by it would be trained wrongly. What cuts the graph?"
)
def no_gradient(W, u, steps):
    return spectral_norm_reference(W, u, steps).detach()


@spectral_norm.mistake("You return a direction. By how much does W stretch it?")
def direction_returned(W, u, steps):
    for _ in range(steps):
        v = F.normalize(W.T @ u, dim=0)
        u = F.normalize(W @ v, dim=0)
    return v


@spectral_norm.mistake(
    "You stop as soon as the estimate hardly changes. It can stand still at a smaller value before "
    "it rises: how many rounds does the text ask for?"
)
def stopped_early(W, u, steps):
    last = 0.0
    for _ in range(steps):
        v = F.normalize(W.detach().T @ u, dim=0)
        u = F.normalize(W.detach() @ v, dim=0)
        estimate = u @ W @ v
        if abs(float(estimate) - last) <= 1e-6 * last:
            break
        last = float(estimate)
    return estimate


@spectral_norm.mistake(
    "Right for starts of length about 1. A shorter one is drowned by the small constant in your "
    "denominator: can the length of a start matter?"
)
def constant_in_the_denominator(W, u, steps):
    with torch.no_grad():
        for _ in range(steps):
            v = W.T @ u
            v = v / (v.norm() + 1e-6)
            u = W @ v
            u = u / (u.norm() + 1e-6)
    return u @ W @ v
