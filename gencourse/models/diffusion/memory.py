"""Why a perfectly trained model would copy: the best denoiser of a finite training set, and how far
samples are from the set.
"""

from torch import Tensor

from gencourse.errors import InputError, describe
from gencourse.evaluation import nearest_neighbours
from gencourse.models.diffusion.losses import Field
from gencourse.models.diffusion.paths import Level, Path, per_row


def optimal_denoiser(x: Tensor, sigma: Level, train: Tensor, alpha: Level = 1.0) -> Tensor:
    """E[x_0 given x] where the data are the N points of a training set, each with probability 1/N:
    Σ_i w_i train_i with w = softmax_i(-|x - α train_i|² / (2σ²)).

    x (B, ...), train (N, ...), sigma and alpha numbers or (B,) -> (B, ...). It minimises the
    denoising loss on that set, and its samples are the set's points: as σ → 0 it returns the
    nearest one, as σ → ∞ the mean of all.
    """
    if x.shape[1:] != train.shape[1:]:
        raise InputError(
            f"optimal_denoiser: train should have rows like x, {tuple(x.shape[1:])}, got "
            f"{describe(train)}. Pass the training set in the shape of x."
        )
    flat, points = x.flatten(1), train.flatten(1)
    a, s = (
        per_row("optimal_denoiser", n, v, flat) for n, v in (("alpha", alpha), ("sigma", sigma))
    )
    # |x - α y|² without |x|², which the softmax does not see
    squared = a**2 * points.square().sum(1) - 2 * a * (flat @ points.T)
    return ((-squared / (2 * s**2)).softmax(1) @ points).view_as(x)


def copying_denoiser(train: Tensor, path: Path) -> Field:
    """The field (x_t (B, ...), t (B,)) -> x̂ that minimises the denoising loss on a training set
    (N, ...), for samplers: `optimal_denoiser` at the levels of the path.
    """

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = path.levels(t)
        return optimal_denoiser(x_t, sigma, train, alpha)

    return denoise


def copying_ratio(x: Tensor, train: Tensor, held_out: Tensor) -> float:
    """The median distance of samples x to their nearest training point, over that of held-out data:
    1 for samples as new as new data, 0 for copies. x (B, ...), train (N, ...), held_out (M, ...).

    A small distance alone says little: the larger the set, the nearer to it lie new data as well.
    """
    ours, theirs = (nearest_neighbours(rows, train)[0].median() for rows in (x, held_out))
    return (ours / theirs).item()
