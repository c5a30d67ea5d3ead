"""Exercise on counting the modes that samples reach."""

import math

import torch

from gencourse import evaluation
from gencourse.checks._legacy import exercise
from gencourse.runtime import seeded


def mode_coverage_reference(x, centres, std, k):
    """Centres with at least a fifth of their fair share N/K of the samples within k · std: x (N, 2), centres (K, 2) -> int."""
    return evaluation.mode_coverage(x, centres, torch.full((len(centres),), std), radius=k).modes


def ring(K, radius):
    angle = torch.arange(K) * (2 * math.pi / K)
    return radius * torch.stack([angle.cos(), angle.sin()], 1)


def cloud(seed, *groups):
    """Samples in random order. A group is (centre, distance, how many): so many on a circle around the centre."""
    generator, parts = seeded(seed), []
    for centre, distance, count in groups:
        angle = 2 * math.pi * torch.rand(count, generator=generator)
        parts.append(centre + distance * torch.stack([angle.cos(), angle.sin()], 1))
    x = torch.cat(parts)
    return x[torch.randperm(len(x), generator=generator)]


@exercise(
    reference=mode_coverage_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        "First ask for every sample and every centre: is it near? That is an (N, K) table of distances.",
        "Then count the near samples of each centre, and compare each count with a fifth of N/K.",
        "A sample that is near to nothing is counted nowhere, but it is one of the N.",
    ),
    insight="A generator that paints one mode, or fog between all of them, is found out: every covered mode has samples of its own nearby.",
)
def mode_coverage(ask, seed):
    def asked(x, centres, std, k):
        return ask("mode_coverage(x, centres, std, k)", x=x, centres=centres, std=std, k=k)

    c = ring(8, 2.0)
    every = cloud(seed, *((centre, 0.08, 50) for centre in c))
    yield "400 samples, 50 close to each of eight centres", asked(every, c, 0.1, 3.0)
    fog = cloud(seed, *((c[i], 0.15, n) for i, n in enumerate((100, 100, 76, 11))), *((1.6 * c[i], 0.6, 20) for i in range(8)))
    yield "four modes with 100, 100, 76 and 11 samples, and 160 samples outside the ring, far from all centres", asked(fog, c, 0.1, 3.0)
    strays = cloud(seed, (c[0], 0.08, 200), (c[1], 0.08, 193), *((c[i], 0.08, 1 + i % 2) for i in range(2, 6)))
    yield "two modes, four more centres with one or two samples near them", asked(strays, c, 0.1, 3.0)
    exact = cloud(seed, *((c[i], 0.08, n) for i, n in enumerate((343, 10, 10, 9, 9, 10, 9))))
    yield "400 samples, seven centres with 343, 10, 10, 9, 9, 10 and 9 of them: a fifth of the fair share is 10", asked(exact, c, 0.1, 3.0)
    halo = cloud(seed, (c[0], 0.08, 100), (c[1], 0.25, 100), (c[2], 0.5, 100), (c[3], 0.33, 100))
    yield "rings of samples at 0.8, 2.5, 5 and 3.3 standard deviations from four centres, k = 3", asked(halo, c, 0.1, 3.0)
    corners = torch.cat([c[i] + 0.25 * torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]).repeat(25, 1) for i in range(4)])
    yield "samples 2.5 standard deviations off in both coordinates, k = 3", asked(corners, c, 0.1, 3.0)
    wide = 10 * ring(5, 2.0)
    large = cloud(seed, (wide[0], 3.0, 249), (wide[1], 4.0, 15), (wide[2], 3.5, 21), (wide[3], 5.0, 100), (wide[4], 6.0, 115))
    said = "249, 15, 21, 100 and 115 samples at distances 3, 4, 3.5, 5 and 6 from five centres, std = 2.2, k = 2"
    yield said, asked(large, wide, 2.2, 2.0)
    foggy = cloud(seed, (c[0], 0.08, 60), (c[1], 0.08, 8), (c[2], 0.08, 17), (0 * c[0], 0.3, 315))
    yield "60, 8 and 17 samples close to three centres, 315 in the middle of the ring", asked(foggy, c, 0.1, 3.0)
    call = "mode_coverage(x, centres, std, k)"
    yield "the answer to the same question asked twice", ask(f"{call}\n{call}", x=every, centres=c, std=0.1, k=3.0)


def counted(x, centres, limit, least=0.2, distance=None, total=None):
    """Modes with enough samples within `limit`, with knobs for what learners get wrong."""
    near = (torch.cdist(x, centres) if distance is None else distance) < limit
    N = len(x) if total is None else total
    return int((near.sum(0) >= least * N / len(centres)).sum())


@mode_coverage.mistake(
    "Every sample counts for its nearest centre, however far away it is: fog covers everything. When is a sample near enough to count?"
)
def nearest_without_limit(x, centres, std, k):
    counts = torch.cdist(x, centres).argmin(1).bincount(minlength=len(centres))
    return int((counts >= 0.2 * len(x) / len(centres)).sum())


@mode_coverage.mistake("The squared distance is compared with k · std. Which of the two is in the wrong units?")
def squared_distance(x, centres, std, k):
    return counted(x, centres, k * std, distance=torch.cdist(x, centres).square())


@mode_coverage.mistake("k is a number of standard deviations. What is the radius, if std is 0.1?")
def radius_without_std(x, centres, std, k):
    return counted(x, centres, k)


@mode_coverage.mistake("Your radius is one standard deviation, whatever k is. What is k for?")
def radius_without_k(x, centres, std, k):
    return counted(x, centres, std)


@mode_coverage.mistake("A single sample near a centre is enough for you. How many make up a fifth of the fair share?")
def any_single_sample(x, centres, std, k):
    return int((torch.cdist(x, centres) < k * std).any(0).sum())


@mode_coverage.mistake("This is how many samples lie near a centre. How many centres have enough of them?")
def samples_counted(x, centres, std, k):
    return int((torch.cdist(x, centres) < k * std).any(1).sum())


@mode_coverage.mistake(
    "You ask too much of a mode: by chance good ones often hold less. Which part of the fair share is enough, and what is N?"
)
def whole_fair_share(x, centres, std, k):
    return counted(x, centres, k * std, least=1.0)


@mode_coverage.mistake("A fifth of all samples is asked of every mode. Eight modes cannot have that each: what is a fair share?")
def fifth_of_all_samples(x, centres, std, k):
    return counted(x, centres, k * std, least=0.2 * len(centres))


@mode_coverage.mistake("Your fair share counts the samples near a centre alone. Of which N do fog and strays remain a part?")
def share_of_the_near_ones(x, centres, std, k):
    near = int((torch.cdist(x, centres) < k * std).any(1).sum())
    return counted(x, centres, k * std, total=near)


@mode_coverage.mistake("Exactly a fifth of the fair share is too little for you. What does `at least` say?")
def more_than_a_fifth(x, centres, std, k):
    near = torch.cdist(x, centres) < k * std
    return int((near.sum(0) > 0.2 * len(x) / len(centres)).sum())


@mode_coverage.mistake(
    "A mode with 11 of 447 samples is covered for you. What is a fifth of 447/8? Is something rounded on the way, or typed in?"
)
def fair_share_rounded(x, centres, std, k):
    near = torch.cdist(x, centres) < k * std
    return int((near.sum(0) >= int(0.2 * len(x) / len(centres))).sum())


@mode_coverage.mistake(
    "Right once. Asked again with the same tensors you give another answer. What has become of the caller's x and centres?"
)
def inputs_changed_in_place(x, centres, std, k):
    x /= std
    centres /= std
    return counted(x, centres, k)


@mode_coverage.mistake("Right for eight modes and 400 samples, not for five and 500. Is a number typed in that should be computed?")
def eight_modes_typed_in(x, centres, std, k):
    return counted(x, centres, k * std, least=0.2 * len(centres) / 8)


@mode_coverage.mistake("Right while k is 3. What is the radius for another k?")
def three_typed_in(x, centres, std, k):
    return counted(x, centres, 3 * std)


@mode_coverage.mistake(
    "Each coordinate is compared by itself: your neighbourhood is a square. What is the distance of a point in a corner?"
)
def coordinate_by_coordinate(x, centres, std, k):
    return counted(x, centres, k * std, distance=(x[:, None] - centres).abs().amax(-1))


@mode_coverage.mistake("A share between 0 and 1 is a fine number to report. How many modes is asked for here.")
def share_of_modes(x, centres, std, k):
    return mode_coverage_reference(x, centres, std, k) / len(centres)


@mode_coverage.also_right
def centre_by_centre(x, centres, std, k):
    found = 0
    for centre in centres:
        near = ((x - centre) ** 2).sum(1).sqrt() <= k * std
        found += int(5 * near.sum() * len(centres) >= len(x))
    return found


@mode_coverage.also_right
def nearest_within_the_radius(x, centres, std, k):
    distance, nearest = ((x[:, None] - centres[None]) ** 2).sum(-1).min(1)
    counts = torch.zeros(len(centres))
    for i in nearest[distance < (k * std) ** 2]:
        counts[i] += 1
    return (counts >= 0.2 * len(x) / len(centres)).sum()
