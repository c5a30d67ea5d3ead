"""A small GPT: blocks of attention and MLP, the next-token loss, sampling with a cache."""

import itertools
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gencourse.errors import InputError
from gencourse.models.autoregressive.attention import (
    CausalSelfAttention,
    KVCache,
    attention_weights,
)
from gencourse.models.autoregressive.sampling import require_prompt, sample_token
from gencourse.models.autoregressive.tokens import sequence_nll
from gencourse.runtime import seeded
from gencourse.training import JointOptimizer, Muon, Player, adam
from gencourse.validation import (
    require_count,
    require_indices,
    require_place,
    values_trusted,
)


class Block(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)).

    Source: Radford et al. 2019 (norms before, not after).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Linear(4 * width, width, bias=False),
        )

    def forward(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """x (B, T, C) -> (B, T, C)."""
        x = x + self.attention(self.norm1(x), cache)
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """p(x_{t+1} given x_1 ... x_t) for tokens below `vocab_size`, from at most `block_size` of
    them.

    Token embeddings, `layers` blocks with `heads` heads on `width` channels, and the embeddings
    again to get the logits. Training by `fit` uses Muon for the matrices of the blocks and Adam for
    the rest. Sources: Radford et al. 2018, 2019; Press & Wolf 2017 (one matrix in and out, arXiv
    1608.05859); Jordan et al. 2024 (Muon).
    """

    def __init__(
        self,
        vocab_size: int,
        block_size: int = 64,
        layers: int = 4,
        heads: int = 3,
        width: int = 96,
    ) -> None:
        super().__init__()
        for name, value in {
            "vocab_size": vocab_size,
            "block_size": block_size,
            "layers": layers,
            "heads": heads,
            "width": width,
        }.items():
            require_count("GPT", name, value)
        self.vocab_size, self.block_size = vocab_size, block_size
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, p in self.named_parameters():
            if p.ndim == 2:  # what is added to the residual stream is smaller, as many terms add up
                nn.init.normal_(
                    p,
                    std=0.02 / (2 * layers) ** 0.5
                    if name.endswith(("out.weight", "mlp.2.weight"))
                    else 0.02,
                )

    def forward(self, idx: Tensor, caches: list[KVCache] | None = None) -> Tensor:
        """Logits (B, T, V) for the token after each position of idx (B, T); T plus what the caches
        hold is at most `block_size`.
        """
        return F.linear(
            self.norm(self.residual_stream(idx, caches)[-1]), self.token_embedding.weight
        )

    def residual_stream(self, idx: Tensor, caches: list[KVCache] | None = None) -> list[Tensor]:
        """What enters each block, and what leaves the last: layers + 1 tensors (B, T, C)."""
        require_prompt("GPT", idx)
        require_place("GPT", "idx", idx, self)
        require_indices("GPT", "idx", idx, self.vocab_size, ndim=2)
        past, T = len(caches[0]) if caches else 0, idx.shape[1]
        if past + T > self.block_size:
            raise InputError(
                f"GPT: idx should be at most block_size = {self.block_size} tokens long, got "
                f"{past + T}. Crop it: idx[:, -{self.block_size}:]."
            )
        x = [self.token_embedding(idx)]
        for block, cache in zip(
            self.blocks, caches or itertools.repeat(None, len(self.blocks)), strict=True
        ):
            x.append(block(x[-1], cache))
        return x

    def loss(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """{"loss"}: nats per token, (B,), for windows x (B, T) and their next tokens y (B, T).

        See sequence_nll.
        """
        return {"loss": sequence_nll(self(x), y)}

    def players(self, lr: float) -> list[Player]:
        """What `fit` trains: all parameters by one loss; Muon at `lr` for the blocks' matrices,
        Adam at lr/5 for the rest.
        """
        matrices = [p for p in self.blocks.parameters() if p.ndim == 2]
        others = [p for p in self.parameters() if not any(p is m for m in matrices)]
        return [
            Player(
                "",
                JointOptimizer(Muon(matrices, lr), adam(others, lr / 5, betas=(0.9, 0.95))),
                self.loss,
            )
        ]

    @torch.no_grad()
    def attention_maps(self, idx: Tensor) -> Tensor:
        """Where each position looks: idx (B, T) -> (layers, B, heads, T, T), rows sum to 1."""
        entering = self.residual_stream(idx)[:-1]
        return torch.stack(
            [
                attention_weights(*b.attention.qkv(b.norm1(x))[:2])
                for b, x in zip(cast(list[Block], self.blocks), entering, strict=True)
            ]
        )

    def generate(
        self,
        idx: Tensor,
        n: int,
        T: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        cached: bool = True,
    ) -> Tensor:
        """Draw n further tokens: idx (B, t) -> (B, t + n).

        See `sample_token` for T, top_k and top_p.

        Keys and values of earlier positions are kept, so that each step computes one position.
        Positions are counted from the start of the context; once that holds `block_size` tokens it
        starts again with the last half of them. `cached=False` computes the whole context at every
        step: the same tokens, slower.
        """
        require_prompt("GPT.generate", idx)
        require_count("GPT.generate", "n", n)
        require_indices("GPT.generate", "idx", idx, self.vocab_size, ndim=2)
        idx = idx.to(self.token_embedding.weight.device)
        generator, start, caches = seeded(seed), max(0, idx.shape[1] - self.block_size), None
        # what is drawn is a token; without gradients to record, small operations are faster
        with torch.no_grad(), values_trusted():
            for _ in range(n):
                if idx.shape[1] - start > self.block_size:
                    start, caches = idx.shape[1] - max(1, self.block_size // 2), None
                if cached and caches is not None:
                    logits = self(idx[:, -1:], caches)
                else:
                    caches = [KVCache(self.block_size) for _ in self.blocks]
                    logits = self(idx[:, start:], caches if cached else None)
                idx = torch.cat(
                    [idx, sample_token(logits[:, -1], T, top_k, top_p, generator)[:, None]], 1
                )
        return idx.clone()  # a tensor like any other, outside of inference mode
