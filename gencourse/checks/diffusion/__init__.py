"""The exercises on diffusion and flow matching, in the order of the notebook and score table."""

from gencourse.checks import chapter
from gencourse.checks._hunt import REPAIRS

ORDER = (
    "coupling_layer",
    "coupling_inverse",
    "implicit_score_matching",
    "denoiser_from_score",
    "perturb",
    "schedule",
    "cosine_betas",
    "mixture_score",
    "reverse_sde_step",
    "pair_from",
    "denoising_loss",
    "ddim_step",
    "ancestral_step",
    "heun_step",
    "flow_matching_pair",
    "velocity_floor",
    "ode_log_likelihood",
    "hutchinson",
    "guided",
    "inpaint_step",
    "optimal_denoiser",
    "time_embedding",
    "training_step",
    "hide_labels",
    "guided_batch",
    "clipped_sampler",
    "code_space",
    "shifted_times",
    "reflow_pairs",
    "mean_flow_target",
    "suspects",
    "symptoms",
    *REPAIRS,
)
chapter(__name__, ORDER)
