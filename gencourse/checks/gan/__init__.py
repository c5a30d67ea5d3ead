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
    "diagnoses",
    "ema_update",
    "dcgan_init",
    "augmented_logits",
    "gradient_penalty",
    "spectral_norm",
)
chapter(__name__, ORDER)
