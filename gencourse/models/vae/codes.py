"""Codes z: the distribution of one that an encoder returns, and what codes have to be."""

from typing import NamedTuple

from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.validation import require_place


class Posterior(NamedTuple):
    """q(z given x) = N(mu, diag exp logvar): mu and logvar (B, D)."""

    mu: Tensor
    logvar: Tensor


def require_posterior(where: str, q: Posterior, shape: tuple[int, int], model: nn.Module) -> None:
    """Raise unless mu and logvar of q have this shape (B, D), where the model is."""
    for name, value in zip(("q.mu", "q.logvar"), q, strict=True):
        require_place(where, name, value, model)
        if tuple(value.shape) != shape:
            raise InputError(
                f"{where}: {name} should have shape {shape}, got {tuple(value.shape)}. One row "
                "per example of x."
            )


def require_codes(where: str, z: Tensor, latent_dim: int, model: nn.Module) -> None:
    """Raise unless z is (B, latent_dim), where the model is."""
    require_place(where, "z", z, model)
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise InputError(
            f"{where}: z should have shape (B, {latent_dim}), got {tuple(z.shape)}. One row per "
            "code."
        )
