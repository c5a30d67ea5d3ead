"""The bug hunt: piece 1, from the encoder's output to q."""

import torch
import torch.nn.functional as F

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.vae.hunt import gradients_of_q, mean_and_width


def repair_1_reference(h):
    """mu and std, each (B, D), of h (B, 2D): std is the softplus of the last D numbers."""
    mu, raw = h.chunk(2, dim=1)
    return mu, F.softplus(raw)


@repair(
    reference=repair_1_reference,
    minutes=3,
    hints=(
        "Which standard deviations can the planted piece never give?",
        "softplus(r) = log(1 + exp r) is near 0 where r is far below 0: what does 1 + it do there?",
        "Below -17 the sum 1 + exp r is 1 in float32. F.softplus knows another way.",
    ),
    on_success="q may be as narrow as it likes: that is how a code says something.",
    rtol=1e-5,
    atol=1e-6,
    exempt={"larger numbers": "where r is below -100 nothing is left of exp r in float32"},
)
def repair_1(answer, seed):
    yield "q of six images", answer.run(mean_and_width, draw(seed, 6, 4))
    yield "q of one image, one latent number", answer.run(mean_and_width, draw(seed + 1, 1, 2))
    yield "q of three images, 50 numbers", answer.run(mean_and_width, 3 * draw(seed + 2, 3, 100))
    sure = 5 * draw(seed + 3, 4, 6) - 50
    yield "q where the encoder gives -50 and thereabouts", answer.run(mean_and_width, sure)
    yield "q where the encoder gives 200 and thereabouts", answer.run(mean_and_width, 250 + sure)
    h = 2 * draw(seed + 4, 5, 6)
    yield "the gradients that training sends to h", answer.run(gradients_of_q, h)
    far = "the gradients that training sends to h around ±50"
    yield far, answer.run(gradients_of_q, 50 * h.sign() + h)
    yield (
        "the gradients that training sends to h around 200",
        answer.run(gradients_of_q, 250 + sure),
    )


@repair_1.alternative
def by_logaddexp(h):
    D = h.size(1) // 2
    mu, raw = h[:, :D], h[:, D:]
    return mu, torch.logaddexp(raw, torch.zeros_like(raw))


@repair_1.alternative
def by_logsigmoid(h):
    mu, raw = h.unflatten(1, (2, -1)).unbind(1)
    return [mu, -F.logsigmoid(-raw)]


@repair_1.mistake("This is still the planted piece: which standard deviations can it never give?")
def planted_posterior(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, 1 + F.softplus(raw)


@repair_1.mistake("The last D numbers come out as they are. Can a standard deviation be negative?")
def without_softplus(h):
    return h.chunk(2, dim=1)


@repair_1.mistake("exp makes numbers positive, too. Which function does the text ask for?")
def exponential(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, raw.exp()


@repair_1.mistake(
    "You took the numbers for log σ². In this program they are something else: what makes a "
    "standard deviation of them?"
)
def log_variance(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, (0.5 * raw).exp()


@repair_1.mistake("A relu gives exactly 0 below 0. What is the logarithm of that in the KL?")
def relu(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, raw.relu()


@repair_1.mistake("The floor is lower now, but there still is one. Who asked for it?")
def lower_floor(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, F.softplus(raw) + 1e-4


@repair_1.mistake("The standard deviation is cut off below. Who asked for that?")
def clamped_below(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, F.softplus(raw).clamp(min=1e-4)


@repair_1.mistake(
    "Right in the middle. Far out, log(1 + exp r) is 0 or infinite in float32. Which function of "
    "torch is made for this?"
)
def naive_softplus(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, (1 + raw.exp()).log()


@repair_1.mistake(
    "The values are right. Where exp r is infinite the gradient is NaN: torch.where sends 0 times "
    "infinity back through the branch that it does not take. Which function of torch is made for "
    "this?"
)
def chosen_by_where(h):
    mu, raw = h.chunk(2, dim=1)
    return mu, torch.where(raw > 20, raw, raw.exp().log1p())


@repair_1.mistake("Mean and standard deviation have exchanged their halves of h.")
def halves_exchanged(h):
    raw, mu = h.chunk(2, dim=1)
    return mu, F.softplus(raw)


@repair_1.mistake("Both are right, in the other order. Which one does the docstring name first?")
def returned_in_the_other_order(h):
    return repair_1_reference(h)[::-1]


@repair_1.mistake("The softplus of a mean? The mean may have either sign.")
def softplus_of_both(h):
    return F.softplus(h).chunk(2, dim=1)


@repair_1.mistake("The numbers are right. Where was the graph cut, so that std never learns?")
def width_detached(h):
    mu, std = repair_1_reference(h)
    return mu, std.detach()


@repair_1.mistake("You return a variance. Which root of it does the docstring ask for?")
def variance(h):
    mu, std = repair_1_reference(h)
    return mu, std**2
