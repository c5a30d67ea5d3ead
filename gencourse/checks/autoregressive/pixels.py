"""Exercises on masked convolutions: which taps of a kernel come before its centre, and a stack of such layers."""

import torch
import torch.nn.functional as F

from gencourse.checks._exercise import exercise
from gencourse.checks._inputs import draw
from gencourse.models import autoregressive

# --- pixelcnn_mask -------------------------------------------------------------------------------------------------

EVEN = """
try:
    pixelcnn_mask(kernel, kind)
    refused = False
except ValueError:
    refused = True
refused
"""


@exercise(
    reference=autoregressive.pixelcnn_mask,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "Number the taps of a 3 × 3 kernel in reading order, 0 to 8. Which number has the centre, and which numbers come before it?",
        "Rows above count in full. Of the centre's own row, only what lies to the left.",
        "A and B differ in a single tap.",
    ),
    insight="A hides the centre, B shows it; all else is the same. In a 5 × 5 kernel 12 taps come before the centre.",
)
def pixelcnn_mask(ask, seed):
    call = "pixelcnn_mask(kernel, kind)"
    for kernel in (5, 3, 7, 1):
        for kind in ("A", "B"):
            yield f"the mask of kind {kind} for a {kernel} × {kernel} kernel", ask(call, kernel=kernel, kind=kind)
    yield "whether a kernel of 4, which has no centre, is refused with a ValueError", ask(EVEN, kernel=4, kind="B")


def reading_order(kernel, own=0):
    """How many taps lie after the centre tap, from negative (before) to positive, shifted by `own`."""
    return torch.arange(kernel * kernel).view(kernel, kernel) - (kernel * kernel // 2 + own)


def odd(kernel):
    if kernel % 2 == 0:
        raise ValueError("kernel should be odd")
    return kernel // 2


@pixelcnn_mask.mistake("A and B are exchanged. The first layer sees the image itself: what must it not see there?")
def kinds_exchanged(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, "B" if kind == "A" else "A")


@pixelcnn_mask.mistake("The centre is hidden in both kinds. Later layers see features, not pixels: may they use those of their own place?")
def always_a(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, "A")


@pixelcnn_mask.mistake("The centre is visible in both kinds: the first layer would see the very pixel that it is to predict.")
def always_b(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, "B")


def by_parts(kernel, kind, above=1.0, left=1.0, right=0.0, below=0.0, upper_right=None):
    """A mask from its parts: the rows above and below the centre, and its row to the left and to the right."""
    c = odd(kernel)
    mask = torch.zeros(kernel, kernel)
    mask[:c], mask[c + 1 :] = above, below
    mask[c, :c], mask[c, c + 1 :] = left, right
    mask[c, c] = float(kind == "B")
    if upper_right is not None:
        mask[:c, c + 1 :] = upper_right
    return mask


@pixelcnn_mask.mistake("The row below the centre is kept, in whole or in part. Is it drawn before the centre or after it?")
def row_below_kept(kernel, kind):
    mask = by_parts(kernel, kind)
    mask[kernel // 2 + 1 : kernel // 2 + 2] = 1
    return mask


@pixelcnn_mask.mistake("The row just above the centre is cut. Is it not drawn already?")
def row_above_cut(kernel, kind):
    mask = by_parts(kernel, kind)
    mask[max(0, kernel // 2 - 1) : kernel // 2] = 0
    return mask


@pixelcnn_mask.mistake("Right of the centre everything is visible in its own row. In which order are the pixels of a row drawn?")
def right_of_the_centre(kernel, kind):
    return by_parts(kernel, kind, right=1.0)


@pixelcnn_mask.mistake("Your mask shows what comes after the centre. 1 stands for `may look`: is it turned round?")
def zeros_and_ones_exchanged(kernel, kind):
    return 1 - autoregressive.pixelcnn_mask(kernel, kind)


@pixelcnn_mask.mistake("Rows and columns are exchanged: your order runs down the columns. Images are indexed [row, column].")
def column_by_column(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, kind).T


@pixelcnn_mask.mistake("Only the upper left block is visible. The rows above were drawn in full: what of their right half?")
def upper_left_block(kernel, kind):
    return by_parts(kernel, kind, upper_right=0.0)


@pixelcnn_mask.mistake("This is a triangle of a (T, T) table, where rows and columns are places. In a kernel both say where *one* tap is.")
def triangle(kernel, kind):
    odd(kernel)
    return torch.ones(kernel, kernel).tril(-1 if kind == "A" else 0)


@pixelcnn_mask.mistake("The rows above are there, the own row is not: what lies to the left was drawn already, too.")
def left_forgotten(kernel, kind):
    return by_parts(kernel, kind, left=0.0)


@pixelcnn_mask.mistake("The own row is there, the rows above are not. Were they not drawn already?")
def rows_above_forgotten(kernel, kind):
    return by_parts(kernel, kind, above=0.0)


@pixelcnn_mask.mistake("Right for odd kernels. An even one has no centre: the docstring says what to do with it.")
def even_accepted(kernel, kind):
    return (reading_order(kernel) < (1 if kind == "B" else 0)).float()


@pixelcnn_mask.mistake("Your mask has further dimensions. The docstring asks for (kernel, kernel); it broadcasts over channels by itself.")
def shape_of_a_weight(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, kind)[None, None]


@pixelcnn_mask.also_right
def by_slices(kernel, kind):
    if not kernel % 2:
        raise ValueError(f"kernel should be odd, got {kernel}")
    mask = torch.ones(kernel, kernel)
    mask[kernel // 2, kernel // 2 + (kind == "B") :] = 0
    mask[kernel // 2 + 1 :] = 0
    return mask


@pixelcnn_mask.also_right
def by_coordinates(kernel, kind):
    c = odd(kernel)
    row, column = torch.meshgrid(torch.arange(kernel), torch.arange(kernel), indexing="ij")
    return (row < c) | ((row == c) & ((column < c) | ((column == c) & (kind == "B"))))


# --- masked_stack --------------------------------------------------------------------------------------------------

MASK = """
def mask(kernel, kind):
    ones = torch.zeros(kernel * kernel)
    ones[: kernel * kernel // 2 + (kind == "B")] = 1
    return ones.view(kernel, kernel)
"""


def masked_stack_reference(x, weights, mask):
    """Masked convolutions with ReLU between them: x (B, 1, H, W), weights (out, in, k, k) each -> (B, out, H, W).

    `mask(kernel, kind)` is pixelcnn_mask; kind A for the first layer, B for the others.
    """
    for i, weight in enumerate(weights):
        kernel = weight.shape[-1]
        x = F.conv2d(x if i == 0 else x.relu(), weight * mask(kernel, "A" if i == 0 else "B"), padding=kernel // 2)
    return x


@exercise(
    reference=masked_stack_reference,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        "What the first layer reads is the image. What does the second one read, and may it see that at its own place?",
        "nn.functional.conv2d(x, weight, padding=…) takes the weight as it is: what should it be multiplied by, and how wide is the margin?",
        "A 1 × 1 kernel is nothing but a centre. Which of the two kinds leaves anything of it?",
    ),
    insight="No pixel reaches its own logit nor an earlier one, however many layers there are, and all earlier ones in the wedge do.",
)
def masked_stack(ask, seed):
    setup = f"{MASK}\nweights = [w for w in (first, second, third) if w is not None]"
    call = "masked_stack(x, weights, mask)"
    x, alone = draw(6 * seed, 2, 1, 6, 5), draw(6 * seed + 5, 1, 1, 3, 3)
    sizes = {"first": (3, 1, 5, 5), "second": (3, 3, 3, 3), "third": (2, 3, 1, 1)}
    weights = {name: draw(6 * seed + 1 + i, *size) for i, (name, size) in enumerate(sizes.items())}
    yield "the logits of one layer, 3 × 3", ask(f"{setup}\n{call}", x=x, first=alone, second=None, third=None)
    yield "the logits of layers of 5 × 5 and 3 × 3", ask(f"{setup}\n{call}", x=x, **weights | {"third": None})
    yield "the logits of layers of 5 × 5, 3 × 3 and 1 × 1", ask(f"{setup}\n{call}", x=x, **weights)
    moved = f"{setup}\nbefore = {call}\nx[:, :, 3, 2] += 5\n(({call} - before).abs() > 1e-4).any(1)"
    yield "which logits move when the pixel in row 3 and column 2 changes", ask(moved, x=x, **weights)
    again = f"{setup}\nbefore = [w.clone() for w in weights]\n{call}\n[torch.equal(a, b) for a, b in zip(weights, before)]"
    yield "whether the weights are as they were", ask(again, x=x, **weights)


def stack(x, weights, kinds, between=torch.relu, masked=lambda weight, mask: weight * mask, masks=autoregressive.pixelcnn_mask):
    """Masked convolutions with knobs for what learners get wrong; `kinds(i, kernel)` may be None for no mask."""
    for i, weight in enumerate(weights):
        kernel = weight.shape[-1]
        kind = kinds(i, kernel)
        weight = weight if kind is None else masked(weight, masks(kernel, kind))
        x = F.conv2d(x if i == 0 else between(x), weight, padding=kernel // 2)
    return x


@masked_stack.mistake("Kind B in the first layer: each logit sees the pixel that it is to predict. What does that layer read?")
def b_everywhere(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "B")


@masked_stack.mistake("Kind A in every layer: each one forgets the nearest pixels once more, and a 1 × 1 layer lets nothing through.")
def a_everywhere(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "A")


@masked_stack.mistake("A and B are exchanged: which layer reads the image itself?")
def kinds_exchanged_in_the_stack(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "B" if i == 0 else "A")


@masked_stack.mistake("Only the first layer is masked. Features of later places know later pixels: may the second layer look there?")
def first_layer_alone(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "A" if i == 0 else None)


@masked_stack.mistake("The first layer is not masked. What do all later masks help when it has seen everything?")
def first_layer_free(x, weights, mask):
    return stack(x, weights, lambda i, kernel: None if i == 0 else "B")


@masked_stack.mistake("No mask at all: this is an ordinary convolutional network. By what should each weight be multiplied?")
def no_mask(x, weights, mask):
    return stack(x, weights, lambda i, kernel: None)


@masked_stack.mistake(
    "A 1 × 1 kernel has a centre only, and kind A hides it: your last layer lets nothing through. Which kind does no harm there?"
)
def one_by_one_hidden(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "A" if i == 0 or kernel == 1 else "B")


@masked_stack.mistake("There is no ReLU between your layers: the whole stack is one linear map.")
def no_relu(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "A" if i == 0 else "B", between=lambda x: x)


@masked_stack.mistake("A ReLU after the last layer: no logit of yours is ever negative, no probability below one half.")
def relu_at_the_end(x, weights, mask):
    return masked_stack_reference(x, weights, mask).relu()


@masked_stack.mistake(
    "A ReLU before the first layer: your network does not see how negative its input is. Between which layers does it belong?"
)
def relu_at_the_start(x, weights, mask):
    return masked_stack_reference(x.relu(), weights, mask)


@masked_stack.mistake("Your images shrink from layer to layer. How wide a margin keeps the size for a kernel of k?")
def no_margin(x, weights, mask):
    for i, weight in enumerate(weights):
        x = F.conv2d(x if i == 0 else x.relu(), weight * mask(weight.shape[-1], "A" if i == 0 else "B"))
    return x


@masked_stack.mistake("The logits are right, but your caller's weights are not what they were. Which operation works in place?")
def weights_changed(x, weights, mask):
    return stack(x, weights, lambda i, kernel: "A" if i == 0 else "B", masked=lambda weight, mask: weight.mul_(mask))


@masked_stack.also_right
def with_padded_images(x, weights, mask):
    for i, w in enumerate(weights):
        k = w.size(2)
        x = F.conv2d(F.pad(x, (k // 2,) * 4), w.masked_fill(mask(k, "B" if i else "A") == 0, 0.0))
        if i + 1 < len(weights):
            x = F.relu(x)
    return x


@masked_stack.also_right
def with_modules(x, weights, mask):
    layers = []
    for i, w in enumerate(weights):
        layer = torch.nn.Conv2d(w.shape[1], w.shape[0], w.shape[2], padding="same", bias=False)
        layer.weight.data = w * mask(w.shape[2], "AB"[min(i, 1)])
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])(x)
