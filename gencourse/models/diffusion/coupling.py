"""Change of variables, coupling layers, and a normalising flow for points; log p in nats."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from gencourse.errors import InputError, describe
from gencourse.models.diffusion.likelihood import standard_normal_log_prob
from gencourse.models.diffusion.losses import slopes
from gencourse.models.vae.networks import mlp
from gencourse.runtime import seeded
from gencourse.validation import require_count, require_place, require_same_shape

Map = Callable[[Tensor], Tensor]


def jacobian(f: Map, x: Tensor) -> Tensor:
    """∂f_i/∂x_j at each row: x (B, D) -> (B, D, D), by D backward passes. Row b of f may depend on
    row b of x only.
    """
    with torch.enable_grad():
        x = x if x.requires_grad else x.detach().requires_grad_()
        z = f(x)
        rows = [slopes(z[:, i], x) for i in range(z.shape[1])]
    return torch.stack(rows, 1)


def change_of_variables(x: Tensor, inverse: Map, base_log_prob: Map) -> Tensor:
    """log p(x) = log p_z(f⁻¹(x)) + log |det ∂f⁻¹/∂x| for x = f(z), z from a known density: x (B, D)
    -> (B,), nats. In one dimension p(x) = p_z(z) |dz/dx|.

    The determinant is computed by automatic differentiation, D³ a point: what layers are made to
    avoid.
    """
    return base_log_prob(inverse(x)) + torch.linalg.slogdet(jacobian(inverse, x)).logabsdet


def affine_coupling(x: Tensor, log_scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """(exp(s) x + b, Σ_d s_d): the half that is moved, and the log-determinant of the whole layer.

    x, log_scale s and shift b (B, d), s and b functions of the other half, which stays. The
    Jacobian is triangular, so its determinant is the product of exp(s). -> (B, d), (B,). Source:
    Dinh et al. 2017 (Real NVP, arXiv 1605.08803).
    """
    require_same_shape("affine_coupling", x=x, log_scale=log_scale, shift=shift)
    return log_scale.exp() * x + shift, log_scale.sum(1)


def affine_coupling_inverse(z: Tensor, log_scale: Tensor, shift: Tensor) -> Tensor:
    """exp(-s) (z - b): the half before `affine_coupling`, (B, d). No network is inverted."""
    require_same_shape("affine_coupling_inverse", z=z, log_scale=log_scale, shift=shift)
    return (-log_scale).exp() * (z - shift)


class AffineCoupling(nn.Module):
    """x (B, dim) -> z: one half stays, the other becomes exp(s) x + b, with s and b from a network
    of the first. `second`: the second half stays.

    The log-scale is 3 tanh(·/3), so that no layer stretches more than e³-fold.
    """

    def __init__(self, dim: int = 2, width: int = 64, second: bool = False) -> None:
        super().__init__()
        require_count("AffineCoupling", "dim", dim, at_least=2)
        self.dim, self.first, self.second = dim, dim // 2, second
        stays = dim - self.first if second else self.first
        self.network = mlp(stays, width, width, 2 * (dim - stays))

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The half that stays and the one that is moved."""
        require_place("AffineCoupling", "x", x, self)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise InputError(
                f"AffineCoupling: x should have shape (B, {self.dim}), got {describe(x)}. One row "
                "per point."
            )
        a, b = x[:, : self.first], x[:, self.first :]
        return (b, a) if self.second else (a, b)

    def joined(self, stays: Tensor, moved: Tensor) -> Tensor:
        """Both halves in their places, (B, dim)."""
        return torch.cat((moved, stays) if self.second else (stays, moved), 1)

    def parameters_of(self, stays: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scale and shift, each like the half that is moved."""
        log_scale, shift = self.network(stays).chunk(2, dim=1)
        return 3 * (log_scale / 3).tanh(), shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(z, log |det ∂z/∂x|): x (B, dim) -> (B, dim), (B,)."""
        stays, moved = self.halves(x)
        moved, log_det = affine_coupling(moved, *self.parameters_of(stays))
        return self.joined(stays, moved), log_det

    def inverse(self, z: Tensor) -> Tensor:
        """x of z: (B, dim), exactly, at the price of one evaluation."""
        stays, moved = self.halves(z)
        return self.joined(stays, affine_coupling_inverse(moved, *self.parameters_of(stays)))


class NormalizingFlow(nn.Module):
    """Coupling layers between data and N(0, I), whose halves take turns: exact log p(x), one pass
    either way.

    log p(x) = log N(z; 0, I) + Σ_layers log |det|. Continuous and invertible, so it maps the
    connected plane to a connected set: modes stay joined by thin bridges. Source: Rezende & Mohamed
    2015 (arXiv 1505.05770), Dinh et al. 2017.
    """

    def __init__(self, dim: int = 2, layers: int = 6, width: int = 64) -> None:
        super().__init__()
        require_count("NormalizingFlow", "layers", layers)
        self.dim = dim
        self.layers = nn.ModuleList(
            AffineCoupling(dim, width, second=bool(i % 2)) for i in range(layers)
        )

    def _couplings(self) -> Iterable[AffineCoupling]:
        return (layer for layer in self.layers if isinstance(layer, AffineCoupling))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(z, log |det ∂z/∂x|): x (B, dim) -> (B, dim), (B,)."""
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for layer in self._couplings():
            x, log_det = layer(x)
            total = total + log_det
        return x, total

    def inverse(self, z: Tensor) -> Tensor:
        """x of z: (B, dim) -> (B, dim)."""
        for layer in reversed(list(self._couplings())):
            z = layer.inverse(z)
        return z

    def log_prob(self, x: Tensor) -> Tensor:
        """The exact log p(x): x (B, dim) -> (B,), nats."""
        z, log_det = self(x)
        return standard_normal_log_prob(z) + log_det

    def loss(self, x: Tensor) -> dict[str, Tensor]:
        """{"loss"}: -log p(x), (B,), nats."""
        return {"loss": -self.log_prob(x)}

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n draws (n, dim), without gradients."""
        require_count("NormalizingFlow.sample", "n", n)
        own = next(self.parameters())
        z = torch.randn(n, self.dim, generator=seeded(seed), device="cpu")
        return self.inverse(z.to(own))


def logistic_map(z: Tensor) -> Tensor:
    """x = sigmoid(z), with the inverse log x - log(1 - x): a map of the line for which p(x) =
    N(logit x; 0, 1) / (x (1 - x)) if z is from N(0, 1). Any shape.
    """
    return z.sigmoid()


def polar_to_plane(z: Tensor) -> Tensor:
    """(r, φ) -> (r cos φ, r sin φ), whose Jacobian's determinant is r: z (B, 2) -> (B, 2)."""
    r, angle = z.unbind(1)
    return torch.stack([r * angle.cos(), r * angle.sin()], 1)


def logit_normal_log_prob(x: Tensor) -> Tensor:
    """log p(x) of x = sigmoid(z), z from N(0, 1): x in (0, 1), any shape -> that shape, nats."""
    z = x.log() - (-x).log1p()
    return -0.5 * (z.square() + math.log(2 * math.pi)) - x.log() - (-x).log1p()
