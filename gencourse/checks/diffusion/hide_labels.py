"""Exercise on the labels that a network is not told."""

import torch

from gencourse.checks import exercise
from gencourse.probes.diffusion.training import labels
from gencourse.runtime import seeded


def hide_labels_reference(y, u, p, num_classes):
    """num_classes, which stands for "no label", where u < p, and y elsewhere: (B,)."""
    return torch.where(u < p, num_classes, y)


@exercise(
    reference=hide_labels_reference,
    difficulty=1,
    minutes=4,
    points=2,
    hints=(
        "Every example has a number u of its own, uniform in [0, 1). How often is it below p?",
        "The classes are 0 to num_classes - 1. The next number is free.",
        "torch.where takes a condition, and what to take where it holds and where not.",
    ),
    on_success=(
        "One network has learned two things after this: p(x given y), and with the last label p(x)."
    ),
)
def hide_labels(answer, seed):
    order = torch.randperm(8, generator=seeded(seed))
    y, u = torch.tensor([0, 3, 1, 2, 4, 0, 2, 3])[order], torch.linspace(0.06, 0.94, 8)
    u = u[torch.randperm(8, generator=seeded(seed + 1))]
    yield "eight labels of five classes, p = 0.3", answer.run(labels, y, u, 0.3, 5)
    yield "the same, p = 0.75", answer.run(labels, y, u, 0.75, 5)
    yield "the same of ten classes, p = 0.5", answer.run(labels, y, u, 0.5, 10)
    u[3] = 0.25
    yield "where one u is equal to p", answer.run(labels, y, u, 0.25, 5)
    u[5] = 0.0
    yield "p = 0, where one u is 0", answer.run(labels, y, u, 0.0, 5)
    yield "p = 1", answer.run(labels, y, u, 1.0, 5)


@hide_labels.alternative
def masked_filled(y, u, p, num_classes):
    return y.masked_fill(u < p, num_classes)


@hide_labels.alternative
def by_a_copy(y, u, p, num_classes):
    shown = y.clone()
    shown[u < p] = num_classes
    return shown


@hide_labels.alternative
def by_arithmetic(y, u, p, num_classes):
    hidden = (u < p).to(y.dtype)
    return y * (1 - hidden) + num_classes * hidden


@hide_labels.mistake(
    "You keep the share p and hide the rest. Which of the two is p the probability of?"
)
def kept_for_hidden(y, u, p, num_classes):
    return torch.where(u < p, y, num_classes)


@hide_labels.mistake(
    "About as many are hidden, but those with the largest u. The text says for which u a label is "
    "hidden."
)
def at_the_upper_end(y, u, p, num_classes):
    return torch.where(u > 1 - p, num_classes, y)


@hide_labels.mistake(
    "A single draw decides for the whole batch: all its labels, or none. Whose number is u[i]?"
)
def one_draw_for_all(y, u, p, num_classes):
    return torch.where(u[0] < p, torch.full_like(y, num_classes), y)


@hide_labels.mistake(
    "Hidden labels are 0. But 0 is a class, and its pictures are now drawn where none is asked for."
)
def class_zero_for_none(y, u, p, num_classes):
    return torch.where(u < p, 0, y)


@hide_labels.mistake(
    "Hidden labels are -1. They are looked up in a table of num_classes + 1 rows: is there one?"
)
def minus_one_for_none(y, u, p, num_classes):
    return torch.where(u < p, -1, y)


@hide_labels.mistake(
    "Hidden labels are num_classes - 1. Counted from 0, that is the last real class."
)
def last_class_for_none(y, u, p, num_classes):
    return torch.where(u < p, num_classes - 1, y)


@hide_labels.mistake(
    "Where u is equal to p you hide. At p = 0 no label at all should be hidden, and u may be 0."
)
def equal_is_below(y, u, p, num_classes):
    return torch.where(u <= p, num_classes, y)


@hide_labels.mistake(
    "The labels are numbers with a fraction now. What is looked up in a table has to be whole."
)
def fractions(y, u, p, num_classes):
    return torch.where(u < p, float(num_classes), y.float())


@hide_labels.mistake(
    "The right labels, but y itself was changed: the next time the example comes its label is "
    "gone, and after some rounds all are."
)
def labels_lost_for_good(y, u, p, num_classes):
    y[u < p] = num_classes
    return y


@hide_labels.mistake(
    "Examples whose label is hidden were left out. They are what the network learns p(x) from."
)
def left_out(y, u, p, num_classes):
    return y[u >= p]


@hide_labels.mistake(
    "The number for no label was added to the hidden ones. Which label does the network look up?"
)
def added(y, u, p, num_classes):
    return y + num_classes * (u < p)


@hide_labels.mistake(
    "These say which labels are hidden. Asked for are the labels that the network is told."
)
def the_mask_alone(y, u, p, num_classes):
    return u < p


@hide_labels.mistake(
    "You drew numbers of your own. u is given: with it anybody can repeat what was hidden."
)
def own_numbers(y, u, p, num_classes):
    return torch.where(torch.rand(len(y)) < p, num_classes, y)


@hide_labels.mistake(
    "A hidden label was replaced by a class drawn at random. What can the network learn from a "
    "wrong label?"
)
def another_class(y, u, p, num_classes):
    return torch.where(u < p, (y + 1) % num_classes, y)
