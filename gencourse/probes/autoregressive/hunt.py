"""Pieces of a small GPT, which a bug hunt has repaired, at work."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.autoregressive.tokens import holds_whole_numbers
from gencourse.runtime import global_seed, seeded


class Letters:
    """A toy tokenizer: it knows the letters of the text that it was made from, and joins doubles.

    So a text has fewer tokens than characters, as with byte pairs.
    """

    def __init__(self, characters: str) -> None:
        self.learned_from = characters
        self.number = {letter: i for i, letter in enumerate(sorted(set(characters)))}

    def __len__(self) -> int:
        return 2 * len(self.number) + 1

    def encode(self, characters: str) -> Tensor:
        """The tokens of a text: letters, double letters, and one number for the unknown."""
        tokens, i = [], 0
        while i < len(characters):
            letter, double = characters[i], characters[i : i + 2] == 2 * characters[i]
            known = self.number.get(letter)
            tokens.append(len(self) - 1 if known is None else 2 * known + double)
            i += 1 + double
        return torch.tensor(tokens, dtype=torch.long)


def prepared(prepare: Callable, characters: str) -> dict[str, object]:
    """What a tokenizer was made from, and the two parts of the text in its tokens."""
    made: list[Letters] = []

    def learn(text: str) -> Letters:
        made.append(Letters(text))
        return made[-1]

    tokenizer, train, held_out = prepare(characters, learn)
    return {
        "how many tokenizers were learned": len(made),
        "what the tokenizer was learned from": tokenizer.learned_from,
        "the training tokens": train,
        "the held-out tokens": held_out,
    }


def looked_up(positions: Callable, past: int, n: int) -> Tensor:
    """The rows of a table that are found at the positions of n new tokens."""
    table = nn.Embedding.from_pretrained(torch.arange(100.0)[:, None])
    return table(positions(past, n))[:, 0]


class Places:
    """A cache that knows how many positions it holds, and nothing of them."""

    def __init__(self, held: int) -> None:
        self.held = held

    def __len__(self) -> int:
        return self.held


class Forgetful(nn.Module):
    """A model with dropout that notes how it is called, and makes its cache longer.

    A part of it may be in another mode, and a part of that part in a third one.
    """

    def __init__(self, V: int, training: bool, part: bool, inner: bool | None = None) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(
            torch.randn(V, V, generator=seeded(V)), freeze=False
        )
        self.noise, self.further = nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5))
        self.train(training)
        self.further.train(part)
        self.further[0].train(part if inner is None else inner)
        self.calls: list[tuple[bool, bool]] = []

    def forward(self, idx: Tensor, caches: list[Places]) -> Tensor:
        """Logits (B, t, V) of idx (B, t), larger the more a cache holds."""
        caches[0].held += idx.shape[1]
        inside = self.noise.training or any(part.training for part in self.further.modules())
        self.calls.append((self.training, inside))
        return self.further(self.noise(self.table(idx))) * (1 + len(caches[0]))


def last_logits(
    next_logits: Callable,
    idx: Tensor,
    held: int,
    training: bool,
    part: bool,
    seed: int,
    inner: bool | None = None,
) -> dict[str, object]:
    """What is computed from a model with dropout, and what becomes of its modes."""
    model, caches = Forgetful(7, training, part, inner), [Places(held)]
    with global_seed(seed):  # what dropout draws
        logits = next_logits(model, idx, caches)
    return {
        "the logits": logits,
        "how often the model was called": len(model.calls),
        "how many positions the cache holds then": len(caches[0]),
        "whether it was in training mode then": any(outside for outside, _ in model.calls),
        "whether a part of it was": any(inside for _, inside in model.calls),
        "whether a graph was recorded": bool(torch.as_tensor(logits).requires_grad),
        "whether the model is in training mode afterwards": model.training,
        "whether its noise is": model.noise.training,
        "whether its further part is": [part.training for part in model.further.modules()],
    }


def shares(
    draw_token: Callable, logits: Tensor, T: float, seed: int, others: dict[str, Tensor]
) -> dict[str, object]:
    """How often each token is drawn in many rows; `others` are tables of probabilities, by name."""
    rows, generator = 6_000, seeded(seed)
    drawn = draw_token(logits.expand(rows, -1).clone(), T, generator)
    if tuple(drawn.shape) != (rows,):
        return {"the shape": list(drawn.shape)}
    share = torch.bincount(drawn, minlength=len(logits)).double() / rows
    distance = {name: float((share - table).abs().sum()) for name, table in others.items()}
    again = draw_token(logits.expand(rows, -1).clone(), T, seeded(seed))
    return {
        "whether whole numbers are returned": holds_whole_numbers(drawn),
        "the nearest of some tables of probabilities": min(distance, key=distance.__getitem__),
        "whether it is near": min(distance.values()) < 0.05,
        "whether rows differ": bool((drawn != drawn[0]).any()),
        "whether the same generator gives the same tokens": torch.equal(drawn, again),
        "whether the generator moved on": not torch.equal(
            generator.get_state(), seeded(seed).get_state()
        ),
    }


def sure(draw_token: Callable, logits: Tensor, T: float, seed: int) -> Tensor:
    """The tokens that are drawn where there is hardly a choice: logits (B, V)."""
    return draw_token(logits, T, seeded(seed))
