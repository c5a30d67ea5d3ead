"""Decoders whose posterior a learner's answer looks for."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.likelihoods import gaussian_log_density

NOISE_STD = 0.5  # of the pixels of a LinearDecoder


class LinearDecoder(nn.Module):
    """p(x given z) = N(x; Wz + b, NOISE_STD² I) of 4 pixels; its columns are orthogonal.

    So the posterior is a normal distribution with independent coordinates.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        angles = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
        widths = torch.tensor([0.2, 0.5, 0.35, 0.1])[:latent_dim]
        self.W = nn.Parameter(angles[:latent_dim].T * widths)
        self.b = nn.Parameter(torch.linspace(-0.5, 1.0, 4))

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """log p(x given z), (B,) nats."""
        mean = z @ self.W.T.to(z.dtype) + self.b.to(z.dtype)
        logvar = torch.full_like(mean, 2 * math.log(NOISE_STD))
        return gaussian_log_density(x.to(z.dtype), mean, logvar)

    @torch.no_grad()
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of p(z given x), each (B, D)."""
        precision = 1 + self.W.square().sum(0) / NOISE_STD**2
        return (x - self.b) @ self.W / NOISE_STD**2 / precision, -precision.log().expand(len(x), -1)


class PixelDecoder(nn.Module):
    """p(x given z) of 9 binary pixels, by a network with a hidden layer."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.linspace(-1.5, 2.0, 5 * latent_dim).view(5, latent_dim))
        self.last = nn.Parameter(torch.linspace(2.0, -1.7, 45).view(5, 9).T.contiguous())

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """log p(x given z), (B,) nats."""
        logits = (z @ self.first.T.to(z.dtype)).tanh() @ self.last.T.to(z.dtype)
        binary = (x > 0.3).to(z.dtype)
        return -F.binary_cross_entropy_with_logits(logits, binary, reduction="none").sum(-1)


DECODERS: dict[str, type[LinearDecoder] | type[PixelDecoder]] = {
    "linear": LinearDecoder,
    "pixels": PixelDecoder,
}


def refitted(
    refit: Callable, decoder: str, x: Tensor, mu: Tensor, logvar: Tensor, noise: Tensor, lr: float
) -> dict[str, object]:
    """What becomes of mu and logvar (B, D) for images x, and of the decoder."""
    model = DECODERS[decoder](mu.shape[1])
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    shapes: set[tuple[int, ...]] = set()

    def log_joint(z: Tensor) -> Tensor:
        shapes.add(tuple(z.shape))
        prior = gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))
        return model.log_likelihood(z, x) + prior

    with torch.enable_grad():
        found_mu, found_logvar = refit(log_joint, mu, logvar, noise, lr)
    return {
        "mu": found_mu,
        "logvar": found_logvar,
        "whether they hold a graph": found_mu.requires_grad or found_logvar.requires_grad,
        "whether they have the precision of mu": found_mu.dtype == found_logvar.dtype == mu.dtype,
        "whether they are tensors of their own": found_mu is not mu and found_logvar is not logvar,
        "the shapes of the codes that `log_joint` was given": sorted(map(list, shapes)),
        "whether the decoder's parameters stay": all(
            torch.equal(p, before[name]) for name, p in model.named_parameters()
        ),
        "whether the decoder's parameters still can learn": all(
            p.requires_grad for p in model.parameters()
        ),
        "whether the gradients that the decoder held stay": all(
            p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()
        ),
    }


def distance_from_the_posterior(
    refit: Callable, x: Tensor, mu: Tensor, logvar: Tensor, noise: Tensor, lr: float
) -> dict[str, bool]:
    """Whether q arrives at the exact posterior of a linear decoder."""
    model = LinearDecoder(mu.shape[1])

    def log_joint(z: Tensor) -> Tensor:
        prior = gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))
        return model.log_likelihood(z, x) + prior

    found_mu, found_logvar = refit(log_joint, mu, logvar, noise, lr)
    exact_mu, exact_logvar = model.posterior(x)
    ratio = found_logvar.detach() - exact_logvar
    squares = (found_mu.detach() - exact_mu).square() / exact_logvar.exp()
    apart = 0.5 * (squares + ratio.exp() - 1 - ratio).sum(1)
    return {"whether every q is within 0.2 nats of it": bool((apart < 0.2).all())}
