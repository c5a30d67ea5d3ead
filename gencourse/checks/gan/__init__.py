"""The exercises on generative adversarial networks, in the order of the notebook and of the score
table.
"""

from gencourse.checks import chapter

ORDER = (
    "sample_noise",
    "optimal_discriminator",
    "value_from_grid",
    "discriminator_loss",
    "generator_loss",
    "logit_gradients",
    "discriminator_step",
    "generator_step",
    "mode_coverage",
    "frechet_distance",
    "diagnoses",
    "ema_update",
    "r1_penalty",
    "dcgan_init",
    "augmented_logits",
    "gradient_penalty",
    "spectral_norm",
    "projection_logits",
    "conditional_step",
)
chapter(__name__, ORDER)
