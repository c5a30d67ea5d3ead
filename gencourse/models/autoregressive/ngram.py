"""A neural n-gram: the last tokens as vectors, side by side, through an MLP."""

import torch
from torch import Tensor, nn

from gencourse.models.autoregressive.tokens import sequence_nll
from gencourse.validation import require_count, require_indices, require_place


class NeuralNgram(nn.Module):
    """p(x_t given the `context` tokens before it) = softmax(MLP(their embeddings, concatenated)).

    Before the start of a window the context is filled with a token of its own, number `vocab_size`.
    Source: Bengio et al. 2003.
    """

    def __init__(
        self, vocab_size: int, context: int = 3, width: int = 24, hidden: int = 256
    ) -> None:
        super().__init__()
        require_count("NeuralNgram", "context", context)
        self.vocab_size, self.context = vocab_size, context
        self.embedding = nn.Embedding(vocab_size + 1, width)
        self.mlp = nn.Sequential(
            nn.Linear(context * width, hidden), nn.Tanh(), nn.Linear(hidden, vocab_size)
        )

    def forward(self, idx: Tensor) -> Tensor:
        """Logits (B, T, V) for the token after each position: idx (B, T)."""
        require_place("NeuralNgram", "idx", idx, self)
        require_indices("NeuralNgram", "idx", idx, self.vocab_size, ndim=2)
        start = idx.new_full((len(idx), self.context - 1), self.vocab_size)
        windows = torch.cat([start, idx], 1).unfold(1, self.context, 1)  # (B, T, context)
        return self.mlp(self.embedding(windows).flatten(2))

    def loss(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """{"loss"}: nats per token, (B,), for windows x (B, T) and their next tokens y (B, T)."""
        return {"loss": sequence_nll(self(x), y)}
