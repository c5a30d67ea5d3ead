"""The exercises of the VAE chapter; the order of these imports is that of the notebook and of the score table."""
# ruff: noqa: I001, F401

from gencourse.checks.vae.densities import gaussian_log_density
from gencourse.checks.vae.codes import reparameterize, kl_to_standard_normal
from gencourse.checks.vae.densities import bernoulli_log_likelihood
from gencourse.checks.vae.objective import elbo_terms
from gencourse.checks.vae.networks import split_heads, sample_prior
from gencourse.checks.vae.step import vae_train_step
from gencourse.checks.vae.objective import kl_weight
from gencourse.checks.vae.bounds import importance_weighted_bound, active_units, latent_grid
from gencourse.checks.vae.hunt import trust_kl, suspects
from gencourse.checks.vae.mended_training import mended_heads, mended_draw, mended_reconstruction, mended_kl, mended_step_loss
from gencourse.checks.vae.mended_output import mended_generate, mended_report
