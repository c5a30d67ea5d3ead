"""The bug hunt: a test that the learner writes, tested by what it lets through."""

import torch

from gencourse.checks import exercise
from gencourse.models import vae
from gencourse.probes.vae.divergences import RIGHT, WRONG, said_of, trusts_what_crashes
from gencourse.runtime import seeded


def by_closed_form(kl):
    """Whether `kl` agrees with the closed form away from the prior, in shape and value."""
    mu = torch.tensor([[1.0, -2.0, 0.0], [0.5, 0.0, 3.0]])
    logvar = torch.tensor([[1.4, -1.0, 0.3], [0.0, 2.0, -2.0]])
    want = vae.kl_to_standard_normal(mu, logvar)
    got = kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)


@exercise(
    reference=by_closed_form,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        (
            "A property that every wrong version shares with the right one cannot tell them apart. "
            "Which values are special?"
        ),
        (
            "Take means and variances away from 0 and 1, all different, and something independent "
            "to compare with."
        ),
        (
            "torch.distributions knows this divergence. Numbers that were computed in another "
            "order differ in the last digits."
        ),
    ),
    on_success=(
        "Your test lets three right versions pass and stops twenty-three wrong ones. Keep it: a "
        "check with power is half of the work."
    ),
    exempt={
        "a second call": "a trial calls the test twenty-six times as it is",
        "reseeded": "a test may seed the numbers that it draws for itself",
    },
)
def trust_kl(answer, seed):
    names = [*RIGHT, *WRONG]
    order = torch.randperm(len(names), generator=seeded(seed)).tolist()
    said = {names[i]: answer.run(said_of, names[i]) for i in order}
    yield "whether your test trusts a right version", {name: said[name] for name in RIGHT}
    yield "whether your test trusts a wrong version", {name: said[name] for name in WRONG}
    yield "whether your test trusts a version that crashes", answer.run(trusts_what_crashes)


@trust_kl.alternative
def by_sampling(kl):
    generator = torch.Generator().manual_seed(1)
    mu, logvar = torch.tensor([[1.0, -0.5], [0.3, 1.5]]), torch.tensor([[1.2, -1.5], [-0.7, 0.4]])
    z = mu + (0.5 * logvar).exp() * torch.randn(50_000, 2, 2, generator=generator)
    q, p = torch.distributions.Normal(mu, (0.5 * logvar).exp()), torch.distributions.Normal(0, 1)
    estimate = (q.log_prob(z) - p.log_prob(z)).sum(2).mean(0)
    value = kl(mu, logvar)
    return value.shape == (2,) and bool(((value - estimate).abs() < 0.03).all())


@trust_kl.mistake(
    "The divergence of the prior from itself is zero, in nearly all of the wrong versions too. "
    "Where else can you look?"
)
def zero_at_the_prior(kl):
    return bool(kl(torch.zeros(2, 3), torch.zeros(2, 3)).abs().max() < 1e-5)


@trust_kl.mistake(
    "At variance 1 some mistakes vanish: log 1 = 0 however often it is counted. Which values show "
    "them?"
)
def unit_variance_only(kl):
    return bool((kl(torch.ones(2, 3), torch.zeros(2, 3)) - 1.5).abs().max() < 1e-5)


@trust_kl.mistake(
    "Your test asks for the shape and for zero at the prior. Which wrong versions are zero there "
    "and have that shape?"
)
def zero_at_the_prior_and_shape(kl):
    value = kl(torch.zeros(2, 3), torch.zeros(2, 3))
    return value.shape == (2,) and bool(value.abs().max() < 1e-5)


@trust_kl.mistake(
    "Your test asks for the shape and for the value at variance 1, where log σ² is 0. What does "
    "that hide?"
)
def unit_variance_and_shape(kl):
    value = kl(torch.ones(2, 3), torch.zeros(2, 3))
    return value.shape == (2,) and bool((value - 1.5).abs().max() < 1e-5)


@trust_kl.mistake(
    "Positive it should be, and that stops the minus sign. Do the other mistakes make it negative?"
)
def never_negative(kl):
    return bool((kl(torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, -1.0]])) >= 0).all())


@trust_kl.mistake("At μ = 0 a term in μ cannot be missed. Does your test ever move the mean?")
def zero_mean_only(kl):
    logvar = torch.tensor([[1.4, -1.0, 0.3]])
    want = vae.kl_to_standard_normal(torch.zeros(1, 3), logvar)
    got = kl(torch.zeros(1, 3), logvar)
    return got.shape == want.shape and bool(torch.allclose(got, want, atol=1e-4))


@trust_kl.mistake(
    "Your means are all positive. Would a version that loses negative ones be noticed?"
)
def positive_means_only(kl):
    mu, logvar = torch.linspace(0.2, 2, 15).view(5, 3), torch.linspace(2, -2, 15).view(5, 3)
    want, got = vae.kl_to_standard_normal(mu, logvar), kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)


@trust_kl.mistake(
    "Your variances are all below 1. Would a version that loses positive log-variances be noticed?"
)
def negative_logvar_only(kl):
    mu, logvar = torch.linspace(-1, 2, 15).view(5, 3), torch.linspace(-0.1, -2, 15).view(5, 3)
    want, got = vae.kl_to_standard_normal(mu, logvar), kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)


@trust_kl.mistake(
    "You give the same numbers for mu and for logvar. Would a version that exchanges the two be "
    "noticed?"
)
def mu_equal_to_logvar(kl):
    both = torch.linspace(-2, 1.5, 15).view(3, 5).T
    want, got = vae.kl_to_standard_normal(both, both), kl(both, both)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)


@trust_kl.mistake("One row is looked at. Would a version that gives it to all rows be noticed?")
def first_row_only(kl):
    mu, logvar = torch.linspace(-1, 2, 15).view(5, 3), torch.linspace(2, -2, 15).view(5, 3)
    want, got = vae.kl_to_standard_normal(mu, logvar), kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got[0], want[0], atol=1e-4)


@trust_kl.mistake(
    "The coordinates of a row are all equal. Would a version that looks at the first alone be "
    "noticed?"
)
def equal_coordinates(kl):
    mu, logvar = torch.linspace(-1, 2, 5)[:, None], torch.linspace(2, -2, 5)[:, None]
    mu, logvar = mu.expand(5, 3), logvar.expand(5, 3)
    want, got = vae.kl_to_standard_normal(mu, logvar), kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)


@trust_kl.mistake(
    "You move the means with all variances at 1, then the variances with all means at 0. Would a "
    "term in which both enter be noticed?"
)
def one_at_a_time(kl):
    numbers, zeros = torch.linspace(-1, 2, 15).view(5, 3), torch.zeros(5, 3)
    pairs = ((numbers, zeros), (zeros, numbers))
    wants, gots = [vae.kl_to_standard_normal(*p) for p in pairs], [kl(*p) for p in pairs]
    return all(
        got.shape == want.shape and torch.allclose(got, want, atol=1e-4)
        for got, want in zip(gots, wants, strict=True)
    )


@trust_kl.mistake(
    "Your test rejects versions that are right. Are their numbers wrong, or only rounded in "
    "another order?"
)
def equal_to_the_last_bit(kl):
    mu, logvar = torch.linspace(-2, 2, 300).view(100, 3), torch.linspace(1, -2, 300).view(100, 3)
    got = kl(mu, logvar)
    want = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    return got.shape == want.shape and bool((got == want).all())


@trust_kl.mistake("The shape is right in most versions. What about the values?")
def shape_only(kl):
    return kl(torch.randn(4, 3), torch.randn(4, 3)).shape == (4,)


@trust_kl.mistake("Your test lets everything pass. What would it have to see to say no?")
def always_trusting(kl):
    return True
