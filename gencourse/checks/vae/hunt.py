"""The bug hunt, first part: a test that the learner writes, and the pieces that it convicts."""

import torch

from gencourse.checks._legacy import exercise
from gencourse.models import vae
from gencourse.runtime import seeded

# --- trust_kl: a test that the learner writes, tested by what it lets through ------------------------------------

RIGHT_KLS = """
def plain(mu, logvar): return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
def rearranged(mu, logvar): return -0.5 * (1 + 3e-7) * (1 + logvar - mu * mu - torch.exp(logvar)).sum(dim=-1)  # rounded elsewhere
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
def no_sum(mu, logvar): return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
def one_outside(mu, logvar): return 0.5 * ((mu**2 + logvar.exp() - logvar).sum(1) - 1)
def batch(mu, logvar): return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1).mean()
"""
SAID = """
def said(kl):
    try:
        return trust_kl(kl)
    except NotImplementedError:
        raise
    except Exception as error:
        return "no answer: your test crashed, " + str(error)[:100]

def disguised(kl):  # its name says nothing
    return lambda mu, logvar: kl(mu, logvar)
"""
RIGHT = {"plain": "plain", "rearranged": "rearranged", "of_the_library": "library"}  # name in the verdict -> name in the code
WRONG = {
    "minus_sign": "sign",
    "without_the_half": "no_half",
    "mean_over_dimensions": "mean",
    "logvar_read_as_log_std": "log_std",
    "arguments_reversed": "reverse",
    "log_var_squared": "squared",
    "without_mu": "no_mu",
    "not_summed": "no_sum",
    "one_outside_the_sum": "one_outside",
    "mean_over_the_batch": "batch",
}


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
    insight="Your test lets three right versions pass and stops ten wrong ones. Keep it: a check with power is half of the work.",
)
def trust_kl(ask, seed):
    versions = list((RIGHT | WRONG).items())
    order = torch.randperm(len(versions), generator=seeded(seed)).tolist()
    asked = ", ".join(f"{name}={code}" for name, code in (versions[i] for i in order))
    said = ask(f"{RIGHT_KLS}{WRONG_KLS}{SAID}\n{{name: said(disguised(kl)) for name, kl in dict({asked}).items()}}")
    yield "what your test says of three right versions", {name: said[name] for name in RIGHT}
    yield "what your test says of ten wrong versions", {name: said[name] for name in WRONG}


@trust_kl.mistake("The divergence of the prior from itself is zero, in nine of the ten wrong versions too. Where else can you look?")
def zero_at_the_prior(kl):
    return bool(kl(torch.zeros(2, 3), torch.zeros(2, 3)).abs().max() < 1e-5)


@trust_kl.mistake("At variance 1 some mistakes vanish: log 1 = 0 however often it is counted. Which values show them?")
def unit_variance_only(kl):
    return bool((kl(torch.ones(2, 3), torch.zeros(2, 3)) - 1.5).abs().max() < 1e-5)


@trust_kl.mistake("Your test asks for the shape and for zero at the prior. Which wrong versions are zero there and have that shape?")
def zero_at_the_prior_and_shape(kl):
    value = kl(torch.zeros(2, 3), torch.zeros(2, 3))
    return value.shape == (2,) and bool(value.abs().max() < 1e-5)


@trust_kl.mistake("Your test asks for the shape and for the value at variance 1, where log σ² is 0. What does that hide?")
def unit_variance_and_shape(kl):
    value = kl(torch.ones(2, 3), torch.zeros(2, 3))
    return value.shape == (2,) and bool((value - 1.5).abs().max() < 1e-5)


@trust_kl.mistake("Positive it should be, and that stops the minus sign. Do the other mistakes make it negative?")
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

BROKEN = {"heads", "draw", "kl", "reconstruction", "step_loss", "generate", "report_card"}


@exercise(
    reference=lambda: BROKEN,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        "Run the instruments one by one and compare `measured` with `should be`. A piece is a suspect if they differ.",
        "Nine pieces were measured, and most of them are broken. Accuse only what its instrument convicts.",
    ),
    insight="Found by measuring: not one of them stopped the program. Where a shape was wrong, broadcasting hid it.",
)
def suspects(ask, seed):
    named = ask("sorted(suspects())")
    known = isinstance(named, list) and all(isinstance(name, str) for name in named)
    said = set(named) if known else set()
    yield "the names that are none of the nine pieces", sorted(said - BROKEN - {"decode", "update"}) if known else named
    yield "whether all the pieces that you name are broken", said <= BROKEN
    yield "whether all the broken pieces are named", said >= BROKEN
    yield "the set of broken pieces", sorted(said)


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
    return BROKEN - {"generate", "report_card"}


@suspects.also_right
def as_a_list():
    return ["report_card", "kl", "heads", "draw", "generate", "step_loss", "reconstruction"]
