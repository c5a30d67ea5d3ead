"""The exercises on autoregressive models, in the order of the notebook and of the score table."""

from gencourse.checks import chapter
from gencourse.checks._hunt import REPAIRS

ORDER = (
    "next_token_pairs",
    "sequence_nll",
    "perplexity",
    "bits_per_dim",
    "counts_with_start",
    "bigram_probs",
    "entropy_and_kl",
    "temperature_probs",
    "top_k_filter",
    "top_p_filter",
    "generate",
    "causal_mask",
    "causal_attention",
    "multi_head",
    "rotary",
    "transformer_block",
    "cached_attention_step",
    "bpe_merge_step",
    "bpe_encode",
    "prefix_targets",
    "chat_targets",
    "made_masks",
    "pixelcnn_mask",
    "masked_stack",
    "depends_on",
    "raster_sample",
    "suspects",
    *REPAIRS,
)
chapter(__name__, ORDER)
