"""The bug hunt: piece 5, what the model says of the next token."""

import torch

from gencourse.checks import exercise
from gencourse.probes.autoregressive.hunt import last_logits
from gencourse.runtime import seeded


def repair_5_reference(model, idx, caches):
    """Logits (B, V) after the last position; the model in evaluation mode for the time."""
    were_training = [part for part in model.modules() if part.training]
    model.eval()
    with torch.no_grad():
        logits = model(idx, caches)[:, -1]
    for part in were_training:
        part.training = True
    return logits


@exercise(
    reference=repair_5_reference,
    difficulty=2,
    minutes=6,
    points=1,
    hints=(
        "Dropout puts noise into training. Which mode has none?",
        "no_grad is about graphs, eval about dropout. A model that writes needs both.",
        "Some parts may have come in evaluation mode: model.modules() lists all, and each has a "
        "`training` of its own.",
    ),
    on_success="One prompt, one answer; and training goes on as if nothing had happened.",
)
def repair_5(answer, seed):
    idx = torch.randint(0, 7, (3, 5), generator=seeded(seed))
    for said, training, part in (
        ("a model in training mode", True, True),
        ("a model in evaluation mode", False, False),
        ("a model in training mode with a part in evaluation mode", True, False),
        ("a model in evaluation mode with a part in training mode", False, True),
    ):
        yield f"after 3 texts, {said}", answer.run(last_logits, idx, 0, training, part, seed)
    nested = "after 3 texts, a model in training mode with a part of a part in evaluation mode"
    yield nested, answer.run(last_logits, idx, 2, True, True, seed, inner=False)
    one = idx[:1, :1]
    yield "after a token and a cache of 4", answer.run(last_logits, one, 4, True, True, seed)


@repair_5.alternative
@torch.no_grad()
def with_all_modes_kept(model, idx, caches):
    modes = {name: part.training for name, part in model.named_modules()}
    model.train(False)
    output = model(idx, caches)
    for name, part in model.named_modules():
        part.training = modes[name]
    return output[:, idx.shape[1] - 1, :]


@repair_5.alternative
def detached_in_the_end(model, idx, caches):
    kept = [(part, part.training) for part in model.modules()]
    try:
        model.eval()
        return model(idx, caches).select(1, -1).detach()
    finally:
        for part, mode in kept:
            part.training = mode


def asked(model, idx, caches, evaluate=True, restore="parts", graph=False):
    """The last logits with knobs: which mode the model is in, then and afterwards."""
    was, parts = model.training, [part for part in model.modules() if part.training]
    if evaluate:
        model.eval()
    with torch.set_grad_enabled(graph):
        logits = model(idx, caches)
    if restore == "parts":
        for part in parts:
            part.training = True
    elif restore:
        model.train(was if restore == "whole" else True)
    return logits[:, -1]


@repair_5.mistake(
    "This is still the planted piece: no_grad records no graph, and dropout still draws its noise."
)
def planted_next_logits(model, idx, caches):
    return asked(model, idx, caches, evaluate=False)


@repair_5.mistake(
    "The model stays in evaluation mode: its further training would be without dropout. How did it "
    "come?"
)
def left_in_evaluation(model, idx, caches):
    return asked(model, idx, caches, restore="")


@repair_5.mistake("The model is in training mode afterwards, however it came.")
def always_training_afterwards(model, idx, caches):
    return asked(model, idx, caches, restore="training")


@repair_5.mistake(
    "model.train(was) puts all parts into one mode. A part that came in another one has lost it."
)
def all_parts_into_one_mode(model, idx, caches):
    return asked(model, idx, caches, restore="whole")


@repair_5.mistake(
    "The numbers are right, and they drag a graph along. Is anything learned from them?"
)
def graph_kept(model, idx, caches):
    return asked(model, idx, caches, graph=True)


@repair_5.mistake("You return the logits of all positions. Which of them knows what comes next?")
def all_positions(model, idx, caches):
    return torch.stack([asked(model, idx[:, : t + 1], caches) for t in range(idx.shape[1])], 1)


@repair_5.mistake("These are the logits after the first position. Which one is the newest?")
def first_position(model, idx, caches):
    return repair_5_reference(model, idx[:, :1], caches)


@repair_5.mistake("The caches are not passed on: the model forgets what was written.")
def without_caches(model, idx, caches):
    return repair_5_reference(model, idx, [[]])


@repair_5.mistake(
    "Only the outermost `training` is switched, and dropout asks its own. What does eval() do?"
)
def outermost_alone(model, idx, caches):
    was, model.training = model.training, False
    logits = asked(model, idx, caches, evaluate=False)
    model.training = was
    return logits


@repair_5.mistake("These are probabilities. What does the docstring ask for?")
def probabilities(model, idx, caches):
    return repair_5_reference(model, idx, caches).softmax(-1)
