"""Exercise on a step of flow matching, and on the average that follows the model."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.checks._steps import descend
from gencourse.models.diffusion import flow_matching_loss
from gencourse.probes.diffusion.training import left_behind, trained


@torch.no_grad()
def follow(average, model, decay):
    """average ← decay · average + (1 - decay) · model."""
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.mul_(decay).add_(new, alpha=1 - decay)


def training_step_reference(model, average, optimizer, x, eps, t, decay):
    """A step on the mean of |u(x_t, t) - (ε - x)|²; then the average follows. Returns that mean."""
    loss = descend(optimizer, flow_matching_loss(model, x, eps, t).mean())
    follow(average, model, decay)
    return loss


@exercise(
    reference=training_step_reference,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "x_t and its velocity as in `flow_matching_pair`; the squared error is summed over the "
        "numbers of an example, then the mean over examples.",
        "Clear, go backward, step. Only then does the average follow, without a graph.",
        "The average never takes part in the training: it is for drawing.",
    ),
    on_success="Draw from the average: its weights rest while those of the model still jump.",
)
def training_step(answer, seed):
    x, eps, second = draw(seed, 3, 5, 2)
    t = torch.linspace(0.1, 0.85, 5)
    yield "one step", answer.run(trained, x, [eps], t, 0.75)
    yield "two steps with different noise", answer.run(trained, x, [eps, second], t, 0.9)
    said = "three steps of Adam"
    yield said, answer.run(trained, x, [eps, second, eps], t, 0.5, optimizer="Adam")
    said = "one step when the parameters held gradients before"
    yield said, answer.run(trained, x, [eps], t, 0.75, stale=True)
    images, noise = draw(seed + 1, 2, 3, 1, 2, 3)
    yield "one step of images", answer.run(trained, images, [noise], t[1:4], 0.25)
    yield "one step with a decay of 0", answer.run(trained, x, [eps], t, 0.0)
    yield "after one step", answer.run(left_behind, x, eps, t, 0.75)


@training_step.alternative
def by_hand(model, average, optimizer, x, eps, t, decay):
    model.zero_grad()
    share = t.view(-1, *[1] * (x.ndim - 1))
    off = model(x + share * (eps - x), t) + x - eps
    loss = (off * off).sum() / len(x)
    loss.backward()
    optimizer.step()
    for old, new in zip(average.parameters(), model.parameters(), strict=True):
        old.data.lerp_(new.data, 1 - decay)
    return float(loss.detach())


@training_step.alternative
def by_states(model, average, optimizer, x, eps, t, decay):
    x_t = torch.stack([(1 - s) * a + s * e for s, a, e in zip(t, x, eps, strict=True)])
    loss = F.mse_loss(model(x_t, t), eps - x) * x[0].numel()
    descend(optimizer, loss)
    new, old = model.state_dict(), average.state_dict()
    average.load_state_dict({key: decay * old[key] + (1 - decay) * new[key] for key in old})
    return loss.item()


def at(x, eps, t):
    """x_t of the linear path."""
    t = t.view(-1, *[1] * (x.ndim - 1))
    return (1 - t) * x + t * eps


def mean_square(error):
    """The mean over examples of squares summed over numbers."""
    return error.square().flatten(1).sum(1).mean()


def stepped(model, average, optimizer, loss, decay):
    """A step down the loss, and the average behind."""
    value = descend(optimizer, loss)
    follow(average, model, decay)
    return value


@training_step.mistake(
    "The first step is right if nothing was there before. What is left over from one step when the "
    "next begins?"
)
def never_cleared(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    loss.backward()
    optimizer.step()
    follow(average, model, decay)
    return loss.item()


@training_step.mistake(
    "The model does not move. In which order do you clear, go backward and step?"
)
def cleared_after_backward(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    follow(average, model, decay)
    return loss.item()


@training_step.mistake(
    "Your loss is a mean over all numbers, so steps get smaller the larger the pictures are. Many "
    "programs have that; the text asks for a sum over each example."
)
def mean_over_numbers(model, average, optimizer, x, eps, t, decay):
    loss = F.mse_loss(model(at(x, eps, t), t), eps - x)
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake("Your loss is a sum over the batch. Should the step grow with the batch?")
def sum_over_the_batch(model, average, optimizer, x, eps, t, decay):
    loss = (model(at(x, eps, t), t) - (eps - x)).square().sum()
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "x_t is right, the velocity points the other way: to the data. A sampler that counts down from "
    "noise would walk away from them."
)
def velocity_turned(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (x - eps))
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "This is the convention with data at t = 1, complete. It trains as well; here they are at 0."
)
def data_at_one(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(eps, x, t), t) - (x - eps))
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "The velocity is right, x_t is noise at t = 0: one half of your step counts the other way."
)
def path_turned(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(eps, x, t), t) - (eps - x))
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "The network sees x, without noise. It learns, the loss falls: and what will a sampler show it?"
)
def network_sees_data(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(x, t) - (eps - x))
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake("Your network learns to say the noise. What is the velocity ε - x?")
def noise_for_velocity(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - eps)
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "All rows share one time. Each has its own, and the network is to learn all of them at once."
)
def one_time_for_all(model, average, optimizer, x, eps, t, decay):
    t = t[:1].expand(len(x))
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "The network is told 1000 t. Where would the factor stand so that a sampler uses it as well?"
)
def time_in_thousands(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), 1000 * t) - (eps - x))
    return stepped(model, average, optimizer, loss, decay)


@training_step.mistake(
    "The model is right. The average followed before the step: what was just learned is not in it."
)
def average_first(model, average, optimizer, x, eps, t, decay):
    follow(average, model, decay)
    return descend(optimizer, mean_square(model(at(x, eps, t), t) - (eps - x)))


@training_step.mistake(
    "The model is right. The average forgets the share `decay` of itself: which one is multiplied "
    "by it?"
)
def decay_on_the_model(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    return stepped(model, average, optimizer, loss, 1 - decay)


@training_step.mistake("The model is right, the average has not moved. Is it followed in place?")
def average_left(model, average, optimizer, x, eps, t, decay):
    return descend(optimizer, mean_square(model(at(x, eps, t), t) - (eps - x)))


@training_step.mistake(
    "The average is a copy of the model: nothing of its past is left. Where does decay enter?"
)
def average_copied(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    return stepped(model, average, optimizer, loss, 0.0)


@training_step.mistake(
    "The average was put back into the model: training goes on from there, and crawls. The average "
    "is for drawing only."
)
def fed_back(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    value = stepped(model, average, optimizer, loss, decay)
    model.load_state_dict(average.state_dict())
    return value


@training_step.mistake("The shares of the two do not add up to 1: the average grows without end.")
def shares_above_one(model, average, optimizer, x, eps, t, decay):
    value = descend(optimizer, mean_square(model(at(x, eps, t), t) - (eps - x)))
    with torch.no_grad():
        for kept, new in zip(average.parameters(), model.parameters(), strict=True):
            kept.mul_(decay).add_(new)
    return value


@training_step.mistake(
    "All numbers are right, and the average holds the graph of every step since the first. What "
    "keeps torch from recording?"
)
def graph_kept(model, average, optimizer, x, eps, t, decay):
    value = descend(optimizer, mean_square(model(at(x, eps, t), t) - (eps - x)))
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.mul_(decay).add_((1 - decay) * new)
    return value


@training_step.mistake(
    "The step is right. What you return still holds the graph of the step: what happens if a "
    "thousand are kept?"
)
def tensor_returned(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    stepped(model, average, optimizer, loss, decay)
    return loss


@training_step.mistake(
    "Model and average are right. The loss that you return is the one after the step: which one is "
    "asked for?"
)
def loss_after_the_step(model, average, optimizer, x, eps, t, decay):
    training_step_reference(model, average, optimizer, x, eps, t, decay)
    return mean_square(model(at(x, eps, t), t) - (eps - x)).item()


@training_step.mistake(
    "Model and average are right. The loss that you return is the average's: it is asked only when "
    "something is drawn."
)
def loss_of_the_average(model, average, optimizer, x, eps, t, decay):
    training_step_reference(model, average, optimizer, x, eps, t, decay)
    return mean_square(average(at(x, eps, t), t) - (eps - x)).item()


@training_step.mistake("You go uphill. Is it the loss that you minimise, or its negative?")
def uphill(model, average, optimizer, x, eps, t, decay):
    loss = mean_square(model(at(x, eps, t), t) - (eps - x))
    descend(optimizer, -loss)
    follow(average, model, decay)
    return loss.item()


@training_step.mistake(
    "All numbers are right, but the parameters of the average ask for gradients now. Who would use "
    "them?"
)
def average_can_learn(model, average, optimizer, x, eps, t, decay):
    value = training_step_reference(model, average, optimizer, x, eps, t, decay)
    average.requires_grad_()
    return value


@training_step.mistake(
    "All numbers are right, but the average's parameters are new ones: whoever holds the old ones "
    "sees no change. Moved or replaced?"
)
def average_replaced(model, average, optimizer, x, eps, t, decay):
    value = training_step_reference(model, average, optimizer, x, eps, t, decay)
    for module in average.modules():
        for name, old in list(module.named_parameters(recurse=False)):
            setattr(module, name, torch.nn.Parameter(old.clone(), requires_grad=False))
    return value
