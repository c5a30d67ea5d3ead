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
    "velocity_floor",
    "ode_log_likelihood",
    "hutchinson",
    "guided",
    "inpaint_step",
    "optimal_denoiser",
    "suspects",
    "symptoms",
    "repair_1",
    "repair_2",
    "repair_3",
    "repair_4",
    "repair_5",
    "repair_6",
    "repair_7",
)
chapter(__name__, ORDER)
