"""Distances between sets of samples, on cases whose answer is known, and beside an independent
implementation.
"""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from gencourse.data import images, points
from gencourse.errors import InputError
from gencourse.evaluation import (
    FeatureNetwork,
    feature_network,
    frechet_distance,
    kernel_distance,
    mode_coverage,
    precision_recall,
)
from gencourse.evaluation.samples import unbiased_mmd
from gencourse.runtime import seeded


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed))


# --- Fréchet


def test_frechet_distance_agrees_with_torchmetrics():
    from torchmetrics.image.fid import (
        FrechetInceptionDistance,  # takes seconds to import, and one process is enough
    )

    x, y = draw(300, 12) @ draw(12, 12, seed=1), draw(200, 12, seed=2) @ draw(12, 12, seed=3) + 1
    theirs = FrechetInceptionDistance(feature=nn.Flatten(), input_img_size=(1, 3, 4))
    theirs.update(x.view(-1, 1, 3, 4), real=True)
    theirs.update(y.view(-1, 1, 3, 4), real=False)
    assert frechet_distance(x, y) == pytest.approx(theirs.compute().item(), rel=1e-4)


def test_frechet_distance_of_known_normals():
    """Shift by a, scale by s: |a|² + D (1 - s)² for standard normal data, exactly, if sample
    moments are made exact.
    """
    x = draw(500, 4).double()
    x = x - x.mean(0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T  # mean 0, covariance I
    a = torch.tensor([3.0, 0.0, -4.0, 0.0])
    assert frechet_distance(x, 2 * x + a) == pytest.approx(25 + 4)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(x, 2 * x + a) == pytest.approx(frechet_distance(2 * x + a, x))


def test_frechet_distance_does_not_change_under_rotation_and_sees_correlation():
    x, y = (
        draw(400, 3),
        draw(400, 3, seed=1) @ torch.tensor([[1.0, 0.9, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 1.0]]),
    )
    turn = torch.linalg.qr(draw(3, 3, seed=2))[0]
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y), rel=1e-4)
    standardised = y / y.std(0)
    assert frechet_distance(x, standardised) > 0.2 > frechet_distance(x, draw(400, 3, seed=5)), (
        "equal variances, another correlation"
    )


def test_frechet_distance_of_a_singular_covariance_is_finite():
    x = draw(50, 3)
    x[:, 2] = x[:, 0]
    assert math.isfinite(frechet_distance(x, x + 1)) and frechet_distance(
        x, x + 1
    ) == pytest.approx(3, abs=1e-4)


# --- kernel


def test_mmd_is_the_double_loop_of_its_definition():
    x, y = draw(5, 3).double(), draw(5, 3, seed=1).double()

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    n = range(5)
    within = sum(k(x[i], x[j]) + k(y[i], y[j]) for i in n for j in n if i != j) / 20
    want = within - 2 * sum(k(x[i], y[j]) for i in n for j in n) / 25
    torch.testing.assert_close(unbiased_mmd(x, y), want)


def test_kernel_distance_is_unbiased_where_frechet_is_not():
    """Equal distributions: the kernel distance scatters about 0, the Fréchet distance of few
    samples does not.
    """
    kernel = [
        kernel_distance(draw(60, 8, seed=2 * s), draw(60, 8, seed=2 * s + 1), subsets=1, size=60)
        for s in range(200)
    ]
    frechet = [
        frechet_distance(draw(60, 8, seed=2 * s), draw(60, 8, seed=2 * s + 1)) for s in range(20)
    ]
    kernel = torch.tensor(kernel)
    assert abs(kernel.mean()) < 4 * kernel.std() / 200**0.5
    assert min(frechet) > 0.2
    assert kernel_distance(draw(60, 8), draw(60, 8, seed=1) + 1) > 10 * kernel.std()


# --- precision and recall


def test_precision_and_recall_tell_quality_from_variety():
    real = torch.cat([draw(200, 2), draw(200, 2, seed=1) + 10])  # two modes
    one_mode = draw(400, 2, seed=2)
    precision, recall = precision_recall(real, one_mode)
    assert precision > 0.9 and 0.4 < recall < 0.6
    # everything, and as much again far away
    spread = torch.cat([real + 0.01, draw(400, 2, seed=3) + 100])
    precision, recall = precision_recall(real, spread)
    assert 0.4 < precision < 0.6 and recall > 0.9
    assert precision_recall(real, real + 1000) == (0.0, 0.0)


def test_precision_on_a_line_by_hand():
    real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.9], [6.0]])
    # nearest neighbours of the data: 1, 1, 2 away; 1.9 lies within 1 of 1.0, and 6.0 within nothing
    assert precision_recall(real, fake, k=1).precision == 0.5
    # the samples are 4.1 apart: all of 0, 1, 3 lie within that of 1.9
    assert precision_recall(real, fake, k=1).recall == 1.0


# --- modes


def test_mode_coverage_counts_modes_and_not_samples():
    ring = points("ring")
    three = ring.centres[:3].repeat_interleave(100, 0) + 0.05 * draw(300, 2)
    far = torch.full((100, 2), 0.0)  # the middle of the ring, nearest to some centre but in no mode
    assert mode_coverage(three, ring.centres, ring.stds) == (3, 1.0)
    assert mode_coverage(torch.cat([three, far]), ring.centres, ring.stds) == (3, 0.75)
    assert mode_coverage(ring.sample(4000, seed=0), ring.centres, ring.stds).modes == 8
    edge = torch.tensor([[0.5, 0.0], [4.0, 0.0]])  # at exactly the radius, which counts
    lone, half = torch.tensor([[0.0, 0.0], [4.0, 0.0]]), torch.tensor([0.25, 0.25])
    assert mode_coverage(edge, lone, half, radius=2.0) == (2, 1.0)


def test_a_stray_sample_does_not_cover_a_mode():
    ring = points("ring")
    x = torch.cat([ring.centres[:1].expand(399, 2), ring.centres[1:2]])
    assert mode_coverage(x, ring.centres, ring.stds).modes == 1
    assert mode_coverage(x, ring.centres, ring.stds, least=0.02).modes == 2


def test_samples_are_refused_in_sentences():
    with pytest.raises(InputError, match=r"y should have shape \(N, D\) with N ≥ 2, got \(1, 3\)"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(1, 3))
    with pytest.raises(InputError, match="equally wide, got 3 and 4"):
        kernel_distance(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(InputError, match=r"k should lie in 1\.\.4, got 5"):
        precision_recall(torch.zeros(5, 3), torch.zeros(9, 3), k=5)


# --- the features


@pytest.mark.parametrize(("name", "accuracy"), [("mnist", 0.9946), ("fashion-mnist", 0.9222)])
def test_shipped_classifier_is_as_accurate_as_its_datasheet_says(name, accuracy):
    """On the shipped fifth of the test set, whose standard error is below 0.7 points."""
    data = images(name)
    network = feature_network(name)
    right = (network.classify(data.test) == data.test_labels).double().mean().item()
    assert right == pytest.approx(
        accuracy, abs=3 * (accuracy * (1 - accuracy) / len(data.test)) ** 0.5
    )
    assert f"{100 * accuracy:.2f} %" in (
        Path(__file__).parents[1] / "gencourse/evaluation/files/features.md"
    ).read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_features_rank_spoiled_images(name):
    """More noise, a larger distance; missing classes too; other real images are the nearest."""
    data, network = images(name), feature_network(name)
    test, real = network.features(data.test), data.train[::5]
    total = network.features(data.train).var(0).sum().item()
    assert total == pytest.approx(100, rel=0.07), (
        "in percent of the variance; the shipped part of MNIST has 95"
    )
    noisy = [(real + sigma * draw(*real.shape)).clamp(0, 1) for sigma in (0.1, 0.3)]
    half = real[data.train_labels[::5] > 4]
    floor, little, much, missing = (
        frechet_distance(network.features(x), test) for x in (real, *noisy, half)
    )
    assert floor < little < much and floor < missing / 3


def test_features_are_the_last_hidden_layer_and_do_not_depend_on_the_batch():
    network = feature_network("mnist")
    x = images("mnist").test[:7]
    features = network.features(x, batch_size=3)
    assert features.shape == (7, 64) and not network.training
    torch.testing.assert_close(network.head(features * network.scale), network(x))
    assert sum(p.numel() for p in FeatureNetwork().parameters()) < 70_000
    with pytest.raises(
        InputError, match="name should be one of mnist, fashion-mnist, got 'cifar10'"
    ):
        feature_network("cifar10")
