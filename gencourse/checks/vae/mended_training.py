"""The bug hunt, second part: mending what training touches."""

import torch

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw, gradients
from gencourse.checks.vae.networks import split_trial
from gencourse.checks.vae.split_heads import split_heads_reference
from gencourse.models import vae

mended_heads = exercise(
    reference=split_heads_reference,
    difficulty=1,
    minutes=3,
    points=2,
    hints=("Which values can μ and log σ² no longer take in the planted version?",),
    insight="A ReLU before the heads would have forbidden every posterior narrower than the prior.",
)(split_trial("mended_heads"))


@mended_heads.mistake("This is still the planted piece: which values can the code not take after it?")
def planted_heads(h):
    return h.relu().chunk(2, dim=1)


@mended_heads.mistake("μ is free now, log σ² is not yet. Which posteriors does that forbid?")
def logvar_still_clipped(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.relu()


@mended_heads.mistake("log σ² is free now, μ is not yet. On which side of the origin do all codes lie?")
def mu_still_clipped(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu.relu(), logvar


@mended_heads.mistake("A tanh allows both signs. Does it allow every size?")
def squashed(h):
    return h.tanh().chunk(2, dim=1)


@mended_heads.also_right
def heads_by_slices(h):
    D = h.size(1) // 2
    return h[:, :D], h[:, D:]


@exercise(
    reference=vae.reparameterize,
    difficulty=1,
    minutes=3,
    points=2,
    hints=("The instrument found no spread at all. Where should it come from?",),
    insight="Now q is a distribution, and the KL term is about something that is used.",
)
def mended_draw(ask, seed):
    mu, logvar, eps = draw(seed, 3, 4, 3)
    data = dict(mu=mu, logvar=1 + logvar, eps=eps)
    yield "the draw", ask("mended_draw(mu, logvar, eps)", **data)
    yield "the gradients that training sends to mu and logvar", ask(gradients("mended_draw(mu, logvar, eps)", "mu", "logvar"), **data)


@mended_draw.mistake("This is still the planted piece: a code without noise is an autoencoder's. Where does eps enter?")
def planted_draw(mu, logvar, eps):
    return mu


@mended_draw.mistake("z is not σ either. What do mean, spread and noise have to do with each other?")
def std_alone(mu, logvar, eps):
    return (0.5 * logvar).exp()


@mended_draw.mistake("The noise is there now. Is exp(logvar) the factor that it needs?")
def draw_with_variance(mu, logvar, eps):
    return mu + logvar.exp() * eps


@mended_draw.mistake("The noise is there now, scaled by a logarithm. What undoes it?")
def draw_with_logvar(mu, logvar, eps):
    return mu + logvar * eps


@mended_draw.mistake("The numbers are right, but training would learn nothing: no gradient passes through your draw.")
def draw_without_gradient(mu, logvar, eps):
    return (mu + (0.5 * logvar).exp() * eps).detach()


@mended_draw.mistake("The noise is there, with one strength for all. Who was to say how strong it is?")
def draw_with_unit_noise(mu, logvar, eps):
    return mu + eps


@mended_draw.also_right
def draw_by_sqrt(mu, logvar, eps):
    return torch.exp(logvar).sqrt() * eps + mu


@exercise(
    reference=vae.kl_to_standard_normal,
    difficulty=1,
    minutes=3,
    points=2,
    hints=("Your own trust_kl tells when you are done: trust_kl(mended_kl).",),
    insight="The sign decides whether training pulls q to the prior or drives it away without bound.",
)
def mended_kl(ask, seed):
    mu, logvar = draw(seed, 2, 5, 3)
    yield "the KL of five codes", ask("mended_kl(mu, logvar)", mu=mu, logvar=logvar)
    yield (
        "the gradients that training sends to mu and logvar",
        ask(gradients("mended_kl(mu, logvar)", "mu", "logvar"), mu=mu, logvar=logvar),
    )


@mended_kl.mistake("This is still the planted piece: it is negative, and a divergence never is.")
def planted_kl(mu, logvar):
    return -vae.kl_to_standard_normal(mu, logvar)


@mended_kl.mistake("The sign is right now. Are dimensions averaged where they should add up?")
def kl_averaged(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar) / mu.shape[1]


@mended_kl.mistake("The sign is right now, the size is double. Which factor is missing?")
def kl_without_half(mu, logvar):
    return 2 * vae.kl_to_standard_normal(mu, logvar)


@mended_kl.mistake("The numbers are right, but training would not feel them: no gradient passes through your KL.")
def kl_without_gradient(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar).detach()


@mended_kl.mistake("One value per example, please: the loop takes the mean.")
def kl_mean_over_batch(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar).mean()


@mended_kl.also_right
def planted_with_the_sign_mended(mu, logvar):
    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)


def reconstruction_reference(logits, x):
    """-log p(x given z) for binary pixels: logits, x (B, ...) -> (B,), nats."""
    return -vae.bernoulli_log_likelihood(logits, x)


@exercise(
    reference=reconstruction_reference,
    difficulty=2,
    minutes=5,
    points=2,
    hints=("Which distribution of the pixels makes this a -log p? How many pixels does an image have?",),
    insight="Now both terms are in nats per image, and their sum is a bound on something.",
)
def mended_reconstruction(ask, seed):
    logits, x = 2 * draw(seed, 4, 784), (draw(seed + 9, 4, 784) > 0).float()
    call = "mended_reconstruction(logits, x)"
    yield "the reconstruction term of four images", ask(call, logits=logits, x=x)
    yield "the term at logits of +1000 and -1000", ask(call, logits=1000 * logits.sign(), x=x)
    yield "the gradients that training sends to the logits", ask(gradients(call, "logits"), logits=logits, x=x)


@mended_reconstruction.mistake("This is still the planted piece: a mean over pixels and over the batch. In what unit is it?")
def planted_reconstruction(logits, x):
    return (logits.sigmoid() - x).square().mean()


@mended_reconstruction.mistake(
    "Squared error adds up per image now. Of which distribution with which variance is that -log p? These pixels are 0 or 1."
)
def squared_error_summed(logits, x):
    return (logits.sigmoid() - x).square().sum(1)


@mended_reconstruction.mistake("The cross-entropy is right, but averaged over pixels. How much does the KL then weigh against it?")
def cross_entropy_averaged(logits, x):
    return reconstruction_reference(logits, x) / x.shape[1]


@mended_reconstruction.mistake("torch's loss averages over pixels and batch unless told otherwise. Which sum is asked for, and what shape?")
def torchs_mean(logits, x):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, x)


@mended_reconstruction.mistake("You added up the whole batch. Which axis should survive?")
def whole_batch(logits, x):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")


@mended_reconstruction.mistake("This is log p. The program minimises; which sign should its term have?")
def log_likelihood_returned(logits, x):
    return vae.bernoulli_log_likelihood(logits, x)


@mended_reconstruction.mistake(
    "Right for small logits, not for large ones. What happens to a probability near 0 or 1 before its logarithm?"
)
def reconstruction_through_probabilities(logits, x):
    return torch.nn.functional.binary_cross_entropy(logits.sigmoid(), x, reduction="none").sum(1)


@mended_reconstruction.mistake("Is the sigmoid applied twice now?")
def reconstruction_with_two_sigmoids(logits, x):
    return reconstruction_reference(logits.sigmoid(), x)


@mended_reconstruction.also_right
def reconstruction_by_bernoulli(logits, x):
    return -torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(dim=1)


def step_loss_reference(output, x, reconstruction, kl):
    """reconstruction(logits, x) + kl(mu, logvar), (B,), from output = (logits, mu, logvar)."""
    logits, mu, logvar = output
    return reconstruction(logits, x) + kl(mu, logvar)


@exercise(
    reference=step_loss_reference,
    difficulty=2,
    minutes=4,
    points=2,
    hints=("In which order does `forward` return its three results, and in which does the loss unpack them?",),
    insight="Two names were exchanged and every shape still fitted. Named results would have prevented it.",
)
def mended_step_loss(ask, seed):
    logits, x = draw(seed, 2, 4, 6)
    mu, logvar = draw(seed + 5, 2, 4, 3)
    parts = """
        def reconstruction(logits, x): return (logits - 2 * x).abs().sum(1)
        def kl(mu, logvar): return 2 * mu.square().sum(1) + (0.1 * logvar).exp().sum(1)
        mended_step_loss((logits, mu, logvar), x, reconstruction, kl)
    """
    yield "the loss of four examples", ask(parts, logits=logits, x=x, mu=mu, logvar=logvar)


@mended_step_loss.mistake("This is still the planted piece: compare the order in which you unpack with what `forward` returns.")
def planted_step_loss(output, x, reconstruction, kl):
    logits, logvar, mu = output
    return reconstruction(logits, x) + kl(mu, logvar)


@mended_step_loss.mistake("The order is right. Does a large KL make the loss smaller?")
def step_loss_with_minus(output, x, reconstruction, kl):
    logits, mu, logvar = output
    return reconstruction(logits, x) - kl(mu, logvar)


@mended_step_loss.mistake("The order is right. The loop takes the mean: what shape should reach it?")
def step_loss_averaged(output, x, reconstruction, kl):
    return step_loss_reference(output, x, reconstruction, kl).mean()


@mended_step_loss.mistake("One of the two terms is missing.")
def step_loss_without_kl(output, x, reconstruction, kl):
    return reconstruction(output[0], x)


@mended_step_loss.also_right
def step_loss_by_star(output, x, reconstruction, kl):
    return kl(*output[1:]) + reconstruction(output[0], x)
