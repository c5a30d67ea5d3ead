"""Exercise on a discriminator that is told the label: conditioning by projection."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients
from gencourse.runtime import seeded


def projection_logits_reference(h, y, w, b, V):
    """h·w + b + h·V[y], the logits (B,) of features h (B, N) with labels y (B,)."""
    return h @ w + b + (V[y] * h).sum(1)


@exercise(
    reference=projection_logits_reference,
    difficulty=2,
    minutes=8,
    points=2,
    hints=(
        "Two terms: one that every image has, whatever its label, and one that the label chooses.",
        "`V[y]` is a tensor of shape (B, N): one row for each example.",
        "An inner product row by row is a product and a sum. Over which axis?",
    ),
    on_success=(
        "One number for each pair of image and label. With V = 0 the label says nothing, and an "
        "ordinary D is left."
    ),
)
def projection_logits(answer, seed):
    h, w, b, V = draw(seed, 6, 3), draw(seed + 1, 3), draw(seed + 2, 1)[0], draw(seed + 3, 4, 3)
    y = torch.randint(4, (6,), generator=seeded(seed))
    y[:2] = torch.tensor([1, 3])
    yield "six images of four classes", answer(h, y, w, b, V)
    yield "the same images with other labels", answer(h, (y + 1) % 4, w, b, V)
    yield "features of 0", answer(0 * h, y, w, b, V)
    yield "a single class", answer(h, 0 * y, w, b, V[:1])
    yield "a single image", answer(h[:1], y[:1], w, b, V)
    yield "the gradients of the sum for h, w, b and V", answer.run(gradients, h, y, w, b, V)
    large = [100 * t for t in (h, w, b, V)]
    yield "features and weights a hundred times as large", answer(large[0], y, *large[1:])


@projection_logits.alternative
def by_einsum(h, y, w, b, V):
    return torch.einsum("bn,bn->b", h, V.index_select(0, y) + w) + b


@projection_logits.alternative
def by_one_hot(h, y, w, b, V):
    chosen = torch.nn.functional.one_hot(y, len(V)).to(h.dtype)
    return torch.nn.functional.linear(h, w[None], b[None])[:, 0] + ((h @ V.T) * chosen).sum(-1)


@projection_logits.alternative
def example_by_example(h, y, w, b, V):
    return torch.stack([h[i] @ w + b + h[i] @ V[y[i]] for i in range(len(h))])


@projection_logits.mistake(
    "The logits are the same whatever the labels say: an ordinary D. Where does y enter?"
)
def label_left_out(h, y, w, b, V):
    return h @ w + b + 0 * (V.sum() + y.sum())


@projection_logits.mistake(
    "Your label shifts the logit by the same number for every image. Does the image fit its "
    "label? That takes an inner product with its features."
)
def class_bias(h, y, w, b, V):
    return h @ w + b + V[y].sum(1)


@projection_logits.mistake(
    "The features' term without the label is missing: is the image real at all, of whatever class?"
)
def label_alone(h, y, w, b, V):
    return (V[y] * h).sum(1) + b


@projection_logits.mistake("The constant b is missing.")
def bias_left_out(h, y, w, b, V):
    return h @ w + (V[y] * h).sum(1)


@projection_logits.mistake("The terms of image and label are multiplied. What does the text do?")
def multiplied(h, y, w, b, V):
    return (h @ w) * (V[y] * h).sum(1) + b


@projection_logits.mistake(
    "You mix w and V's row number by number. They are two vectors that h meets one by one."
)
def weights_multiplied(h, y, w, b, V):
    return (h * w * V[y]).sum(1) + b


@projection_logits.mistake(
    "A logit for every class came out. Which one belongs to the label that is given?"
)
def all_classes(h, y, w, b, V):
    return (h @ w + b)[:, None] + h @ V.T


@projection_logits.mistake(
    "You add up over all classes. The label is to choose one row of V for each image."
)
def summed_over_the_classes(h, y, w, b, V):
    return h @ w + b + (h @ V.T).sum(1)


@projection_logits.mistake(
    "Every image meets the label of every other: a matrix product of two batches is (B, B)."
)
def every_pair(h, y, w, b, V):
    return (h @ w + b)[:, None] + h @ V[y].T


@projection_logits.mistake("All images are judged by the first label. How many labels are there?")
def first_label_for_all(h, y, w, b, V):
    return h @ w + b + h @ V[y[0]]


@projection_logits.mistake(
    "A mean over the features, where an inner product is asked for: it is a sum of products."
)
def mean_of_the_products(h, y, w, b, V):
    return h @ w + b + (V[y] * h).mean(1)


@projection_logits.mistake("The term of the label has the wrong sign: does it reward a fit?")
def label_subtracted(h, y, w, b, V):
    return h @ w + b - (V[y] * h).sum(1)


@projection_logits.mistake(
    "This is how a classifier judges the label, log p(y given x) added to the rest. The projection "
    "takes the inner product as it is."
)
def as_a_classifier(h, y, w, b, V):
    found = (h @ V.T).log_softmax(1)
    return h @ w + b + found[torch.arange(len(h)), y]


@projection_logits.mistake("These are probabilities. The losses of the chapter want logits.")
def probabilities(h, y, w, b, V):
    return projection_logits_reference(h, y, w, b, V).sigmoid()


@projection_logits.mistake(
    "The logits have a second axis of length 1, which will spread to (B, B) in the loss. What "
    "takes it away?"
)
def one_column(h, y, w, b, V):
    return projection_logits_reference(h, y, w, b, V)[:, None]


@projection_logits.mistake(
    "The logits are right, but V gets no gradient from them: D would never learn what the classes "
    "look like. Where do you cut the graph?"
)
def classes_that_do_not_learn(h, y, w, b, V):
    return projection_logits_reference(h, y, w, b, V.detach())
