"""Penalties that keep the discriminator smooth, so that its gradients tell the generator where to
go.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from gencourse.errors import InputError
from gencourse.validation import require_gradients, require_same_shape, require_tensor


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, eps: Tensor
) -> Tensor:
    """(‖∇_x critic(x)‖₂ - 1)² at x = eps · real + (1 - eps) · fake, one eps in [0, 1] per example.

    real, fake (B, ...), eps (B,) -> (B,), with gradients for the critic's parameters. Source:
    Gulrajani et al. 2017, equation 3; add 10 times it to the critic's Wasserstein loss.
    """
    require_same_shape("gradient_penalty", real=real, fake=fake)
    if eps.shape != (len(real),):
        raise InputError(
            f"gradient_penalty: eps should have shape ({len(real)},), got {tuple(eps.shape)}. "
            "One number per example."
        )
    require_gradients("gradient_penalty")
    eps = eps.view(-1, *[1] * (real.ndim - 1))
    return (gradient_norm(critic, eps * real + (1 - eps) * fake) - 1).square()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """½ ‖∇_x D(x)‖² at real examples, D the logit: real (B, ...) -> (B,), with gradients for D's
    parameters.

    Weighed by γ it makes the game converge near its equilibrium. Source: Mescheder et al. 2018,
    equation 9.
    """
    require_tensor("r1_penalty", "real", real)
    require_gradients("r1_penalty")
    return 0.5 * input_gradient(discriminator, real).square().flatten(1).sum(1)


def input_gradient(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """∇_x function(x) for each row, shape of x, itself differentiable.

    Rows must not see one another (no batch norm).
    """
    x = x.detach().requires_grad_()
    return torch.autograd.grad(function(x).sum(), x, create_graph=True)[0]


def gradient_norm(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∇_x function(x)‖₂ of each row: (B, ...) -> (B,). Its derivative is finite at 0."""
    return (input_gradient(function, x).square().flatten(1).sum(1) + 1e-12).sqrt()
