"""Exercise on the mask of a convolution: which taps of a kernel come before its centre."""

import torch

from gencourse.checks import exercise
from gencourse.models import autoregressive
from gencourse.probes.autoregressive.masks import is_tensor, refused


@exercise(
    reference=autoregressive.pixelcnn_mask,
    difficulty=1,
    minutes=8,
    points=2,
    hints=(
        "Number the taps of a 3 × 3 kernel in reading order, 0 to 8. Which number has the centre, "
        "and which numbers come before it?",
        "Rows above count in full. Of the centre's own row, only what lies to the left.",
        "A and B differ in a single tap.",
    ),
    on_success=(
        "A hides the centre, B shows it; all else is the same. In a 5 × 5 kernel 12 taps come "
        "before the centre."
    ),
)
def pixelcnn_mask(answer, seed):
    for kernel in (5, 3, 7, 1, 9 + 2 * (seed % 3)):
        for kind in ("B", "A") if kernel == 3 else ("A", "B"):  # not that of the kind before
            yield f"the mask of kind {kind} for a {kernel} × {kernel} kernel", answer(kernel, kind)
    yield "whether a tensor is returned", answer.run(is_tensor, 3, "A")
    for kernel, kind in ((4, "B"), (2, "A"), (4, "A"), (6, "B"), (10, "A"), (12, "B")):
        said = f"whether kind {kind} for a kernel of {kernel}, which has no centre, is refused "
        said += "with a ValueError"
        yield said, answer.run(refused, kernel, kind)


@pixelcnn_mask.alternative
def by_slices(kernel, kind):
    if not kernel % 2:
        raise ValueError(f"kernel should be odd, got {kernel}")
    mask = torch.ones(kernel, kernel)
    mask[kernel // 2, kernel // 2 + (kind == "B") :] = 0
    mask[kernel // 2 + 1 :] = 0
    return mask


@pixelcnn_mask.alternative
def by_coordinates(kernel, kind):
    c = odd(kernel)
    row, column = torch.meshgrid(torch.arange(kernel), torch.arange(kernel), indexing="ij")
    return (row < c) | ((row == c) & ((column < c) | ((column == c) & (kind == "B"))))


def reading_order(kernel, own=0):
    """How many taps after the centre a tap lies, negative before it; shifted by `own`."""
    return torch.arange(kernel * kernel).view(kernel, kernel) - (kernel * kernel // 2 + own)


def odd(kernel):
    if kernel % 2 == 0:
        raise ValueError("kernel should be odd")
    return kernel // 2


@pixelcnn_mask.mistake(
    "A and B are exchanged. The first layer sees the image itself: what must it not see there?"
)
def kinds_exchanged(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, "B" if kind == "A" else "A")


@pixelcnn_mask.mistake(
    "The centre is hidden in both kinds. Later layers see features, not pixels: may they use those "
    "of their own position?"
)
def always_a(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, "A")


@pixelcnn_mask.mistake(
    "The centre is visible in both kinds: the first layer would see the very pixel that it is to "
    "predict."
)
def always_b(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, "B")


def by_parts(kernel, kind, above=1.0, left=1.0, right=0.0, below=0.0, upper_right=None):
    """A mask from its parts: the rows above and below the centre, its own to the left and right."""
    c = odd(kernel)
    mask = torch.zeros(kernel, kernel)
    mask[:c], mask[c + 1 :] = above, below
    mask[c, :c], mask[c, c + 1 :] = left, right
    mask[c, c] = float(kind == "B")
    if upper_right is not None:
        mask[:c, c + 1 :] = upper_right
    return mask


@pixelcnn_mask.mistake(
    "The row below the centre is kept, in whole or in part. Is it drawn before the centre or after "
    "it?"
)
def row_below_kept(kernel, kind):
    mask = by_parts(kernel, kind)
    mask[kernel // 2 + 1 : kernel // 2 + 2] = 1
    return mask


@pixelcnn_mask.mistake("The row just above the centre is cut. Is it not drawn already?")
def row_above_cut(kernel, kind):
    mask = by_parts(kernel, kind)
    mask[max(0, kernel // 2 - 1) : kernel // 2] = 0
    return mask


@pixelcnn_mask.mistake(
    "Right of the centre everything is visible in its own row. In which order are the pixels of a "
    "row drawn?"
)
def right_of_the_centre(kernel, kind):
    return by_parts(kernel, kind, right=1.0)


@pixelcnn_mask.mistake(
    "Your mask shows what comes after the centre. 1 stands for `may look`: is it turned round?"
)
def zeros_and_ones_exchanged(kernel, kind):
    return 1 - autoregressive.pixelcnn_mask(kernel, kind)


@pixelcnn_mask.mistake(
    "Rows and columns are exchanged: your order runs down the columns. Images are indexed [row, "
    "column]."
)
def column_by_column(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, kind).T


@pixelcnn_mask.mistake(
    "Only the upper left block is visible. The rows above were drawn in full: what of their right "
    "half?"
)
def upper_left_block(kernel, kind):
    return by_parts(kernel, kind, upper_right=0.0)


@pixelcnn_mask.mistake(
    "This is a triangle of a (T, T) table, where rows and columns are positions. In a kernel both "
    "say where *one* tap is."
)
def triangle(kernel, kind):
    odd(kernel)
    return torch.ones(kernel, kernel).tril(-1 if kind == "A" else 0)


@pixelcnn_mask.mistake(
    "The rows above are there, the own row is not: what lies to the left was drawn already, too."
)
def left_forgotten(kernel, kind):
    return by_parts(kernel, kind, left=0.0)


@pixelcnn_mask.mistake("The own row is there, the rows above are not. Were they not drawn already?")
def rows_above_forgotten(kernel, kind):
    return by_parts(kernel, kind, above=0.0)


@pixelcnn_mask.mistake(
    "Right for odd kernels. An even one has no centre: the docstring says what to do with it."
)
def even_accepted(kernel, kind):
    return (reading_order(kernel) < (1 if kind == "B" else 0)).float()


@pixelcnn_mask.mistake(
    "Your mask has further dimensions. The docstring asks for (kernel, kernel); it broadcasts over "
    "channels by itself."
)
def shape_of_a_weight(kernel, kind):
    return autoregressive.pixelcnn_mask(kernel, kind)[None, None]
