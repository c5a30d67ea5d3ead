"""Samplers: from noise at the first time to data at the last, a few lines each.

They take a denoiser (x_t, t) -> x̂ or a velocity (x_t, t) -> u, exact or a network's, with x_t
(B, ...) and t (B,), and a grid of falling times. Those that go by a denoiser also take the path.
"""

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.models.diffusion.conversions import eps_from_x
from gencourse.models.diffusion.losses import Field
from gencourse.models.diffusion.noise import noise_like
from gencourse.models.diffusion.paths import Level, Path, per_row, perturb
from gencourse.models.diffusion.times import follow

VARIANCES = ("posterior", "beta")


def rows(t: Tensor, x: Tensor) -> Tensor:
    """One time for every row of x: a scalar -> (B,), with the precision and device of x."""
    return t.to(x).expand(len(x))


# single steps


def euler_step(velocity: Field, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """x + (s - t) u(x, t), a step of the ODE dx/dt = u from the scalar time t to s: (B, ...). Order
    1: the error at the end falls as 1/n.
    """
    return x + (s - t) * velocity(x, rows(t, x))


def heun_step(velocity: Field, x: Tensor, t: Tensor, s: Tensor, correct: bool = True) -> Tensor:
    """x + ½ (s - t) [u(x, t) + u(x', s)] with x' = x + (s - t) u(x, t): the mean of the slopes at
    both ends, the second at the predicted point and at the new time. Order 2, two evaluations.

    correct=False is Euler's step: for s = 0 where u is not defined there.
    """
    slope = velocity(x, rows(t, x))
    predicted = x + (s - t) * slope
    if not correct:
        return predicted
    return x + (s - t) * 0.5 * (slope + velocity(predicted, rows(s, x)))


def ddim_step(
    x_t: Tensor,
    x_hat: Tensor,
    start: tuple[Level, Level],
    end: tuple[Level, Level],
) -> Tensor:
    """α' x̂ + σ' ε̂ with ε̂ = (x_t - αx̂)/σ: from the levels (α, σ) to (α', σ'), as if x̂ were x.

    x_t, x_hat (B, ...) -> (B, ...). It is Euler's step of the probability-flow ODE, in t on the
    linear path, in σ on the variance-exploding one, in σ/α in general. So it is exact where x̂ does
    not change on the way, for data at one point, and of order 1 for all others, a single normal
    included. Source: Song et al. 2021 (DDIM, arXiv 2010.02502), η = 0.
    """
    return perturb(x_hat, eps_from_x(x_t, x_hat, *start), *end)


def ancestral_posterior(
    x_t: Tensor,
    x: Tensor,
    start: tuple[Level, Level],
    end: tuple[Level, Level],
) -> tuple[Tensor, Tensor]:
    """Mean and variance of p(x_s given x_t, x) for s < t, with (α, σ) at t and (α', σ') at s.

    With a = α/α' and c² = σ² - a²σ'², the noise between the two: mean = (a σ'² x_t + α' c² x) / σ²
    (B, ...), variance = c² σ'² / σ², DDPM's β̃. It is the variance of x_s given x_t if the data are
    one point; c², DDPM's β, is it if they are N(0, I) and the path variance preserving. Source: Ho
    et al. 2020 (arXiv 2006.11239), equation 7; in this form Kingma et al. 2021.
    """
    (alpha, sigma), (alpha_s, sigma_s) = _rows_of(x_t, start), _rows_of(x_t, end)
    a = alpha / alpha_s
    c2 = sigma**2 - a**2 * sigma_s**2
    mean = (a * sigma_s**2 * x_t + alpha_s * c2 * x) / sigma**2
    return mean, c2 * sigma_s**2 / sigma**2


def ddpm_step(
    x_t: Tensor,
    x_hat: Tensor,
    eps: Tensor,
    start: tuple[Level, Level],
    end: tuple[Level, Level],
    variance: str = "posterior",
) -> Tensor:
    """A draw mean + std · ε of x_s given x_t, with x̂ for x: from (α, σ) at t to (α', σ') at s.

    x_t, x_hat, eps (B, ...) -> (B, ...). variance="posterior" is DDPM's β̃ (see
    ancestral_posterior), "beta" its β, σ² - (α/α')² σ'²; both are legitimate samplers. The last
    step, to σ' = 0, adds no noise.
    """
    if variance not in VARIANCES:
        raise InputError(
            f"ddpm_step: variance should be one of {', '.join(VARIANCES)}, got {variance!r}. "
            "DDPM calls the first β̃."
        )
    mean, small = ancestral_posterior(x_t, x_hat, start, end)
    (alpha, sigma), (alpha_s, sigma_s) = _rows_of(x_t, start), _rows_of(x_t, end)
    if variance == "beta":
        small = (sigma**2 - (alpha / alpha_s) ** 2 * sigma_s**2) * (sigma_s > 0)
    return mean + small.sqrt() * eps


def _rows_of(x: Tensor, levels: tuple[Level, Level]) -> tuple[Tensor, Tensor]:
    alpha, sigma = levels
    return per_row("ddpm_step", "alpha", alpha, x), per_row("ddpm_step", "sigma", sigma, x)


def langevin_correction(
    score: Field,
    x: Tensor,
    t: Tensor,
    sigma: Level,
    ratio: float = 0.1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One Langevin step at a fixed time, x + h score(x, t) + √(2h) ε with h = ratio · σ²: it leaves
    p_t nearly as it is, and brings back what has left it. x (B, ...) -> (B, ...).

    Source: Song et al. 2021, algorithm 4, which fits h to the batch instead.
    """
    h = ratio * torch.as_tensor(sigma).to(x) ** 2
    return x + h * score(x, rows(t, x)) + (2 * h).sqrt() * noise_like(x, generator)


# whole ways from noise to data


def euler(velocity: Field, x: Tensor, times: Tensor, keep: bool = False) -> Tensor:
    """Euler's steps of the ODE dx/dt = u(x, t) along the times: x (B, ...), times (n + 1,) -> x at
    the last time, or with keep=True at all, (n + 1, B, ...). One evaluation a step.
    """
    return follow(lambda x, t, s: euler_step(velocity, x, t, s), x, times, keep)


def heun(
    velocity: Field,
    x: Tensor,
    times: Tensor,
    keep: bool = False,
    correct_at_zero: bool = False,
) -> Tensor:
    """Heun's steps along the times, as in `euler`; two evaluations a step.

    A step to t = 0 is Euler's unless correct_at_zero: a velocity that is computed from x̂ divides by
    σ there. Its error is of first order in that last step alone. Source: Karras et al. 2022,
    algorithm 1.
    """

    def step(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return heun_step(velocity, x, t, s, correct=correct_at_zero or bool(s != 0))

    return follow(step, x, times, keep)


def ddim(denoise: Field, x: Tensor, path: Path, times: Tensor, keep: bool = False) -> Tensor:
    """DDIM's deterministic steps along the times: x (B, ...), times (n + 1,) as in `euler`."""

    def step(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return ddim_step(x, denoise(x, rows(t, x)), path.levels(t), path.levels(s))

    return follow(step, x, times, keep)


def ancestral(
    denoise: Field,
    x: Tensor,
    path: Path,
    times: Tensor,
    generator: torch.Generator | None = None,
    variance: str = "posterior",
    keep: bool = False,
) -> Tensor:
    """DDPM's random steps along the times, each a draw from p(x_s given x_t, x = x̂): x (B, ...),
    times (n + 1,) as in `euler`, variance as in `ddpm_step`. As the steps become many it is the
    reverse SDE.
    """

    def step(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        x_hat, eps = denoise(x, rows(t, x)), noise_like(x, generator)
        return ddpm_step(x, x_hat, eps, path.levels(t), path.levels(s), variance)

    return follow(step, x, times, keep)


def predictor_corrector(
    velocity: Field,
    score: Field,
    x: Tensor,
    path: Path,
    times: Tensor,
    generator: torch.Generator | None = None,
    ratio: float = 0.1,
    corrections: int = 1,
    keep: bool = False,
) -> Tensor:
    """Euler's steps, each followed by so many Langevin corrections at the new time; none at σ = 0.
    x (B, ...), times (n + 1,) as in `euler`. Source: Song et al. 2021, algorithm 1.
    """

    def step(x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        x, sigma = euler_step(velocity, x, t, s), path.levels(s)[1]
        for _ in range(corrections if sigma > 0 else 0):
            x = langevin_correction(score, x, s, sigma, ratio, generator)
        return x

    return follow(step, x, times, keep)
