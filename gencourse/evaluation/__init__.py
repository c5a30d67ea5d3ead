"""What a model is worth, in numbers.

Nothing here knows a model: functions take tensors, callables that return tensors, or whatever has
the methods that they name.

`likelihood` is for models that know log p(x) or a bound of it, `posterior` for those with an
encoder, `samples` for all that can sample, `features` is the small classifier in whose features
images are compared.
"""

from gencourse.evaluation.features import FeatureNetwork, feature_network
from gencourse.evaluation.likelihood import (
    active_units,
    bits_per_dim,
    dataset_elbo_terms,
    dataset_iwae_bound,
    iwae_bound,
)
from gencourse.evaluation.posterior import elbo_under, index_information, refit_posterior
from gencourse.evaluation.samples import (
    Coverage,
    PrecisionRecall,
    frechet_distance,
    kernel_distance,
    mode_coverage,
    nearest_neighbours,
    precision_recall,
)

__all__ = [
    "Coverage",
    "FeatureNetwork",
    "PrecisionRecall",
    "active_units",
    "bits_per_dim",
    "dataset_elbo_terms",
    "dataset_iwae_bound",
    "elbo_under",
    "feature_network",
    "frechet_distance",
    "index_information",
    "iwae_bound",
    "kernel_distance",
    "mode_coverage",
    "nearest_neighbours",
    "precision_recall",
    "refit_posterior",
]
