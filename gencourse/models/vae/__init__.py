"""Variational autoencoders: the equations as functions, then the models that call them.

Everything is in nats and per example: a function returns one value for each row of its batch, and
nobody but the training loop takes a mean. Sources: Kingma & Welling 2014 (arXiv 1312.6114), Rezende
et al. 2014 (1401.4082), Higgins et al. 2017 (β-VAE), Burda et al. 2016 (IWAE, 1509.00519), Kingma
et al. 2014 (conditional VAE, 1406.5298).
"""

from gencourse.likelihoods import bernoulli_log_likelihood, gaussian_log_density
from gencourse.models.vae.codes import Posterior
from gencourse.models.vae.equations import (
    beta_vae_loss,
    importance_log_weights,
    kl_to_standard_normal,
    kl_weight,
    reparameterize,
)
from gencourse.models.vae.linear_gaussian import LinearGaussianVAE
from gencourse.models.vae.mixture import GaussianMixture
from gencourse.models.vae.networks import VAE, Autoencoder, ConditionalVAE, mlp
from gencourse.models.vae.pixels import BernoulliPixels, GaussianPixels
from gencourse.models.vae.trained import TrainedDecoder, trained_decoder

__all__ = [
    "VAE",
    "Autoencoder",
    "BernoulliPixels",
    "ConditionalVAE",
    "GaussianMixture",
    "GaussianPixels",
    "LinearGaussianVAE",
    "Posterior",
    "TrainedDecoder",
    "bernoulli_log_likelihood",
    "beta_vae_loss",
    "gaussian_log_density",
    "importance_log_weights",
    "kl_to_standard_normal",
    "kl_weight",
    "mlp",
    "reparameterize",
    "trained_decoder",
]
