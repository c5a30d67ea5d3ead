"""Exercise on the way back through a coupling layer."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models.diffusion import affine_coupling_inverse
from gencourse.probes.diffusion.coupling import back, gradients_back


def coupling_inverse_reference(z, network):
    """x (B, D) of z = coupling_layer(x, network)[0]."""
    half = z.shape[1] // 2
    return torch.cat([z[:, :half], affine_coupling_inverse(z[:, half:], *network(z[:, :half]))], 1)


@exercise(
    reference=coupling_inverse_reference,
    difficulty=1,
    minutes=5,
    points=2,
    hints=(
        "One half of x stands in z as it was. Which?",
        "So the network can be asked the same question again, and gives the same answer.",
        "Undo the last thing first.",
    ),
    on_success="Sampling costs as much as the likelihood: one evaluation of each network.",
)
def coupling_inverse(answer, seed):
    yield "x of four points with six numbers", answer.run(back, draw(seed, 4, 6))
    yield "x of three points of the plane", answer.run(back, 2 * draw(seed + 1, 3, 2))
    yield "x for D = 5, two of which stay", answer.run(back, draw(seed + 2, 3, 5))
    yield "x of points that were stretched far", answer.run(back, 3 * draw(seed + 4, 3, 4), "far")
    yield "the gradients of x for z", answer.run(gradients_back, draw(seed + 3, 4, 6))


@coupling_inverse.alternative
def by_division(z, network):
    d = z.size(1) // 2
    s, b = network(z[:, :d])
    return torch.hstack([z[:, :d], (z[:, d:] - b) / s.exp()])


@coupling_inverse.alternative
def by_two_products(z, network):
    stays, moved = z.tensor_split([z.shape[1] // 2], dim=1)
    s, b = network(stays)
    return torch.cat((stays, moved * torch.exp(-s) - b * torch.exp(-s)), dim=-1)


def asked(z, network):
    """The half that stayed, the one that was moved, log-scale and shift."""
    a, b = z[:, : z.shape[1] // 2], z[:, z.shape[1] // 2 :]
    return (a, b, *network(a))


@coupling_inverse.mistake(
    "This is the way forth again. What undoes a multiplication, and what an addition?"
)
def forward_again(z, network):
    a, b, s, shift = asked(z, network)
    return torch.cat([a, s.exp() * b + shift], 1)


@coupling_inverse.mistake(
    "You undid the stretch first and then the shift. Which of the two came last on the way forth?"
)
def undone_in_the_same_order(z, network):
    a, b, s, shift = asked(z, network)
    return torch.cat([a, (-s).exp() * b - shift], 1)


@coupling_inverse.mistake("The stretch is undone. Is the shift added, or taken away?")
def shift_added(z, network):
    a, b, s, shift = asked(z, network)
    return torch.cat([a, (-s).exp() * (b + shift)], 1)


@coupling_inverse.mistake("The shift is undone. Does the stretch have to be made again, or undone?")
def stretched_again(z, network):
    a, b, s, shift = asked(z, network)
    return torch.cat([a, s.exp() * (b - shift)], 1)


@coupling_inverse.mistake("s is the logarithm of the scale: by what do you divide?")
def divided_by_the_logarithm(z, network):
    a, b, s, shift = asked(z, network)
    return torch.cat([a, (b - shift) / s], 1)


@coupling_inverse.mistake("The stretch is undone, the shift is still there. Which line adds it?")
def shift_left_in(z, network):
    a, b, s, _ = asked(z, network)
    return torch.cat([a, (-s).exp() * b], 1)


@coupling_inverse.mistake("The shift is undone, the stretch is still there. Which line made it?")
def stretch_left_in(z, network):
    a, b, _, shift = asked(z, network)
    return torch.cat([a, b - shift], 1)


@coupling_inverse.mistake(
    "The network was given the half that was moved. On the way forth it saw the other one: is that "
    "still there?"
)
def network_of_the_moved_half(z, network):
    a, b, _, _ = asked(z, network)
    s, shift = network(b)
    return torch.cat([a, (-s).exp() * (b - shift)], 1)


@coupling_inverse.mistake("The values are right, in the wrong places. Which half stays in front?")
def halves_exchanged(z, network):
    a, b, s, shift = asked(z, network)
    return torch.cat([(-s).exp() * (b - shift), a], 1)


@coupling_inverse.mistake("x has D numbers, yours only those that were moved. Where is the rest?")
def moved_half_alone(z, network):
    _, b, s, shift = asked(z, network)
    return (-s).exp() * (b - shift)


@coupling_inverse.mistake(
    "Your second half stays and the first is moved back. That undoes another layer, as good as "
    "this one; here the first ⌊D/2⌋ numbers stayed."
)
def second_half_stays(z, network):
    a, b, _, _ = asked(z, network)
    s, shift = network(b)
    return torch.cat([(-s).exp() * (a - shift), b], 1)
