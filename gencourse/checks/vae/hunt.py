"""The bug hunt: a test that the learner writes, the pieces of a broken program, and the mended pieces."""

import math

import torch

from gencourse.checks._exercise import exercise
from gencourse.checks.vae.densities import draw
from gencourse.checks.vae.objective import sample_prior_reference, sampling_trial, split_heads_reference, split_trial
from gencourse.models import vae

# --- trust_kl: a test that the learner writes, tested by what it lets through ------------------------------------

RIGHT_KLS = """
def plain(mu, logvar): return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
def rearranged(mu, logvar): return -0.5 * (1 + logvar - mu * mu - torch.exp(logvar)).sum(dim=-1)
def library(mu, logvar):
    N = torch.distributions.Normal
    return torch.distributions.kl_divergence(N(mu, (logvar / 2).exp()), N(torch.zeros_like(mu), torch.ones_like(mu))).sum(1)
"""
WRONG_KLS = """
def sign(mu, logvar): return -0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
def no_half(mu, logvar): return (mu**2 + logvar.exp() - 1 - logvar).sum(1)
def mean(mu, logvar): return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(1)
def log_std(mu, logvar): return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)
def reverse(mu, logvar): return 0.5 * ((1 + mu**2) / logvar.exp() - 1 + logvar).sum(1)
def squared(mu, logvar): return 0.5 * (mu**2 + logvar.exp() - 1 - logvar**2).sum(1)
def no_mu(mu, logvar): return 0.5 * (logvar.exp() - 1 - logvar).sum(1)
"""


def by_closed_form(kl):
    """Whether `kl` agrees with the closed form at points away from the prior, in shape and value."""
    mu, logvar = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.0, 3.0]]), torch.tensor([[1.4, -1.0, 0.3], [0.0, 2.0, -2.0]])
    want = vae.kl_to_standard_normal(mu, logvar)
    got = kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)


@exercise(
    reference=by_closed_form,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "A property that every wrong version shares with the right one cannot tell them apart. Which values are special?",
        "Take means and variances away from 0 and 1, all different, and something independent to compare with.",
        "torch.distributions knows this divergence. Numbers that were computed in another order differ in the last digits.",
    ),
    insight="Your test lets three right versions pass and stops seven wrong ones. Keep it: a check with power is half of the work.",
)
def trust_kl(ask, seed):
    yield "what your test says of three right versions", ask(f"{RIGHT_KLS}\n[trust_kl(kl) for kl in (plain, rearranged, library)]")
    names = "(sign, no_half, mean, log_std, reverse, squared, no_mu)"
    said = "what your test says of seven wrong versions (sign, ½, mean, log σ, reversed, squared log, no μ)"
    yield said, ask(f"{WRONG_KLS}\n[trust_kl(kl) for kl in {names}]")


@trust_kl.mistake("The divergence of the prior from itself is zero, in six of the seven wrong versions too. Where else can you look?")
def zero_at_the_prior(kl):
    return bool(torch.allclose(kl(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2), atol=1e-5))


@trust_kl.mistake("At variance 1 some mistakes vanish: log 1 = 0 however often it is counted. Which values show them?")
def unit_variance_only(kl):
    return bool(torch.allclose(kl(torch.ones(2, 3), torch.zeros(2, 3)), torch.full((2,), 1.5), atol=1e-5))


@trust_kl.mistake("Positive it should be, and that stops the minus sign. Do the other six mistakes make it negative?")
def never_negative(kl):
    return bool((kl(torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, -1.0]])) >= 0).all())


@trust_kl.mistake("At μ = 0 a term in μ cannot be missed. Does your test ever move the mean?")
def zero_mean_only(kl):
    logvar = torch.tensor([[1.4, -1.0, 0.3]])
    want = vae.kl_to_standard_normal(torch.zeros(1, 3), logvar)
    got = kl(torch.zeros(1, 3), logvar)
    return got.shape == want.shape and bool(torch.allclose(got, want, atol=1e-4))


@trust_kl.mistake("Your test rejects versions that are right. Are their numbers wrong, or only rounded in another order?")
def equal_to_the_last_bit(kl):
    mu, logvar = torch.linspace(-2, 2, 300).view(100, 3), torch.linspace(1, -2, 300).view(100, 3)
    got = kl(mu, logvar)
    want = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    return got.shape == want.shape and bool((got == want).all())


@trust_kl.mistake("The shape is right in almost every version. What about the values?")
def shape_only(kl):
    return kl(torch.randn(4, 3), torch.randn(4, 3)).shape == (4,)


@trust_kl.mistake("Your test lets everything pass. What would it have to see to say no?")
def always_trusting(kl):
    return True


@trust_kl.also_right
def by_sampling(kl):
    generator = torch.Generator().manual_seed(1)
    mu, logvar = torch.tensor([[1.0, -0.5]]), torch.tensor([[1.2, -1.5]])
    z = mu + (0.5 * logvar).exp() * torch.randn(400_000, 2, generator=generator)
    zero = torch.zeros_like(z)
    estimate = (vae.gaussian_log_density(z, mu.expand_as(z), logvar.expand_as(z)) - vae.gaussian_log_density(z, zero, zero)).mean()
    return kl(mu, logvar).shape == (1,) and bool((kl(mu, logvar) - estimate).abs() < 0.02)


# --- suspects --------------------------------------------------------------------------------------------------

BROKEN = {"heads", "draw", "kl", "reconstruction", "step_loss", "generate", "report"}


@exercise(
    reference=lambda: BROKEN,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        "Run the instruments one by one and compare `measured` with `should be`. A piece is a suspect if they differ.",
        "Nine pieces were measured. At least one of them is in order.",
    ),
    insight="Found by measuring: none of these stands out when the program runs, and its loss falls nicely.",
)
def suspects(ask, seed):
    yield "the set of broken pieces", ask("sorted(suspects())")


@suspects.mistake("Nothing is broken? Compare what the instruments measured with what it should be.")
def nothing_found():
    return set()


@suspects.mistake("Two of the nine pieces pass their instrument. Whom do you accuse without evidence?")
def everything_accused():
    return BROKEN | {"decode", "update"}


@suspects.mistake("The decoder is as it should be: its instrument says so. What made you suspect it?")
def decoder_accused():
    return BROKEN | {"decode"}


@suspects.mistake("The update is in order: clear, backward, step. What made you suspect it?")
def update_accused():
    return BROKEN | {"update"}


@suspects.mistake("The minus sign is the famous one, but the other instruments have found something too.")
def only_the_sign():
    return {"kl"}


@suspects.mistake("You have the pieces that training touches. Did you also run the instruments for what comes after training?")
def training_only():
    return BROKEN - {"generate", "report"}


@suspects.also_right
def as_a_list():
    return ["report", "kl", "heads", "draw", "generate", "step_loss", "reconstruction"]


# --- the mended pieces -----------------------------------------------------------------------------------------

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
    hints=("The instrument changed eps and nothing happened. What should have?",),
    insight="Now q is a distribution, and the KL term is about something that is used.",
)
def mended_draw(ask, seed):
    mu, logvar, eps = draw(seed, 3, 4, 3)
    yield "the draw", ask("mended_draw(mu, logvar, eps)", mu=mu, logvar=1 + logvar, eps=eps)


@mended_draw.mistake("This is still the planted piece: a code without noise is an autoencoder's. Where does eps enter?")
def planted_draw(mu, logvar, eps):
    return mu


@mended_draw.mistake("z is not σ either. What do mean, spread and noise have to do with each other?")
def std_alone(mu, logvar, eps):
    return (0.5 * logvar).exp()


@mended_draw.mistake("The noise is there now. Is exp(logvar) the factor that it needs?")
def draw_with_variance(mu, logvar, eps):
    return mu + logvar.exp() * eps


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


@mended_kl.mistake("This is still the planted piece: it is negative, and a divergence never is.")
def planted_kl(mu, logvar):
    return -vae.kl_to_standard_normal(mu, logvar)


@mended_kl.mistake("The sign is right now. Are dimensions averaged where they should add up?")
def kl_averaged(mu, logvar):
    return vae.kl_to_standard_normal(mu, logvar) / mu.shape[1]


@mended_kl.mistake("The sign is right now, the size is double. Which factor is missing?")
def kl_without_half(mu, logvar):
    return 2 * vae.kl_to_standard_normal(mu, logvar)


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
    logits, x = 2 * draw(seed, 4, 15), (draw(seed + 9, 4, 15) > 0).float()
    yield "the reconstruction term of four images", ask("mended_reconstruction(logits, x)", logits=logits, x=x)


@mended_reconstruction.mistake("This is still the planted piece: a mean over pixels and over the batch. In what unit is it?")
def planted_reconstruction(logits, x):
    return (logits.sigmoid() - x).square().mean()


@mended_reconstruction.mistake("Squared error adds up per image now. Of which distribution with which variance is that -log p? These pixels are 0 or 1.")
def squared_error_summed(logits, x):
    return (logits.sigmoid() - x).square().sum(1)


@mended_reconstruction.mistake("The cross-entropy is right, but averaged over pixels. How much does the KL then weigh against it?")
def cross_entropy_averaged(logits, x):
    return reconstruction_reference(logits, x) / x.shape[1]


@mended_reconstruction.mistake("This is log p. The program minimises; which sign should its term have?")
def log_likelihood_returned(logits, x):
    return vae.bernoulli_log_likelihood(logits, x)


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
        def reconstruction(logits, x): return (logits - x).abs().sum(1)
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


mended_generate = exercise(
    reference=sample_prior_reference,
    difficulty=1,
    minutes=4,
    points=2,
    hints=("What does the instrument say of the range of the samples, and of the codes' mean?",),
    insight="Samples come from the prior that the KL term prepared.",
)(sampling_trial("mended_generate"))


@mended_generate.mistake("This is still the planted piece: where do its codes come from, and what does the decoder return?")
def planted_generate(decoder, n, latent_dim, generator):
    return decoder(torch.rand(n, latent_dim, generator=generator))


@mended_generate.mistake("The codes are right. Are logits images?")
def generates_logits(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator))


@mended_generate.mistake("These are images now, but from which codes?")
def generates_from_the_unit_cube(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.rand(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("Codes and images are right. Does anyone need the graph, and in which mode is the decoder?")
def generates_in_training_mode(decoder, n, latent_dim, generator):
    return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("Codes and images are right. Does anyone need the graph of a sample?")
def generates_with_graph(decoder, n, latent_dim, generator):
    return decoder.eval()(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("The graph is gone. In which mode is the decoder when it samples?")
def generates_with_dropout(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.also_right
def generates_by_normal(decoder, n, latent_dim, generator):
    decoder.eval()
    z = torch.normal(0.0, 1.0, (n, latent_dim), generator=generator)
    return torch.sigmoid(decoder(z)).detach()


def report_reference(reconstruction, kl, pixels):
    """{"elbo": nats per image, "bits_per_dim"}: the mean bound over a test set, and its negative per pixel in bits."""
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / (pixels * math.log(2))}


@exercise(
    reference=report_reference,
    difficulty=2,
    minutes=5,
    points=2,
    hints=("How many nats does one image cost? Then how many bits is that for one of its pixels?",),
    insight="A loss of 0.002 says nothing until its unit is known. Yours now has one.",
)
def mended_report(ask, seed):
    reconstruction, kl = 80 + draw(seed, 50).abs(), 20 + draw(seed + 3, 50).abs()
    yield "the report on 50 test images", ask("mended_report(reconstruction, kl, 784)", reconstruction=reconstruction, kl=kl)


@mended_report.mistake("This is still the planted piece: it divides by the pixels before anyone asked for bits.")
def planted_report(reconstruction, kl, pixels):
    per_pixel = float(((reconstruction + kl) / pixels).mean())
    return {"elbo": per_pixel, "bits_per_dim": per_pixel}


@mended_report.mistake("The ELBO bounds log p(x) from below. Can it be positive for binary images?")
def report_with_positive_elbo(reconstruction, kl, pixels):
    right = report_reference(reconstruction, kl, pixels)
    return right | {"elbo": -right["elbo"]}


@mended_report.mistake("The nats are right. How many nats are one bit: did you divide by log 2 or multiply?")
def report_log2_inverted(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo * math.log(2) / pixels}


@mended_report.mistake("The nats are right. These are nats per pixel; what turns them into bits?")
def report_nats_as_bits(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / pixels}


@mended_report.mistake("Which of the two terms does your bound leave out?")
def report_without_kl(reconstruction, kl, pixels):
    return report_reference(reconstruction, torch.zeros_like(kl), pixels)


@mended_report.mistake("The nats are right. Bits per image are not yet bits per pixel: what is still to be divided by?")
def report_bits_per_image(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / math.log(2)}


@mended_report.also_right
def report_by_bits_per_dim(reconstruction, kl, pixels):
    nll = (reconstruction.double() + kl.double()).mean()
    return {"bits_per_dim": nll / pixels / math.log(2), "elbo": -nll}
