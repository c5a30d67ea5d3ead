"""Exercise on a block of a transformer: attention and an MLP, each beside a path that skips it."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.probes.autoregressive.attention import block_gradients, block_output


def transformer_block_reference(x, weights, attend):
    """x + attention(norm(x)), then x + MLP(norm(x)): x (B, T, C), weights by name."""
    normed = F.layer_norm(x, x.shape[-1:])
    q, k, v = (F.linear(normed, weights[name]) for name in ("q", "k", "v"))
    x = x + F.linear(attend(q, k, v), weights["out"])
    normed = F.layer_norm(x, x.shape[-1:])
    return x + F.linear(F.gelu(F.linear(normed, weights["up"])), weights["down"])


@exercise(
    reference=transformer_block_reference,
    difficulty=2,
    minutes=15,
    points=3,
    hints=(
        "Two halves of the same form: x plus something that is computed from the norm of x.",
        "Six weights, six products. Which of them come before `attend`, and which after?",
        "The second norm is that of the sum after the first half. What is added to what at the "
        "end?",
    ),
    on_success=(
        "That is a GPT's block, all of it. What enters runs straight through, and both halves add "
        "to it: the residual stream."
    ),
)
def transformer_block(answer, seed):
    x, weights = draw(seed, 2, 5, 8), random_weights(seed, 8)
    yield "the output for 2 texts of 5 positions, 8 channels", answer.run(block_output, x, weights)
    larger = 3 * x + 2
    yield "the output for larger x, not centred", answer.run(block_output, larger, weights)
    one = draw(seed + 1, 1, 1, 4), random_weights(seed + 20, 4)
    yield "the output for 1 text of 1 position, 4 channels", answer.run(block_output, *one)
    long = draw(seed + 2, 3, 20, 12), random_weights(seed + 40, 12)
    yield "the output for 3 texts of 20 positions", answer.run(block_output, *long)
    silent = {**weights, "out": 0 * weights["out"], "down": 0 * weights["down"]}
    said = "the output when both halves have nothing to add"
    yield said, answer.run(block_output, x, silent)
    for name in ("out", "down"):
        half = {**weights, name: 0 * weights[name]}
        yield f"the output when {name!r} is zero", answer.run(block_output, x, half)
    said = "the gradients for x, and for q, k, v, out, up and down"
    yield said, answer.run(block_gradients, x, weights)


@transformer_block.alternative
def by_hand(x, weights, attend):
    def normed(h):
        centred = h - h.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    h = normed(x)
    y = x + attend(h @ weights["q"].T, h @ weights["k"].T, h @ weights["v"].T) @ weights["out"].T
    wide = normed(y) @ weights["up"].mT
    return y + (wide * (1 + (wide / 2**0.5).erf()) / 2) @ weights["down"].mT


@transformer_block.alternative
def by_modules(x, weights, attend):
    C = x.shape[-1]
    layer, gelu = torch.nn.LayerNorm(C, elementwise_affine=False), torch.nn.GELU()
    stacked = torch.cat([weights[name] for name in ("q", "k", "v")])
    parts = torch.einsum("btc,dc->btd", layer(x), stacked).split(C, dim=2)
    first = x + torch.einsum("btc,dc->btd", attend(*parts), weights["out"])
    return first + gelu(layer(first) @ weights["up"].t()) @ weights["down"].t()


def random_weights(seed, C):
    """Six weights, (out, in) each."""
    shapes = {"q": (C, C), "k": (C, C), "v": (C, C), "out": (C, C)}
    shapes |= {"up": (4 * C, C), "down": (C, 4 * C)}
    return {name: draw(50 * seed + i, *shape) / 2 for i, (name, shape) in enumerate(shapes.items())}


def norm(x):
    return F.layer_norm(x, x.shape[-1:])


def attention(x, weights, attend, names=("q", "k", "v")):
    return F.linear(attend(*(F.linear(x, weights[name]) for name in names)), weights["out"])


def mlp(x, weights, between=F.gelu):
    return F.linear(between(F.linear(x, weights["up"])), weights["down"])


@transformer_block.mistake(
    "You normalise what comes out, not what goes in: the norm stands in the way of x. That was the "
    "first transformer; which order does the text give?"
)
def normed_afterwards(x, weights, attend):
    x = norm(x + attention(x, weights, attend))
    return norm(x + mlp(x, weights))


@transformer_block.mistake(
    "The output is right, and no gradient reaches the weights: they would never learn. Do you work "
    "with them, or with copies?"
)
def weights_copied(x, weights, attend):
    copies = {name: weight.detach().clone() for name, weight in weights.items()}
    return transformer_block_reference(x, copies, attend)


@transformer_block.mistake("Nothing is normalised. On what do the two halves work?")
def no_norms(x, weights, attend):
    x = x + attention(x, weights, attend)
    return x + mlp(x, weights)


@transformer_block.mistake("The attention works on x itself. What should it be given?")
def first_norm_missing(x, weights, attend):
    x = x + attention(x, weights, attend)
    return x + mlp(norm(x), weights)


@transformer_block.mistake("The MLP works on x itself. What should it be given?")
def second_norm_missing(x, weights, attend):
    x = x + attention(norm(x), weights, attend)
    return x + mlp(x, weights)


@transformer_block.mistake(
    "The attention's output takes the place of x instead of being added to it. What does a block "
    "whose weights are zero return?"
)
def first_skip_missing(x, weights, attend):
    x = attention(norm(x), weights, attend)
    return x + mlp(norm(x), weights)


@transformer_block.mistake(
    "The MLP's output takes the place of x instead of being added to it. What does a block whose "
    "weights are zero return?"
)
def second_skip_missing(x, weights, attend):
    x = x + attention(norm(x), weights, attend)
    return mlp(norm(x), weights)


@transformer_block.mistake("Neither half is added to what came in. What carries x past them?")
def no_skips(x, weights, attend):
    return mlp(norm(attention(norm(x), weights, attend)), weights)


@transformer_block.mistake(
    "x was replaced by its norm before something was added to it. What runs straight through a "
    "block?"
)
def norm_on_the_way(x, weights, attend):
    x = norm(x)
    x = x + attention(x, weights, attend)
    x = norm(x)
    return x + mlp(x, weights)


@transformer_block.mistake(
    "Both halves see the x that came in. Some models do that; what does the MLP see in the text?"
)
def side_by_side(x, weights, attend):
    return x + attention(norm(x), weights, attend) + mlp(norm(x), weights)


@transformer_block.mistake(
    "At the end the MLP is added to the x that came in, and the attention's part is lost."
)
def added_to_the_first_x(x, weights, attend):
    return x + mlp(norm(x + attention(norm(x), weights, attend)), weights)


@transformer_block.mistake("The MLP comes first. In which order does the text put the halves?")
def mlp_first(x, weights, attend):
    x = x + mlp(norm(x), weights)
    return x + attention(norm(x), weights, attend)


@transformer_block.mistake(
    "A ReLU? The text names another function between the MLP's two products."
)
def relu(x, weights, attend):
    x = x + attention(norm(x), weights, attend)
    return x + mlp(norm(x), weights, F.relu)


@transformer_block.mistake(
    "Nothing stands between the MLP's two products, so they are one. What makes it an MLP?"
)
def linear_mlp(x, weights, attend):
    x = x + attention(norm(x), weights, attend)
    return x + mlp(norm(x), weights, lambda h: h)


@transformer_block.mistake("What attention returns is added as it is. Which weight is left over?")
def out_missing(x, weights, attend):
    x = x + attention(norm(x), {**weights, "out": torch.eye(x.shape[-1]).to(x)}, attend)
    return x + mlp(norm(x), weights)


@transformer_block.mistake(
    "The four square weights are multiplied as they stand, x @ W, and being square they do not "
    "complain. They have the shape (out, in): what does the text make of that?"
)
def square_weights_not_transposed(x, weights, attend):
    square = {name: weights[name].T for name in ("q", "k", "v", "out")}
    return transformer_block_reference(x, weights | square, attend)


@transformer_block.mistake("Queries and keys are exchanged. Who looks at whom?")
def queries_for_keys(x, weights, attend):
    x = x + attention(norm(x), weights, attend, ("k", "q", "v"))
    return x + mlp(norm(x), weights)


@transformer_block.mistake(
    "The norm is taken over positions and channels together, so a position knows of later ones. "
    "Over which numbers does a layer norm go?"
)
def norm_over_positions(x, weights, attend):
    def both(x):
        return F.layer_norm(x, x.shape[-2:])

    x = x + attention(both(x), weights, attend)
    return x + mlp(both(x), weights)
