"""Exercise on q for given images, without an encoder."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.vae.posterior import distance_from_the_posterior, refitted


def climb(log_joint, mu, logvar, noise, lr, code=None, entropy=None, optimizer=torch.optim.Adam):
    """One step on log p(x, z) plus entropy for each noise; a mistake brings another part along."""
    mu, logvar = (t.detach().clone().requires_grad_() for t in (mu, logvar))
    code = code or (lambda mu, logvar, eps: mu + (0.5 * logvar).exp() * eps)
    entropy = entropy or (lambda mu, logvar, z: 0.5 * logvar.sum(1))
    steps = optimizer([mu, logvar], lr=lr)
    for eps in noise:
        z = code(mu, logvar, eps)
        elbo = log_joint(z) + entropy(mu, logvar, z)
        steps.zero_grad()
        (-elbo.sum()).backward(inputs=[mu, logvar])
        steps.step()
    return mu.detach(), logvar.detach()


def refit_q_reference(log_joint, mu, logvar, noise, lr):
    """mu and logvar (B, D) after a step of Adam on the ELBO for each noise[t] (B, D)."""
    return climb(log_joint, mu, logvar, noise, lr)


@exercise(
    reference=refit_q_reference,
    difficulty=3,
    minutes=15,
    points=4,
    hints=(
        "ELBO = E[log p(x, z)] + entropy of q. How does the entropy of a normal depend on logvar?",
        "What learns are copies of mu and logvar, as leaves that require gradients, in one Adam.",
        "`backward(inputs=[mu, logvar])` sends gradients to these two, and to nobody else.",
    ),
    on_success=(
        "On a linear decoder q arrives at the exact posterior, with no encoder, and the decoder is "
        "as it was."
    ),
    rtol=1e-3,
    atol=1e-4,
    exempt={
        "one example": "noise holds the batch in its second dimension, the others in their first",
        "more examples": "noise holds the batch in its second dimension, the others in their first",
        "one column": "noise holds the codes' numbers in its third dimension, not in its second",
        "more columns": "noise holds the codes' numbers in its third dimension, not in its second",
        "float64": "sum and mean over the images differ by Adam's epsilon, beyond float32's digits",
        "larger numbers": "where logvar is 30, what rounding makes of the steps is large",
    },
)
def refit_q(answer, seed):
    x, mu, logvar = draw(seed, 5, 4), draw(seed + 1, 5, 3), draw(seed + 2, 5, 3)
    for decoder in ("linear", "pixels"):
        for steps, lr in ((1, 0.05), (3, 0.3), (12, 0.1)):
            noise = draw(seed + 3, steps, 5, 3)
            said = f"q of five images after {steps} steps at lr = {lr}, decoder {decoder}"
            yield said, answer.run(refitted, decoder, x, mu, logvar, noise, lr)
    one = x[:1], mu[:1, :1], logvar[:1, :1], draw(seed + 4, 4, 1, 1)
    yield "a single image with codes of one number", answer.run(refitted, "linear", *one, 0.1)
    exact = tuple(t.double() for t in (x, mu, logvar, draw(seed + 4, 4, 5, 3)))
    yield "five images in float64", answer.run(refitted, "pixels", *exact, 0.02)
    still = x, mu, logvar, draw(seed + 3, 0, 5, 3)
    yield "no steps at all", answer.run(refitted, "pixels", *still, 0.1)
    if seed == 1:  # once, since it takes its time
        far = x, 0 * mu - 1, 0 * logvar, draw(seed, 300, 5, 3)
        said = "after 300 steps at lr = 0.03, the exact posterior of a linear decoder being known:"
        yield said, answer.run(distance_from_the_posterior, *far, 0.03)


@refit_q.alternative
def by_log_densities(log_joint, mu, logvar, noise, lr):
    m, v = mu.clone().detach().requires_grad_(True), logvar.clone().detach().requires_grad_(True)
    adam = torch.optim.Adam([m, v], lr=lr)
    for eps in noise:
        q = torch.distributions.Normal(m, torch.exp(v / 2))
        z = m + torch.exp(v / 2) * eps
        loss = (q.log_prob(z).sum(1) - log_joint(z)).mean()
        m.grad, v.grad = torch.autograd.grad(loss, (m, v))
        adam.step()
    return m.detach(), v.detach()


@refit_q.alternative
def adam_by_hand(log_joint, mu, logvar, noise, lr):
    q = torch.stack([mu, logvar]).detach()
    first, second = torch.zeros_like(q), torch.zeros_like(q)
    for t, eps in enumerate(noise, 1):
        q.requires_grad_(True)
        elbo = log_joint(q[0] + (q[1] / 2).exp() * eps).sum() + q[1].sum() / 2
        (g,) = torch.autograd.grad(elbo, q)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        move = first / (1 - 0.9**t) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        q = q.detach() + lr * move
    return q[0].clone(), q[1].clone()


@refit_q.mistake(
    "σ falls and falls. The ELBO has a second term, which pays q for being wide. Where is it?"
)
def entropy_left_out(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, noise, lr, entropy=lambda mu, logvar, z: 0 * logvar.sum(1))


@refit_q.mistake(
    "σ comes out too large. How much does the entropy of a normal gain when logvar gains 1?"
)
def entropy_doubled(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, noise, lr, entropy=lambda mu, logvar, z: logvar.sum(1))


@refit_q.mistake("The entropy counts with the wrong sign: is a wide q rewarded or punished by it?")
def entropy_subtracted(log_joint, mu, logvar, noise, lr):
    return climb(
        log_joint, mu, logvar, noise, lr, entropy=lambda mu, logvar, z: -0.5 * logvar.sum(1)
    )


@refit_q.mistake(
    "log p(x, z) holds the prior already. You pay the KL to the prior besides: how often does the "
    "prior count now?"
)
def prior_counted_twice(log_joint, mu, logvar, noise, lr):
    def minus_kl(mu, logvar, z):
        return -0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)

    return climb(log_joint, mu, logvar, noise, lr, entropy=minus_kl)


@refit_q.mistake("q runs away from the image. Does the optimizer go up or down?")
def downhill(log_joint, mu, logvar, noise, lr):
    return climb(
        lambda z: -log_joint(z),
        mu,
        logvar,
        noise,
        lr,
        entropy=lambda mu, logvar, z: -0.5 * logvar.sum(1),
    )


@refit_q.mistake("The first step is right, later ones are not: is each noise used in its step?")
def the_same_noise_in_every_step(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, noise[:1].expand_as(noise), lr)


@refit_q.mistake("The noise that you were given has no part in the result. Which one did you draw?")
def noise_of_its_own(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, torch.randn_like(noise), lr)


@refit_q.mistake(
    "Without noise the codes are the means, and q learns the best code, not the width around it."
)
def codes_without_noise(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, 0 * noise, lr)


@refit_q.mistake("exp(logvar) is the variance. What scales the noise?")
def variance_for_std(log_joint, mu, logvar, noise, lr):
    return climb(
        log_joint, mu, logvar, noise, lr, code=lambda mu, logvar, eps: mu + logvar.exp() * eps
    )


@refit_q.mistake(
    "logvar learns from its entropy alone, and grows without end: what does log p(x, z) tell it, "
    "if the width of the draw carries no gradient?"
)
def width_without_gradient(log_joint, mu, logvar, noise, lr):
    return climb(
        log_joint,
        mu,
        logvar,
        noise,
        lr,
        code=lambda mu, logvar, eps: mu + ((0.5 * logvar).exp() * eps).detach(),
    )


@refit_q.mistake("mu is right, logvar has not moved. Who else should learn?")
def mu_alone(log_joint, mu, logvar, noise, lr):
    moved, _ = climb(log_joint, mu, logvar, noise, lr, optimizer=first_alone)
    return moved, logvar.clone()


def first_alone(parameters, lr):
    return torch.optim.Adam(parameters[:1], lr=lr)


@refit_q.mistake("The last noise has had no step. How many steps are asked for?")
def one_step_too_few(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, noise[:-1], lr)


@refit_q.mistake("You start from 0. Where was q before, when the encoder had proposed it?")
def from_the_prior(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, 0 * mu, 0 * logvar, noise, lr)


@refit_q.mistake("These are steps of plain gradient descent. Which optimizer does the text name?")
def by_plain_gradients(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, noise, lr, optimizer=torch.optim.SGD)


@refit_q.mistake(
    "The first step is right. Adam remembers the steps before, and yours is a new one each time."
)
def a_new_adam_for_each_step(log_joint, mu, logvar, noise, lr):
    for i in range(len(noise)):
        mu, logvar = climb(log_joint, mu, logvar, noise[i : i + 1], lr)
    return mu.clone(), logvar.clone()


@refit_q.mistake(
    "The first step is right, the second adds its gradient to the first one's. Who clears them?"
)
def gradients_never_cleared(log_joint, mu, logvar, noise, lr):
    mu, logvar = (t.detach().clone().requires_grad_() for t in (mu, logvar))
    adam = torch.optim.Adam([mu, logvar], lr=lr)
    for eps in noise:
        elbo = log_joint(mu + (0.5 * logvar).exp() * eps) + 0.5 * logvar.sum(1)
        (-elbo.sum()).backward(inputs=[mu, logvar])
        adam.step()
    return mu.detach(), logvar.detach()


@refit_q.mistake(
    "q is right. `backward()` has left gradients in the decoder as well, which its next step of "
    "training would use. What keeps them away from it?"
)
def gradients_left_in_the_decoder(log_joint, mu, logvar, noise, lr):
    mu, logvar = (t.detach().clone().requires_grad_() for t in (mu, logvar))
    adam = torch.optim.Adam([mu, logvar], lr=lr)
    for eps in noise:
        elbo = log_joint(mu + (0.5 * logvar).exp() * eps) + 0.5 * logvar.sum(1)
        adam.zero_grad()
        (-elbo.sum()).backward()
        adam.step()
    return mu.detach(), logvar.detach()


@refit_q.mistake("The numbers are right. Who computes with q later needs no gradients of it.")
def still_asking_for_gradients(log_joint, mu, logvar, noise, lr):
    return [t.requires_grad_() for t in climb(log_joint, mu, logvar, noise, lr)]


@refit_q.mistake("Both are right, in the other order. Which one comes first?")
def exchanged(log_joint, mu, logvar, noise, lr):
    return climb(log_joint, mu, logvar, noise, lr)[::-1]
