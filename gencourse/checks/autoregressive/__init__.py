"""The exercises on autoregressive models, in the order of the notebook and of the score table."""

from gencourse.checks import chapter

ORDER = (
    "next_token_pairs",
    "sequence_nll",
    "perplexity",
    "bits_per_dim",
    "counts_with_start",
    "bigram_probs",
    "temperature_probs",
    "top_k_filter",
    "top_p_filter",
    "generate",
    "causal_mask",
    "causal_attention",
    "multi_head",
    "pixelcnn_mask",
    "masked_stack",
    "depends_on",
    "cached_attention_step",
    "raster_sample",
    "prefix_targets",
)
chapter(__name__, ORDER)
