"""The exercises on diffusion and flow matching, in the order of the notebook and score table."""

from gencourse.checks import chapter

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
    "ode_log_likelihood",
    "hutchinson",
    "guided",
    "inpaint_step",
    "optimal_denoiser",
)
chapter(__name__, ORDER)
