"""The exercises on variational autoencoders, in the order of the notebook and score table."""

from gencourse.checks import chapter

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
    "importance_weighted_bound",
    "active_units",
    "latent_grid",
    "trust_kl",
    "suspects",
    "mended_heads",
    "mended_draw",
    "mended_reconstruction",
    "mended_kl",
    "mended_step_loss",
    "mended_generate",
    "mended_report",
)
chapter(__name__, ORDER)
