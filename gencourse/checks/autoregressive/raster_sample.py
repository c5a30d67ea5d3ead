"""Exercise on drawing an image pixel by pixel."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.autoregressive import pixels
from gencourse.runtime import seeded


def raster_sample_reference(model, u):
    """x_d = 1 if u_d < σ(model(x)_d), pixel by pixel in raster order: u, x (n, 1, H, W).

    u lies in [0, 1), x is 0 or 1, and what is not drawn yet is 0.
    """
    x = torch.zeros_like(u)
    for i in range(u.shape[2]):
        for j in range(u.shape[3]):
            x[:, :, i, j] = (u[:, :, i, j] < model(x)[:, :, i, j].sigmoid()).float()
    return x


@exercise(
    reference=raster_sample_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "How many times must the model be asked, if each pixel depends on all the pixels before "
        "it?",
        "Raster order is reading order. Which of the two loops is the outer one?",
        "A uniform number lies below p with which probability? And what does the model return: p, "
        "or something before it?",
    ),
    on_success=(
        "The model was right about every pixel because it saw the ones that were really drawn. The "
        "price is one pass per pixel."
    ),
)
def raster_sample(answer, seed):
    def uniform(n, H, W):
        return torch.rand(n, 1, H, W, generator=seeded(seed + 50))

    said = "2 images of 3 × 5 from a model that wants each pixel to be 1 minus the one before"
    yield said, answer.run(pixels.from_alternating, uniform(2, 3, 5))
    said = "an image of 4 × 3 from the same model"
    yield said, answer.run(pixels.from_alternating, uniform(1, 4, 3))
    u, none, biases = uniform(6, 3, 4), torch.zeros(12, 12), draw(seed + 1, 12)
    free = 2 * draw(seed, 12, 12)
    said = "6 images of 3 × 4 from a model whose pixels are independent"
    yield said, answer.run(pixels.from_linear, u, none, torch.linspace(-2, 2, 12))
    said = "6 images of 3 × 4 from a model with random weights for all pixels before"
    yield said, answer.run(pixels.from_linear, u, free.tril(-1), biases)
    said = "6 images from a model that looks at all pixels, where those to come should be 0"
    yield said, answer.run(pixels.from_linear, u, free, biases)
    wide, more = 2 * draw(seed + 2, 20, 20), draw(seed + 3, 20)
    said = "an image of 10 × 2 from a model with random weights for all pixels before"
    yield said, answer.run(pixels.from_linear, uniform(1, 10, 2), wide.tril(-1), more)
    yield "whether images hold floating numbers", answer.run(pixels.kinds, u[:2])
    said = "4 images of 3 × 4 from a convolution that sees all neighbours"
    yield said, answer.run(pixels.from_layer, u[:4], draw(seed + 4, 1, 1, 3, 3), 0.5)
    said = "whether the answer repeats with the same numbers u"
    yield said, answer.run(pixels.repeats, u[:2], free, biases)
    half = torch.tensor([0.5, 0.25, 0.75] * 4).view(1, 1, 3, 4)
    said = "an image where p is ½ everywhere and some numbers u are exactly ½, which is not below"
    yield said, answer.run(pixels.from_linear, half, none, torch.zeros(12))
    sure = torch.tensor([-torch.inf, 0.0, -1.0] * 4)
    said = "an image where all u are 0, and p is 0 at every third pixel"
    yield said, answer.run(pixels.from_linear, 0 * half, none, sure)
    said = "an image of unlikely pixels: logits up to ±13, with u about as far from 0 or 1 as p is"
    far = torch.linspace(-13, 13, 12)
    yield said, answer.run(pixels.from_linear, near_the_ends(far), none, far)
    for H, W in ((1, 70), (70, 1)):
        said = f"an image of {H} × {W} from the model that wants pixels to alternate"
        yield said, answer.run(pixels.from_alternating, uniform(1, H, W))
    for H, W in ((1, 5), (5, 1), (1, 1)):
        said = f"3 images of {H} × {W} from a model that looks at all pixels"
        model = free[: H * W, : H * W], biases[: H * W]
        yield said, answer.run(pixels.from_linear, uniform(3, H, W), *model)


@raster_sample.alternative
def on_a_flat_image(model, u):
    n, _, H, W = u.shape
    x = torch.zeros(n, H * W)
    for d in range(H * W):
        p = 1 / (1 + (-model(x.view(n, 1, H, W)).reshape(n, -1)[:, d]).exp())
        x[:, d] = torch.where(u.flatten(1)[:, d] < p, 1.0, 0.0)
    return x.reshape(n, 1, H, W)


@raster_sample.alternative
def image_by_image(model, u):
    images = []
    for own in u:
        x = torch.zeros_like(own)
        for i in range(own.shape[1]):
            for j in range(own.shape[2]):
                x[0, i, j] = float(own[0, i, j] < torch.sigmoid(model(x[None])[0, 0, i, j]))
        images.append(x)
    return torch.stack(images)


def near_the_ends(logits):
    """Numbers u half or twice as far from 0 or 1 as the probabilities are, by turns, 3 × 4."""
    tails = (-logits.abs().double()).exp() * torch.tensor([0.5, 2.0]).repeat(6)
    return torch.where(logits < 0, tails, 1 - tails).float().view(1, 1, 3, 4)


def painted(
    model,
    u,
    place=lambda i, j: (i, j),
    columns_first=False,
    start=None,
    chance=torch.sigmoid,
    drawn=lambda u, p: u < p,
):
    """The reference with knobs for what learners get wrong."""
    H, W = u.shape[2:]
    x = torch.zeros_like(u) if start is None else start(u)
    order = (
        [(i, j) for j in range(W) for i in range(H)]
        if columns_first
        else [(i, j) for i in range(H) for j in range(W)]
    )
    for i, j in order:
        a, b = place(i, j)
        x[:, :, i, j] = drawn(u[:, :, i, j], chance(model(x)[:, :, a, b])).float()
    return x


@raster_sample.mistake(
    "Each pixel was drawn as if those before it were 0. When does the model see what you drew, and "
    "is it written where the model looks?"
)
def all_at_once(model, u):
    return (u < model(torch.zeros_like(u)).sigmoid()).float()


@raster_sample.mistake(
    "Your image is filled column by column. The model was made for reading order: which loop is "
    "the outer one?"
)
def column_by_column(model, u):
    return painted(model, u, columns_first=True)


@raster_sample.mistake(
    "One pass per row: pixels of a row do not see their left neighbours. How many passes are "
    "needed?"
)
def row_by_row(model, u):
    x = torch.zeros_like(u)
    for i in range(u.shape[2]):
        x[:, :, i] = (u[:, :, i] < model(x)[:, :, i].sigmoid()).float()
    return x


@raster_sample.mistake("You draw 1 where u lies *above* p: each pixel has the probability 1 − p.")
def above_p(model, u):
    return painted(model, u, drawn=lambda u, p: u >= p)


@raster_sample.mistake(
    "Right but at the border: where u equals p you draw 1. If p is 0 and u is 0, what should the "
    "pixel be?"
)
def not_above_p(model, u):
    return painted(model, u, drawn=lambda u, p: u <= p)


@raster_sample.mistake(
    "u is compared with the logit itself. Which function makes a probability of it?"
)
def logit_for_probability(model, u):
    return painted(model, u, chance=lambda logit: logit)


@raster_sample.mistake(
    "You take the likelier value every time, so u has no say: all images are the same one. A "
    "sample is not a mode."
)
def likelier_value(model, u):
    return painted(model, u, drawn=lambda u, p: p > 0.5)


@raster_sample.mistake(
    "Your pixels are probabilities. They should be 0 or 1, and the model sees nothing else in "
    "training."
)
def probabilities_written(model, u):
    return painted(model, u, drawn=lambda u, p: p)


@raster_sample.mistake(
    "You draw numbers of your own. The same u should give the same image: what is u for?"
)
def own_random_numbers(model, u):
    return painted(model, u, drawn=lambda u, p: torch.rand(u.shape) < p)


@raster_sample.mistake(
    "Your image starts as u itself: the model takes numbers that nobody drew for pixels. What "
    "should stand there until then?"
)
def starts_with_u(model, u):
    return painted(model, u, start=torch.clone)


@raster_sample.mistake(
    "The images are right, but those that the model sees are float64. Its layers have weights in "
    "float32 and refuse to compute with both. Which type has u?"
)
def image_in_float64(model, u):
    return painted(model, u, start=lambda u: torch.zeros(u.shape, dtype=torch.float64))


@raster_sample.mistake(
    "The pixels to come are one half while you draw. For a model that looks that far, which value "
    "does the text promise?"
)
def starts_grey(model, u):
    return painted(model, u, start=lambda u: torch.full_like(u, 0.5))


@raster_sample.mistake(
    "The pixels to come are -1 while you draw. Which value does the text promise?"
)
def starts_at_minus_one(model, u):
    return painted(model, u, start=lambda u: -torch.ones_like(u))


@raster_sample.mistake(
    "The pixels to come are 1 while you draw. Which value does the text promise?"
)
def starts_white(model, u):
    return painted(model, u, start=torch.ones_like)


@raster_sample.mistake(
    "The logit of pixel (i, j) already stands at (i, j): you read it from the pixel before."
)
def logit_of_the_pixel_before(model, u):
    W = u.shape[3]
    return painted(model, u, place=lambda i, j: divmod(max(0, i * W + j - 1), W))


@raster_sample.mistake(
    "All your images use the first image's logits. The model gives each of the n its own."
)
def logits_of_the_first_image(model, u):
    x = torch.zeros_like(u)
    for i in range(u.shape[2]):
        for j in range(u.shape[3]):
            x[:, :, i, j] = (u[:, :, i, j] < model(x)[:1, :, i, j].sigmoid()).float()
    return x


@raster_sample.mistake("All your images use the first image's numbers u, so they are all the same.")
def numbers_of_the_first_image(model, u):
    return raster_sample_reference(model, u[:1].expand_as(u).clone())


@raster_sample.mistake(
    "At every step you draw the whole image anew. A causal model forgives that; but pixels to come "
    "should be 0 until it is their turn."
)
def everything_redrawn(model, u):
    x = torch.zeros_like(u)
    for _ in range(u.shape[2] * u.shape[3]):
        x = (u < model(x).sigmoid()).float()
    return x


@raster_sample.mistake(
    "The image is right, but u is not what it was: you draw into your caller's numbers."
)
def drawn_into_u(model, u):
    x = torch.zeros_like(u)
    for i in range(u.shape[2]):
        for j in range(u.shape[3]):
            x[:, :, i, j] = u[:, :, i, j] = (u[:, :, i, j] < model(x)[:, :, i, j].sigmoid()).float()
    return x
