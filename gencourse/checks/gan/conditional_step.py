"""Exercise on a whole round of a conditional game: both turns, and who is told which label."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw, exercise
from gencourse.checks._steps import descend
from gencourse.probes.gan.conditional import CLASSES, rounds
from gencourse.runtime import seeded


def d_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def conditional_step_reference(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    """One round: D's turn, then G's against the new D. Returns both losses as floats."""
    with torch.no_grad():
        fake = G(z_d, y)
    of_d = descend(d_optimizer, d_loss(D(x, y), D(fake, y)))
    return of_d, descend(g_optimizer, F.softplus(-D(G(z_g, y), y)).mean())


@exercise(
    reference=conditional_step_reference,
    difficulty=2,
    minutes=12,
    points=4,
    hints=(
        "It is your two steps, one after the other, with a second argument for both networks.",
        "Count the calls: G twice, D three times. Which labels does each of the five get?",
        "Whose gradients lie where after G's turn, and when do they have to be gone?",
    ),
    on_success=(
        "Both moved, twice, and G against the new D. A sample is judged by the label that it was "
        "asked for."
    ),
)
def conditional_step(answer, seed):
    x, noises = draw(seed, 5, 2) + 0.5, draw(seed + 1, 2, 2, 5, 3)
    y = torch.randperm(5, generator=seeded(seed)) % CLASSES
    yield "after one round", answer.run(rounds, x, y, noises[:1])
    yield "after two rounds", answer.run(rounds, x, y, noises)
    stale = "after a round of players that held gradients from before"
    yield stale, answer.run(rounds, x, y, noises[:1], stale=True)
    images = draw(seed + 2, 5, 1, 2, 2)
    quiet = "after a round with images, of networks in evaluation mode"
    yield quiet, answer.run(rounds, images, y, noises[1:], training=False)
    sure = "after a round of a D that is sure, with logits of ±100 and more"
    yield sure, answer.run(rounds, x, y, 6 * noises[:1], scale=300.0)
    one = "after a round with a single example"
    yield one, answer.run(rounds, x[:1], y[:1], noises[:1, :, :1], training=False)


@conditional_step.alternative
def by_cross_entropy(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    fake, losses = G(z_d, y).detach(), []
    for optimizer, parts in ((d_optimizer, ((x, 1.0), (fake, 0.0))), (g_optimizer, None)):
        total = 0.0
        for examples, target in parts or ((G(z_g, y), 1.0),):
            logits = D(examples, y)
            wanted = torch.full_like(logits, target)
            total = total + F.binary_cross_entropy_with_logits(logits, wanted)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    return tuple(losses)


@conditional_step.alternative
def both_batches_at_once(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    logits = D(torch.cat([x, G(z_d, y).detach()]), torch.cat([y, y]))
    of_d = descend(d_optimizer, d_loss(logits[: len(x)], logits[len(x) :]))
    of_g = descend(g_optimizer, -F.logsigmoid(D(G(z_g, y), y)).mean())
    return [of_d, of_g]


def played(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g, judged=None, told=None, codes=None):
    """A round, with knobs: how D judges samples in its turn and in G's, and G's codes."""
    judged = judged or (lambda fake: D(fake, y))
    with torch.no_grad():
        fake = G(z_d, y)
    of_d = descend(d_optimizer, d_loss(D(x, y), judged(fake)))
    told = told or judged
    return of_d, descend(
        g_optimizer, F.softplus(-told(G(codes if codes is not None else z_g, y))).mean()
    )


@conditional_step.mistake(
    "D judges without labels, which it does not refuse. What can G learn of the classes then?"
)
def discriminator_without_labels(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    def blind(examples, *labels):
        return D(examples)

    return conditional_step_reference(G, blind, g_optimizer, d_optimizer, x, y, z_d, z_g)


@conditional_step.mistake(
    "D is told the labels of the data and not those of the samples: the label's presence alone "
    "gives a sample away."
)
def samples_without_labels(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    return played(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g, judged=lambda fake: D(fake))


@conditional_step.mistake(
    "D's turn is right. In G's turn D is not told the label that was asked for: then it can only "
    "say whether a sample is real, not whether it fits."
)
def labels_left_out_in_the_turn_of_g(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    return played(
        G,
        D,
        g_optimizer,
        d_optimizer,
        x,
        y,
        z_d,
        z_g,
        judged=lambda f: D(f, y),
        told=lambda f: D(f),
    )


@conditional_step.mistake(
    "Data and samples are judged in one batch, that is fine. In which order do the labels stand "
    "there: first all of the data's?"
)
def labels_repeated_one_by_one(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    with torch.no_grad():
        fake = G(z_d, y)
    real_logits, fake_logits = D(torch.cat([x, fake]), y.repeat_interleave(2)).chunk(2)
    of_d = descend(d_optimizer, d_loss(real_logits, fake_logits))
    return of_d, descend(g_optimizer, F.softplus(-D(G(z_g, y), y)).mean())


@conditional_step.mistake(
    "Samples are judged by other labels than those that G was asked for. D then teaches that a "
    "label means nothing."
)
def other_labels_for_the_samples(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    other = (y + 1) % CLASSES
    return played(
        G, D, g_optimizer, d_optimizer, x, y, z_d, z_g, judged=lambda fake: D(fake, other)
    )


@conditional_step.mistake(
    "Both move at once: G's gradient is taken against the D from before its turn. Who moves first "
    "here, and whom does G meet?"
)
def both_at_once(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    of_g = F.softplus(-D(G(z_g, y), y)).mean()
    g_optimizer.zero_grad()
    of_g.backward()
    with torch.no_grad():
        fake = G(z_d, y)
    of_d = descend(d_optimizer, d_loss(D(x, y), D(fake, y)))
    g_optimizer.step()
    return of_d, of_g.item()


@conditional_step.mistake("G has the first turn in your round. Whose is it in the text?")
def generator_first(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    of_g = descend(g_optimizer, F.softplus(-D(G(z_g, y), y)).mean())
    with torch.no_grad():
        fake = G(z_d, y)
    return descend(d_optimizer, d_loss(D(x, y), D(fake, y))), of_g


@conditional_step.mistake("Both turns use z_d. For whose turn are the other codes?")
def the_same_codes_twice(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    return conditional_step_reference(G, D, g_optimizer, d_optimizer, x, y, z_d, z_d)


@conditional_step.mistake("The codes of the two turns are exchanged.")
def codes_exchanged(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    return conditional_step_reference(G, D, g_optimizer, d_optimizer, x, y, z_g, z_d)


@conditional_step.mistake(
    "G minimises log(1 − D), the loss that says nothing where D is sure. Which of the two does the "
    "text ask for?"
)
def saturating(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    with torch.no_grad():
        fake = G(z_d, y)
    of_d = descend(d_optimizer, d_loss(D(x, y), D(fake, y)))
    return of_d, descend(g_optimizer, -F.softplus(D(G(z_g, y), y)).mean())


@conditional_step.mistake(
    "D moves again in G's turn, the way that makes G's loss small: against itself. Whose optimizer "
    "steps there?"
)
def discriminator_moves_for_the_generator(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    losses = conditional_step_reference(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g)
    d_optimizer.step()
    return losses


@conditional_step.mistake(
    "D's first move is right, later ones are not: G's turn leaves gradients in D, and they count "
    "in D's next one. Who clears them?"
)
def gradients_of_d_never_cleared(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    with torch.no_grad():
        fake = G(z_d, y)
    of_d = d_loss(D(x, y), D(fake, y))
    of_d.backward()
    d_optimizer.step()
    return of_d.item(), descend(g_optimizer, F.softplus(-D(G(z_g, y), y)).mean())


@conditional_step.mistake(
    "G moves by the gradients of both turns: in D's turn nothing cut the graph behind the samples, "
    "and nothing cleared G since."
)
def gradients_of_the_turn_of_d_in_g(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    g_optimizer.zero_grad()
    of_d = descend(d_optimizer, d_loss(D(x, y), D(G(z_d, y), y)))
    of_g = F.softplus(-D(G(z_g, y), y)).mean()
    of_g.backward()
    g_optimizer.step()
    return of_d, of_g.item()


@conditional_step.mistake(
    "The round is right, and a part of it is paid for in vain: D's turn sends a gradient through "
    "G, which is cleared before anybody uses it. Where should the graph end?"
)
def graph_not_cut_in_the_turn_of_d(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    of_d = descend(d_optimizer, d_loss(D(x, y), D(G(z_d, y), y)))
    return of_d, descend(g_optimizer, F.softplus(-D(G(z_g, y), y)).mean())


@conditional_step.mistake(
    "G does not move. Its samples are cut off from it in its own turn, where the gradient should "
    "come through."
)
def generator_cut_off(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    with torch.no_grad():
        fake, again = G(z_d, y), G(z_g, y)
    of_d = descend(d_optimizer, d_loss(D(x, y), D(fake, y)))
    with torch.no_grad():
        return of_d, F.softplus(-D(again, y)).mean().item()


@conditional_step.mistake("The round is right, the losses come in the other order. Whose is first?")
def losses_exchanged(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    return conditional_step_reference(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g)[::-1]


@conditional_step.mistake(
    "The round is right. The losses are still tensors: a list of them over a thousand rounds keeps "
    "more than numbers. What makes a float of one?"
)
def losses_as_tensors(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    losses = conditional_step_reference(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g)
    return tuple(map(torch.tensor, losses))
