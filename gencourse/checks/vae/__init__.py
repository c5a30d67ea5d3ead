"""The exercises of the VAE chapter; the order of the imports is that of the notebook and of the score table."""
# ruff: noqa: I001

from gencourse.checks.vae.densities import bernoulli_log_likelihood, gaussian_log_density, kl_to_standard_normal, reparameterize
from gencourse.checks.vae.objective import elbo_terms, kl_weight, sample_prior, split_heads, vae_train_step
from gencourse.checks.vae.bounds import active_units, importance_weighted_bound, latent_grid
from gencourse.checks.vae.hunt import (
    mended_draw,
    mended_generate,
    mended_heads,
    mended_kl,
    mended_reconstruction,
    mended_report,
    mended_step_loss,
    suspects,
    trust_kl,
)

__all__ = [
    "active_units",
    "bernoulli_log_likelihood",
    "elbo_terms",
    "gaussian_log_density",
    "importance_weighted_bound",
    "kl_to_standard_normal",
    "kl_weight",
    "latent_grid",
    "mended_draw",
    "mended_generate",
    "mended_heads",
    "mended_kl",
    "mended_reconstruction",
    "mended_report",
    "mended_step_loss",
    "reparameterize",
    "sample_prior",
    "split_heads",
    "suspects",
    "trust_kl",
    "vae_train_step",
]
