"""The bug hunt: piece 5, what a step minimises."""

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.vae.hunt import gradients_of_the_loss, loss_of_a_batch


def step_loss_reference(output, x, reconstruction, kl):
    """reconstruction(logits, x) + kl(mu, std), (B,), from output = (logits, mu, std)."""
    logits, mu, std = output
    return reconstruction(logits, x) + kl(mu, std)


@repair(
    reference=step_loss_reference,
    minutes=3,
    hints=(
        (
            "In which order does `forward` return its three results, and in which does the loss "
            "unpack them?"
        ),
    ),
    on_success=(
        "Two names were exchanged and every shape still fitted. Named results would have prevented "
        "it."
    ),
    rtol=1e-5,
)
def repair_5(answer, seed):
    logits, x = draw(seed, 2, 4, 6)
    mu, std = draw(seed + 5, 2, 4, 3)
    output = (logits, mu, std)
    yield "the loss of four examples", answer.run(loss_of_a_batch, output, x)
    learned = answer.run(gradients_of_the_loss, output, x)
    yield "the gradients that training sends to the output", learned
    far = (40 * logits, 30 * mu, 30 * std)
    yield "the loss of four examples with large outputs", answer.run(loss_of_a_batch, far, x)
    wide = draw(seed + 6, 4, 800), draw(seed + 7, 4, 11), draw(seed + 8, 4, 11)
    said = "the loss of four examples of 800 pixels and 11 latent numbers"
    yield said, answer.run(loss_of_a_batch, wide, draw(seed + 9, 4, 800))
    cheap = (logits, 0.01 * mu, std - 60)
    yield "the loss of four examples whose kl is small", answer.run(loss_of_a_batch, cheap, x)


@repair_5.alternative
def step_loss_by_star(output, x, reconstruction, kl):
    return kl(*output[1:]) + reconstruction(output[0], x)


@repair_5.mistake(
    "As in the planted piece, `kl` gets std for mu and mu for std. Compare the order of what "
    "`forward` returns with the order in which you unpack, and in which you pass on."
)
def planted_step_loss(output, x, reconstruction, kl):
    logits, std, mu = output
    return reconstruction(logits, x) + kl(mu, std)


@repair_5.mistake("The order is right. Does a large KL make the loss smaller?")
def step_loss_with_minus(output, x, reconstruction, kl):
    logits, mu, std = output
    return reconstruction(logits, x) - kl(mu, std)


@repair_5.mistake("The order is right. The loop takes the mean: what shape should reach it?")
def step_loss_averaged(output, x, reconstruction, kl):
    return step_loss_reference(output, x, reconstruction, kl).mean()


@repair_5.mistake(
    "The numbers are right. `+=` and `add_` write into the tensor that one of the functions "
    "returned, which others may hold. What makes a new tensor of the sum?"
)
def step_loss_in_place(output, x, reconstruction, kl):
    logits, mu, std = output
    loss = reconstruction(logits, x)
    loss += kl(mu, std)
    return loss


@repair_5.mistake("A term may be negative, as -log p of a density is. What is cut off?")
def step_loss_without_negative_values(output, x, reconstruction, kl):
    return step_loss_reference(output, x, reconstruction, kl).clamp(min=0)


@repair_5.mistake("One of the two terms is missing.")
def step_loss_without_kl(output, x, reconstruction, kl):
    return reconstruction(output[0], x)
