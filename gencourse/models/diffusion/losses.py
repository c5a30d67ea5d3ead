"""The losses: one value per example, (B,), squared errors summed over dimensions, never averaged.

So a floor has to say the same things as the loss that is compared with it: summed, at which
distribution of t, with which weight.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.models.diffusion.paths import Level, Path, as_time, per_row, perturb, snr
from gencourse.runtime import drawn_on
from gencourse.validation import require_count, require_gradients, require_same_shape

Field = Callable[[Tensor, Tensor], Tensor]  # (x_t (B, ...), t (B,)) -> (B, ...)


# the time of each example


def uniform_times(
    n: int, generator: torch.Generator | None = None, low: float = 0.0, high: float = 1.0
) -> Tensor:
    """n independent times, uniform between low and high, (n,): float32 on the CPU."""
    require_count("uniform_times", "n", n)
    t = torch.rand(n, generator=generator, device=drawn_on(generator))
    return low + (high - low) * t


def logit_normal_times(
    n: int, generator: torch.Generator | None = None, mean: float = 0.0, std: float = 1.0
) -> Tensor:
    """n independent times sigmoid(mean + std · z) with z ~ N(0, 1), (n,): more of them in the
    middle, where x_t tells least of the pair. Source: Esser et al. 2024 (arXiv 2403.03206).
    """
    require_count("logit_normal_times", "n", n)
    return (mean + std * torch.randn(n, generator=generator, device=drawn_on(generator))).sigmoid()


# the losses


def squared_error(prediction: Tensor, target: Tensor, weight: Level = 1.0) -> Tensor:
    """w Σ_d (prediction_d - target_d)²: (B, ...) of one shape, weight a number or (B,) -> (B,)."""
    require_same_shape("squared_error", prediction=prediction, target=target)
    error = (prediction - target).square().flatten(1).sum(1)
    return per_row("squared_error", "weight", weight, error) * error


def denoising_loss(
    denoise: Field, x: Tensor, eps: Tensor, t: Tensor, path: Path, weight: Level = 1.0
) -> Tensor:
    """w |x - x̂(x_t, t)|², with x_t = α(t) x + σ(t) ε: the squared error of a denoiser, summed over
    dimensions.

    x, eps (B, ...), t (B,), one time for each example, weight a number or (B,) -> (B,). Its least
    mean is w E tr Cov[x given x_t], above 0, reached by x̂ = E[x given x_t] alone.
    """
    return squared_error(denoise(path.perturb(x, eps, t), t), x, weight)


def flow_matching_pair(x: Tensor, eps: Tensor, t: Level) -> tuple[Tensor, Tensor]:
    """(x_t, u) = ((1 - t) x + t ε, ε - x): where the network looks, and what it should say.

    x, eps (B, ...), t a number or (B,), data at t = 0. Both ways of counting time are right if
    training and sampling agree; with data at t = 1 the pair is (t x + (1 - t) ε, x - ε). Source:
    Liu et al. 2022 (arXiv 2209.03003), Lipman et al. 2022 (2210.02747).
    """
    t = as_time(t)
    return perturb(x, eps, 1 - t, t), eps - x


def flow_matching_loss(velocity: Field, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
    """|u(x_t, t) - (ε - x)|² on the linear path, summed over dimensions: x, eps (B, ...), t (B,) ->
    (B,).

    With the conditional velocity ε - x as target it has the gradient of the loss with the marginal
    velocity E[ε - x given x_t], which is not known, as target: in expectation, not in each batch.
    """
    x_t, u = flow_matching_pair(x, eps, t)
    return squared_error(velocity(x_t, t), u)


def score_matching_loss(score: Callable[[Tensor], Tensor], x: Tensor, truth: Tensor) -> Tensor:
    """½ |s(x) - ∇ log p(x)|², summed over dimensions, where the true score is known: x, truth
    (B, D) -> (B,). Source: Hyvärinen 2005.
    """
    return 0.5 * squared_error(score(x), truth)


def implicit_score_matching_loss(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """½ |s(x)|² + div s(x): x (B, D) -> (B,), with gradients.

    Its mean over data is that of `score_matching_loss` less ½ E|∇ log p|², which does not depend on
    s: E[s · ∇ log p] = -E[div s] by one integration by parts, for p s → 0 at infinity. So the true
    score is not needed. Source: Hyvärinen 2005, theorem 1.
    """
    require_gradients("implicit_score_matching_loss")
    s, trace = field_and_divergence(score, x)
    return 0.5 * s.square().sum(1) + trace


def denoising_score_matching_loss(
    score: Callable[[Tensor], Tensor], x: Tensor, eps: Tensor, sigma: Level
) -> Tensor:
    """½ |s(x + σε) + ε/σ|², summed over dimensions: x, eps (B, ...), sigma a number or (B,) ->
    (B,).

    -ε/σ is ∇ log p(x_t given x); the minimum is its mean given x_t, the score of p_t, noise
    included. Source: Vincent 2011.
    """
    x_t = perturb(x, eps, 1.0, sigma)
    return 0.5 * squared_error(score(x_t), -eps / per_row("score", "sigma", sigma, eps))


def field_and_divergence(field: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """A vector field f at x and its divergence Σ_d ∂f_d/∂x_d, by one backward pass for each
    dimension: x (B, D) -> (B, D), (B,). Row b of f may depend on row b of x only.
    """
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        f = field(x)
        columns = [slopes(f[:, d], x)[:, d] for d in range(x.shape[1])]
    return f, torch.stack(columns).sum(0)


def slopes(f: Tensor, x: Tensor) -> Tensor:
    """The gradient of Σ f for x, with a graph of its own: 0 where f does not depend on x."""
    if not f.requires_grad:
        return torch.zeros_like(x)
    return torch.autograd.grad(f.sum(), x, create_graph=True, materialize_grads=True)[0]


# weights: an error of another quantity is an error of x, times this


def weight_of(kind: str, path: Path, t: Level) -> Tensor:
    """By what an error of "x", "eps", "v", "u" or "score" at the same x_t exceeds that of x:
    |Δ|² = weight |Δx|², with the shape of t.

    eps: SNR. score: SNR/σ². v: (α² + σ²)²/σ², which is SNR + 1 on variance-preserving paths.
    u: (ασ' - σα')²/σ², which is 1/t² = (1 + √SNR)² on the linear one. So a choice of what is
    predicted with a plain squared error is a choice of weights of x.
    """
    alpha, sigma = path.levels(t)
    a, b = path.slopes(t)
    weights: dict[str, Callable[[], Tensor]] = {
        "x": lambda: torch.ones_like(sigma),
        "eps": lambda: alpha**2 / sigma**2,
        "score": lambda: alpha**2 / sigma**4,
        "v": lambda: (alpha**2 + sigma**2) ** 2 / sigma**2,
        "u": lambda: (alpha * b - sigma * a) ** 2 / sigma**2,
    }
    if kind not in weights:
        raise InputError(
            f"weight_of: kind should be one of {', '.join(weights)}, got {kind!r}. Choose one of "
            "them."
        )
    return weights[kind]()


def min_snr_weight(alpha: Level, sigma: Level, gamma: float = 5.0) -> Tensor:
    """min(SNR, γ), a weight of the error of x; for the error of ε divide it by SNR, which fails
    where SNR is 0. Any shape. Source: Hang et al. 2023 (arXiv 2303.09556).
    """
    return snr(alpha, sigma).clamp(max=gamma)


def edm_weight(sigma: Level, sigma_data: float = 0.5) -> Tensor:
    """EDM's weight (σ² + σ_d²) / (σ σ_d)² of the error of x, under which the loss at each noise
    level of an untrained, preconditioned network is 1 per dimension. Any shape. Source: Karras et
    al. 2022, table 1.
    """
    sigma = as_time(sigma)
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2
