"""Exercise on a map with an easy determinant."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import affine_coupling
from gencourse.probes.diffusion.coupling import gradients_through, through


def coupling_layer_reference(x, network):
    """z (B, D) and log |det ∂z/∂x| (B,): the first ⌊D/2⌋ numbers stay."""
    half = x.shape[1] // 2
    moved, log_det = affine_coupling(x[:, half:], *network(x[:, :half]))
    return torch.cat([x[:, :half], moved], 1), log_det


@exercise(
    reference=coupling_layer_reference,
    difficulty=1,
    minutes=8,
    points=3,
    hints=(
        "The network sees the half that stays, and says what happens to the other half.",
        "A triangular matrix has the product of its diagonal as its determinant.",
        "The logarithm of a product of exponentials: what is left of exp?",
    ),
    on_success=(
        "Its determinant costs a sum, however large the network. Nobody ever inverts the network."
    ),
)
def coupling_layer(answer, seed):
    yield "a layer for four points with six numbers", answer.run(through, draw(seed, 4, 6))
    yield "a layer for three points of the plane", answer.run(through, 2 * draw(seed + 1, 3, 2))
    yield "a layer for D = 5, two of which stay", answer.run(through, draw(seed + 2, 3, 5))
    kept = "a layer whose log-scales sum to 0"
    yield kept, answer.run(through, draw(seed + 3, 4, 6), "even")
    far = "a layer that stretches far"
    yield far, answer.run(through, draw(seed + 5, 3, 4), "far")
    yield "its gradients for x", answer.run(gradients_through, draw(seed + 4, 4, 6))


@coupling_layer.alternative
def by_chunks(x, network):
    stays, moved = x.tensor_split([x.size(1) // 2], dim=1)
    s, b = network(stays)
    return torch.hstack([stays, torch.addcmul(b, s.exp(), moved)]), s.sum(dim=-1)


@coupling_layer.alternative
def by_products(x, network):
    d = x.shape[1] // 2
    s, b = network(x[:, :d])
    scale = s.exp()
    return [torch.cat((x[:, :d], x[:, d:] * scale + b), dim=1), scale.log().sum(1)]


def halves(x):
    """The half that stays and the one that is moved."""
    return x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :]


def applied(x, network):
    """Both halves afterwards, and the log-scale."""
    a, b = halves(x)
    s, shift = network(a)
    return a, s.exp() * b + shift, s


@coupling_layer.mistake(
    "z is right. The determinant is a product of exp(s): is its logarithm a sum of exp(s), or of "
    "something simpler?"
)
def sum_of_scales(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), s.exp().sum(1)


@coupling_layer.mistake("z is right. This is the determinant. What is its logarithm?")
def determinant_itself(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), s.sum(1).exp()


@coupling_layer.mistake(
    "z is right. log |det ∂x/∂z| is the other map's. Does a layer with exp(s) > 1 spread points, "
    "or bring them together?"
)
def of_the_inverse(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), -s.sum(1)


@coupling_layer.mistake(
    "z is right. The log-determinant should be one number for each point. Where did the points go?"
)
def summed_over_the_batch(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), s.sum()


@coupling_layer.mistake("z is right. Do the diagonal's numbers multiply, or is their mean taken?")
def mean_of_log_scales(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), s.mean(1)


@coupling_layer.mistake(
    "z is right. An entry of the log-determinant for each number is not yet the determinant. What "
    "is done with a diagonal?"
)
def not_summed(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), s


@coupling_layer.mistake(
    "The log-determinant is right. s is the logarithm of the scale: what do you multiply with?"
)
def scaled_by_the_logarithm(x, network):
    (a, b), (s, shift) = halves(x), network(halves(x)[0])
    return torch.cat([a, s * b + shift], 1), s.sum(1)


@coupling_layer.mistake(
    "The log-determinant is right. In exp(s) x + b, is the shift stretched as well?"
)
def shift_before_scale(x, network):
    (a, b), (s, shift) = halves(x), network(halves(x)[0])
    return torch.cat([a, s.exp() * (b + shift)], 1), s.sum(1)


@coupling_layer.mistake(
    "The log-determinant is right. The network gives two things for each number: where is the "
    "shift?"
)
def shift_left_out(x, network):
    a, _, s = applied(x, network)
    return torch.cat([a, s.exp() * halves(x)[1]], 1), s.sum(1)


@coupling_layer.mistake(
    "This is the way back, from z to x. Which of the two maps multiplies by exp(s)?"
)
def backward_map(x, network):
    (a, b), (s, shift) = halves(x), network(halves(x)[0])
    return torch.cat([a, (b - shift) * (-s).exp()], 1), -s.sum(1)


@coupling_layer.mistake(
    "The network was given the half that it moves. Can you still invert the layer, without the "
    "half that is gone?"
)
def network_of_the_moved_half(x, network):
    (a, b), (s, shift) = halves(x), network(halves(x)[1])
    return torch.cat([a, s.exp() * b + shift], 1), s.sum(1)


@coupling_layer.mistake(
    "The network was given all of x. Then the Jacobian is not triangular: which half may it see?"
)
def network_of_all_numbers(x, network):
    (a, b), (s, shift) = halves(x), network(x)
    return torch.cat([a, s.exp() * b + shift], 1), s.sum(1)


@coupling_layer.mistake(
    "The values are right, in the wrong places: the second half of z comes first. Where does the "
    "half that stays belong?"
)
def halves_exchanged(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([moved, a], 1), s.sum(1)


@coupling_layer.mistake(
    "The log-determinant is right. z is only the half that was moved: is the layer a map of all D "
    "numbers?"
)
def moved_half_alone(x, network):
    _, moved, s = applied(x, network)
    return moved, s.sum(1)


@coupling_layer.mistake(
    "The values are right, but the network learns nothing from the log-determinant. What cuts its "
    "graph?"
)
def log_det_detached(x, network):
    a, moved, s = applied(x, network)
    return torch.cat([a, moved], 1), s.sum(1).detach()


@coupling_layer.mistake("Both are right, in the other order. Which one does the text want first?")
def in_the_other_order(x, network):
    a, moved, s = applied(x, network)
    return s.sum(1), torch.cat([a, moved], 1)


@coupling_layer.mistake(
    "Your second half stays and the first is moved. Such a layer is as good as the other, flows "
    "take both in turns; the text lets the first ⌊D/2⌋ numbers stay."
)
def second_half_stays(x, network):
    (a, b), (s, shift) = halves(x), network(halves(x)[1])
    return torch.cat([s.exp() * a + shift, b], 1), s.sum(1)
