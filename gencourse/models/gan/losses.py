"""The losses of the two players: functions of logits, one value per example, minimised."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from gencourse.validation import require_same_shape, require_tensor


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) with D = sigmoid(logit): minus the value that D maximises.

    real_logits, fake_logits (B,) -> (B,), nats; finite for any finite logits; 2 log 2 for a D that
    cannot tell. Source: Goodfellow et al. 2014, equation 1.
    """
    require_same_shape("discriminator_loss", real_logits=real_logits, fake_logits=fake_logits)
    return F.softplus(-real_logits) + F.softplus(fake_logits)  # softplus(l) = -log(1 - sigmoid(l))


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)), the non-saturating loss: its gradient is largest where D is sure that a sample
    is fake.

    fake_logits (B,) -> (B,), nats. Source: Goodfellow et al. 2014, section 3.
    """
    require_tensor("generator_loss", "fake_logits", fake_logits)
    return F.softplus(-fake_logits)


def saturating_loss(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))), the minimax loss of the same paper: its gradient vanishes where D is sure.

    (B,) -> (B,), nats.
    """
    require_tensor("saturating_loss", "fake_logits", fake_logits)
    return -F.softplus(fake_logits)


def wasserstein_critic_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """D(G(z)) - D(x), D a critic without a sigmoid, to be held 1-Lipschitz by a penalty; in units
    of the data.

    (B,) -> (B,). For a D that is 1-Lipschitz minus its mean is at most the Wasserstein-1 distance;
    a penalty does not ensure that, and the mean may exceed it. Source: Arjovsky et al. 2017,
    equation 2.
    """
    require_same_shape("wasserstein_critic_loss", real_logits=real_logits, fake_logits=fake_logits)
    return fake_logits - real_logits


def wasserstein_generator_loss(fake_logits: Tensor) -> Tensor:
    """-D(G(z)): (B,) -> (B,)."""
    require_tensor("wasserstein_generator_loss", "fake_logits", fake_logits)
    return -fake_logits


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): D gains nothing by being surer than ±1. (B,) -> (B,).

    The generator's loss beside it is -D(G(z)). Source: Lim & Ye 2017 (arXiv 1705.02894), Miyato et
    al. 2018.
    """
    require_same_shape("hinge_discriminator_loss", real_logits=real_logits, fake_logits=fake_logits)
    return F.relu(1 - real_logits) + F.relu(1 + fake_logits)


def least_squares_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """½ (D(x) - 1)² + ½ D(G(z))², D without a sigmoid.

    (B,) -> (B,). Source: Mao et al. 2017 (arXiv 1611.04076).
    """
    require_same_shape(
        "least_squares_discriminator_loss", real_logits=real_logits, fake_logits=fake_logits
    )
    return 0.5 * (real_logits - 1).square() + 0.5 * fake_logits.square()


def least_squares_generator_loss(fake_logits: Tensor) -> Tensor:
    """½ (D(G(z)) - 1)²: (B,) -> (B,)."""
    require_tensor("least_squares_generator_loss", "fake_logits", fake_logits)
    return 0.5 * (fake_logits - 1).square()


class Losses(NamedTuple):
    """What each player minimises."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


LOSSES = {
    "non-saturating": Losses(discriminator_loss, generator_loss),
    "saturating": Losses(discriminator_loss, saturating_loss),
    "least squares": Losses(least_squares_discriminator_loss, least_squares_generator_loss),
    "hinge": Losses(hinge_discriminator_loss, wasserstein_generator_loss),
    "Wasserstein": Losses(wasserstein_critic_loss, wasserstein_generator_loss),
}
