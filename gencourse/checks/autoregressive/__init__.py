"""The exercises of the autoregressive chapter; the order of these imports is that of the notebook and of the score table."""
# ruff: noqa: I001, F401

from gencourse.checks.autoregressive.tokens import next_token_pairs
from gencourse.checks.autoregressive.likelihood import sequence_nll
from gencourse.checks.autoregressive.units import perplexity, bits_per_dim
from gencourse.checks.autoregressive.counting import counts_with_start
from gencourse.checks.autoregressive.bigrams import bigram_probs
from gencourse.checks.autoregressive.temperature import temperature_probs
from gencourse.checks.autoregressive.filters import top_k_filter
from gencourse.checks.autoregressive.nucleus import top_p_filter
from gencourse.checks.autoregressive.loops import generate
from gencourse.checks.autoregressive.masks import causal_mask
from gencourse.checks.autoregressive.attention import causal_attention
from gencourse.checks.autoregressive.heads import multi_head
from gencourse.checks.autoregressive.pixels import pixelcnn_mask
from gencourse.checks.autoregressive.stacks import masked_stack
from gencourse.checks.autoregressive.leaks import depends_on
from gencourse.checks.autoregressive.caches import cached_attention_step
from gencourse.checks.autoregressive.raster import raster_sample
from gencourse.checks.autoregressive.prefixes import prefix_targets
