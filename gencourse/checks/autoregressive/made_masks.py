"""Exercise on MADE: which connections of an MLP are kept, so that it never looks ahead."""

import itertools

import torch

from gencourse.checks import exercise
from gencourse.probes.autoregressive.masks import all_tensors, seen_through
from gencourse.runtime import seeded


def made_masks_reference(D, degrees):
    """Masks (units out, units in) of all layers: degrees is a list of tensors (H,), one a layer."""
    inputs = torch.arange(1, D + 1)
    sizes = [inputs, *degrees]
    masks = [(b[:, None] >= a[None, :]).float() for a, b in itertools.pairwise(sizes)]
    return [*masks, (inputs[:, None] > sizes[-1][None, :]).float()]


@exercise(
    reference=made_masks_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        "A unit with the number m may depend on the pixels 1 to m. Of which units in the layer "
        "below may it know?",
        "One sign is different at the output. What would output 3 know with the same sign?",
        "Rows of a mask are the units above, columns those below: a[None, :] against b[:, None].",
    ),
    on_success=(
        "≥ everywhere and > once, at the output. That one strict sign is the whole causality."
    ),
)
def made_masks(answer, seed):
    def numbers(i, H, D):
        return torch.randint(1, D, (H,), generator=seeded(10 * seed + i))

    fixed = [torch.tensor([1, 2, 2, 4, 3])]
    yield "the masks for 5 pixels and the units 1, 2, 2, 4, 3", answer(5, fixed)
    two = [torch.tensor([3, 1, 2, 4, 4, 1]), torch.tensor([2, 4, 1, 3])]
    yield "the masks for 5 pixels and two hidden layers", answer(5, two)
    alike = [torch.tensor([2, 4, 1, 3]), torch.tensor([4, 1, 3, 3])]
    yield "the masks for 5 pixels and two hidden layers of one size", answer(5, alike)
    yield "whether all masks are tensors", answer.run(all_tensors, 5, alike)
    drawn = [numbers(i, H, 7) for i, H in enumerate((6, 9, 4))]
    yield "the masks for 7 pixels and three hidden layers", answer(7, drawn)
    yield "the masks for 2 pixels and one unit", answer(2, [torch.tensor([1])])
    yield "the masks without hidden layer", answer(4, [])
    yield "which pixels each output sees in the end", answer.run(seen_through, 7, drawn)


@made_masks.alternative
def by_loops(D, degrees):
    layers = [list(range(1, D + 1)), *(m.tolist() for m in degrees)]
    masks = []
    for below, above in itertools.pairwise(layers):
        masks.append(torch.tensor([[float(b >= a) for a in below] for b in above]))
    return [*masks, torch.tensor([[float(d > a) for a in layers[-1]] for d in layers[0]])]


@made_masks.alternative
def counted_from_zero(D, degrees):
    pixels, masks = torch.arange(D), []
    below = pixels
    for m in degrees:
        masks.append(torch.le(below.unsqueeze(0), m.unsqueeze(1) - 1))
        below = m - 1
    return (*masks, torch.lt(below.unsqueeze(0), pixels.unsqueeze(1)))


def with_knobs(D, degrees, hidden=torch.ge, last=torch.gt, start=1):
    """Masks with knobs: the comparisons, and the number of the first pixel."""
    inputs = torch.arange(start, D + start)
    sizes = [inputs, *degrees]
    made = [hidden(b[:, None], a[None]).float() for a, b in itertools.pairwise(sizes)]
    return [*made, last(inputs[:, None], sizes[-1][None]).float()]


@made_masks.mistake(
    "At the output you compare with ≥, as in the other layers. May output d see a unit that has "
    "seen pixel d?"
)
def not_strict_at_the_output(D, degrees):
    return with_knobs(D, degrees, last=torch.ge)


@made_masks.mistake(
    "Strict everywhere: a unit does not even see what units of its own number have seen. Where is "
    "it needed?"
)
def strict_everywhere(D, degrees):
    return with_knobs(D, degrees, hidden=torch.gt)


@made_masks.mistake(
    "The two comparisons are exchanged. In which layer would a pixel see itself, and in which may "
    "it not?"
)
def signs_exchanged(D, degrees):
    return with_knobs(D, degrees, hidden=torch.gt, last=torch.ge)


@made_masks.mistake(
    "Your network looks back in time instead of forward: each output sees the pixels after it. "
    "Which way does ≥ point?"
)
def reversed_order(D, degrees):
    return with_knobs(D, degrees, hidden=torch.le, last=torch.lt)


@made_masks.mistake(
    "The masks are transposed. Which shape has the weight of nn.Linear: units out first, or in?"
)
def transposed(D, degrees):
    return [mask.T for mask in with_knobs(D, degrees)]


@made_masks.mistake(
    "You number the pixels from 0, and the units' numbers are meant for pixels from 1: unit m sees "
    "one pixel more than it should."
)
def pixels_from_zero(D, degrees):
    return with_knobs(D, degrees, start=0)


@made_masks.mistake("The mask of the output is missing. How many layers has the network?")
def no_mask_at_the_output(D, degrees):
    return with_knobs(D, degrees)[:-1]


@made_masks.mistake(
    "The units are sorted by their numbers first. Does unit k still have the number that was given?"
)
def sorted_units(D, degrees):
    return with_knobs(D, [m.sort().values for m in degrees])


@made_masks.mistake(
    "The first mask is not masked at all: hidden units see every pixel. Which may unit m see?"
)
def first_layer_open(D, degrees):
    made = with_knobs(D, degrees)
    return [torch.ones_like(made[0]), *made[1:]]


@made_masks.mistake(
    "Units are connected where their numbers are equal, so much is cut that may stay. Is a unit "
    "with a smaller number a danger?"
)
def equal_numbers_alone(D, degrees):
    return with_knobs(D, degrees, hidden=torch.eq)


@made_masks.mistake(
    "What is kept is 0 and what is cut is 1. The weights are multiplied by the mask: what is left?"
)
def inverted(D, degrees):
    return [1 - mask for mask in with_knobs(D, degrees)]
