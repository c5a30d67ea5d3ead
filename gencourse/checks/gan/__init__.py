"""The exercises of the GAN chapter; the order of these imports is that of the notebook and of the score table."""
# ruff: noqa: I001, F401

from gencourse.checks.gan.noise import sample_noise
from gencourse.checks.gan.densities import optimal_discriminator, value_from_grid
from gencourse.checks.gan.losses import discriminator_loss, generator_loss
from gencourse.checks.gan.saturation import logit_gradients
from gencourse.checks.gan.steps import discriminator_step
from gencourse.checks.gan.turns import generator_step
from gencourse.checks.gan.coverage import mode_coverage
from gencourse.checks.gan.diagnosis import diagnoses
from gencourse.checks.gan.averages import ema_update
from gencourse.checks.gan.starts import dcgan_init
from gencourse.checks.gan.augmentation import augmented_logits
from gencourse.checks.gan.penalties import gradient_penalty
from gencourse.checks.gan.spectral import spectral_norm
