"""Exercise on the heads of the encoder."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.probes.vae.heads import learned, unpacked


def split_heads_reference(h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """mu and logvar from the encoder's last layer: h (B, 2D) -> first D columns, last D columns."""
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar


@exercise(
    reference=split_heads_reference,
    difficulty=1,
    minutes=4,
    points=1,
    hints=(
        "h has one row per example. Which axis holds both heads?",
        "What range must μ have, and what range log σ²?",
    ),
    on_success="Both heads may take any sign: that is why the network gives log σ² and not σ.",
    rtol=1e-6,
    atol=1e-7,
)
def split_heads(answer, seed):
    yield "six rows with two dimensions", answer.run(unpacked, draw(seed, 6, 4))
    row = torch.tensor([[3.0, 3.0, 3.0, -1.0, -1.0, -1.0]])
    yield "a row where mu is 3 and logvar is -1", answer.run(unpacked, row)
    yield "two rows of numbers of millions", answer.run(unpacked, 4e6 * draw(seed + 1, 2, 8))
    yield "five rows with one dimension", answer.run(unpacked, draw(seed + 2, 5, 2))
    yield "three rows with 100 dimensions", answer.run(unpacked, draw(seed + 4, 3, 200))
    yield "the gradients that training sends to h", answer.run(learned, draw(seed + 3, 3, 6))


@split_heads.alternative
def by_slicing(h):
    D = h.shape[1] // 2
    return [h[:, :D], h[:, D:]]


@split_heads.alternative
def by_unflatten(h):
    return tuple(h.reshape(len(h), 2, -1).unbind(1))


@split_heads.mistake(
    "You cut the batch in two. Along which axis do the two heads lie side by side?"
)
def cut_along_the_batch(h):
    return h.chunk(2, dim=0)


@split_heads.mistake(
    "The two came back in the other order. Which one does the docstring name first?"
)
def heads_swapped(h):
    mu, logvar = h.chunk(2, dim=1)
    return logvar, mu


@split_heads.mistake("log σ² is negative whenever σ < 1. Can it still be, after what you do to it?")
def relu_on_logvar(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.relu()


@split_heads.mistake(
    "Neither μ nor log σ² is a hidden activation. Which values can they no longer take in your "
    "version?"
)
def relu_on_both(h):
    return h.relu().chunk(2, dim=1)


@split_heads.mistake(
    "logvar should stay a logarithm. What have you done to it that a later exp would do again?"
)
def variance_returned(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.exp()


@split_heads.mistake(
    "A softplus makes a positive number. Is a logarithm of a variance always positive?"
)
def softplus_on_logvar(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, F.softplus(logvar)


@split_heads.mistake(
    "You took every other column. Does the docstring interleave the heads, or set them side by "
    "side?"
)
def interleaved(h):
    return h[:, ::2], h[:, 1::2]
