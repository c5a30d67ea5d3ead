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
    "TinyVAE",
    "importance_weighted_bound",
    "active_units",
    "latent_grid",
    "e_step",
    "refit_q",
    "sweep",
    "trust_kl",
    "suspects",
    "repair_1",
    "repair_2",
    "repair_3",
    "repair_4",
    "repair_5",
    "repair_6",
    "repair_7",
)
chapter(__name__, ORDER)
