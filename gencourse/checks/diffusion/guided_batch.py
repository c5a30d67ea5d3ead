"""Exercise on guidance with a network."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.sampling import asked_once, slope_of_guided
from gencourse.runtime import seeded


def guided_batch_reference(network, x_t, t, y, w, num_classes):
    """uncond + w (cond - uncond), of one call of the network with 2B rows: (B, ...)."""
    labels = torch.cat([y, torch.full_like(y, num_classes)])
    cond, uncond = network(torch.cat([x_t, x_t]), torch.cat([t, t]), labels).chunk(2)
    return uncond + w * (cond - uncond)


@exercise(
    reference=guided_batch_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Everything twice, one after the other: x_t, t, and the labels. What are they in the "
        "second half?",
        "The result has 2B rows. Which half is which?",
        "Then the two as in `guided`: at w = 1 the conditional one.",
    ),
    on_success="A GPU that two small calls would leave half idle does them as one.",
)
def guided_batch(answer, seed):
    x_t, t = draw(seed, 4, 3), draw(seed + 1, 4).sigmoid()
    y = torch.tensor([0, 2, 1, 4])[torch.randperm(4, generator=seeded(seed))]
    yield "four points, w = 3", answer.run(asked_once, x_t, t, y, 3.0, 5)
    yield "four points, w = 1", answer.run(asked_once, x_t, t, y, 1.0, 5)
    yield "four points, w = 0", answer.run(asked_once, x_t, t, y, 0.0, 5)
    yield "a single point of the first class", answer.run(asked_once, x_t[:1], t[:1], y[:1], 2.0, 7)
    images = draw(seed + 2, 3, 4, 3, 5)
    yield "three images of four channels", answer.run(asked_once, images, t[:3], y[:3], 7.5, 6)
    yield "the gradients for x_t", answer.run(slope_of_guided, x_t, t, y, 3.0, 5)


@guided_batch.alternative
def without_label_first(network, x_t, t, y, w, num_classes):
    none = torch.full(y.shape, num_classes)
    copies = [2] + [1] * (x_t.ndim - 1)
    out = network(x_t.repeat(*copies), t.repeat(2), torch.hstack([none, y]))
    B = len(y)
    return (1 - w) * out[:B] + w * out[B:]


@guided_batch.alternative
def row_beside_row(network, x_t, t, y, w, num_classes):
    labels = torch.stack([y, torch.full_like(y, num_classes)], 1).flatten()
    out = network(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), labels)
    return torch.lerp(out[1::2], out[::2], w)


def twice(network, x_t, t, first, second):
    """What the network says for the first labels, and for the second ones, in one call."""
    return network(torch.cat([x_t, x_t]), torch.cat([t, t]), torch.cat([first, second])).chunk(2)


def both(network, x_t, t, y, none):
    """What the network says with labels, and with `none` for every label."""
    return twice(network, x_t, t, y, torch.full_like(y, none))


@guided_batch.mistake(
    "w changes nothing: this is the conditional prediction. What is the second half of the rows "
    "told in place of a label?"
)
def label_for_both(network, x_t, t, y, w, num_classes):
    cond, uncond = twice(network, x_t, t, y, y)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    'Label 0 stands for "no label" in yours. It is a class here: which number is free?'
)
def class_zero_for_none(network, x_t, t, y, w, num_classes):
    cond, uncond = both(network, x_t, t, y, 0)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    'The last class stands for "no label" in yours. Classes count from 0: which number is free?'
)
def last_class_for_none(network, x_t, t, y, w, num_classes):
    cond, uncond = both(network, x_t, t, y, num_classes - 1)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "The prediction is right, but the network was called twice. How does it see 2B rows at once?"
)
def two_calls(network, x_t, t, y, w, num_classes):
    cond = network(x_t, t, y)
    uncond = network(x_t, t, torch.full_like(y, num_classes))
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "w = 0 gives the conditional one, w = 1 the other: the halves came in the order in which you "
    "put them in, which was another one."
)
def halves_exchanged(network, x_t, t, y, w, num_classes):
    uncond, cond = both(network, x_t, t, y, num_classes)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "The rows went in side by side, each twice, and came out cut in the middle. Which rows belong "
    "together?"
)
def interleaved_and_halved(network, x_t, t, y, w, num_classes):
    labels = torch.stack([y, torch.full_like(y, num_classes)], 1).flatten()
    out = network(x_t.repeat_interleave(2, 0), t.repeat_interleave(2), labels)
    cond, uncond = out.chunk(2)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "Each x_t stands beside itself, but labels and times one after the other: the rows no longer "
    "belong together. Does your way to double them fit all three?"
)
def rows_beside_and_labels_behind(network, x_t, t, y, w, num_classes):
    labels = torch.cat([y, torch.full_like(y, num_classes)])
    cond, uncond = network(x_t.repeat_interleave(2, 0), torch.cat([t, t]), labels).chunk(2)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "This is the form with 1 + w, in which w = 0 is the conditional one. Here w = 1 is."
)
def one_plus_w(network, x_t, t, y, w, num_classes):
    cond, uncond = both(network, x_t, t, y, num_classes)
    return (1 + w) * cond - w * uncond


@guided_batch.mistake(
    "The result was cut along the second axis. Along which were the two batches joined?"
)
def cut_along_the_wrong_axis(network, x_t, t, y, w, num_classes):
    halves = torch.cat(both(network, x_t, t, y, num_classes))
    cond = halves[:, : halves.shape[1] // 2]
    uncond = halves[:, halves.shape[1] // 2 :][:, : cond.shape[1]]
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "Points are right. Of four channels three are guided, as in some published programs. How many "
    "belong to the picture here?"
)
def three_channels(network, x_t, t, y, w, num_classes):
    cond, uncond = both(network, x_t, t, y, num_classes)
    result = uncond + w * (cond - uncond)
    return torch.cat([result[:, :3], cond[:, 3:]], 1)


@guided_batch.mistake("There are 2B rows. Which of them does a sampler go on with?")
def both_halves(network, x_t, t, y, w, num_classes):
    cond, uncond = both(network, x_t, t, y, num_classes)
    result = uncond + w * (cond - uncond)
    return torch.cat([result, result])


@guided_batch.mistake(
    "Without a label your network also sees no x_t. What is to be left out: the question, or the "
    "picture too?"
)
def without_picture(network, x_t, t, y, w, num_classes):
    labels = torch.cat([y, torch.full_like(y, num_classes)])
    halves = torch.cat([x_t, torch.zeros_like(x_t)])
    cond, uncond = network(halves, torch.cat([t, t]), labels).chunk(2)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "Without a label your network is asked at time 0. Which time has this x_t, whoever looks at it?"
)
def without_time(network, x_t, t, y, w, num_classes):
    labels = torch.cat([y, torch.full_like(y, num_classes)])
    times = torch.cat([t, torch.zeros_like(t)])
    cond, uncond = network(torch.cat([x_t, x_t]), times, labels).chunk(2)
    return uncond + w * (cond - uncond)


@guided_batch.mistake(
    "w went into the network: the labels were mixed, and it was asked once with what came out. "
    "What is to be mixed is what it says."
)
def labels_mixed(network, x_t, t, y, w, num_classes):
    mixed = (num_classes + w * (y - num_classes)).round().long().clamp(0, num_classes)
    return network(x_t, t, mixed)


@guided_batch.mistake("This is the step from one to the other. From where is it taken?")
def step_alone(network, x_t, t, y, w, num_classes):
    cond, uncond = both(network, x_t, t, y, num_classes)
    return w * (cond - uncond)
