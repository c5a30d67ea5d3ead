"""Exercise on a stack of masked convolutions."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.convolutions import logits, logits_with_one_kind, moved


def masked_stack_reference(x, weights, mask):
    """Masked convolutions with ReLU between them: x (B, 1, H, W) -> (B, out, H, W).

    Weights (out, in, k, k) each, `mask(kernel, kind)` is pixelcnn_mask: kind A for the first layer,
    B for the others.
    """
    for i, weight in enumerate(weights):
        kernel = weight.shape[-1]
        x = F.conv2d(
            x if i == 0 else x.relu(),
            weight * mask(kernel, "A" if i == 0 else "B"),
            padding=kernel // 2,
        )
    return x


@exercise(
    reference=masked_stack_reference,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        "What the first layer reads is the image. What does the second one read, and may it see "
        "that at its own position?",
        "nn.functional.conv2d(x, weight, padding=…) takes the weight as it is: what should it be "
        "multiplied by, and how wide is the margin?",
        "A 1 × 1 kernel is nothing but a centre. Which of the two kinds leaves anything of it?",
    ),
    on_success=(
        "No pixel reaches its own logit nor an earlier one, however many layers there are, and all "
        "earlier ones within the stack's reach do."
    ),
)
def masked_stack(answer, seed):
    x, alone = draw(6 * seed, 5, 1, 6, 5), draw(6 * seed + 5, 1, 1, 3, 3)
    sizes = ((3, 1, 5, 5), (4, 3, 3, 3), (6, 4, 1, 1), (2, 4, 3, 3))
    first, second, third, again = (draw(6 * seed + 1 + i, *size) for i, size in enumerate(sizes))
    wide = draw(6 * seed, 1, 1, 9, 11)
    yield "the logits of one layer, 3 × 3, for images of 9 × 11", answer.run(logits, wide, [alone])
    yield "the logits of layers of 5 × 5 and 3 × 3", answer.run(logits, x, [first, second])
    three = [first, second, third]
    yield "the logits of layers of 5 × 5, 3 × 3 and 1 × 1", answer.run(logits, x, three)
    thin = [first[:1], second[:2, :1], third[:, :2]]
    said = "the logits of those three layers with one channel between the first two"
    yield said, answer.run(logits, x, thin)
    said = "the logits of four layers of 3 × 3, with different weights"
    yield said, answer.run(logits, x, [alone, first[:, :, 1:4, 1:4], second, again])
    said = "the logits of layers of 1 × 1, 3 × 3 and 5 × 5"
    yield said, answer.run(logits, x, [alone[:, :, :1, :1], alone, first])
    said = "the logits of three layers of 3 × 3, of which the first two share one weight"
    yield said, answer.run(logits, x, [alone, alone, second[1:2, 1:2]])
    same = second[:3]
    said = "the logits of layers of 5 × 5, 3 × 3 and 3 × 3, of which the last two share one weight"
    yield said, answer.run(logits, x, [first, same, same])
    begin = first[:, :, 1:4, 1:4]
    six = [begin, *(0.4 * draw(6 * seed + 5, 5, 3, 3, 3, 3))]
    yield "the logits of six layers of 3 × 3", answer.run(logits, x, six)
    bright = [(3 * weight).round() for weight in (first, second)]  # whole numbers: none is rounded
    said = "the logits of two layers, in thousands, for bright images"
    yield said, answer.run(logits, (40 * x).round(), bright)
    said = "the logits when `mask` makes other masks, rows and columns exchanged"
    yield said, answer.run(logits, x, three, turned=True)
    more, broad = draw(6 * seed + 6, 12, 1, 6, 5), draw(6 * seed + 7, 2, 3, 7, 7)
    yield "the logits of 12 images, 7 × 7 last", answer.run(logits, more, [alone, first, broad])
    for kind in "AB":
        said = f"the logits when `mask` makes kind {kind}, whatever it is asked for"
        yield said, answer.run(logits_with_one_kind, x, [alone, first, third[:, :3]], kind)
    said = "which logits move when the pixel in row 3 and column 2 changes"
    yield said, answer.run(moved, x, three, 3, 2)
    yield "the logits of images of one pixel", answer.run(logits, x[:, :, :1, :1], three)


@masked_stack.alternative
def with_padded_images(x, weights, mask):
    for i, w in enumerate(weights):
        k = w.size(2)
        x = F.conv2d(F.pad(x, (k // 2,) * 4), w.masked_fill(mask(k, "B" if i else "A") == 0, 0.0))
        if i + 1 < len(weights):
            x = F.relu(x)
    return x


@masked_stack.alternative
def with_modules(x, weights, mask):
    layers = []
    for i, w in enumerate(weights):
        layer = torch.nn.Conv2d(w.shape[1], w.shape[0], w.shape[2], padding="same", bias=False)
        layer.weight.data = w * mask(w.shape[2], "AB"[min(i, 1)])
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])(x)


def stack(x, weights, mask, kinds, between=torch.relu, masked=lambda weight, ones: weight * ones):
    """Masked convolutions with knobs for what learners get wrong; a kind of None is no mask."""
    for i, weight in enumerate(weights):
        kernel = weight.shape[-1]
        kind = kinds(i, kernel)
        weight = weight if kind is None else masked(weight, mask(kernel, kind))
        x = F.conv2d(x if i == 0 else between(x), weight, padding=kernel // 2)
    return x


@masked_stack.mistake(
    "Kind B in the first layer: each logit sees the pixel that it is to predict. What does that "
    "layer read?"
)
def b_everywhere(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "B")


@masked_stack.mistake(
    "Kind A in every layer: each one forgets the nearest pixels once more, and a 1 × 1 layer lets "
    "nothing through."
)
def a_everywhere(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "A")


@masked_stack.mistake("A and B are exchanged: which layer reads the image itself?")
def kinds_exchanged_in_the_stack(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "B" if i == 0 else "A")


@masked_stack.mistake(
    "Only the first layer is masked. Features of later positions know later pixels: may the second "
    "layer look there?"
)
def first_layer_alone(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "A" if i == 0 else None)


@masked_stack.mistake(
    "The first layer is not masked. What do all later masks help when it has seen everything?"
)
def first_layer_free(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: None if i == 0 else "B")


@masked_stack.mistake(
    "No mask at all: this is an ordinary convolutional network. By what should each weight be "
    "multiplied?"
)
def no_mask(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: None)


@masked_stack.mistake(
    "A 1 × 1 kernel has a centre only, and kind A hides it: your last layer lets nothing through. "
    "Which kind does no harm there?"
)
def one_by_one_hidden(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "A" if i == 0 or kernel == 1 else "B")


@masked_stack.mistake(
    "Kind A goes wherever a weight has a single input channel, and features may have one, too. "
    "What tells the first layer from the others?"
)
def kind_by_the_channels(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "A" if weights[i].shape[1] == 1 else "B")


@masked_stack.mistake(
    "Right with the masks that are usual here, and you use the same where `mask` makes others. "
    "Does each of your calls ask the `mask` that it is given?"
)
def mask_ignored(x, weights, mask):
    return masked_stack_reference(x, weights, autoregressive.pixelcnn_mask)


@masked_stack.mistake("There is no ReLU between your layers: the whole stack is one linear map.")
def no_relu(x, weights, mask):
    return stack(x, weights, mask, lambda i, kernel: "A" if i == 0 else "B", between=lambda x: x)


@masked_stack.mistake(
    "A ReLU after the last layer: no logit of yours is ever negative, no probability below one "
    "half."
)
def relu_at_the_end(x, weights, mask):
    return masked_stack_reference(x, weights, mask).relu()


@masked_stack.mistake(
    "A ReLU before the first layer: your network does not see how negative its input is. Between "
    "which layers does it belong?"
)
def relu_at_the_start(x, weights, mask):
    return masked_stack_reference(x.relu(), weights, mask)


@masked_stack.mistake(
    "Your images shrink from layer to layer. How wide a margin keeps the size for a kernel of k?"
)
def no_margin(x, weights, mask):
    for i, weight in enumerate(weights):
        x = F.conv2d(
            x if i == 0 else x.relu(), weight * mask(weight.shape[-1], "A" if i == 0 else "B")
        )
    return x


@masked_stack.mistake(
    "Your caller's weights are not what they were: whoever uses them again gets other logits. "
    "Which operation works in place?"
)
def weights_changed(x, weights, mask):
    return stack(
        x,
        weights,
        mask,
        lambda i, kernel: "A" if i == 0 else "B",
        masked=lambda weight, ones: weight.mul_(ones),
    )
