"""The log-likelihoods that models of several families share: pure functions, one value per example,
in nats.
"""

import math

import torch.nn.functional as F
from torch import Tensor

from gencourse.validation import require_same_shape

LOG_2PI = math.log(2 * math.pi)


def gaussian_log_density(x: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(x; mu, diag(exp logvar)) = -½ Σ_d [log 2π + logvar_d + (x_d - mu_d)² / exp(logvar_d)].

    x, mu, logvar (B, D) -> (B,), nats.
    """
    require_same_shape("gaussian_log_density", x=x, mu=mu, logvar=logvar)
    return -0.5 * (LOG_2PI + logvar + (x - mu).square() * (-logvar).exp()).flatten(1).sum(1)


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x) = Σ_pixels [x log s(logits) + (1 - x) log(1 - s(logits))], s the sigmoid.

    logits, x (B, ...) -> (B,), nats; finite for any finite logits. A probability for x in {0, 1};
    for grey values it is a score without a normalising constant.
    """
    require_same_shape("bernoulli_log_likelihood", logits=logits, x=x)
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
