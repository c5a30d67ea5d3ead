"""Models that write, and what a learner's loop makes of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.autoregressive.arguments import same, uncopied
from gencourse.probes.autoregressive.tokens import holds_whole_numbers
from gencourse.runtime import seeded


class Diary(list):
    """What a model noted of its calls. A copy of the model writes into the same one."""

    def __deepcopy__(self, memo: dict) -> "Diary":
        return self


class Adder(nn.Module):
    """Its next token is likely the sum of its context and of the last position; it keeps a diary.

    `sharpness` is by how much the logit of that token lies above the others.
    """

    def __init__(self, V: int, sharpness: float) -> None:
        super().__init__()
        self.V, self.sharpness = V, sharpness
        self.noise = nn.RReLU()  # random in training mode, as Dropout, under another name
        self.scale = nn.Parameter(torch.ones(()))
        self.lengths, self.modes, self.graphs = Diary(), Diary(), Diary()

    def forward(self, idx: Tensor) -> Tensor:
        """Logits (B, L, V) for the token after each position of idx (B, L); the call is noted."""
        self.lengths.append(idx.shape[1])
        self.modes.append(any(module.training for module in self.modules()))
        sums = (idx.cumsum(1) + torch.arange(idx.shape[1])) % self.V
        logits = self.scale * self.sharpness * nn.functional.one_hot(sums, self.V).float()
        self.graphs.append(logits.requires_grad)
        return logits


class Dice(nn.Module):
    """The same logits (V,) whatever the context, for at most B rows of `block` tokens.

    What it returns is a part of its own weights: who writes into that, changes the model.
    """

    def __init__(self, logits: Tensor, B: int, block: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits.repeat(B, block, 1))

    def forward(self, idx: Tensor) -> Tensor:
        """The same logits (B, L, V) at each position of idx (B, L)."""
        return self.logits[: len(idx), : idx.shape[1]]


def writing(
    generate: Callable,
    idx: Tensor,
    n: int,
    block: int,
    T: float,
    seed: int,
    sharpness: float = 200.0,
    V: int = 7,
    training: bool = True,
    recording: bool = True,
) -> dict[str, object]:
    """A text by the model that adds up its context, and what became of that model.

    `training`: the model comes in training mode; `recording`: graphs are recorded by the caller.
    """
    model, start = Adder(V, sharpness).train(training), torch.random.get_rng_state()
    model.scale.grad = torch.ones(())
    with torch.set_grad_enabled(recording):
        text = generate(model, idx, n, block, T, seeded(seed))
        after = torch.is_grad_enabled()
    return {
        "the text": text,
        "whether the text holds whole numbers": holds_whole_numbers(text),
        "the longest context that the model was given": max(model.lengths, default=0),
        "whether a part of the model was in training mode when it was called": any(model.modes),
        "whether the model is in training mode after the call": model.training,
        "whether a graph was recorded in the model": any(model.graphs),
        "whether graphs are recorded after the call": after,
        "whether the model's parameters can still learn": model.scale.requires_grad,
        "whether a gradient that waits for a step is still there": model.scale.grad is not None
        and bool(model.scale.grad == 1),
        "whether torch's global generator was left alone": torch.equal(
            start, torch.random.get_rng_state()
        ),
    }


def after_learning(generate: Callable, idx: Tensor, n: int, block: int, seed: int) -> list[object]:
    """Texts at T = 0 of a model that prefers one token, and of the same when it prefers another."""
    likes = [100 + 0.001 * nn.functional.one_hot(torch.full((7,), i), 7) for i in (5, 2)]
    model = nn.Embedding.from_pretrained(likes[0], freeze=False)  # a table of what follows what
    first = generate(model, uncopied(idx), n, block, 0, seeded(seed))
    with torch.no_grad():
        model.weight.copy_(likes[1])
    return [first, generate(model, uncopied(idx), n, block, 0, seeded(seed))]


def prompt_unchanged(
    generate: Callable, idx: Tensor, n: int, block: int, T: float, seed: int
) -> bool:
    """Whether the prompt is after the call what it was before."""
    prompt = uncopied(idx)
    generate(Adder(7, 200.0), prompt, n, block, T, seeded(seed))
    return same(idx, prompt)


def repetitions(
    generate: Callable, idx: Tensor, n: int, block: int, T: float, seed: int
) -> dict[str, bool]:
    """Which texts are equal when a model that is unsure writes several times."""
    model, generator = Adder(7, 0.5), seeded(seed)
    idx = uncopied(idx)  # so no stress leaves one row, which might repeat by luck
    before = torch.random.get_rng_state()
    first = generate(model, idx, n, block, T, generator)
    alone = torch.equal(before, torch.random.get_rng_state())
    torch.randn(3)
    second = generate(model, idx, n, block, T, generator)
    third = generate(model, idx, n, block, T, generator.manual_seed(seed))
    other = generate(model, idx, n, block, T, generator.manual_seed(seed + 1))
    return {
        "whether a generator in the same state gives the same text": torch.equal(first, third),
        "whether a second call with the same generator repeats the text": torch.equal(
            first, second
        ),
        "whether a generator in another state gives the same text": torch.equal(first, other),
        "whether torch's global generator was left alone": alone,
    }


def draws(
    generate: Callable,
    logits: Tensor,
    T: float,
    B: int,
    seed: int,
    expected: Tensor,
    others: dict[str, Tensor],
) -> dict[str, object]:
    """How often each token comes in B texts of 4 tokens, by a model that always has these logits.

    `expected` (V,) are the probabilities of the tokens, `others` those at some temperatures.
    Tolerances are 5.5 standard errors, so one right answer in some million would miss one.
    """
    n, generator, start = 4, seeded(seed), torch.random.get_rng_state()
    prompt = uncopied(torch.zeros(B, 1, dtype=torch.long))  # so no stress takes rows away
    text = generate(Dice(logits, B, 3), prompt, n, 3, T, generator)
    if text.shape != (B, n + 1):
        return {"the shape": list(text.shape)}
    drawn = text[:, 1:]
    share = torch.bincount(drawn.flatten(), minlength=len(logits)).double() / drawn.numel()
    kinds = torch.stack([k & (expected > 0) for k in kinds_of_tokens(expected)]).double()
    pairs = expected.double().square().sum()
    equal = (drawn[:, :-1] == drawn[:, 1:]).double().mean()
    distance = {name: float((share - table).abs().sum()) for name, table in others.items()}
    return {
        "the temperature at which such tokens are likeliest": float(
            min(distance, key=distance.__getitem__)
        ),
        "whether likely, middling and unlikely tokens come as often as they should": bool(
            near(kinds @ share, kinds @ expected.double(), drawn.numel()).all()
        ),
        "whether tokens of probability 0 come": bool((share[expected == 0] > 0).any()),
        "whether a token is drawn independently of the one before": bool(
            near(equal, pairs, drawn[:, 1:].numel())
        ),
        "whether the generator moved on": not torch.equal(
            generator.get_state(), seeded(seed).get_state()
        ),
        "whether torch's global generator was left alone": torch.equal(
            start, torch.random.get_rng_state()
        ),
    }


def spread(generate: Callable, V: int, B: int, seed: int) -> dict[str, bool]:
    """Whether B texts of 4 tokens differ, and hold all thirds of V tokens that are nearly alike."""
    logits = torch.linspace(0, 0.1, V)
    prompt = uncopied(torch.zeros(B, 1, dtype=torch.long))
    drawn = torch.as_tensor(generate(Dice(logits, B, 3), prompt, 4, 3, 1.0, seeded(seed))[:, 1:])
    thirds = (3 * drawn.flatten() // V).tolist()
    return {
        "whether the texts differ, each token being drawn for each row": bool(
            (drawn != drawn[:1]).any()
        ),
        "whether tokens of each third come": set(thirds) == {0, 1, 2},
    }


def kinds_of_tokens(expected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which tokens are the likeliest, above the median, and below it."""
    first = expected == expected.max()
    above = expected > expected.median()
    return first, above & ~first, ~above


def near(share: Tensor, p: Tensor, count: int) -> Tensor:
    """Whether shares of `count` draws lie within 5.5 standard errors of their probabilities."""
    return (share - p).abs() <= 5.5 * (p * (1 - p) / count).sqrt() + 1e-6
