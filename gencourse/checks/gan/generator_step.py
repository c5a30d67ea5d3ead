"""Exercise on the generator's turn: gradients pass through the discriminator, only G moves."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.checks.gan.discriminator_step import descend
from gencourse.probes.gan.players import generator_turn


def generator_step_reference(generator, discriminator, optimizer, z):
    """One step of G on the mean of -log D(G(z)), which is returned as a float. D stays."""
    return descend(optimizer, F.softplus(-discriminator(generator(z))).mean())


@exercise(
    reference=generator_step_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        "The gradient for G comes through D. What would cut the way?",
        (
            "Only the parameters that the optimizer was made with can move. D's are not among "
            "them, so nothing need be done to keep D still."
        ),
        "G may hold gradients from before. When is the last moment to clear them?",
    ),
    on_success="G moved as it should, D did not, and D's next step is what it would have been.",
)
def generator_step(answer, seed):
    z, second = draw(seed, 4, 3) - 0.5, draw(seed + 1, 5, 3)
    yield "one step", answer.run(generator_turn, z)
    yield "two steps with different noise", answer.run(generator_turn, z, second)
    stale = "one step, when G held gradients from before"
    yield stale, answer.run(generator_turn, z, stale=True)
    yield f"{stale}, in a frozen parameter too", answer.run(generator_turn, z, frozen=True)
    quiet = "one step with images, of networks in evaluation mode"
    yield quiet, answer.run(generator_turn, z, shape=(1, 2, 2), training=False)
    mixed = "one step of networks whose batch norms are in evaluation mode, the rest in training"
    yield mixed, answer.run(generator_turn, z, part=False)
    sure = "one step against a D that is sure, with logits of ±100 and more"
    yield sure, answer.run(generator_turn, z, scale=-300.0)
    corner = "one step from samples to which D answers exactly 0"
    yield corner, answer.run(generator_turn, 0 * z, shift=0.0)


@generator_step.alternative
def discriminator_frozen_meanwhile(generator, discriminator, optimizer, z):
    learning = [p for p in discriminator.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad_(False)
    logits = discriminator(generator(z))
    loss = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    generator.zero_grad()
    loss.backward()
    optimizer.step()
    for p in learning:
        p.requires_grad_(True)
    return loss.item()


@generator_step.alternative
def everything_cleared_around(generator, discriminator, optimizer, z):
    optimizer.zero_grad()
    loss = -F.logsigmoid(discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    generator.zero_grad()
    discriminator.zero_grad()
    return loss.item()


@generator_step.alternative
def gradients_asked_for_by_name(generator, discriminator, optimizer, z):
    parameters = [p for p in generator.parameters() if p.requires_grad]
    loss = F.softplus(-discriminator(generator(z))).mean()
    optimizer.zero_grad()
    for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        p.grad = gradient
    optimizer.step()
    return loss.item()


@generator_step.alternative
def by_a_function_of_the_parameters(generator, discriminator, optimizer, z):
    learned = {name: p for name, p in generator.named_parameters() if p.requires_grad}
    fake = torch.func.functional_call(generator, learned, (z,))
    loss = F.softplus(-discriminator(fake)).mean()
    gradients = torch.autograd.grad(loss, list(learned.values()))
    generator.zero_grad()
    for p, gradient in zip(learned.values(), gradients, strict=True):
        p.grad = gradient
    optimizer.step()
    return loss.item()


@generator_step.mistake(
    (
        "The loss is right, but no gradient arrives at G. Is backward() called, and are the "
        "samples still tied to the network that made them?"
    ),
    (
        "Detached samples are right in the discriminator's turn. In this turn the way through the "
        "samples is the only way to G."
    ),
)
def samples_detached(generator, discriminator, optimizer, z):
    return descend(optimizer, F.softplus(-discriminator(generator(z).detach())).mean())


@generator_step.mistake(
    "Your G runs away from what D calls real. Which label should G wish for its samples?"
)
def samples_called_fake(generator, discriminator, optimizer, z):
    return descend(optimizer, F.softplus(discriminator(generator(z))).mean())


@generator_step.mistake(
    "This is the minimax loss log(1 − D), flat where D is sure. Which loss does the text ask for?"
)
def minimax_loss(generator, discriminator, optimizer, z):
    return descend(optimizer, -F.softplus(discriminator(generator(z))).mean())


@generator_step.mistake("Your loss is the mean of log D. A loss is minimised: should log D fall?")
def uphill(generator, discriminator, optimizer, z):
    return descend(optimizer, -F.softplus(-discriminator(generator(z))).mean())


@generator_step.mistake(
    "The first step is right, the second is not. What is left over in G from the first when the "
    "second begins?"
)
def gradients_never_cleared(generator, discriminator, optimizer, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@generator_step.mistake(
    "Two of your steps in a row are right. But G may hold gradients before the first: when do you "
    "clear them?"
)
def gradients_cleared_at_the_end_only(generator, discriminator, optimizer, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@generator_step.mistake(
    "Gradients arrive, and G does not move. Are all the calls there, and in which order do you "
    "clear, go backward and step?"
)
def gradients_cleared_after_backward(generator, discriminator, optimizer, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@generator_step.mistake(
    "D moved in G's turn. Which parameters does the optimizer that you were given hold, and who "
    "moved the others?"
)
def both_players_moved(generator, discriminator, optimizer, z):
    discriminator.zero_grad()
    loss = generator_step_reference(generator, discriminator, optimizer, z)
    torch.optim.SGD(discriminator.parameters(), lr=optimizer.param_groups[0]["lr"]).step()
    return loss


@generator_step.mistake(
    "Your step grows with the batch. Should the learning rate have to change when the batch does?"
)
def sum_for_mean(generator, discriminator, optimizer, z):
    return descend(optimizer, F.softplus(-discriminator(generator(z))).sum())


@generator_step.mistake(
    "Your loss is minus the mean of D's logits, however it is written: the Wasserstein game. Which "
    "loss does the text ask for?"
)
def wasserstein_loss(generator, discriminator, optimizer, z):
    return descend(optimizer, -discriminator(generator(z)).mean())


@generator_step.mistake(
    "G and D are right after your step, but D can no longer learn: you switched its gradients off."
    " Who switches them on again?"
)
def discriminator_frozen_for_good(generator, discriminator, optimizer, z):
    discriminator.requires_grad_(False)
    return generator_step_reference(generator, discriminator, optimizer, z)


@generator_step.mistake(
    "The first step is right, the second is not. The optimizer that you were given has a memory: "
    "who takes your steps?"
)
def moved_without_the_optimizer(generator, discriminator, optimizer, z):
    optimizer = torch.optim.SGD(generator.parameters(), lr=optimizer.param_groups[0]["lr"])
    return generator_step_reference(generator, discriminator, optimizer, z)


@generator_step.mistake(
    "The step is right, but G made samples twice: its batch norms would count two batches, and "
    "with dropout the two differ. How many calls does a batch of samples need?"
)
def generator_asked_twice(generator, discriminator, optimizer, z):
    generator(z)
    return generator_step_reference(generator, discriminator, optimizer, z)


@generator_step.mistake(
    "A frozen parameter of G moved. It held a gradient from before, and you clear those of the "
    "parameters that can learn. Which gradients does the optimizer look at?"
)
def cleared_where_learning(generator, discriminator, optimizer, z):
    for p in generator.parameters():
        if p.requires_grad:
            p.grad = None
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@generator_step.mistake(
    "A frozen parameter of G moved. Its gradient is 0, but it has one, and weight decay or the "
    "optimizer's memory moves it on. What should `grad` be, so that a parameter is passed by?"
)
def zero_for_none(generator, discriminator, optimizer, z):
    optimizer.zero_grad(set_to_none=False)
    loss = F.softplus(-discriminator(generator(z))).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@generator_step.mistake(
    "The step is right here, but layers of G are in another mode while it makes the samples: its "
    "batch norms, say, or its dropout. With those G makes other samples. Which modes does the "
    "text let you change?"
)
def layers_of_the_generator_in_evaluation(generator, discriminator, optimizer, z):
    return step_in_other_modes(generator, generator, discriminator, optimizer, z)


@generator_step.mistake(
    "The step is right here, but D, or a layer of it, is in another mode when it judges: its batch "
    "norms, say, or its dropout. With those its logits are others. Which modes does the text let "
    "you change?"
)
def layers_of_the_discriminator_in_evaluation(generator, discriminator, optimizer, z):
    return step_in_other_modes(discriminator, generator, discriminator, optimizer, z)


def step_in_other_modes(player, *turn):
    """A turn in which the batch norms of a player are in evaluation mode, and then put back."""
    norms = torch.nn.modules.batchnorm._BatchNorm
    changed = [(m, m.training) for m in player.modules() if isinstance(m, norms)]
    for module, _ in changed:
        module.eval()
    loss = generator_step_reference(*turn)
    for module, mode in changed:
        module.train(mode)
    return loss


@generator_step.mistake(
    "The step is right, but D judged the samples more than once: its batch norms would count them "
    "again, and with dropout the logits differ. Is the loss of the step not known by then?"
)
def discriminator_asked_again(generator, discriminator, optimizer, z):
    fake = generator(z)
    with torch.no_grad():
        before = F.softplus(-discriminator(fake)).mean().item()
    descend(optimizer, F.softplus(-discriminator(fake)).mean())
    return before


@generator_step.mistake(
    "The step is right, but the discriminator is left in evaluation mode. Who puts it back?"
)
def discriminator_left_in_evaluation(generator, discriminator, optimizer, z):
    return generator_step_reference(generator, discriminator.eval(), optimizer, z)


@generator_step.mistake(
    "The step is right. The loss that you return is the one after the step: which one is asked for?"
)
def loss_after_step(generator, discriminator, optimizer, z):
    generator_step_reference(generator, discriminator, optimizer, z)
    return F.softplus(-discriminator(generator(z))).mean().item()


@generator_step.mistake(
    "The step is right. What you return still holds the graph of the step: what happens if a "
    "thousand are kept?"
)
def graph_returned(generator, discriminator, optimizer, z):
    loss = F.softplus(-discriminator(generator(z))).mean()
    descend(optimizer, loss)
    return loss


@generator_step.mistake(
    "The step is right. What you return is not yet a plain Python number: what turns it into one?"
)
def tensor_without_graph_returned(generator, discriminator, optimizer, z):
    return torch.tensor(generator_step_reference(generator, discriminator, optimizer, z))
