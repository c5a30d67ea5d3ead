"""The exercises on variational autoencoders, in the order of the notebook and score table."""

from gencourse.checks import chapter
from gencourse.checks._hunt import REPAIRS

ORDER = (
    "gaussian_log_density",
    "reparameterize",
    "kl_to_standard_normal",
    "bernoulli_log_likelihood",
    "elbo_terms",
    "split_heads",
    "sample_prior",
    "vae_train_step",
    "kl_weight",
    "TinyVAE",
    "importance_weighted_bound",
    "active_units",
    "latent_grid",
    "e_step",
    "refit_q",
    "sweep",
    "trust_kl",
    "suspects",
    *REPAIRS,
)
chapter(__name__, ORDER)
