"""Exercise on the discriminator's turn: what moves, what must not, who holds gradients."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.checks._steps import descend
from gencourse.probes.gan.players import discriminator_turn


def loss_of(real_logits, fake_logits):
    """What D minimises: a number."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def discriminator_step_reference(generator, discriminator, optimizer, real, z):
    """One step of D on its loss at data and at samples; returns the loss as a float."""
    with torch.no_grad():
        fake = generator(z)
    return descend(optimizer, loss_of(discriminator(real), discriminator(fake)))


@exercise(
    reference=discriminator_step_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        (
            "For D the samples are data like any other. What tells torch that nobody wants "
            "gradients behind them?"
        ),
        "A step goes forward, backward, and moves; clear at any time before backward.",
        "D may hold gradients from the generator's turn. When is the last moment to clear them?",
    ),
    on_success=(
        "D moved as it should, twice, whatever gradients it held before. The generator did not "
        "move, and no gradients of D's turn lie in it."
    ),
)
def discriminator_step(answer, seed):
    real, z, second = draw(seed, 3, 2) + 1, draw(seed + 1, 5, 3), draw(seed + 2, 4, 3)
    yield "one step", answer.run(discriminator_turn, real, z)
    yield "two steps with different noise", answer.run(discriminator_turn, real, z, second)
    stale = "one step, when parameters of D held gradients from the generator's turn"
    yield stale, answer.run(discriminator_turn, real, z, stale=True)
    yield f"{stale}, in a frozen one too", answer.run(discriminator_turn, real, z, frozen=True)
    for said, codes in (("codes of one number", z[:, :1]), ("a single code", z[:1])):
        yield f"one step at samples of {said}", answer.run(discriminator_turn, real, codes)
    mixed = "one step of networks whose batch norms are in evaluation mode, the rest in training"
    yield mixed, answer.run(discriminator_turn, real, z, part=False)
    images = draw(seed + 3, 6, 1, 2, 2) + 0.5
    quiet = "one step at six images and four samples, of networks in evaluation mode"
    yield quiet, answer.run(discriminator_turn, images, second, training=False)
    sure = "one step of a D that is sure, with logits of ±100 and more"
    yield sure, answer.run(discriminator_turn, real, 6 * z, scale=300.0)
    fresh = "one step of a D whose parameters are 0, so that it answers 0 to everything"
    yield fresh, answer.run(discriminator_turn, real, z, scale=0.0)
    found_out = 0.1 * z + torch.tensor([-2.9, 0.34, 2.18])  # codes of samples that D sees through
    good = "one step of a D that is nearly always right"
    yield good, answer.run(discriminator_turn, real + 3, found_out, scale=8.0)


@discriminator_step.alternative
def by_cross_entropy(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad()
    real_logits, fake_logits = discriminator(real), discriminator(generator(z).detach())
    loss, ones, zeros = F.binary_cross_entropy_with_logits, torch.ones_like, torch.zeros_like
    total = loss(real_logits, ones(real_logits)) + loss(fake_logits, zeros(fake_logits))
    total.backward()
    optimizer.step()
    return total.item()


@discriminator_step.alternative
def one_pass_and_two_backwards(generator, discriminator, optimizer, real, z):
    discriminator.zero_grad()
    logits = discriminator(torch.cat([real, generator(z).data]))
    real_loss = F.softplus(-logits[: len(real)]).mean()
    fake_loss = F.softplus(logits[len(real) :]).mean()
    real_loss.backward(retain_graph=True)
    fake_loss.backward()
    optimizer.step()
    return real_loss.item() + fake_loss.item()


@discriminator_step.alternative
def cleaned_up_behind(generator, discriminator, optimizer, real, z):
    loss = loss_of(discriminator(real), discriminator(generator(z)))
    descend(optimizer, loss)
    optimizer.zero_grad()
    generator.zero_grad()
    return loss.detach().item()


@discriminator_step.mistake(
    (
        "D's update is right, but the generator holds gradients after it: they were paid for and "
        "nobody asked. Where should the graph end?"
    ),
    (
        "The update of D is the same with and without. The gradients left in G would join those of"
        " its own turn, unless somebody clears them."
    ),
)
def samples_not_detached(generator, discriminator, optimizer, real, z):
    return descend(optimizer, loss_of(discriminator(real), discriminator(generator(z))))


@discriminator_step.mistake(
    "D learns from the data alone. The graph is cut in the wrong place: before D or after D?"
)
def logits_detached(generator, discriminator, optimizer, real, z):
    return descend(optimizer, loss_of(discriminator(real), discriminator(generator(z)).detach()))


@discriminator_step.mistake(
    "D moves the wrong way: it learns to call fakes real and data fake. Which label belongs to"
    " which?"
)
def labels_flipped(generator, discriminator, optimizer, real, z):
    return descend(optimizer, loss_of(-discriminator(real), -discriminator(generator(z).detach())))


@discriminator_step.mistake(
    "Both the loss and the step have the other sign: this is the value that D maximises. What "
    "does an optimizer do with it?"
)
def value_for_loss(generator, discriminator, optimizer, real, z):
    return descend(optimizer, -loss_of(discriminator(real), discriminator(generator(z).detach())))


@discriminator_step.mistake(
    "Both batches are called real in your step. What should D say about a sample?"
)
def samples_called_real(generator, discriminator, optimizer, real, z):
    return descend(optimizer, loss_of(discriminator(real), -discriminator(generator(z).detach())))


@discriminator_step.mistake("Your loss knows the data only. What should D learn from the samples?")
def data_alone(generator, discriminator, optimizer, real, z):
    return descend(optimizer, F.softplus(-discriminator(real)).mean())


@discriminator_step.mistake("Your loss knows the samples only. What should D learn from the data?")
def samples_alone(generator, discriminator, optimizer, real, z):
    return descend(optimizer, F.softplus(discriminator(generator(z).detach())).mean())


@discriminator_step.mistake(
    "The first step is right, the second is not. What is left over from the first when the "
    "second begins?"
)
def never_cleared(generator, discriminator, optimizer, real, z):
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.item()


@discriminator_step.mistake(
    "Two of your steps in a row are right. But D may hold gradients before the first: the "
    "generator's turn sends some through it. When do you clear?"
)
def cleared_at_the_end_only(generator, discriminator, optimizer, real, z):
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@discriminator_step.mistake(
    (
        "D does not move at all. Are all the calls there, and in which order do you clear, go "
        "backward and step?"
    ),
)
def cleared_after_backward(generator, discriminator, optimizer, real, z):
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@discriminator_step.mistake(
    "Your step grows with the batch. Should the learning rate have to change when the batch does?"
)
def sums_for_means(generator, discriminator, optimizer, real, z):
    real_logits, fake_logits = discriminator(real), discriminator(generator(z).detach())
    return descend(optimizer, F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum())


@discriminator_step.mistake(
    "Your loss and your step are half of what they should be. Is it the sum of two means, or "
    "their mean?"
)
def half_the_loss(generator, discriminator, optimizer, real, z):
    return descend(
        optimizer, 0.5 * loss_of(discriminator(real), discriminator(generator(z).detach()))
    )


@discriminator_step.mistake(
    "Here the larger batch counts more. Is the mean taken of each batch, or of both together?"
)
def one_mean_over_both(generator, discriminator, optimizer, real, z):
    real_logits, fake_logits = discriminator(real), discriminator(generator(z).detach())
    return descend(optimizer, torch.cat([F.softplus(-real_logits), F.softplus(fake_logits)]).mean())


@discriminator_step.mistake(
    "The step is right. The loss that you return is the one after the step: which one is asked for?"
)
def loss_after_the_step(generator, discriminator, optimizer, real, z):
    discriminator_step_reference(generator, discriminator, optimizer, real, z)
    return loss_of(discriminator(real), discriminator(generator(z).detach())).item()


@discriminator_step.mistake(
    "The step is right. What you return still holds the graph of the step: what happens if a "
    "thousand are kept?"
)
def tensor_returned(generator, discriminator, optimizer, real, z):
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    descend(optimizer, loss)
    return loss


@discriminator_step.mistake(
    "The step is right. What you return is not yet a plain Python number: what turns it into one?"
)
def detached_tensor_returned(generator, discriminator, optimizer, real, z):
    return torch.tensor(discriminator_step_reference(generator, discriminator, optimizer, real, z))


@discriminator_step.mistake(
    "The step is right, but now the generator can never learn again: you switched its "
    "gradients off for good."
)
def generator_frozen_for_good(generator, discriminator, optimizer, real, z):
    generator.requires_grad_(False)
    return discriminator_step_reference(generator, discriminator, optimizer, real, z)


@discriminator_step.mistake(
    "The first step is right, the second is not. The optimizer that you were given has a "
    "memory: who takes your steps?"
)
def moved_by_hand(generator, discriminator, optimizer, real, z):
    optimizer = torch.optim.SGD(discriminator.parameters(), lr=optimizer.param_groups[0]["lr"])
    return discriminator_step_reference(generator, discriminator, optimizer, real, z)


@discriminator_step.mistake(
    "Where D is nearly always right you leave out the step. Which step does the text leave out?"
)
def no_step_when_good(generator, discriminator, optimizer, real, z):
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    if loss.item() > 0.1:
        descend(optimizer, loss)
    return loss.item()


@discriminator_step.mistake(
    "The step is right, but G made samples twice: its batch norms would count two batches, and "
    "with dropout the two differ. How many calls does a batch of samples need?"
)
def generator_asked_twice(generator, discriminator, optimizer, real, z):
    generator(z)
    return discriminator_step_reference(generator, discriminator, optimizer, real, z)


@discriminator_step.mistake(
    "A frozen parameter of D moved. It held a gradient from before, and you clear those of the "
    "parameters that can learn. Which gradients does the optimizer look at?"
)
def cleared_where_learning(generator, discriminator, optimizer, real, z):
    for p in discriminator.parameters():
        if p.requires_grad:
            p.grad = None
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.item()


@discriminator_step.mistake(
    "A frozen parameter of D moved. Its gradient is 0, but it has one, and weight decay or the "
    "optimizer's memory moves it on. What should `grad` be, so that a parameter is passed by?"
)
def zero_for_none(generator, discriminator, optimizer, real, z):
    optimizer.zero_grad(set_to_none=False)
    loss = loss_of(discriminator(real), discriminator(generator(z).detach()))
    loss.backward()
    optimizer.step()
    return loss.item()


def step_in_other_modes(player, *turn):
    """A turn in which the batch norms of a player are in evaluation mode, and then put back."""
    norms = torch.nn.modules.batchnorm._BatchNorm
    changed = [(m, m.training) for m in player.modules() if isinstance(m, norms)]
    for module, _ in changed:
        module.eval()
    loss = discriminator_step_reference(*turn)
    for module, mode in changed:
        module.train(mode)
    return loss


@discriminator_step.mistake(
    "The step is right here, but layers of G are in another mode while it makes the samples: its "
    "batch norms, say, or its dropout. With those G makes other samples. Which modes does the "
    "text let you change?"
)
def layers_of_the_generator_in_evaluation(generator, discriminator, optimizer, real, z):
    return step_in_other_modes(generator, generator, discriminator, optimizer, real, z)


@discriminator_step.mistake(
    "The step is right here, but D, or a layer of it, is in another mode when it judges: its batch "
    "norms, say, or its dropout. With those its logits are others. Which modes does the text let "
    "you change?"
)
def layers_of_the_discriminator_in_evaluation(generator, discriminator, optimizer, real, z):
    return step_in_other_modes(discriminator, generator, discriminator, optimizer, real, z)


@discriminator_step.mistake(
    "The step is right, but D judged examples more than once: its batch norms would count them "
    "again, and with dropout the logits differ. Is the loss of the step not known by then?"
)
def discriminator_asked_again(generator, discriminator, optimizer, real, z):
    fake = generator(z).detach()
    with torch.no_grad():
        before = loss_of(discriminator(real), discriminator(fake)).item()
    descend(optimizer, loss_of(discriminator(real), discriminator(fake)))
    return before


@discriminator_step.mistake(
    "The step is right, but the generator is left in evaluation mode. Who puts it back?"
)
def generator_left_in_evaluation(generator, discriminator, optimizer, real, z):
    return discriminator_step_reference(generator.eval(), discriminator, optimizer, real, z)
