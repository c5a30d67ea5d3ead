"""Autoregressive models: p(x) = Π_t p(x_t given x_1 ... x_{t-1}), from counting to GPT and
PixelCNN.

Text is measured in nats per token, images in nats per image; log p(x) is exact. Sources: Shannon
1948, Bengio et al. 2003, Larochelle & Murray 2011, Germain et al. 2015 (MADE, 1502.03509), van den
Oord et al. 2016 (PixelCNN, 1601.06759 and 1606.05328), Vaswani et al. 2017 (1706.03762), Radford et
al. 2018, 2019 (GPT).
"""

from gencourse.models.autoregressive.attention import (
    CausalSelfAttention,
    KVCache,
    apply_rotary,
    attention_weights,
    causal_attention,
    causal_mask,
)
from gencourse.models.autoregressive.bpe import (
    BPE,
    bits_per_byte,
    bpe_encode,
    bpe_merge_step,
    bpe_train,
    merge_pair,
    pair_counts,
    split_words,
)
from gencourse.models.autoregressive.causality import depends_on, find_leak
from gencourse.models.autoregressive.counting import (
    MarkovSource,
    bigram_counts,
    bigram_nll,
    bigram_probs,
)
from gencourse.models.autoregressive.gpt import GPT, Block
from gencourse.models.autoregressive.made import MADE, MaskedLinear, made_masks, raster_sample
from gencourse.models.autoregressive.ngram import NeuralNgram
from gencourse.models.autoregressive.pixelcnn import (
    GatedLayer,
    MaskedConv2d,
    PixelCNN,
    PlainPixelCNN,
    gate,
    pixelcnn_mask,
)
from gencourse.models.autoregressive.sampling import (
    filtered_probs,
    generate,
    sample_token,
    temperature_probs,
    top_k_filter,
    top_p_filter,
)
from gencourse.models.autoregressive.tokens import IGNORED, next_token_pairs, sequence_nll
from gencourse.models.autoregressive.trained import recorded, trained_gpt

__all__ = [
    "BPE",
    "GPT",
    "IGNORED",
    "MADE",
    "Block",
    "CausalSelfAttention",
    "GatedLayer",
    "KVCache",
    "MarkovSource",
    "MaskedConv2d",
    "MaskedLinear",
    "NeuralNgram",
    "PixelCNN",
    "PlainPixelCNN",
    "apply_rotary",
    "attention_weights",
    "bigram_counts",
    "bigram_nll",
    "bigram_probs",
    "bits_per_byte",
    "bpe_encode",
    "bpe_merge_step",
    "bpe_train",
    "causal_attention",
    "causal_mask",
    "depends_on",
    "filtered_probs",
    "find_leak",
    "gate",
    "generate",
    "made_masks",
    "merge_pair",
    "next_token_pairs",
    "pair_counts",
    "pixelcnn_mask",
    "raster_sample",
    "recorded",
    "sample_token",
    "sequence_nll",
    "split_words",
    "temperature_probs",
    "top_k_filter",
    "top_p_filter",
    "trained_gpt",
]
