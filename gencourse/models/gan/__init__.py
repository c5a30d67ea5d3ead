"""Generative adversarial networks: the losses as functions, then the networks and the game that
they play.

Everything is per example and starts from logits, D's output before the sigmoid; logarithms are
natural, so losses are in nats. Sources: Goodfellow et al. 2014 (arXiv 1406.2661), Radford et al.
2016 (DCGAN, 1511.06434), Arjovsky et al. 2017 (Wasserstein GAN, 1701.07875), Gulrajani et al. 2017
(gradient penalty, 1704.00028), Mescheder et al. 2018 (R1, 1801.04406), Miyato et al. 2018 (spectral
normalisation, 1802.05957), Zhao et al. 2020 (augmentation, 2006.10738).
"""

from gencourse.models.gan.augmentation import augment, cutout, shift_brightness, translate
from gencourse.models.gan.game import GAN, ConditionalGAN, ema_update
from gencourse.models.gan.losses import (
    LOSSES,
    Losses,
    discriminator_loss,
    generator_loss,
    hinge_discriminator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    saturating_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from gencourse.models.gan.measured import measured
from gencourse.models.gan.networks import (
    Discriminator,
    Generator,
    PointDiscriminator,
    PointGenerator,
    dcgan_init,
)
from gencourse.models.gan.penalties import gradient_penalty, r1_penalty
from gencourse.models.gan.theory import game_value, jensen_shannon, optimal_discriminator
from gencourse.models.gan.trained import trained_generator

__all__ = [
    "GAN",
    "LOSSES",
    "ConditionalGAN",
    "Discriminator",
    "Generator",
    "Losses",
    "PointDiscriminator",
    "PointGenerator",
    "augment",
    "cutout",
    "dcgan_init",
    "discriminator_loss",
    "ema_update",
    "game_value",
    "generator_loss",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "jensen_shannon",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "measured",
    "optimal_discriminator",
    "r1_penalty",
    "saturating_loss",
    "shift_brightness",
    "trained_generator",
    "translate",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]
