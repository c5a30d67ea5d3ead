"""Chapter 3's GPT on Shakespeare, or on a text of one's own."""

from collections.abc import Iterator
from typing import Any

import torch

from gencourse.data import windows
from gencourse.experiments.characters import Characters, characters
from gencourse.experiments.measures import quick_text_nats, text_nats
from gencourse.experiments.recipe import Recipe, Training
from gencourse.models.autoregressive import GPT

PROMPT, WRITTEN = 20, 200  # characters that are given, and that it writes
PASSES = 6.0  # over the text: on tiny Shakespeare 2.4, 6 and 18 end at 1.50, 1.47 and 1.61 nats


class GPTRecipe(Recipe[GPT, Characters]):
    """A GPT on characters; its best weights are those with the fewest nats per character."""

    def data(self, source: str) -> Characters:
        """A text in three parts."""
        return characters(source)

    def settings(self, data: Characters, scale: str) -> dict[str, Any]:
        """The sizes, and the vocabulary."""
        return {**self.sizes[scale], "vocabulary": list(data.vocabulary)}

    def model(self, settings: dict[str, Any], data: Characters | None = None) -> GPT:
        """A GPT for the characters of a vocabulary."""
        sizes = {name: value for name, value in settings.items() if name != "vocabulary"}
        return GPT(len(settings["vocabulary"]), **sizes)

    def most_steps(self, settings: dict[str, Any], data: Characters, batch_size: int) -> float:
        """As many as go over the text PASSES times: after that it is learned by heart."""
        return max(1, PASSES * len(data.train) // (batch_size * settings["block_size"]))

    def batches(self, model: GPT, data: Characters, batch_size: int, seed: int) -> Iterator:
        """Windows (batch_size, T) and the characters one position later."""
        return windows(data.train, model.block_size, batch_size, seed=seed)

    def held_out(self, model: GPT, data: Characters) -> dict[str, float]:
        """Nats per character, on a part of the held-out text."""
        return {"nats": quick_text_nats(model, data.held_out)}

    def scores(self, model: GPT, data: Characters) -> dict[str, float]:
        """Nats per character of the validation text, the first one given the one before it."""
        return {"nats": text_nats(model, torch.cat([data.held_out[-1:], data.test]))}

    def samples(self, model: GPT, data: Characters) -> str:
        """What it writes after the first characters of the held-out text."""
        prompt = data.held_out[:PROMPT][None]
        written = model.generate(prompt, WRITTEN, T=0.8, seed=3)[0]
        return data.text.decode(written.cpu())


RECIPE = GPTRecipe(
    training={
        "smoke": Training(steps=6, batch_size=4, lr=0.03),
        "default": Training(steps=360, batch_size=20, lr=0.03),
        "full": Training(steps=20_000, batch_size=16, lr=0.02),
    },
    sizes={
        "smoke": {"block_size": 16, "layers": 1, "heads": 2, "width": 16},
        "default": {"block_size": 64, "layers": 3, "heads": 3, "width": 96},
        "full": {"block_size": 128, "layers": 4, "heads": 4, "width": 128},
    },
    meanings={"nats": "per character of the whole validation text; lower is better"},
)
