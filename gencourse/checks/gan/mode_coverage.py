"""Exercise on counting the modes that samples reach."""

import math

import torch

from gencourse.checks import exercise
from gencourse.probes.gan.samples import asked_twice
from gencourse.runtime import seeded


def counted(x, centres, limit, least=0.2, distance=None, total=None):
    """Modes with enough samples within `limit`, with knobs for what goes wrong."""
    near = (torch.cdist(x, centres) if distance is None else distance) <= limit
    return int((near.sum(0) >= least * (total or len(x)) / len(centres)).sum())


def mode_coverage_reference(x, centres, std, k):
    """Centres with at least a fifth of their fair share N/K of the samples within k · std."""
    return counted(x, centres, k * std)


def ring(K, radius):
    angle = torch.arange(K) * (2 * math.pi / K)
    return radius * torch.stack([angle.cos(), angle.sin()], 1)


def cloud(seed, centres, distances, counts):
    """Samples in random order: so many on a circle of that radius around each centre."""
    counts, generator = torch.tensor(counts), seeded(seed)
    angle = 2 * math.pi * torch.rand(int(counts.sum()), generator=generator)
    off = torch.stack([angle.cos(), angle.sin()], 1)
    distance = torch.as_tensor(distances).expand(len(counts)).repeat_interleave(counts)
    x = centres[: len(counts)].repeat_interleave(counts, 0) + distance[:, None] * off
    return x[torch.randperm(len(x), generator=generator)]


@exercise(
    reference=mode_coverage_reference,
    difficulty=2,
    minutes=12,
    points=3,
    exempt=dict.fromkeys(("one column", "more columns"), "samples and centres lie in the plane"),
    hints=(
        "First ask for every sample and every centre: is it near? That is an (N, K) table of "
        "distances.",
        "Then count the near samples of each centre, and compare each count with a fifth of N/K.",
        "A sample that is near to nothing is counted nowhere, but it is one of the N.",
    ),
    on_success=(
        "A generator that paints one mode, or fog between all of them, is found out: every "
        "covered mode has samples of its own nearby."
    ),
)
def mode_coverage(answer, seed):
    c, near, squares = ring(8, 2.0), 0.08, 32 * torch.tensor([[1.0, 0], [0, 1], [2, 1]])
    fog, mid = torch.cat([c[:4], 1.6 * c]), torch.cat([c[:3], 0 * c[:1]])
    mixed, some = [0.15] * 4 + [0.6] * 8, [100, 100, 76, 11] + [20] * 8
    for said, centres, distance, counts in (
        ("50 samples near each of eight centres", c, near, [50] * 8),
        ("100, 100, 76 and 11 samples near centres, 160 far away", fog, mixed, some),
        ("200, 193, 1, 2, 1 and 2 samples near centres", c, near, [200, 193, 1, 2, 1, 2]),
        ("343, 10, 10, 9, 9, 10 and 9 of 400", c, near, [343, 10, 10, 9, 9, 10, 9]),
        ("60, 8 and 17 of 400, others in the middle", mid, [near] * 3 + [0.3], [60, 8, 17, 315]),
        ("2, 1 and 1 of four samples", c, near, [2, 0, 1, 0, 0, 1]),
    ):
        yield said, answer(cloud(seed, centres, distance, counts), c, 0.1, 3.0)
    few = (c[:6] + 0.05).repeat_interleave(torch.tensor([1200, 600, 300, 200, 70, 30]), 0)
    yield "1200, 600, 300, 200, 70 and 30 copies of one sample each", answer(few, c, 0.1, 3.0)
    off = torch.tensor([[0.25, 0.25], [-0.25, 0.25], [0.25, -0.25], [-0.25, -0.25]])
    corners = (c[:4, None] + off).flatten(0, 1).repeat(25, 1)
    yield "samples 2.5 deviations off in both coordinates, k = 3", answer(corners, c, 0.1, 3.0)
    halo = cloud(seed, c, [0.08, 0.25, 0.5, 0.33], [100] * 4)
    for k in (3.0, 3.4, 2.4, 0.7):
        yield f"samples at 0.8, 2.5, 5 and 3.3 deviations, k = {k:g}", answer(halo, c, 0.1, k)
    wide = 10 * ring(5, 2.0) + torch.tensor([7.0, -3.0])
    large = cloud(seed, wide, [3.0, 4.0, 3.5, 5.0, 6.0], [249, 15, 21, 100, 115])
    yield "249, 15, 21, 100 and 115 samples, std = 2.2, k = 2", answer(large, wide, 2.2, 2.0)
    narrow = cloud(seed, c, [0.0295, 0.0305, 0.0298, 0.0302], [100] * 4)
    yield "samples at 2.95, 3.05, 2.98 and 3.02 deviations of 0.01", answer(narrow, c, 0.01, 3.0)
    alone = torch.cat([cloud(seed, c[:1], [near], [15]), c[1:].repeat(17, 1)[:85]])
    yield "15 of 100 samples near the only centre, K = 1", answer(alone, c[:1], 0.1, 3.0)
    off = wide + 90
    yield "40 samples right at each centre", answer(off.repeat_interleave(40, 0), off, 2.2, 2.0)
    at = (squares + torch.tensor([3.0, 4.0])).repeat(20, 1)  # exact, in any way of computing
    yield "60 samples at a distance of exactly k · std = 5", answer(at, squares, 2.5, 2.0)
    yield "the same question asked twice", answer.run(asked_twice, halo, c, 0.1, 2.6)


@mode_coverage.alternative
def centre_by_centre(x, centres, std, k):
    near = [sum(math.dist(a, c) <= k * std for a in x.tolist()) for c in centres.tolist()]
    return sum(5 * count * len(centres) >= len(x) for count in near)


@mode_coverage.alternative
def nearest_within_the_radius(x, centres, std, k):
    distance, nearest = ((x[:, None] - centres[None]) ** 2).sum(-1).min(1)
    counts = nearest[distance <= (k * std) ** 2].bincount(minlength=len(centres))
    return (counts >= 0.2 * len(x) / len(centres)).sum()


@mode_coverage.mistake(
    "Every sample counts for its nearest centre, however far away it is: fog covers everything. "
    "When is a sample near enough to count?"
)
def nearest_without_limit(x, centres, std, k):
    counts = torch.cdist(x, centres).argmin(1).bincount(minlength=len(centres))
    return int((counts >= 0.2 * len(x) / len(centres)).sum())


@mode_coverage.mistake(
    "The squared distance is compared with k · std. Which of the two is in the wrong units?"
)
def squared_distance(x, centres, std, k):
    return counted(x, centres, k * std, distance=torch.cdist(x, centres).square())


@mode_coverage.mistake("k is a number of standard deviations. What is the radius, if std is 0.1?")
def radius_without_std(x, centres, std, k):
    return counted(x, centres, k)


@mode_coverage.mistake("Your radius is one standard deviation, whatever k is. What is k for?")
def radius_without_k(x, centres, std, k):
    return counted(x, centres, std)


@mode_coverage.mistake(
    "A single sample near a centre is enough for you. How many make up a fifth of the fair share?"
)
def any_single_sample(x, centres, std, k):
    return int((torch.cdist(x, centres) <= k * std).any(0).sum())


@mode_coverage.mistake(
    "This is how many samples lie near a centre. How many centres have enough of them?"
)
def samples_counted(x, centres, std, k):
    return int((torch.cdist(x, centres) <= k * std).any(1).sum())


@mode_coverage.mistake(
    "You ask too much of a mode: by chance good ones often hold less. Which part of the fair share"
    " is enough, and what is N?"
)
def whole_fair_share(x, centres, std, k):
    return counted(x, centres, k * std, least=1.0)


@mode_coverage.mistake(
    "A fifth of all samples is asked of every mode. Eight modes cannot have that each: what is a "
    "fair share?"
)
def fifth_of_all_samples(x, centres, std, k):
    return counted(x, centres, k * std, least=0.2 * len(centres))


@mode_coverage.mistake(
    "Your fair share counts the samples near a centre alone. Of which N do fog and strays remain a"
    " part?"
)
def share_of_the_near_ones(x, centres, std, k):
    near = int((torch.cdist(x, centres) <= k * std).any(1).sum())
    return counted(x, centres, k * std, total=near)


@mode_coverage.mistake(
    "Exactly a fifth of the fair share is too little for you. What does `at least` say? If you "
    "wrote >=, is the share rounded on the way: which of the two could stay a whole number?"
)
def more_than_a_fifth(x, centres, std, k):
    near = torch.cdist(x, centres) <= k * std
    return int((near.sum(0) > 0.2 * len(x) / len(centres)).sum())


@mode_coverage.mistake(
    "A mode with 11 of 447 samples is covered for you. What is a fifth of 447/8? Is something "
    "rounded on the way, or typed in?"
)
def fair_share_rounded(x, centres, std, k):
    near = torch.cdist(x, centres) <= k * std
    return int((near.sum(0) >= int(0.2 * len(x) / len(centres))).sum())


@mode_coverage.mistake(
    "Right once. Asked again with the same tensors you give another answer. What has become of the"
    " caller's x and centres?"
)
def inputs_changed_in_place(x, centres, std, k):
    x /= std
    centres /= std
    return counted(x, centres, k)


@mode_coverage.mistake(
    "Right for eight modes and 400 samples, not for five and 500. Is a number typed in that should"
    " be computed?"
)
def eight_modes_typed_in(x, centres, std, k):
    return counted(x, centres, k * std, least=0.2 * len(centres) / 8)


@mode_coverage.mistake("Right while k is 3. What is the radius for another k?")
def three_typed_in(x, centres, std, k):
    return counted(x, centres, 3 * std)


@mode_coverage.mistake(
    "Each coordinate is compared by itself: your neighbourhood is a square. What is the distance "
    "of a point in a corner?"
)
def coordinate_by_coordinate(x, centres, std, k):
    return counted(x, centres, k * std, distance=(x[:, None] - centres).abs().amax(-1))


@mode_coverage.mistake(
    "A share between 0 and 1 is a fine number to report. How many modes is asked for here."
)
def share_of_modes(x, centres, std, k):
    return mode_coverage_reference(x, centres, std, k) / len(centres)


@mode_coverage.mistake(
    "A sample at a distance of exactly k · std does not count for you. What does the text say: "
    "less than, or at most?"
)
def border_left_out(x, centres, std, k):
    near = torch.cdist(x, centres) < k * std
    return int((near.sum(0) >= 0.2 * len(x) / len(centres)).sum())
