"""Exercise on the moving average of a generator, which samples are drawn from."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import gan
from gencourse.probes.gan import averages


@exercise(
    reference=gan.ema_update,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        (
            "With a decay of 0.99 the average should hardly move. Which of the two is multiplied "
            "by 0.99?"
        ),
        (
            "A batch norm holds more than parameters. What does `buffers()` list that "
            "`parameters()` does not?"
        ),
        "The average is for looking at, not for training. Should it remember how it was computed?",
    ),
    on_success=(
        "Parameters and running statistics follow slowly, the counter is copied, and the model "
        "itself was not touched."
    ),
)
def ema_update(answer, seed):
    old, new, later = (draw(seed + i, 80) for i in range(3))
    once = answer.run(averages.updates, old, new, decays=(0.75,))
    yield "after one update with a decay of 0.75", once
    twice = answer.run(averages.updates, old, new, later, decays=(0.75, 0.9))
    yield "after a second update, with a decay of 0.9", twice
    for decay in (0.25, 0.998, 0.0, 1.0):
        found = answer.run(averages.updates, later, new, decays=(decay,))
        yield f"after one update with a decay of {decay:g}", found
    yield "both networks after an update", answer.run(averages.left_alone, old, new, 0.75)
    for said, decay in (("", 0.75), (" after an update with a decay of 0", 0.0)):
        found = answer.run(averages.whose_tensors, old, new, decay)
        yield f"the tensors of the average{said}", found
    said = "after an update of another network"
    yield said, answer.run(averages.shared, old, new, 0.75)


@ema_update.alternative
@torch.no_grad()
def parameters_then_buffers(average, model, decay):
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.mul_(decay).add_(new, alpha=1 - decay)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(decay * kept + (1 - decay) * new if kept.dtype.is_floating_point else new)


@ema_update.alternative
def by_names(average, model, decay):
    theirs = dict(model.named_parameters()) | dict(model.named_buffers())
    for name, kept in (dict(average.named_parameters()) | dict(average.named_buffers())).items():
        new = theirs[name].data
        kept.data[...] = decay * kept.data + (1 - decay) * new if new.is_floating_point() else new


@ema_update.alternative
def by_new_data(average, model, decay):
    pairs = [
        *zip(average.parameters(), model.parameters(), strict=True),
        *zip(average.buffers(), model.buffers(), strict=True),
    ]
    for kept, new in pairs:
        if kept.is_floating_point():
            kept.data = decay * kept.data + (1 - decay) * new.data
        else:
            kept.data = new.clone()
    return average


@torch.no_grad()
def each(average, model, parameter, floating=None, integer=None):
    """Set every tensor of the average to what a rule makes of it and of the model's."""
    held = ([*module.parameters(), *module.buffers()] for module in (average, model))
    for kept, new in zip(*held, strict=True):
        rule = floating or parameter
        if isinstance(kept, torch.nn.Parameter):
            rule = parameter
        elif not kept.is_floating_point():
            rule = integer or (lambda a, m: m)
        kept.copy_(rule(kept, new))


@ema_update.mistake(
    "Nothing but None need be returned, but the average has not moved. Does it work in place, on "
    "the average's own tensors?"
)
def nothing_moved(average, model, decay):
    return None


@ema_update.mistake(
    "With a decay of 0.75 the average made three quarters of the way. Should it remember or forget"
    " that much?"
)
def decay_on_the_model(average, model, decay):
    gan.ema_update(average, model, 1 - decay)


@ema_update.mistake(
    "The average is now the model: nothing of its past is left. Where does decay enter?"
)
def copied(average, model, decay):
    average.load_state_dict(model.state_dict())


@ema_update.mistake(
    "The parameters follow, the running mean and variance do not. What else does a batch norm hold?"
)
def buffers_forgotten(average, model, decay):
    each(average, model, lambda a, m: decay * a + (1 - decay) * m, lambda a, m: a, lambda a, m: a)


@ema_update.mistake(
    "You copy the buffers, as many programs do. The text asks for the running mean and variance to"
    " be averaged like weights."
)
def buffers_copied(average, model, decay):
    each(average, model, lambda a, m: decay * a + (1 - decay) * m, lambda a, m: m)


@ema_update.mistake(
    "The counter of batches is left as it was. It is no floating-point number: what does the text "
    "ask for such a buffer?"
)
def counter_left(average, model, decay):
    each(average, model, lambda a, m: decay * a + (1 - decay) * m, integer=lambda a, m: a)


@ema_update.mistake(
    "You average the counter of batches and cut it to an integer. What does the text ask for a "
    "buffer of integers?"
)
def counter_averaged(average, model, decay):
    each(
        average,
        model,
        lambda a, m: decay * a + (1 - decay) * m,
        integer=lambda a, m: decay * a + (1 - decay) * m,
    )


@ema_update.mistake(
    "The two shares do not add up to 1: your average grows without end. What is the share of the "
    "model?"
)
def shares_above_one(average, model, decay):
    each(average, model, lambda a, m: decay * a + m)


@ema_update.mistake("The average moves away from the model. Which difference do you add?")
def away_from_the_model(average, model, decay):
    each(average, model, lambda a, m: a - (1 - decay) * (m - a))


@ema_update.mistake(
    "The average is right, and it holds the graph of every update since the first. What keeps "
    "torch from recording?"
)
def graph_kept(average, model, decay):
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.mul_(decay).add_((1 - decay) * new)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(decay * kept + (1 - decay) * new if kept.is_floating_point() else new)


@ema_update.mistake(
    "You changed the model: now the network in training is an average, and the average is as it "
    "was. Which one is to be moved?"
)
def model_moved(average, model, decay):
    each(model, average, lambda m, a: decay * a + (1 - decay) * m, integer=lambda m, a: m)


@ema_update.mistake(
    "The numbers are right, but the two networks share their tensors now: when the model learns, "
    "the average moves along. Copy or alias?"
)
@torch.no_grad()
def tensors_shared(average, model, decay):
    for kept, new in zip(
        [*average.parameters(), *average.buffers()],
        [*model.parameters(), *model.buffers()],
        strict=True,
    ):
        if new.is_floating_point():
            new.data.mul_(1 - decay).add_(kept.data, alpha=decay)
        kept.data = new.data


@ema_update.mistake(
    "The average is right, but the model can no longer learn. It is only to be looked at: what did"
    " you switch off in it?"
)
def model_frozen(average, model, decay):
    gan.ema_update(average, model.requires_grad_(False), decay)


@ema_update.mistake(
    "The average is right, but the model is left in evaluation mode. Does reading its numbers need"
    " a mode at all?"
)
def model_left_in_evaluation(average, model, decay):
    gan.ema_update(average, model.eval(), decay)


@ema_update.mistake(
    "The numbers are right, but they stand in new parameters: whoever holds the average's own ones"
    " sees no change. Moved or replaced?"
)
def parameters_replaced(average, model, decay):
    gan.ema_update(average, model, decay)
    for module in average.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            setattr(module, name, torch.nn.Parameter(value.clone()))


@ema_update.mistake(
    "The numbers are right, and the parameters were moved in place. The buffers were replaced by "
    "new ones: whoever holds the average's own ones sees no change. Which copy works in place?"
)
def buffers_replaced(average, model, decay):
    gan.ema_update(average, model, decay)
    for module in average.modules():
        for name, value in list(module.named_buffers(recurse=False)):
            setattr(module, name, value.clone())


@ema_update.mistake(
    "The numbers are right, but the average took over the model's mode: samples are drawn from it "
    "in evaluation mode. What is to be moved, and what not?"
)
def mode_of_the_model(average, model, decay):
    gan.ema_update(average, model, decay)
    average.train(model.training)


def in_states(average, model, rule, integer=lambda a, m: m):
    """The same for what stands in a state_dict: a shared weight twice, an unsaved buffer never."""
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        kept.copy_((rule if kept.is_floating_point() else integer)(kept, new))


def averaged(decay):
    return lambda a, m: decay * a + (1 - decay) * m


@ema_update.mistake(
    "Right for a network whose state_dict holds every tensor once. A weight that two layers share "
    "stands there twice, and a buffer made with persistent=False never. What lists each of them?"
)
def by_the_state_dict(average, model, decay):
    in_states(average, model, averaged(decay))


@ema_update.mistake(
    "Right for a network all of whose buffers are saved. One made with persistent=False stands in "
    "no state_dict. What lists all buffers?"
)
def by_loading_a_state(average, model, decay):
    old, new = average.state_dict(), model.state_dict()
    rule = averaged(decay)
    average.load_state_dict(
        {k: rule(old[k], new[k]) if new[k].is_floating_point() else new[k] for k in old}
    )


def also(mistake):
    """Register what that mistake gives whoever makes it with a state_dict, with the same hint."""
    return ema_update.mistake(next(m.hint for m in ema_update.mistakes if m.answer is mistake))


@also(decay_on_the_model)
def decay_on_the_model_in_states(average, model, decay):
    in_states(average, model, averaged(1 - decay))


@also(counter_left)
def counter_left_in_states(average, model, decay):
    in_states(average, model, averaged(decay), lambda a, m: a)


@also(counter_averaged)
def counter_averaged_in_states(average, model, decay):
    in_states(average, model, averaged(decay), averaged(decay))


@also(shares_above_one)
def shares_above_one_in_states(average, model, decay):
    in_states(average, model, lambda a, m: decay * a + m)


@also(away_from_the_model)
def away_from_the_model_in_states(average, model, decay):
    in_states(average, model, lambda a, m: a - (1 - decay) * (m - a))


@ema_update.mistake(
    "Right but for a buffer that two layers share: it moves twice in your version. Which list of a "
    "network's buffers names each of them once?"
)
@torch.no_grad()
def shared_buffer_moved_twice(average, model, decay):
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
    for module, other in zip(average.modules(), model.modules(), strict=True):
        pairs = zip(module.buffers(recurse=False), other.buffers(recurse=False), strict=True)
        for kept, new in pairs:
            kept.copy_(averaged(decay)(kept, new) if kept.is_floating_point() else new)
