"""The exercises on diffusion and flow matching, in the order of the notebook and score table."""

from gencourse.checks import chapter

ORDER = (
    "coupling_layer",
    "coupling_inverse",
)
chapter(__name__, ORDER)
