"""Exercise on one step of training."""

import torch

from gencourse.checks import draw, exercise
from gencourse.models import vae
from gencourse.probes.vae.objective import (
    kind_of_loss,
    train,
    train_layers,
    train_network,
    train_one_of_two,
    train_with_a_pause,
)


def vae_train_step_reference(model, optimizer, x, eps, beta):
    """One step on the mean of reconstruction + β kl; returns that mean as a plain number."""
    terms = model(x, eps)
    loss = vae.beta_vae_loss(terms["reconstruction"], terms["kl"], beta).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@exercise(
    reference=vae_train_step_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "A step goes forward, backward, and moves; clear at any time before backward.",
        "Gradients add up until somebody clears them. When is the last moment to do so?",
        "What you return is kept for a plot. Should a plot hold on to the graph?",
    ),
    on_success="Two steps moved the parameters exactly as the reference moves them.",
    exempt={"float64": "the model's parameters are float32, so sums of gradients round"},
    rtol=2e-5,
)
def vae_train_step(answer, seed):
    x, eps, second = draw(seed, 3, 5, 2)
    yield "one step at beta = 3", answer.run(train, x, eps, beta=3.0)
    yield "two steps with different noise at beta = 3", answer.run(train, x, eps, second, beta=3.0)
    noises = (eps, second, eps)
    for optimizer in ("SGD with momentum", "Adam"):
        said = f"three steps of {optimizer} at beta = 0.4"
        yield said, answer.run(train, x, *noises, beta=0.4, optimizer=optimizer)
    yield "one step at beta = 0", answer.run(train, 10 * x, eps, beta=0.0)
    said = "one step when the parameters held gradients before"
    yield said, answer.run(train, x, eps, beta=1.5, stale=True)
    yield "one step", answer.run(kind_of_loss, x, eps, 3.0)
    said = "one step of a convolutional model with weight decay at beta = 20"
    images = draw(seed + 1, 5, 1, 3, 3)
    yield said, answer.run(train_network, images, eps, 20.0)
    for said, evaluated in (
        ("training mode, with dropout and batch norm", ()),
        ("training mode, but for its batch norm in evaluation mode", ("norm",)),
        ("evaluation mode, with dropout and batch norm", ("", "norm", "dropout")),
        ("evaluation mode whose layers are in training mode", ("",)),
    ):
        found = answer.run(train_layers, images, eps, 1.5, evaluated)
        yield f"one step of a model in {said}", found
    said = "one step of an optimizer that holds the second parameter alone"
    yield said, answer.run(train_one_of_two, x, eps, 1.5)
    said = "three steps of Adam; at the second the first parameter is frozen and holds a gradient"
    yield said, answer.run(train_with_a_pause, x, *noises, beta=0.4)


@vae_train_step.alternative
def cleared_at_the_end(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = torch.mean(terms["reconstruction"]) + beta * torch.mean(terms["kl"])
    model.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return float(loss.detach())


@vae_train_step.alternative
def gradients_assigned(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad()
    learning = [p for p in model.parameters() if p.requires_grad]
    for p, g in zip(learning, torch.autograd.grad(loss, learning, allow_unused=True), strict=True):
        p.grad = g
    optimizer.step()
    return loss.item()


def in_another_mode(training, model, *args):
    """The reference's step in that mode; then every layer's mode is put back."""
    modes = [(part, part.training) for part in model.modules()]
    model.train(training)
    loss = vae_train_step_reference(model, *args)
    for part, mode in modes:
        part.training = mode
    return loss


@vae_train_step.mistake(
    "The first step is right, the second is not. What is left over from the first when the "
    "second begins?"
)
def gradients_never_cleared(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "The parameters do not move at all. Are all the calls there, and in which order do you "
    "clear, go backward and step?"
)
def cleared_after_backward(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "Your first step changes nothing, and the second fails: parameters moved between forward "
    "and backward. In which order do the calls belong?"
)
def step_before_backward(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@vae_train_step.mistake("The loss at beta = 3 is the one at beta = 1. Where does beta enter?")
def beta_left_out(model, optimizer, x, eps, beta):
    return vae_train_step_reference(model, optimizer, x, eps, 1.0)


@vae_train_step.mistake(
    "Your step grows with the batch. Should the learning rate have to change when the batch does?"
)
def summed_loss(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "The steps are right. What you return still holds the graph of the step: what happens if a "
    "thousand are kept?"
)
def tensor_returned(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@vae_train_step.mistake(
    "The steps are right. What you return is not yet a plain Python number: what turns it into one?"
)
def detached_tensor_returned(model, optimizer, x, eps, beta):
    return torch.tensor(vae_train_step_reference(model, optimizer, x, eps, beta))


@vae_train_step.mistake(
    "eps is handed to you, but your result does not depend on it. Which noise reached the model?"
)
def zero_noise(model, optimizer, x, eps, beta):
    return vae_train_step_reference(model, optimizer, x, torch.zeros_like(eps), beta)


@vae_train_step.mistake(
    "The steps are right. The loss that you return is the one after the step: which one is "
    "asked for?"
)
def loss_after_the_step(model, optimizer, x, eps, beta):
    vae_train_step_reference(model, optimizer, x, eps, beta)
    terms = model(x, eps)
    return (terms["reconstruction"] + beta * terms["kl"]).mean().item()


@vae_train_step.mistake(
    "The model is called twice. What do dropout, and the count of a batch norm, make of the second "
    "call?"
)
def model_called_twice(model, optimizer, x, eps, beta):
    loss = (model(x, eps)["reconstruction"] + beta * model(x, eps)["kl"]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "Halves of a batch may differ in size. Is the mean of their means the mean over the batch?"
)
def mean_of_the_means_of_halves(model, optimizer, x, eps, beta):
    optimizer.zero_grad()
    halves = list(zip(x.chunk(2), eps.chunk(2), strict=True))
    losses = [model(*half) for half in halves]
    means = [(one["reconstruction"] + beta * one["kl"]).mean() for one in losses]
    loss = torch.stack(means).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake("You go uphill. Is it the loss that you minimise, or its negative?")
def uphill(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad()
    (-loss).backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "The step is taken in evaluation mode, though the model came in training mode: dropout is off, "
    "and batch norm neither uses nor counts the batch. Who asked for another mode, even for this "
    "step alone?"
)
def step_in_evaluation_mode(model, optimizer, x, eps, beta):
    return in_another_mode(False, model, optimizer, x, eps, beta)


@vae_train_step.mistake(
    "A batch norm that came in evaluation mode, to keep its statistics, is put into training mode. "
    "Who said that a step sets the mode?"
)
def step_in_training_mode(model, optimizer, x, eps, beta):
    return in_another_mode(True, model, optimizer, x, eps, beta)


@vae_train_step.mistake(
    "A model that comes in evaluation mode is not trained at all. Who said that the mode decides "
    "whether a step is taken?"
)
def no_step_in_evaluation_mode(model, optimizer, x, eps, beta):
    if model.training:
        return vae_train_step_reference(model, optimizer, x, eps, beta)
    terms = model(x, eps)
    return (terms["reconstruction"] + beta * terms["kl"]).mean().item()


@vae_train_step.mistake(
    "A model that comes in evaluation mode takes its step in training mode: dropout is at work, "
    "and batch norm counts the batch. Who asked for another mode, even for this step alone?"
)
def evaluated_model_put_into_training_mode(model, optimizer, x, eps, beta):
    was_training = model.training
    if not was_training:
        model.train()
    loss = vae_train_step_reference(model, optimizer, x, eps, beta)
    if not was_training:
        model.eval()
    return loss


@vae_train_step.mistake(
    "In evaluation mode your result does not depend on eps. Who asked for the mean of q there?"
)
def noise_left_out_in_evaluation_mode(model, optimizer, x, eps, beta):
    eps = eps if model.training else torch.zeros_like(eps)
    return vae_train_step_reference(model, optimizer, x, eps, beta)


@vae_train_step.mistake(
    "A frozen parameter moves: it holds a gradient from before it was frozen. Who clears that one?"
)
def gradient_of_a_frozen_parameter_kept(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    for p in model.parameters():
        p.grad = None if p.requires_grad else p.grad
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "A frozen parameter moves. Its gradient is 0, but it has one, and Adam goes on by its "
    "averages. What should `grad` be, so that the optimizer passes a parameter by?"
)
def gradient_of_a_frozen_parameter_zero(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake(
    "A parameter that was frozen for a step never moves again: the optimizer has lost it. What may "
    "a step change in its optimizer?"
)
def frozen_parameters_dropped(model, optimizer, x, eps, beta):
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if p.requires_grad]
    return vae_train_step_reference(model, optimizer, x, eps, beta)
