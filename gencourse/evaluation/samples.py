"""How good samples are, judged by samples alone: distances between two sets, precision and recall,
modes, copies.

The two sets are points (N, D), or images turned into features by `feature_network`. Every number
depends on the features and on how many samples there are; state both.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_tensor


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """‖μ_x - μ_y‖² + Tr(Σ_x + Σ_y - 2 (Σ_x Σ_y)^½): the squared Wasserstein-2 distance of two
    normal distributions.

    x (N, D), y (M, D) features -> a number ≥ 0, 0 only for equal means and covariances. It is
    biased upwards for few samples, more for more dimensions: compare at equal N, and state it.
    Source: Heusel et al. 2017 (arXiv 1706.08500).
    """
    require_features("frechet_distance", x, y)
    x, y = x.cpu().double(), y.cpu().double()  # in this order: mps has no float64
    difference = (x.mean(0) - y.mean(0)).square().sum()
    cov_x, cov_y = x.T.cov().view(x.shape[1], -1), y.T.cov().view(y.shape[1], -1)
    # (Σ_x Σ_y)^½ has the trace of (Σ_x^½ Σ_y Σ_x^½)^½, which is symmetric
    root = matrix_root(cov_x)
    cross = torch.linalg.eigvalsh(root @ cov_y @ root).clamp_min(0).sqrt().sum()
    return max(0.0, (difference + cov_x.trace() + cov_y.trace() - 2 * cross).item())


def matrix_root(covariance: Tensor) -> Tensor:
    """The symmetric square root of a positive semi-definite matrix (D, D)."""
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def kernel_distance(
    x: Tensor, y: Tensor, subsets: int = 50, size: int = 500, seed: int = 0
) -> float:
    """The squared maximum mean discrepancy with the kernel k(a, b) = (a·b / D + 1)³, as a mean over
    random subsets.

    x (N, D), y (M, D) features -> a number, on average 0 for equal distributions whatever N is; it
    may be negative. Source: Bińkowski et al. 2018 (arXiv 1801.01401), where it is called the kernel
    inception distance.
    """
    require_features("kernel_distance", x, y)
    require_count("kernel_distance", "subsets", subsets)
    generator, n = seeded(seed), min(size, len(x), len(y))
    x, y = x.cpu().double(), y.cpu().double()
    draws = [
        unbiased_mmd(
            *(t[torch.randperm(len(t), generator=generator, device="cpu")[:n]] for t in (x, y))
        )
        for _ in range(subsets)
    ]
    return torch.stack(draws).mean().item()


def unbiased_mmd(x: Tensor, y: Tensor) -> Tensor:
    """mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j), x and y (n, D)."""
    n, D = x.shape
    xx, yy, xy = ((a @ b.T / D + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (n * (n - 1))
    return within - 2 * xy.mean()


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]: samples that lie among the data, and data that lie among the samples."""

    precision: float
    recall: float


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> PrecisionRecall:
    """How many samples lie where the data lie (precision), and how much of the data samples reach
    (recall).

    A point lies in the region of a set if it is nearer to one of its members than that member's
    k-th neighbour in the set. real (N, D), fake (M, D) features; compare at equal N and M. Source:
    Kynkäänniemi et al. 2019 (arXiv 1904.06991).
    """
    require_features("precision_recall", real, fake)
    if not 0 < k < min(len(real), len(fake)):
        raise InputError(
            f"precision_recall: k should lie in 1..{min(len(real), len(fake)) - 1}, got {k}. "
            "Lower it."
        )
    fake = fake.to(real.device)
    across = torch.cdist(real, fake)
    # the nearest is itself
    real_radius, fake_radius = (
        torch.cdist(t, t).kthvalue(k + 1, dim=1).values for t in (real, fake)
    )
    precise = (across <= real_radius[:, None]).any(0)
    reached = (across <= fake_radius).any(1)
    return PrecisionRecall(share(precise), share(reached))


def share(mask: Tensor) -> float:
    """How much of a mask is True, in [0, 1]."""
    return mask.sum().item() / mask.numel()


class Coverage(NamedTuple):
    """How many modes samples reach, and the share of samples that lie in any of them."""

    modes: int
    share: float


def mode_coverage(
    x: Tensor, centres: Tensor, stds: Tensor, radius: float = 3.0, least: float = 0.2
) -> Coverage:
    """Modes that hold at least `least` of their fair share of the samples, within `radius` standard
    deviations.

    x (N, 2) samples, centres (K, 2), stds (K,). A sample belongs to its nearest centre, if it lies
    at most radius · std away from it; a mode is covered if it holds at least least · N / K samples.
    """
    require_features("mode_coverage", x, centres, names=("x", "centres"), least=1)
    centres, stds = centres.to(x), stds.to(x)
    distance, nearest = torch.cdist(x, centres).min(1)
    near = distance <= radius * stds[nearest]
    counts = nearest[near].bincount(minlength=len(centres))
    return Coverage(int((counts >= least * len(x) / len(centres)).sum()), share(near))


def nearest_neighbours(x: Tensor, train: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
    """The k training examples nearest to each x in Euclidean distance over all pixels.

    x (B, ...), train (N, ...) -> distances and indices, both (B, k), nearest first. A sample that
    lies much nearer to the training set than test images do is a copy.
    """
    require_count("nearest_neighbours", "k", k)
    if x.shape[1:] != train.shape[1:]:
        raise InputError(
            f"nearest_neighbours: x should be shaped like train, {tuple(train.shape[1:])}, got "
            f"{tuple(x.shape[1:])}. Reshape it."
        )
    train = train.to(x.device)
    distances, indices = torch.cdist(x.flatten(1), train.flatten(1)).topk(k, dim=1, largest=False)
    return distances, indices


def require_features(
    where: str, x: Tensor, y: Tensor, names: tuple[str, str] = ("x", "y"), least: int = 2
) -> None:
    """Raise unless both are (N, D) with N of at least `least`, and the same D."""
    for name, value in zip(names, (x, y), strict=True):
        require_tensor(where, name, value)
        if value.ndim != 2 or len(value) < least:
            raise InputError(
                f"{where}: {name} should have shape (N, D) with N ≥ {least}, got "
                f"{tuple(value.shape)}. One row per example."
            )
    if x.shape[1] != y.shape[1]:
        raise InputError(
            f"{where}: {names[0]} and {names[1]} should be equally wide, got {x.shape[1]} and "
            f"{y.shape[1]}. Use the same features."
        )
